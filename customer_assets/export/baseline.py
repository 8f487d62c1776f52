"""Changes since the last published export: what it held is kept, packed, and compared in the engine.

Where the file is kept belongs in `defs/data_directory/`; how fields are packed, in `json_lines.py`.
"""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.core.fields import CLEAN_FIELDS, Field, Kind, names_of
from customer_assets.core.models import Changes, SegmentChanges
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.export.background_writer import ParquetSink
from customer_assets.export.json_lines import PACKED, SCORES, LineFormat
from customer_assets.processing.engines import Engine
from customer_assets.processing.rules import Frame
from customer_assets.processing.schemas import schema_of
from customer_assets.storage.private_files import make_private

_BLANKS: dict[Kind, Any] = {
    Kind.TEXT: "",
    Kind.NUMBER: 0.0,
    Kind.INTEGER: 0,
    Kind.BOOLEAN: False,
    Kind.INSTANT: datetime(1970, 1, 1, tzinfo=UTC),
}
"""In place of null, which no join finds equal to null; a mask says where."""
_BITS_OF_A_MASK = 62

_SEGMENTS = nw.col(PACKED) // SCORES
"""What is packed, without the score: a number for each combination of segments."""


def kept_schema(mapping: RecordMapping = DEFAULT_RECORD) -> pa.Schema:
    """Return the schema of what is kept of an export: one row per customer, packed as `LineFormat` does."""
    return schema_of(LineFormat(mapping.clean_fields).plain).append(pa.field(PACKED, pa.int64()))


def packing(mapping: RecordMapping = DEFAULT_RECORD) -> str:
    """Return the hash of how customers are packed. Files of another packing cannot be compared."""
    shape = [(field.name, field.kind.value, field.values) for field in mapping.clean_fields]
    return hashlib.sha256(repr(shape).encode()).hexdigest()


_EXPORTED_AT, _PACKING, DIGEST = b"exported_at", b"packing", b"digest"

_logger = logging.getLogger(__name__)


class ExportBaseline(ParquetSink):
    """Keeps an export's customers in a Parquet file while the export is written.

    It says exactly what the export says: both are made of the same batches.

    Args:
        path: The file; only its owner may read it.
        clock: Returns when the export was made.
        mapping: What the customers' records look like.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        mapping: RecordMapping = DEFAULT_RECORD,
    ) -> None:
        exported_at = clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        header = {_EXPORTED_AT: exported_at.encode(), _PACKING: packing(mapping).encode()}
        make_private(path)
        self._kept = kept_schema(mapping).with_metadata(header)
        super().__init__(
            path, self._kept, compression="snappy", use_dictionary=["email_domain"], write_statistics=False
        )

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Pick the columns that are kept."""
        return batch.select(self._kept.names).cast(self._kept)

    def seal(self, digest: str) -> None:
        """Keep the digest of the lines that the export made of the batches; call it after the last."""
        self.add_metadata(DIGEST.decode(), digest)


def changes_since(
    last_export: Path | None, customers: Frame, engine: Engine, mapping: RecordMapping = DEFAULT_RECORD
) -> Changes | None:
    """Count what was added, changed and gone since an export was kept, whichever engine made either.

    None if there was none, or none that can be compared: that must not stop a sync, and is logged.
    """
    compared = None if last_export is None else _compare(last_export, customers, engine, mapping)
    if compared is None:
        return None
    by_segment = compared.by_segment() if compared.has_changes else {}
    return compared.changes.model_copy(update={"by_segment": by_segment})


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Customers matched with those of the last export.

    Attributes:
        changes: How many were added, changed and gone, in all.
        others: By a number for the segments they are in and one for those they were in (null: they are new), how many
            customers differ, as added and changed.
        now, before: All customers, packed.
        format: How they are packed.
    """

    changes: Changes
    others: Mapping[tuple[int | None, int | None], tuple[int, int]]
    now: Frame
    before: Frame
    format: LineFormat

    @property
    def has_changes(self) -> bool:
        """Whether any customer differs."""
        return bool(self.changes.added or self.changes.changed or self.changes.gone)

    def by_segment(self) -> dict[str, dict[str, SegmentChanges]]:
        """Count by business field and value. Nobody is looked up for that: the gone follow from the other counts."""
        gone = Counter(_count_by_segments(self.before))
        gone.subtract(_count_by_segments(self.now))
        added, changed = Counter[int | None](), Counter[int | None]()
        for (segments, earlier), (new, different) in self.others.items():
            added[segments] += new
            changed[segments] += different
            gone[segments] += new + different
            gone[earlier] -= different
        counts: dict[str, dict[str, Counter[str]]] = {}
        for name, found in {"added": added, "changed": changed, "gone": gone}.items():
            for segments, count in found.items():
                if count and segments is not None:
                    for field, value in self.format.unpack_segments(segments).items():
                        counts.setdefault(field, {}).setdefault(value, Counter())[name] += count
        return {
            field: {value: SegmentChanges(**each) for value, each in values.items()} for field, values in counts.items()
        }


def _compare(last_export: Path, customers: Frame, engine: Engine, mapping: RecordMapping) -> _Comparison | None:
    """Match customers with those of the last export; None, and a warning, if that cannot be read."""
    try:
        since, rows = _read_header(last_export, mapping)
    except (OSError, ValueError) as error:
        _logger.warning("Cannot compare with the last export's customers: %s.", type(error).__name__)
        return None
    line_format = LineFormat(mapping.clean_fields)
    before = _without_nulls(engine.scan(last_export), line_format.plain)
    now = _without_nulls(line_format.pack(customers), line_format.plain)
    # Most customers are just as they were: they leave at once, and only the others are looked up by their id.
    others = now.join(before, on=now.collect_schema().names(), how="anti").select("customer_id", segments=_SEGMENTS)
    known = before.select("customer_id", known=nw.col("customer_id"), earlier=_SEGMENTS)
    matched = others.join(known, on="customer_id", how="left").group_by("segments", "earlier")
    counted = matched.agg(others=nw.len(), changed=nw.col("known").count()).collect()
    by_segments = {
        (_integer(segments), _integer(earlier)): (int(other) - int(changed), int(changed))
        for segments, earlier, other, changed in counted.select("segments", "earlier", "others", "changed").iter_rows()
    }
    added, changed = (sum(counts) for counts in zip(*by_segments.values(), strict=True)) if by_segments else (0, 0)
    unchanged = _rows(customers) - added - changed
    totals = Changes(since=since, added=added, changed=changed, gone=rows - unchanged - changed, unchanged=unchanged)
    return _Comparison(totals, by_segments, now, before, line_format)


def _count_by_segments(packed: Frame) -> dict[int | None, int]:
    counted = packed.select(segments=_SEGMENTS).group_by("segments").agg(customers=nw.len()).collect()
    return {_integer(segments): int(count) for segments, count in counted.select("segments", "customers").iter_rows()}


def _integer(number: float | None) -> int | None:
    return None if number is None or math.isnan(number) else int(number)


def _without_nulls(packed: Frame, plain: tuple[Field, ...]) -> Frame:
    """Fill what may be null, and keep where it was in masks of bits: joins then find equal what is."""
    optional = [field for field in plain if field.name not in names_of(CLEAN_FIELDS)]
    filled = [nw.col(field.name).fill_null(_BLANKS[field.kind]) for field in optional]
    masks = [
        nw.sum_horizontal(
            *(
                nw.col(field.name).is_null().cast(nw.Int64) * 2**bit
                for bit, field in enumerate(optional[start:][:_BITS_OF_A_MASK])
            )
        ).alias(f"_nulls_{start}")
        for start in range(0, len(optional), _BITS_OF_A_MASK)
    ]
    return packed.with_columns(*masks).with_columns(*filled) if optional else packed


def matching_digest(
    last_export: Path, customers: Frame, engine: Engine, mapping: RecordMapping = DEFAULT_RECORD
) -> str | None:
    """Return the digest of the lines that an export of these customers has, if the last one was of exactly these.

    They are compared value by value: much less work than sorting and writing them again. None: they differ, or what the
    last export was is not on record.
    """
    if _rows(customers.select("customer_id").unique()) != _rows(customers):  # one twice may hide one gone
        return None
    compared = _compare(last_export, customers, engine, mapping)
    if compared is None or compared.has_changes:
        return None
    with pq.ParquetFile(last_export) as file:
        digest = (file.metadata.metadata or {}).get(DIGEST)
    return None if digest is None else digest.decode()


def _read_header(path: Path, mapping: RecordMapping) -> tuple[str, int]:
    """Read when an export was made and how many customers it had.

    Raises:
        ValueError: It was packed otherwise, or is not such a file.
        OSError: It cannot be read.
    """
    with pq.ParquetFile(path) as file:
        header = file.schema_arrow.metadata or {}
        if header.get(_PACKING) != packing(mapping).encode():
            raise ValueError
        return header[_EXPORTED_AT].decode(), file.metadata.num_rows


def _rows(frame: Frame) -> int:
    return int(frame.select(nw.len()).collect().item())
