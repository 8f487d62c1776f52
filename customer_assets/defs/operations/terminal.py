"""The terminal that Dagster was started from, kept open before Dagster redirects standard error to a file."""

import os
import sys
from typing import TextIO


def open_terminal(stream: TextIO) -> TextIO | None:
    """Open the terminal that the stream writes to now; None if it is not a terminal."""
    try:
        if not stream.isatty():
            return None
        return open(os.dup(stream.fileno()), "w", encoding="utf-8", closefd=False)
    except (OSError, ValueError):  # closed, or not a file
        return None


TERMINAL = open_terminal(sys.stderr)
