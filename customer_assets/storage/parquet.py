"""What can be said of a Parquet file from outside: its hash, and whether it can be read as a table of given columns."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def escape_glob(path: Path | str) -> str:
    """Write a path so that DuckDB takes it for one file, whatever its name: `[a]/b.parquet` → `[[]a]/b.parquet`."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file. No engine verifies the checksums of a Parquet file's pages."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def problem_of(parts: Sequence[Path], columns: Sequence[str]) -> str | None:
    """Return what keeps Parquet files from being read as a table of these columns; None if nothing does.

    Reads only the ends of the files. Damage elsewhere shows when their rows are read.
    """
    for part in parts:
        try:
            found = pq.read_schema(part).names
        except (OSError, pa.ArrowException):
            return f"{part.name} is damaged or cut off"
        absent = [name for name in columns if name not in found]
        if absent:
            return f"{part.name} was written by another version, without {', '.join(absent)}"
    return None
