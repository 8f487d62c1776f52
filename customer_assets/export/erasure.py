"""Takes one customer out of published files. Every other line and row stays as it is.

Which files there are, and which tables stand behind them, belongs in `defs/operations/erasure.py`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.export.exporter import HEAD, TAIL
from customer_assets.export.formats import ROWS_PER_GROUP, Format
from customer_assets.export.json_lines import BETWEEN_LINES, ID_DIGITS, ID_PREFIX, SCORE
from customer_assets.export.verify import UnreadableExportError, read_metadata
from customer_assets.processing.landing.columns import Column
from customer_assets.processing.quality import BANDS, quality_band
from customer_assets.storage.publish import atomic_write

Keep = Callable[[pa.RecordBatch], Column]
"""Says of each row whether it stays."""


def written_id(customer_id: int | str) -> str:
    """Write an id as the export does: 7 → `cust_007`, `"a-7"` → `a-7`."""
    if isinstance(customer_id, str):
        return customer_id
    sign = "-" if customer_id < 0 else ""
    return f"{ID_PREFIX}{sign}{abs(customer_id):0{ID_DIGITS}}"


def erase_from_file(path: Path, customer: str) -> int:
    """Take a customer out of a published file, in one step; return how often they were in it.

    Args:
        path: The file; its suffix names its format.
        customer: The id as the export writes it.

    Raises:
        UnreadableExportError: It is not an export; it is left as it is.
        PublishError: The file cannot be replaced; it is left as it is.
    """
    erase = {Format.JSON: _from_document, Format.NDJSON: _from_lines, Format.PARQUET: _from_columns}
    try:
        return erase[Format(path.suffix.removeprefix("."))](path, customer)
    except (ValueError, msgspec.DecodeError, pa.ArrowException) as error:
        raise UnreadableExportError(str(path), type(error).__name__) from None


def filter_parquet(source: Path, target: Path, keep: Keep, *, forget: Collection[bytes] = ()) -> int:
    """Copy the rows that stay, with the file's schema and metadata; return how many do not.

    Args:
        source: The file.
        target: The copy.
        keep: Says which rows stay.
        forget: Metadata that holds for all rows only.
    """
    removed = 0
    with pq.ParquetFile(source) as file:
        metadata = {name: value for name, value in (file.schema_arrow.metadata or {}).items() if name not in forget}
        schema = file.schema_arrow.with_metadata(metadata)
        with pq.ParquetWriter(target, schema) as writer:
            for batch in file.iter_batches(ROWS_PER_GROUP):
                kept = batch.filter(keep(batch))
                removed += batch.num_rows - kept.num_rows
                writer.write_table(pa.Table.from_batches([kept]).cast(schema))
    return removed


def _from_columns(path: Path, customer: str) -> int:
    def keep(batch: pa.RecordBatch) -> Column:
        return pa.array([each != customer for each in batch.column("customer_id").to_pylist()], pa.bool_())

    with pq.ParquetFile(path) as file:
        if all(keep(batch).false_count == 0 for batch in file.iter_batches(ROWS_PER_GROUP)):
            return 0
    with atomic_write(path) as temporary:
        return filter_parquet(path, temporary, keep)


def _from_lines(path: Path, customer: str) -> int:
    begins = _beginning(customer)
    with path.open("rb") as source:
        removed = sum(line.startswith(begins) for line in source)
    if removed:
        with path.open("rb") as source, atomic_write(path) as temporary, temporary.open("wb") as target:
            target.writelines(line for line in source if not line.startswith(begins))
    return removed


def _from_document(path: Path, customer: str) -> int:
    begins = _beginning(customer)
    with path.open("rb") as source:
        metadata = read_metadata(source)
        erased = [msgspec.json.decode(line) for line in _customers(source) if line.startswith(begins)]
    if not erased:
        return 0
    bands = Counter(quality_band(each[SCORE]) for each in erased)
    summary = metadata["data_quality_summary"]
    metadata["total_customers"] -= len(erased)
    metadata["data_quality_summary"] = {f"{band}_quality": summary[f"{band}_quality"] - bands[band] for band in BANDS}
    with path.open("rb") as source, atomic_write(path) as temporary, temporary.open("wb") as target:
        read_metadata(source)
        target.write(HEAD % msgspec.json.encode(metadata))
        between = b""
        for line in _customers(source):
            if not line.startswith(begins):
                target.write(between + line)
                between = BETWEEN_LINES
        target.write(TAIL)
    return len(erased)


def _beginning(customer: str) -> bytes:
    return b'{"customer_id": %b, ' % msgspec.json.encode(customer)


def _customers(document: BinaryIO) -> Iterator[bytes]:
    """The customers' lines, without what stands between them; the position is behind the head."""
    for line in document:
        if not line.startswith(b"{"):
            return
        yield line.rstrip(b",\n")
