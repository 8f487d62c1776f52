"""Turns parsed records into batches of the raw table and of the quarantine. No I/O.

What engines would do differently is settled here, once: white space, Unicode, addresses, dates, the ids' hash.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any
from zlib import crc32

import pyarrow as pa
from msgspec import UNSET

from customer_assets.core.fields import Kind
from customer_assets.core.models import RejectedRecord
from customer_assets.core.record_mapping import DEFAULT_RECORD, RawColumn, RecordMapping
from customer_assets.processing.landing.columns import FALSE, Column, categories, column_of, domains, pc
from customer_assets.processing.landing.decoder import EXCLUSION, ID
from customer_assets.processing.landing.parser import ParsedPage, RecordParser
from customer_assets.processing.schemas import QUARANTINE_SCHEMA, RAW_SCHEMA, raw_schema

TRUE = pa.scalar(value=True)


def landed_objects(
    objects: Iterable[object], page: int = 1, mapping: RecordMapping = DEFAULT_RECORD
) -> tuple[pa.RecordBatch, Sequence[RejectedRecord]]:
    """Land records that are Python objects already, as one page."""
    parsed = RecordParser(mapping).parse_objects(page, objects)
    return raw_batch([parsed], mapping), parsed.rejected


def raw_batch(pages: Sequence[ParsedPage], mapping: RecordMapping = DEFAULT_RECORD) -> pa.RecordBatch:
    """Turn pages into one batch of the raw table's schema, in the order given."""
    schema = RAW_SCHEMA if mapping is DEFAULT_RECORD else raw_schema(mapping)
    return pa.RecordBatch.from_arrays(list(_columns(pages, mapping)), schema=schema)


def _columns(pages: Sequence[ParsedPage], mapping: RecordMapping) -> Iterator[Column]:
    """The raw table's columns, in the order of `raw_schema`."""
    yield _joined([pa.repeat(pa.scalar(page.number, pa.int32()), len(page.positions)) for page in pages])
    # Most pages have all their records, at positions from 0.
    yield _joined(
        [
            _all_positions(len(found)) if isinstance(found, range) else pa.array(found, pa.int32())
            for found in (page.positions for page in pages)
        ]
    )
    ids = _values_of(pages, ID)
    if mapping.id_type == "text":
        texts = [each if isinstance(each, str) else str(each) for each in ids]
        yield pa.array(texts, pa.string())
        yield pa.array([crc32(text.encode()) for text in texts], pa.int64())  # a hash that every engine reads alike
    else:
        yield from _integer_ids(ids)
    if mapping.exclude is not None:
        found = categories(_values_of(pages, EXCLUSION))
        yield pc.is_in(found, pa.array(mapping.exclude.values, pa.string()))
    for column in mapping.raw_columns:
        yield from _field(column, pages, len(ids), mapping)


def _field(column: RawColumn, pages: Sequence[ParsedPage], rows: int, mapping: RecordMapping) -> Iterator[Column]:
    """The column of a field, and what belongs to it."""
    values: Sequence[Any] = [None] * rows if column.path is None else _values_of(pages, column.name)
    supplied = pa.repeat(TRUE if column.supplied else FALSE, rows)
    if column.supplied is None and values.count(UNSET) < rows:  # most APIs supply neither score nor date
        supplied = pa.array([value is not UNSET for value in values], pa.bool_())
        values = [None if value is UNSET else value for value in values]
    elif column.supplied is None:
        values = [None] * rows
    made = column_of(column.kind, values, mapping.missing)
    yield made
    if column.kind is Kind.EMAIL:
        yield domains(made)
    if column.is_optional:
        yield supplied


def _values_of(pages: Sequence[ParsedPage], name: str) -> list[Any]:
    return list(chain.from_iterable(page.values[name] for page in pages))


def _integer_ids(ids: list[int | str]) -> tuple[Column, Column]:
    """The ids, and how each was written: 0 as a number, 1 as text, and 1 more for each zero before it."""
    try:
        return pa.array(ids, pa.int64()), pa.repeat(pa.scalar(0, pa.int32()), len(ids))
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # some are text
        pass
    numbers = [int(each.lstrip("0") or "0") if isinstance(each, str) else each for each in ids]
    spellings = [
        1 + len(each) - len(str(number)) if isinstance(each, str) else 0
        for each, number in zip(ids, numbers, strict=True)
    ]
    return pa.array(numbers, pa.int64()), pa.array(spellings, pa.int32())


def _joined(parts: list[Column]) -> Column:
    return pa.concat_arrays([pa.nulls(0, pa.int32()), *parts])


@lru_cache(maxsize=4)
def _all_positions(records: int) -> Column:
    return pa.array(range(records), pa.int32())


def quarantine_batch(rejected: Sequence[RejectedRecord]) -> pa.RecordBatch:
    """Turn rejected records into one batch of the quarantine's schema."""
    columns = {name: [getattr(record, name) for record in rejected] for name in QUARANTINE_SCHEMA.names}
    return pa.RecordBatch.from_pydict(columns, schema=QUARANTINE_SCHEMA)
