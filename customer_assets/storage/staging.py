"""Files that are written but not yet published: one directory per process, swept once the process is gone."""

import atexit
import hashlib
import os
import re
import shutil
import socket
import threading
import uuid
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self

from customer_assets.storage.locks import locked_file, try_lock_orphan
from customer_assets.storage.private_files import OWNER_ONLY_DIRECTORY, private_directory

LOCK_SUFFIX = ".lock"
OWNER = re.compile("([0-9a-f]{8})-([0-9a-f]{32})")


class StagingArea:
    """The staged files of one process, in a directory that only this process uses.

    The process holds a lock beside the directory for as long as it lives, however it ends. What dead processes left
    behind is swept when the next area opens. Only the owner can read the files.

    Attributes:
        directory: Where staged files go.
        pending: Names of files that this process has begun to commit elsewhere, and not ended to.
    """

    def __init__(self, parent: Path) -> None:
        """Open an area below `parent`, which is created if it is missing."""
        private_directory(parent)
        sweep(parent)
        self.directory = parent / uuid.uuid4().hex
        self._lock = locked_file(self.directory.with_suffix(LOCK_SUFFIX))
        self._process = os.getpid()
        self.pending: set[str] = set()
        self.directory.mkdir(mode=OWNER_ONLY_DIRECTORY)

    def file(self, name: str) -> Path:
        """Return the path of a new file in this area: no two calls return the same."""
        return self.directory / f"{uuid.uuid4().hex}-{name}"

    @cached_property
    def owner(self) -> str:
        """What marks files elsewhere as this process's; see `is_gone`."""
        return f"{_identity(self.directory.parent)}-{self.directory.name}"

    def is_gone(self, owner: str) -> bool | None:
        """Whether the process of this owner has ended; None if it staged its files elsewhere, so nobody here knows."""
        parent = self.directory.parent
        known = OWNER.fullmatch(owner)
        if known is None or known[1] != _identity(parent):
            return None
        lock_file = (parent / known[2]).with_suffix(LOCK_SUFFIX)
        if not lock_file.exists():
            return True
        lock = try_lock_orphan(lock_file)
        if lock is not None:
            os.close(lock)
        return lock is not None

    def close(self) -> None:
        """Remove the area and everything in it, if it is this process's own."""
        if self._process != os.getpid():
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.with_suffix(LOCK_SUFFIX).unlink(missing_ok=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_areas: dict[tuple[int, Path], StagingArea] = {}
"""By process and parent: a forked process must not use, or close, the area of the process it was forked from."""
_opening = threading.Lock()


def staging_area(parent: Path) -> StagingArea:
    """Return this process's area below `parent`, which is open until the process ends."""
    with _opening:
        key = (os.getpid(), parent)
        area = _areas.get(key)
        if area is None or not area.directory.is_dir():  # somebody tidied up
            area = _areas[key] = StagingArea(parent)
            atexit.register(area.close)
        return area


def sweep(parent: Path) -> int:
    """Remove the areas of processes that are gone; return how many were removed."""
    with os.scandir(parent) as entries:
        lock_files = [parent / entry.name for entry in entries if entry.name.endswith(LOCK_SUFFIX)]
    return sum(map(_sweep_area, lock_files))


def _sweep_area(lock_file: Path) -> bool:
    lock = try_lock_orphan(lock_file)
    if lock is None:
        return False
    try:
        shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
        with suppress(PermissionError):  # another user's, in a directory that only lets owners remove files
            lock_file.unlink(missing_ok=True)
    finally:
        os.close(lock)
    return True


def _identity(parent: Path) -> str:
    """Name a staging directory so that no other machine's, and no other directory, has the same name."""
    found = parent.stat()
    return hashlib.sha256(f"{socket.gethostname()}:{found.st_dev}:{found.st_ino}".encode()).hexdigest()[:8]
