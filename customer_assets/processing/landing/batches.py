"""Where typed records become batches of the raw lake and of the quarantine. No I/O.

Every normalisation that engines do differently happens here, once: white space, NFC, the domain's lower case, dates.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

import pyarrow as pa
from msgspec import UNSET, UnsetType

from customer_assets.field_mapping import DEFAULT_MAPPING, RecordFields
from customer_assets.models import RejectedRecord
from customer_assets.processing.landing.columns import FALSE, INSTANT, Column, emails, finite_numbers, instants, texts
from customer_assets.processing.landing.parser import RecordParser, TypedPage

_T = TypeVar("_T", bound=float | str)

_RAW: list[tuple[str, pa.DataType]] = [
    ("page", pa.int32()),
    ("position", pa.int32()),
    ("id", pa.int64()),
    ("email", pa.string()),
    ("first_name", pa.string()),
    ("last_name", pa.string()),
    ("avatar", pa.string()),
    ("engagement_score", pa.float64()),
    ("engagement_score_supplied", pa.bool_()),
    ("last_active_at", INSTANT),
    ("last_active_at_supplied", pa.bool_()),
]
RAW_SCHEMA = pa.schema(_RAW)
"""The raw lake: one row per record with a usable id; null is missing, `…_supplied` tells null from absent."""

_QUARANTINE: list[tuple[str, pa.DataType]] = [
    ("page", pa.int32()),
    ("position", pa.int32()),
    ("reason_code", pa.string()),
    ("reason", pa.string()),
    ("record", pa.string()),
]
QUARANTINE_SCHEMA = pa.schema(_QUARANTINE)
"""The quarantine: one row per rejected record."""


def landed_objects(
    objects: Iterable[object], page: int = 1, names: RecordFields = DEFAULT_MAPPING.record
) -> tuple[pa.RecordBatch, Sequence[RejectedRecord]]:
    """Land records that are Python objects already, as one page."""
    typed = RecordParser(names).parse_objects(page, objects)
    return raw_batch([typed]), typed.rejected


def raw_batch(pages: Sequence[TypedPage]) -> pa.RecordBatch:
    """Turn pages into one batch of the raw lake's schema, in the order given."""
    records = [record for page in pages for record in page.records]
    return pa.RecordBatch.from_arrays(
        [
            _joined([pa.repeat(pa.scalar(page.number, pa.int32()), len(page.records)) for page in pages]),
            _joined([_positions(page.positions) for page in pages]),
            pa.array([record.id for record in records], pa.int64()),
            emails([record.email for record in records]),
            texts([record.first_name for record in records]),
            texts([record.last_name for record in records]),
            texts([record.avatar for record in records]),
            *_scores([record.engagement_score for record in records]),
            *_dates([record.last_active_at for record in records]),
        ],
        schema=RAW_SCHEMA,
    )


def _joined(parts: list[Column]) -> Column:
    return pa.concat_arrays([pa.nulls(0, pa.int32()), *parts])


def _positions(positions: Sequence[int]) -> Column:
    """Most pages have all their records, at positions from 0."""
    return _all_positions(len(positions)) if isinstance(positions, range) else pa.array(positions, pa.int32())


@lru_cache(maxsize=4)
def _all_positions(records: int) -> Column:
    return pa.array(range(records), pa.int32())


def quarantine_batch(rejected: Sequence[RejectedRecord]) -> pa.RecordBatch:
    """Turn rejected records into one batch of the quarantine's schema."""
    columns = {name: [getattr(record, name) for record in rejected] for name in QUARANTINE_SCHEMA.names}
    return pa.RecordBatch.from_pydict(columns, schema=QUARANTINE_SCHEMA)


def _scores(values: list[float | UnsetType | None]) -> tuple[Column, Column]:
    given, supplied = _given(values)
    return finite_numbers(given), supplied


def _dates(values: list[str | UnsetType | None]) -> tuple[Column, Column]:
    given, supplied = _given(values)
    return instants(given), supplied


def _given(values: list[_T | UnsetType | None]) -> tuple[list[_T | None], Column]:
    """Tell null from absent: the values with both as None, beside whether the key was there."""
    if values.count(UNSET) == len(values):  # most APIs supply neither score nor date
        return [None] * len(values), pa.repeat(FALSE, len(values))
    given = [None if isinstance(value, UnsetType) else value for value in values]
    return given, pa.array([value is not UNSET for value in values], pa.bool_())
