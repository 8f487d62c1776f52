"""The order of editions: whatever is held up, and wherever, no older edition replaces a newer one."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from customer_assets.core.errors import PublishError, SupersededError
from customer_assets.storage.publish import atomic_write
from customer_assets.storage.succession import Edition, Succession, newest_claim
from customer_assets_tests.harness.storage import file_operations


class Shelf:
    """A published file, and the edition that is on record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.on_record: Edition | None = None

    def publish(self, number: int, content: str = "", *, text: str = "", is_recorded: bool = True) -> None:
        """Publish an edition; each number has other content unless it is given."""
        edition = Edition(number, content or f"{number:x}")
        with Succession(edition, lambda: self.on_record) as succession:
            with atomic_write(self.path, succession) as temporary:
                temporary.write_text(text or str(number))
            if not is_recorded:
                raise OSError("not recorded")
            self.on_record = edition

    def names(self) -> list[str]:
        """List all files beside the published one."""
        return sorted(path.name for path in self.path.parent.iterdir())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A shelf of its own folder."""
    return Shelf(tmp_path / "shelf" / "out[1].json")


def test_newer_editions_replace_older_ones(shelf: Shelf) -> None:
    for number in (1, 2, 7):
        shelf.publish(number)
        assert shelf.path.read_text() == str(number)
    assert shelf.names() == ["out[1].json"]


def test_an_older_edition_is_refused(shelf: Shelf) -> None:
    shelf.publish(2)
    with pytest.raises(SupersededError, match=r"out\[1\]\.json was not replaced"):
        shelf.publish(1)
    assert shelf.path.read_text() == "2"
    assert shelf.names() == ["out[1].json"]


def test_an_edition_of_the_same_data_is_never_older(shelf: Shelf) -> None:
    """Other rules can have made another document of it."""
    shelf.publish(2, "abc")
    shelf.publish(1, "abc", text="by other rules")
    assert shelf.path.read_text() == "by other rules"


def test_a_block_that_fails_leaves_no_claim(shelf: Shelf) -> None:
    shelf.publish(1)
    with (
        pytest.raises(ValueError, match="no"),
        Succession(Edition(9, "9"), lambda: shelf.on_record) as succession,
        atomic_write(shelf.path, succession),
    ):
        raise ValueError("no")
    shelf.publish(2)
    assert shelf.names() == ["out[1].json"]


def test_a_run_that_is_killed_anywhere_leaves_a_whole_file_and_blocks_no_newer_one(shelf: Shelf) -> None:
    number, claimed = 0, 0
    while True:
        shelf.on_record = None
        shelf.publish(1)
        if not file_operations.kill_at(shelf.path.parent, number, lambda: shelf.publish(5)):
            break
        assert shelf.path.read_text() in ("1", "5")
        if newest_claim(shelf.path):  # nobody knows how far it came, so nothing older is published
            claimed += 1
            with pytest.raises(SupersededError):
                shelf.publish(4)
        shelf.publish(6)
        assert shelf.path.read_text() == "6"
        assert newest_claim(shelf.path) == 0
        assert shelf.names() == ["out[1].json"]
        number += 1
    assert claimed > 3


def test_nothing_is_claimed_where_nothing_is(tmp_path: Path) -> None:
    assert newest_claim(tmp_path / "missing" / "out") == 0


def test_other_files_are_no_claims(shelf: Shelf) -> None:
    shelf.publish(1)
    for name in (
        ".out[1].json.claim",
        f".other.json.{Edition(9, '9').mark}claim",
        f"out[1].json.{Edition(9, '9').mark}claim",
    ):
        (shelf.path.parent / name).touch()
    shelf.publish(2)
    assert shelf.path.read_text() == "2"


@pytest.mark.parametrize("is_recorded", [True, False])
@pytest.mark.parametrize(("held_up", "other"), [(1, 2), (2, 1)])
def test_whoever_is_held_up_wherever_the_newer_one_stays(
    shelf: Shelf, held_up: int, other: int, *, is_recorded: bool
) -> None:
    """One run stops before each of its file operations until the other has published, though it cannot record that."""
    shelf.publish(0)
    operations = file_operations.count(shelf.path.parent, lambda: shelf.publish(0, "0"))
    refused = 0
    for number in range(operations):
        shelf.on_record = None
        for path in shelf.path.parent.iterdir():
            path.unlink()

        def meanwhile() -> None:
            with suppress(SupersededError, OSError):
                shelf.publish(other, is_recorded=is_recorded)

        errors = file_operations.pause_at(shelf.path.parent, number, lambda: shelf.publish(held_up), meanwhile)
        assert all(isinstance(error, SupersededError) for error in errors), (number, errors)
        assert shelf.path.read_text() == "2", number
        assert [name for name in shelf.names() if name.endswith(".tmp")] == []
        refused += len(errors)
    assert refused > 5 if held_up == 1 else refused == 0


def test_a_folder_that_vanishes_is_not_called_a_newer_edition(shelf: Shelf) -> None:
    """Somebody tidied up meanwhile."""
    shelf.publish(1)
    with (
        pytest.raises(PublishError, match="No such file or directory"),
        Succession(Edition(2, "2"), lambda: shelf.on_record) as succession,
        atomic_write(shelf.path, succession),
    ):
        shutil.rmtree(shelf.path.parent)
