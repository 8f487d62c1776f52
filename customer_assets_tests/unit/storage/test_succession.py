"""The order of editions: whatever is held up, and wherever, no older edition replaces a newer one."""

import multiprocessing
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from customer_assets.core.errors import AbandonedStepError, PublishError, SupersededError
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


class Gone:
    """The parent of a process, once it has ended."""

    def is_alive(self) -> bool:
        return False


def test_a_step_that_outlives_its_run_publishes_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its run is marked as failed by then, and another one may be under way."""
    shelf.publish(1)
    monkeypatch.setattr(multiprocessing, "parent_process", Gone)
    with pytest.raises(AbandonedStepError, match=r"was not replaced: the process that started this step has ended"):
        shelf.publish(2)
    assert shelf.path.read_text() == "1"
    assert shelf.names() == ["out[1].json"]


TELL_OF_THE_PARENT = """
import os, sys, time
from customer_assets.core.errors import AbandonedStepError
from customer_assets.storage.succession import require_parent
def step(ready):
    require_parent("alive")
    ready.set()
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            require_parent("file")
        except AbandonedStepError:
            os.write(1, b"abandoned")
            return
        time.sleep(0.01)
if __name__ == "__main__":
    import multiprocessing
    context = multiprocessing.get_context(sys.argv[1])
    ready = context.Event()
    context.Process(target=step, args=(ready,)).start()
    ready.wait(30)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_notices_that_its_parent_was_killed(tmp_path: Path, method: str) -> None:
    """Whichever way Dagster starts it."""
    program = tmp_path / "program.py"
    program.write_text(TELL_OF_THE_PARENT)
    ended = subprocess.run([sys.executable, program, method], capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (-9, b"abandoned")
