"""Past exports: the newest few are kept, each as it was."""

import os
import shutil
from pathlib import Path

import pytest

from customer_assets.core.errors import PublishError
from customer_assets.export.history import keep_export
from customer_assets.storage.publish import atomic_write
from customer_assets_tests.harness.storage import file_operations


def publish(export: Path, number: int) -> None:
    """Publish one more export."""
    with atomic_write(export) as temporary:
        temporary.write_text(f"export {number}", encoding="utf-8")
        os.utime(temporary, (1_800_000_000 + number, 1_800_000_000 + number))


def contents(folder: Path) -> list[str]:
    """What is kept, the oldest first."""
    return [path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
def test_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool) -> None:
    """Whole, for their owner only; also where the file system has no links."""

    def no_link(*_: object) -> None:
        raise PermissionError(1, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    export = tmp_path / "customers.json"
    for number in range(5):
        publish(export, number)
        keep_export(export, 3)
    assert contents(tmp_path / "history") == ["export 2", "export 3", "export 4"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "history").iterdir()} == {0o600}
    assert max(path.name for path in (tmp_path / "history").iterdir()) == "customers-20270115T080004.000000Z.json"


def test_the_same_export_is_kept_once(tmp_path: Path) -> None:
    """However often it is told."""
    export = tmp_path / "customers.json"
    publish(export, 1)
    assert keep_export(export, 3) == keep_export(export, 3)
    assert contents(tmp_path / "history") == ["export 1"]


def test_fewer_are_kept_once_fewer_are_asked_for(tmp_path: Path) -> None:
    """None asked for: none is added, and none is taken away unasked."""
    export = tmp_path / "customers.json"
    for number in range(3):
        publish(export, number)
        keep_export(export, 3)
    publish(export, 3)
    assert keep_export(export, 0) is None
    assert contents(tmp_path / "history") == ["export 0", "export 1", "export 2"]
    keep_export(export, 1)
    assert contents(tmp_path / "history") == ["export 3"]


def test_a_users_own_files_are_left_alone(tmp_path: Path) -> None:
    """Only files that are named just as kept exports are removed, and only those of this export."""
    export = tmp_path / "customers.json"
    stamp = "20200101T000000.000000Z"
    own = [
        "notes.txt",
        "customers-2026.json",
        "customers-before-the-merger.json",
        f"customers-{stamp}.json.gz",
        f"my-customers-{stamp}.json",
        f"customers-{stamp}-copy.json",
        f".customers-{stamp}.json.mine.tmp",
    ]
    (tmp_path / "history").mkdir()
    for name in own:
        (tmp_path / "history" / name).write_text("mine", encoding="utf-8")
    for number in range(3):
        publish(export, number)
        keep_export(export, 1)
    assert sorted(contents(tmp_path / "history")) == ["export 2", *["mine"] * len(own)]


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    """Whichever operation it was killed before."""
    export, history, number = tmp_path / "customers.json", tmp_path / "history", 0
    publish(export, 1)
    while file_operations.kill_at(tmp_path, number, lambda: keep_export(export, 1)):
        kept = [path.read_text(encoding="utf-8") for path in history.glob("customers-*.json")]
        assert kept in ([], ["export 1"])
        publish(export, 2)
        keep_export(export, 1)
        assert contents(history) == ["export 2"]
        shutil.rmtree(history)
        publish(export, 1)
        number += 1
    assert number > 9


def test_a_linked_export_is_kept_as_a_file(tmp_path: Path) -> None:
    """Where the export is a symbolic link, what it points to is kept."""
    export = tmp_path / "customers.json"
    (tmp_path / "elsewhere").mkdir()
    export.symlink_to("elsewhere/real.json")
    for number in range(2):
        publish(export, number)
        kept = keep_export(export, 2)
        assert kept is not None
        assert not kept.is_symlink()
    assert contents(tmp_path / "history") == ["export 0", "export 1"]


def test_a_history_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    """Which names it, and says that the export is published."""
    export = tmp_path / "customers.json"
    publish(export, 1)
    (tmp_path / "history").write_text("in the way", encoding="utf-8")
    with pytest.raises(PublishError, match=r"customers\.json was published, but not kept.*history") as raised:
        keep_export(export, 1)
    assert raised.value.in_place


@pytest.mark.parametrize("code", file_operations.ERRORS)
def test_an_error_anywhere_says_that_the_export_is_published(tmp_path: Path, code: int) -> None:
    export = tmp_path / "customers.json"
    publish(export, 1)
    operations = file_operations.count(tmp_path, lambda: keep_export(export, 1))
    assert operations > 8
    for number in range(operations):
        publish(export, number)
        error = None
        try:
            with file_operations.watched(tmp_path, file_operations.fail_at(number, code)):
                keep_export(export, 1)
        except PublishError as raised:
            error = raised
        if error is not None:
            assert error.in_place
            assert str(error).startswith(f"{export} was published, but not kept")
            assert os.strerror(code) in str(error)
        assert export.read_text(encoding="utf-8") == f"export {number}"
