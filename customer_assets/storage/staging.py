"""What is written but not yet published: one directory a process, swept once its process is gone."""

import os
import shutil
import uuid
from pathlib import Path
from typing import Self

from customer_assets.storage.locks import locked_file, try_lock_orphan
from customer_assets.storage.private_files import private_directory

LOCK_SUFFIX = ".lock"


class StagingArea:
    """Staged files of one process, in a directory that only this process uses.

    A lock beside the directory is held for as long as the process lives, however it ends; what dead processes left
    behind is swept when the next area opens. Files are for the owner only.

    Attributes:
        directory: Where staged files go.
    """

    def __init__(self, parent: Path) -> None:
        """Open an area below `parent`, which is created if it is missing."""
        private_directory(parent)
        sweep(parent)
        self.directory = parent / uuid.uuid4().hex
        self._lock = locked_file(self.directory.with_suffix(LOCK_SUFFIX))
        self.directory.mkdir(mode=0o700)

    def file(self, name: str) -> Path:
        """Name a new file in this area: no two calls give the same."""
        return self.directory / f"{uuid.uuid4().hex}-{name}"

    def close(self) -> None:
        """Remove the area and all that is still in it."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.with_suffix(LOCK_SUFFIX).unlink(missing_ok=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        """Open the area as a context."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Remove the area."""
        self.close()


def sweep(parent: Path) -> int:
    """Remove the areas of processes that are gone; return how many."""
    return sum(_swept(lock_file) for lock_file in parent.glob(f"*{LOCK_SUFFIX}"))


def _swept(lock_file: Path) -> bool:
    lock = try_lock_orphan(lock_file)
    if lock is None:
        return False
    try:
        shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
        lock_file.unlink(missing_ok=True)
    finally:
        os.close(lock)
    return True
