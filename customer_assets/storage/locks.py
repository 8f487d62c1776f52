"""File locks that last as long as their process, however it ends: a file that nobody locks was left behind.

Some network file systems have no `flock`. There, files are created without a lock, and one counts as left behind
once it has not been written for a week.
"""

import errno
import fcntl
import logging
import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from customer_assets.storage.private_files import OWNER_ONLY

LEFT_BEHIND_AFTER_S = 7 * 86_400.0
"""Longer than any run: a crawl under a daily quota can take several days."""

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
"""What `flock` fails with where a file system has no locks."""

logger = logging.getLogger(__name__)


def locked_file(path: Path) -> int:
    """Create a file and lock it until the returned descriptor is closed.

    A sweep by another process can remove the file between the two steps; then another file is created.
    """
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, OWNER_ONLY)
        try:
            _flock(descriptor, fcntl.LOCK_EX, path)
            with suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(descriptor)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def share_lock(path: Path) -> int:
    """Lock an existing file against sweeps until the returned descriptor is closed; others can share the lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _flock(descriptor, fcntl.LOCK_SH, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def try_lock_orphan(path: Path) -> int | None:
    """Lock a file whose process is gone. None if the process lives, or the file is another user's or gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_orphan = True
    except OSError as error:
        age_s = time.time() - os.fstat(descriptor).st_mtime
        is_orphan = error.errno in NO_LOCKS and age_s > LEFT_BEHIND_AFTER_S
    if is_orphan:
        return descriptor
    os.close(descriptor)
    return None


def _flock(descriptor: int, operation: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            error.filename = error.filename or str(path)
            raise
        _warn_of_missing_locks(path.parent)


@cache
def _warn_of_missing_locks(folder: Path) -> None:
    """Warn once a folder."""
    logger.warning("%s has no file locks (flock): what a killed run leaves there is removed after a week.", folder)
