"""Temporary files: how they are named beside the file they become, and which of them were left behind."""

import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from customer_assets.storage.locks import try_lock_orphan

TEMPORARY = ".tmp"
UNIQUE = "[0-9a-f]{32}"


def temporary_name(name: str, mark: str = "") -> str:
    """Name a temporary file for the file called `name`; no two calls return the same.

    Args:
        name: The file's name.
        mark: Stands in the temporary file's name, for whoever looks for it.
    """
    return f".{name}.{mark}{uuid.uuid4().hex}{TEMPORARY}"


def find_temporaries(folder: Path, name: str, mark: str = "") -> list[tuple[Path, re.Match[str]]]:
    """List temporary files.

    Args:
        folder: Where to look.
        name: A regular expression of the file's name.
        mark: One of the mark.

    Returns:
        Each file, with what the expressions matched.
    """
    ours = re.compile(rf"\.{name}\.{mark}{UNIQUE}{re.escape(TEMPORARY)}")
    return [(path, match) for path in folder.iterdir() if (match := ours.fullmatch(path.name))]


def sweep_temporaries(folder: Path, name: str, mark: str = "") -> None:
    """Remove the temporary files of processes that are gone; see `find_temporaries`."""
    for left, _ in find_temporaries(folder, name, mark):
        lock = try_lock_orphan(left)
        if lock is not None:
            with suppress(OSError):  # another user's, in a directory that only lets owners remove files
                left.unlink(missing_ok=True)
            os.close(lock)
