"""Where files and directories come into being that only their owner may read. Nothing is published here."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY = 0o600
FULL_BELOW_BYTES = 2**16


def make_private(path: Path | str) -> None:
    """Leave an empty file that only its owner may read, whatever was there; writers then keep its mode."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    try:
        os.fchmod(descriptor, OWNER_ONLY)
    finally:
        os.close(descriptor)


@contextmanager
def private_file(path: Path | str) -> Iterator[None]:
    """Make a private file, to be written in the block; if that fails, remove it.

    Raises:
        OSError: It could not be written; names the file.
    """
    make_private(path)
    try:
        yield
    except BaseException as error:
        is_full = shutil.disk_usage(Path(path).parent).free < FULL_BELOW_BYTES
        Path(path).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        elif is_full and isinstance(error, Exception):  # Polars calls it damage
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def private_directory(path: Path) -> None:
    """Make a directory, and what is missing above it, for the owner only: `mkdir` would leave those above to all."""
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def with_filename(path: Path) -> Iterator[None]:
    """Put the file's name into errors of the disk: Arrow's hold none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
