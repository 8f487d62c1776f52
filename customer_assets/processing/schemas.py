"""Arrow schemas: of the raw table, the clean customers and the quarantine. They follow from the field table."""

from collections.abc import Iterable

import pyarrow as pa

from customer_assets.core.fields import Field, Kind
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping

INSTANT = pa.timestamp("us", "UTC")

_TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.EMAIL: pa.string(),
    Kind.CATEGORY: pa.string(),
    Kind.NUMBER: pa.float64(),
    Kind.SCORE: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INSTANT: INSTANT,
}


def raw_schema(mapping: RecordMapping = DEFAULT_RECORD) -> pa.Schema:
    """Return the raw table's: one row per record with a usable id; null is missing.

    `…_supplied` says whether the API has the field for this record at all, `excluded` whether the filter drops it.
    """
    return pa.schema(_raw_columns(mapping))


def _raw_columns(mapping: RecordMapping) -> Iterable[tuple[str, pa.DataType]]:
    yield from (("page", pa.int32()), ("position", pa.int32()))
    if mapping.id_type == "text":
        yield from (("id", pa.string()), ("id_hash", pa.int64()))
    else:
        yield from (("id", pa.int64()), ("id_spelling", pa.int32()))
    if mapping.exclude is not None:
        yield "excluded", pa.bool_()
    for column in mapping.raw_columns:
        yield column.name, _TYPES[column.kind]
        if column.kind is Kind.EMAIL:
            yield f"{column.name}_domain", pa.string()
        if column.is_optional:
            yield f"{column.name}_supplied", pa.bool_()


def schema_of(fields: Iterable[Field]) -> pa.Schema:
    """Return the schema of a table of these fields."""
    return pa.schema([(field.name, _TYPES[field.kind]) for field in fields])


def clean_schema(mapping: RecordMapping = DEFAULT_RECORD) -> pa.Schema:
    """Return the clean customers': what every engine hands over and writes."""
    return schema_of(mapping.clean_fields)


_QUARANTINE: list[tuple[str, pa.DataType]] = [
    ("page", pa.int32()),
    ("position", pa.int32()),
    ("reason_code", pa.string()),
    ("reason", pa.string()),
    ("record", pa.string()),
]
QUARANTINE_SCHEMA = pa.schema(_QUARANTINE)
"""One row per rejected record."""
RAW_SCHEMA = raw_schema()
CLEAN_SCHEMA = clean_schema()
"""Those of the default mapping."""
