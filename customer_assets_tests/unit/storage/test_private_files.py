"""Files that only their owner can read, and errors that name them."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from customer_assets.storage.private_files import make_private, private_directory, private_file, with_filename


def test_a_new_file_never_empties_the_old_one(tmp_path: Path) -> None:
    """Which can have a second name, under which it is published."""
    path, published = tmp_path / "path", tmp_path / "published"
    published.write_text("customers")
    os.link(published, path)
    make_private(path)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("", 0o600)
    assert published.read_text() == "customers"


def test_missing_parents_are_private_too(tmp_path: Path) -> None:
    private_directory(tmp_path / "a" / "b")
    private_directory(tmp_path / "a" / "b")
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


def test_a_block_that_fails_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(ValueError, match="no"), private_file(path):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though an engine calls it damage."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(OSError, match="No space left on device") as raised, private_file(tmp_path / "file"):
        raise RuntimeError("damaged")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / "file"))


@pytest.mark.parametrize("named", [private_file, with_filename])
def test_an_error_without_a_name_gets_the_files(tmp_path: Path, named: object) -> None:
    """One that has a name keeps it."""
    for given, expected in ((None, str(tmp_path / "file")), ("other", "other")):
        with pytest.raises(OSError, match="Input") as raised, named(tmp_path / "file"):  # type: ignore[operator]
            raise OSError(errno.EIO, "Input/output error", given)
        assert raised.value.filename == expected
