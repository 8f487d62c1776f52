"""Where typed records become the columns of the raw lake: canonical text, finite numbers, instants. No I/O.

Every normalisation that engines do differently happens here, once: white space, NFC, the domain's lower case, dates.
Each is one Python function of `models` or `dates`; columns only decide, cheaply, which values must go through it.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET

from customer_assets.models import RejectedRecord, canonical_email, canonical_text
from customer_assets.processing.dates import instant_us
from customer_assets.processing.records import TypedPage, TypedRecord, typed_objects

INSTANT = pa.timestamp("us", "UTC")

RAW_SCHEMA = pa.schema(
    [
        pa.field("page", pa.int32(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("id", pa.int64(), nullable=False),
        pa.field("email", pa.string()),
        pa.field("first_name", pa.string()),
        pa.field("last_name", pa.string()),
        pa.field("avatar", pa.string()),
        pa.field("engagement_score", pa.float64()),
        pa.field("engagement_score_supplied", pa.bool_(), nullable=False),
        pa.field("last_active_at", INSTANT),
        pa.field("last_active_at_supplied", pa.bool_(), nullable=False),
    ]
)
"""The raw lake: one row per record with a usable id; null is missing, `…_supplied` tells null from absent."""

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("page", pa.int32(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("reason_code", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("record", pa.string(), nullable=False),
    ]
)
"""The quarantine: one row per rejected record."""


def landed_objects(objects: Iterable[object], page: int = 1) -> tuple[pa.RecordBatch, Sequence[RejectedRecord]]:
    """Land records that are Python objects already, as one page."""
    typed = typed_objects(page, objects)
    return raw_batch([typed]), typed.rejected


def raw_batch(pages: Sequence[TypedPage]) -> pa.RecordBatch:
    """Turn pages into one batch of the raw lake's schema, in the order given."""
    records = [record for page in pages for record in page.records]
    numbers = chain.from_iterable([page.number] * len(page.records) for page in pages)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(numbers, pa.int32(), size=len(records)),
            pa.array(chain.from_iterable(page.positions for page in pages), pa.int32(), size=len(records)),
            pa.array([record.id for record in records], pa.int64()),
            _text([record.email for record in records], canonical_email),
            _text([record.first_name for record in records]),
            _text([record.last_name for record in records]),
            _text([record.avatar for record in records]),
            *_scores(records),
            *_instants(records),
        ],
        schema=RAW_SCHEMA,
    )


def quarantine_batch(rejected: Sequence[RejectedRecord]) -> pa.RecordBatch:
    """Turn rejected records into one batch of the quarantine's schema."""
    columns = {name: [getattr(record, name) for record in rejected] for name in QUARANTINE_SCHEMA.names}
    return pa.RecordBatch.from_pydict(columns, schema=QUARANTINE_SCHEMA)


def _text(values: list[str | None], canonical: Callable[[object], str | None] = canonical_text) -> pa.Array:
    try:
        column = pa.array(values, pa.string())
    except UnicodeEncodeError:  # a lone surrogate, from a Python list
        return pa.array(map(canonical, values), pa.string())
    settled = _is_canonical(column)
    if canonical is canonical_email:
        settled = pc.and_(settled, pc.equal(column, pc.ascii_lower(column)))
    unsettled = pc.fill_null(pc.invert(settled), False)  # noqa: FBT003 - Arrow's signature
    if not unsettled.true_count:
        return column
    replacements = pa.array(map(canonical, column.filter(unsettled).to_pylist()), pa.string())
    return pc.replace_with_mask(column, unsettled, replacements)


def _is_canonical(column: pa.Array) -> pa.Array:
    """Tell the values that are canonical for sure: printable ASCII without a blank at either end or two in a row."""
    doubled = pc.match_substring(column, "  ")
    trimmed = pc.equal(column, pc.ascii_trim(column, " "))
    visible = pc.and_(pc.string_is_ascii(column), pc.ascii_is_printable(column))
    return pc.and_(pc.and_(visible, trimmed), pc.and_not(pc.greater(pc.binary_length(column), 0), doubled))


def _scores(records: Sequence[TypedRecord]) -> tuple[pa.Array, pa.Array]:
    values = [record.engagement_score for record in records]
    supplied = pa.array([value is not UNSET for value in values], pa.bool_())
    column = pa.array([None if value is UNSET else value for value in values], pa.float64())
    return pc.if_else(pc.is_finite(column), column, None), supplied


def _instants(records: Sequence[TypedRecord]) -> tuple[pa.Array, pa.Array]:
    values = [record.last_active_at for record in records]
    supplied = pa.array([value is not UNSET for value in values], pa.bool_())
    column = pa.array([_instant(value) for value in values], pa.int64())
    return column.view(INSTANT), supplied


def _instant(value: object) -> int | None:
    text = canonical_text(value)
    return None if text is None else instant_us(text)
