"""Where files come into being that only their owner may read. Nothing is published here."""

import os
from pathlib import Path

OWNER_ONLY = 0o600


def make_private(path: Path | str) -> None:
    """Leave an empty file that only its owner may read, whatever was there; writers then keep its mode."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    try:
        os.fchmod(descriptor, OWNER_ONLY)
    finally:
        os.close(descriptor)
