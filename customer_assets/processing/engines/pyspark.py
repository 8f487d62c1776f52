"""Spark (extra `spark`): a local one, or any cluster through a session or a Spark Connect address."""

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from customer_assets.processing.rules import Frame
from customer_assets.storage.private_files import private_file

_LOCAL: dict[str, bool | float | int | str | None] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
}

_WILDCARD = re.compile(r"[*?\[\]{}\\]")
"""What Spark takes for part of a pattern in a path to read from, unless it is escaped."""

QUOTING_LOGGERS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
"""PySpark logs each error of a query before it raises it, the customer's value at fault included."""


class SparkEngine:
    """Data frames of one Spark session."""

    name = "pyspark"

    def __init__(self, spark: Any = None) -> None:  # noqa: ANN401 - a session, classic or Connect, or an address
        for name in QUOTING_LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self.session = _session(spark)

    def scan(self, source: Path | str | Sequence[Path | str]) -> Frame:
        """Read Parquet files, or directories of them, lazily, as one frame."""
        paths = [source] if isinstance(source, Path | str) else source
        reader = self.session.read.option("datetimeRebaseMode", "CORRECTED")  # dates before 1582 are what they say
        locations = map(_location, paths)
        patterns = (
            _WILDCARD.sub(r"\\\g<0>", location) if location.startswith("file://") else location
            for location in locations
        )
        frame: Frame = nw.from_native(reader.parquet(*patterns))
        return frame

    def from_arrow(self, table: pa.Table) -> Frame:
        """Take a table in memory."""
        frame: Frame = nw.from_native(self.session.createDataFrame(table))
        return frame

    def sink(self, frame: Frame, path: Path | str) -> None:
        """Compute the frame into one Parquet file; in an object store, into a directory of them."""
        if "://" in str(path):
            frame.to_native().write.mode("overwrite").parquet(str(path))
            return
        parts = Path(f"{path}.parts")
        try:
            frame.to_native().write.mode("overwrite").parquet(_location(parts))
            _join(sorted(parts.glob("*.parquet")), Path(path))
        finally:
            shutil.rmtree(parts, ignore_errors=True)

    def batches(self, frame: Frame, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Compute the frame and hand it over piece by piece, in its order."""

        def as_bytes(pieces: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            # Defined here, Spark ships it by value: its workers need Arrow, not this package.
            for piece in pieces:
                with pa.BufferOutputStream() as buffer:
                    with pa.ipc.new_stream(buffer, piece.schema) as stream:
                        stream.write_batch(piece)
                    yield pa.record_batch([[buffer.getvalue().to_pybytes()]], ["piece"])

        for row in frame.to_native().mapInArrow(as_bytes, "piece binary").toLocalIterator():
            for piece in pa.ipc.open_stream(row.piece):
                plain = piece.cast(pa.schema([(field.name, field.type) for field in piece.schema]))
                for start in range(0, plain.num_rows, batch_rows):
                    yield plain.slice(start, batch_rows)


def _session(spark: Any) -> SparkSession:  # noqa: ANN401 - the same
    if spark is None:
        # A local Spark's workers read no other setting: without it they run whichever python3 comes first on the path.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        is_ours = SparkSession.getActiveSession() is None
        builder = SparkSession.builder.master("local[*]").appName("customer_assets").config(map=_LOCAL)
        session = builder.getOrCreate()
        if is_ours:  # its own log would quote what a task failed on; the error arrives as an exception in any case
            session.sparkContext.setLogLevel("OFF")
        return session
    return SparkSession.builder.remote(spark).getOrCreate() if isinstance(spark, str) else spark


def _location(path: Path | str) -> str:
    """Write a path as Spark wants it: with a scheme, and nothing in it encoded."""
    return str(path) if "://" in str(path) else f"file://{Path(path).absolute()}"


def _join(parts: Sequence[Path], path: Path) -> None:
    """Copy the parts' row groups into one file, one row group in memory at a time."""
    with private_file(path), pq.ParquetWriter(path, pq.read_schema(parts[0]), compression="zstd") as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches():
                    writer.write_batch(batch)
