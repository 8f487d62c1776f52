"""Past exports: the newest few are kept, each as it was."""

import os
from pathlib import Path

import pytest

from customer_assets.errors import PublishError
from customer_assets.export.history import keep_export
from customer_assets.storage.publish import atomic_write


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


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Only kept exports are removed."""
    export = tmp_path / "customers.json"
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "notes.txt").write_text("mine", encoding="utf-8")
    for number in range(3):
        publish(export, number)
        keep_export(export, 1)
    assert contents(tmp_path / "history") == ["export 2", "mine"]


def test_a_history_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    """Which names it."""
    export = tmp_path / "customers.json"
    publish(export, 1)
    (tmp_path / "history").write_text("in the way", encoding="utf-8")
    with pytest.raises(PublishError, match="history"):
        keep_export(export, 1)
