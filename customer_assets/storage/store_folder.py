"""A folder in an object store, and the differences between stores."""

import errno
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from upath import UPath

from customer_assets.storage.object_store import PACKAGES
from customer_assets.storage.private_files import make_private

REPLACES_IN_ONE_STEP = {*PACKAGES, "memory"}
"""Where readers see the old object until a new one is complete. Elsewhere (SFTP, HDFS, SMB) they can see half of it."""

Result = TypeVar("Result")


def is_local(path: UPath) -> bool:
    """Whether a path is in this machine's file system."""
    return path.protocol in ("", "file", "local")


class StoreFolder:
    """A folder in an object store, or on another machine that fsspec reaches; see `folders.Folder`."""

    def __init__(self, path: UPath) -> None:
        self._root, self._fs = path, path.fs
        self._replaces_in_one_step = path.protocol in REPLACES_IN_ONE_STEP

    def where(self, name: str) -> str:
        return str(self._root / name)

    def read(self, name: str) -> bytes:
        return self._try(name, lambda path: bytes(self._fs.cat_file(path)))

    def fetch(self, name: str, target: Path) -> None:
        make_private(target)
        try:
            self._try(name, lambda path: self._fs.get_file(path, str(target)))
        except OSError:
            target.unlink(missing_ok=True)
            raise

    def names(self, subfolder: str) -> list[str]:
        self._fs.invalidate_cache()  # other machines write there, too
        try:
            found = self._try(subfolder, lambda path: list(self._fs.ls(path, detail=False)))
        except FileNotFoundError:
            return []
        return [f"{subfolder}/{path.rstrip('/').rpartition('/')[-1]}" for path in found]

    def add(self, staged: Path, name: str) -> None:
        self._make_parent(name)
        self._try(name, lambda path: self._fs.put_file(str(staged), path))

    def replace(self, name: str, content: bytes) -> None:
        self._make_parent(name)
        self._in_one_step(name, lambda path: self._fs.pipe_file(path, content))

    def publish(self, staged: Path, name: str) -> None:
        """Put a finished file in an object's place in one step."""
        self._make_parent(name)
        self._in_one_step(name, lambda path: self._fs.put_file(str(staged), path))

    def check_replaceable(self, name: str) -> None:
        """Do nothing: an object has no kind that would be in the way."""

    def show(self, name: str, shown_as: str) -> None:
        source = self._path(name)
        self._in_one_step(shown_as, lambda path: self._fs.cp_file(source, path))

    def rename(self, name: str, new_name: str) -> None:
        source = self._path(name)
        with suppress(FileNotFoundError):
            self._try(new_name, lambda path: self._fs.mv(source, path))

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._try(name, self._fs.rm_file)

    def _path(self, name: str) -> str:
        return str((self._root / name).path)

    def _make_parent(self, name: str) -> None:
        self._try(name.rpartition("/")[0], lambda path: self._fs.makedirs(path, exist_ok=True))

    def _in_one_step(self, name: str, write: Callable[[str], object]) -> None:
        if self._replaces_in_one_step:
            self._try(name, write)
            return
        temporary = f"{name}.{uuid.uuid4().hex}.tmp"
        try:
            self._try(temporary, write)
            self._try(name, lambda path: self._fs.mv(self._path(temporary), path))
        except OSError:
            with suppress(OSError):
                self.remove(temporary)
            raise

    def _try(self, name: str, use: Callable[[str], Result]) -> Result:
        """Use a file; turn whatever the store raises into an `OSError` that names it."""
        try:
            return use(self._path(name))
        except OSError as error:
            error.filename = error.filename or self.where(name)
            raise
        except Exception as error:  # every store has exceptions of its own
            raise OSError(errno.EIO, type(error).__name__, self.where(name)) from error
