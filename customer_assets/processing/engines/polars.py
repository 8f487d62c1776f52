"""Polars (extra `polars`): streaming in one process. Open, cast, sink, stream; nothing of the rules."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import narwhals as nw
import polars as pl
import pyarrow as pa

from customer_assets.processing.rules import Frame
from customer_assets.storage.private_files import private_file


class PolarsEngine:
    """Lazy frames, computed by Polars' streaming engine."""

    name = "polars"

    def scan(self, source: Path | str | Sequence[Path | str]) -> Frame:
        """Read Parquet files lazily, as one frame."""
        paths = [source] if isinstance(source, Path | str) else source
        return nw.from_native(pl.scan_parquet([str(path) for path in paths], glob=False))

    def from_arrow(self, table: pa.Table) -> Frame:
        """Take a table in memory."""
        return nw.from_native(pl.LazyFrame(table))

    def sink(self, frame: Frame, path: Path | str) -> None:
        """Compute the frame into one Parquet file."""
        with private_file(path):
            frame.to_native().sink_parquet(path, engine="streaming")

    def batches(self, frame: Frame, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Compute the frame and hand it over piece by piece, in its order."""
        for piece in frame.to_native().collect_batches(chunk_size=batch_rows, maintain_order=True, engine="streaming"):
            table = piece.to_arrow(compat_level=pl.CompatLevel.oldest())
            # Polars hands text over as `large_string`.
            types = [pa.string() if field.type == pa.large_string() else field.type for field in table.schema]
            yield from table.cast(pa.schema(zip(table.column_names, types, strict=True))).to_batches()
