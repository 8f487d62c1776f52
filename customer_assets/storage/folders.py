"""Folders that hold tables: on this machine's disk, or in an object store by the same few operations.

Names are relative to the folder, with `/` between their parts. Reading a file that is missing raises
`FileNotFoundError`; any other trouble is an `OSError` that names the file.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from upath import UPath

from customer_assets.storage.private_files import OWNER_ONLY, private_directory
from customer_assets.storage.publish import (
    atomic_write,
    flush,
    flush_directory,
    link_or_copy,
    publish_link,
    resolve,
)
from customer_assets.storage.store_folder import StoreFolder, is_local


class Folder(Protocol):
    """A folder on a disk or in an object store."""

    def where(self, name: str) -> str:
        """Return a file's full path or address."""
        ...

    def read(self, name: str) -> bytes:
        """Read a small file."""
        ...

    def fetch(self, name: str, target: Path) -> None:
        """Put a file's content at `target`, a new path of this machine, whatever becomes of the file."""
        ...

    def names(self, subfolder: str) -> list[str]:
        """List the files in a subfolder; none if it is missing."""
        ...

    def add(self, staged: Path, name: str) -> None:
        """Store a finished file under a new name. Readers who know the name can see it grow."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write a small file in one step: readers see the old content or the new."""
        ...

    def check_replaceable(self, name: str) -> None:
        """Raise an error if something is in the way of a file called `name`."""
        ...

    def show(self, name: str, shown_as: str) -> None:
        """Give a file a second name; take it from the file that had it, in one step."""
        ...

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file, if it is there."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...


def open_folder(path: UPath) -> Folder:
    """Return the folder at a path or an address."""
    return LocalFolder(Path(path.path)) if is_local(path) else StoreFolder(path)


class LocalFolder:
    """A folder on this machine's disk; see `Folder`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def where(self, name: str) -> str:
        return str(self._path / name)

    def read(self, name: str) -> bytes:
        with open_regular(self._path / name) as file:
            return file.read()

    def fetch(self, name: str, target: Path) -> None:
        with open_regular(self._path / name):
            link_or_copy(self._path / name, target)

    def names(self, subfolder: str) -> list[str]:
        try:
            return [f"{subfolder}/{path.name}" for path in (self._path / subfolder).iterdir()]
        except FileNotFoundError:
            return []

    def add(self, staged: Path, name: str) -> None:
        target = self._path / name
        private_directory(target.parent)
        link_or_copy(staged, target)
        target.chmod(OWNER_ONLY)
        flush(target)
        flush_directory(target.parent)

    def replace(self, name: str, content: bytes) -> None:
        with atomic_write(self._path / name) as temporary:
            temporary.write_bytes(content)

    def check_replaceable(self, name: str) -> None:
        resolve(self._path / name)

    def show(self, name: str, shown_as: str) -> None:
        publish_link(self._path / name, self._path / shown_as)

    def rename(self, name: str, new_name: str) -> None:
        with suppress(FileNotFoundError):
            (self._path / name).replace(self._path / new_name)

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; refuse a directory, a pipe or a device, instead of waiting for it.

    Raises:
        OSError: It is not a file, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is a directory, pipe or device, not a file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        yield file
