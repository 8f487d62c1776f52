"""Files that are locked for as long as their process lives, however it ends: what nobody holds was left behind."""

import fcntl
import os
from pathlib import Path


def locked_file(path: Path) -> int:
    """Create the file and lock it until the descriptor is closed.

    A sweep between the two takes the file away, so look whether it is still there.
    """
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)


def try_lock_orphan(path: Path) -> int | None:
    """Lock a file whose process is gone; None if it is alive, or another process was faster."""
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
