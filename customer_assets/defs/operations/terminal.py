"""The terminal of whoever started Dagster, kept before Dagster turns standard error into a file it captures."""

import os
import sys
from typing import TextIO


def terminal_of(stream: TextIO) -> TextIO | None:
    """Keep a way to the terminal that the stream leads to now; None if it leads elsewhere."""
    try:
        if not stream.isatty():
            return None
        return open(os.dup(stream.fileno()), "w", encoding="utf-8", closefd=False)
    except (OSError, ValueError):  # closed, or no file at all
        return None


TERMINAL = terminal_of(sys.stderr)
