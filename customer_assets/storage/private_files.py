"""Files and directories that only their owner can read. Nothing is published here."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY = 0o600
OWNER_ONLY_DIRECTORY = 0o700
FULL_BELOW_BYTES = 2**16


def make_private(path: Path | str) -> None:
    """Create an empty file that only its owner can read, in place of any that was there.

    The old file is removed, not emptied: it can have a second name, under which it is published. Writers keep the mode.
    """
    Path(path).unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))


@contextmanager
def private_file(path: Path | str) -> Iterator[None]:
    """Create a private file for the block to write, and remove it if the block fails.

    Raises:
        OSError: The file could not be written; names the file.
    """
    make_private(path)
    try:
        yield
    except BaseException as error:
        is_full = shutil.disk_usage(Path(path).parent).free < FULL_BELOW_BYTES
        Path(path).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        elif is_full and isinstance(error, Exception):  # Polars reports a full disk as damage
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def private_directory(path: Path) -> None:
    """Create a directory and its missing parents for the owner only: `mkdir` would give the parents default modes."""
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=OWNER_ONLY_DIRECTORY, exist_ok=True)


def failing_file(error: OSError) -> str | bytes | None:
    """Return the file that a disk error is about: of two, as in a copy or a rename, the one that was to be written."""
    found: str | bytes | None = error.filename2 or error.filename
    return found


@contextmanager
def with_filename(path: Path) -> Iterator[None]:
    """Add the file's name to disk errors that lack one, as Arrow's do."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
