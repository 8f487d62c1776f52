"""An object store that outlives a process: `memory://` for a test, but in files, each replaced in one step.

Use it where processes are killed; `store_operations` is enough where operations fail.
"""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem


class ProcessStore(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """Objects as files below `root`; what is being written lies beside it, as in a store, where nobody sees it."""

    protocol = "memory"
    cachable = False
    root: ClassVar[Path]

    def cat_file(self, path: str, **_: Any) -> bytes:
        return self._file(path).read_bytes()

    def get_file(self, path: str, target: str, **_: Any) -> None:
        shutil.copyfile(self._file(path), target)

    def ls(self, path: str, *, detail: bool = False, **_: Any) -> list[str]:
        assert not detail
        return [f"{path}/{each.name}" for each in self._file(path).iterdir()]

    def put_file(self, source: str, path: str, **_: Any) -> None:
        self._put(path, Path(source).read_bytes())

    def pipe_file(self, path: str, content: bytes, **_: Any) -> None:
        self._put(path, content)

    def cp_file(self, source: str, path: str, **_: Any) -> None:
        self._put(path, self.cat_file(source))

    def mv(self, source: str, path: str, **_: Any) -> None:
        self._file(source).replace(self._file(path))

    def rm_file(self, path: str) -> None:
        self._file(path).unlink()

    def makedirs(self, path: str, *, exist_ok: bool = False) -> None:
        self._file(path).mkdir(parents=True, exist_ok=exist_ok)

    def _put(self, path: str, content: bytes) -> None:
        unseen = self.root.with_name("uploads") / uuid.uuid4().hex
        unseen.parent.mkdir(exist_ok=True)
        with unseen.open("wb") as file:
            for start in range(0, len(content), 2**12):  # so that a kill can come in between
                file.write(content[start : start + 2**12])
                file.flush()
        unseen.replace(self._file(path))

    def _file(self, path: str) -> Path:
        return self.root / path.lstrip("/")


@pytest.fixture
def process_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a store of the test's own."""
    usual = fsspec.get_filesystem_class("memory")
    monkeypatch.setattr(ProcessStore, "root", tmp_path / "store", raising=False)
    fsspec.register_implementation("memory", ProcessStore, clobber=True)
    yield "memory://lake"
    fsspec.register_implementation("memory", usual, clobber=True)
