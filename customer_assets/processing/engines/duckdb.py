"""DuckDB: the embedded default. Open, cast, sink, stream; nothing of the rules."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import narwhals as nw
import pyarrow as pa

from customer_assets.core.errors import ConfigurationError
from customer_assets.processing.rules import Frame
from customer_assets.storage.parquet import escape_glob
from customer_assets.storage.private_files import private_file
from customer_assets.storage.staging import staging_area

_OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
"""Nothing is fetched from the network behind the user's back."""


class DuckDBEngine:
    """One in-memory database, which spills to disk beyond its memory limit."""

    name = "duckdb"

    def __init__(self, memory_limit: str | None = None, spill_dir: Path | str | None = None) -> None:
        settings: dict[str, str | bool | int | float | list[str]] = {**_OFFLINE, "preserve_insertion_order": False}
        if memory_limit is not None:
            settings["memory_limit"] = memory_limit
        if not spill_dir:  # DuckDB would take the working directory, for everybody to read
            with suppress(OSError, RuntimeError):  # no home directory, or none that can be written
                cache_dir = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
                spill_dir = staging_area(cache_dir / "customer_assets" / "spill").directory / "spill"
        if spill_dir:
            settings["temp_directory"] = str(spill_dir)
        try:
            self.connection = duckdb.connect(config=settings)
        except duckdb.Error as error:
            raise ConfigurationError(
                "memory_limit", f"{memory_limit!r} is not an amount of memory", "Write it like 1GB or 512MB."
            ) from error
        self.connection.execute("SET TimeZone = 'UTC'")

    def scan(self, source: Path | str | Sequence[Path | str]) -> Frame:
        """Read Parquet files lazily, as one frame."""
        paths = [source] if isinstance(source, Path | str) else source
        return nw.from_native(self.connection.read_parquet([escape_glob(path) for path in paths]))

    def from_arrow(self, table: pa.Table) -> Frame:
        """Take a table in memory."""
        return nw.from_native(self.connection.from_arrow(table))

    def sink(self, frame: Frame, path: Path | str) -> None:
        """Compute the frame into one Parquet file."""
        target = str(path).replace("'", "''")
        # USE_TMP_FILE would write beside the private file and replace it, readable by all.
        copy = f"COPY frame TO '{target}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
        with private_file(path):
            try:
                frame.to_native().query("frame", copy)
            except duckdb.IOException as error:
                raise OSError(errno.EIO, str(error).partition("\n")[0], str(path)) from error

    def batches(self, frame: Frame, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Compute the frame and hand it over piece by piece, in its order."""
        yield from frame.to_native().to_arrow_reader(batch_rows)
