"""Object stores: replaced in one step where the store can, and every trouble an error of the disk."""

import errno
import time
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from customer_assets.storage.store_folder import StoreFolder, is_local


@pytest.fixture
def folder() -> StoreFolder:
    """A folder in a store in memory."""
    return StoreFolder(UPath(f"memory://lake-{time.monotonic_ns()}"))


def test_files_are_added_replaced_shown_renamed_and_removed(folder: StoreFolder, tmp_path: Path) -> None:
    staged, here = tmp_path / "staged", tmp_path / "here"
    staged.write_text("rows")
    assert folder.names("versions") == []
    folder.add(staged, "versions/t-1")
    folder.replace("t.json", b"pointer")
    folder.show("versions/t-1", "t.parquet")
    folder.rename("t.parquet", "u.parquet")
    folder.rename("missing", "never")
    folder.fetch("u.parquet", here)
    assert (here.read_text(), here.stat().st_mode & 0o777) == ("rows", 0o600)
    assert folder.names("versions") == ["versions/t-1"]
    assert folder.read("t.json") == b"pointer"
    for name in ("versions/t-1", "u.parquet", "missing"):
        folder.remove(name)
    assert folder.names("versions") == []
    with pytest.raises(FileNotFoundError):
        folder.fetch("u.parquet", tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_whatever_a_store_raises_names_the_object(folder: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class is kept; its message, which can hold anything, is not."""

    class EndpointConnectionError(Exception):
        pass

    def refuse(*_: object, **__: object) -> None:
        raise EndpointConnectionError("secret")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", refuse)
    with pytest.raises(OSError, match="EndpointConnectionError") as raised:
        folder.read("t.json")
    assert (raised.value.errno, raised.value.filename) == (errno.EIO, folder.where("t.json"))
    assert "secret" not in str(raised.value)


class Elsewhere(MemoryFileSystem):  # type: ignore[misc] # fsspec has no types
    """A server whose uploads can be seen half done, such as SFTP."""

    protocol = "elsewhere"
    seen: list[str] = []  # noqa: RUF012 - fsspec makes instances of its own

    def pipe_file(self, path: str, value: bytes, **_: object) -> None:
        self.seen.append(path)
        super().pipe_file(path, value)


def test_where_uploads_can_be_seen_half_done_they_are_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And if that fails, nothing is left."""
    path = UPath(f"memory://lake-{time.monotonic_ns()}")
    folder = StoreFolder(path)
    folder._fs, folder._replaces_in_one_step = Elsewhere(), False
    folder.replace("t.json", b"first")
    assert folder.read("t.json") == b"first"
    (written,) = Elsewhere.seen
    assert written.endswith(".tmp")
    assert [each.name for each in path.iterdir()] == ["t.json"]

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Elsewhere, "mv", refuse)
    with pytest.raises(PermissionError):
        folder.replace("t.json", b"second")
    assert folder.read("t.json") == b"first"
    assert [each.name for each in path.iterdir()] == ["t.json"]


@pytest.mark.parametrize(("url", "local"), [("/var/lake", True), ("file:///var/lake", True), ("memory://lake", False)])
def test_what_is_on_this_machine(url: str, *, local: bool) -> None:
    assert is_local(UPath(url)) is local
