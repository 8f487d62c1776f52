"""Fuzzes the rules: any records are cleaned on DuckDB and on Polars as a second writing of the rules in Python says."""

import json
import zlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import Engine, open_engine
from customer_assets_tests.fuzzing.running import fuzz
from customer_assets_tests.harness.records import reference
from customer_assets_tests.harness.records.record_cases import MAPPINGS

AS_OF = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIELDS = ("id", "email", "first_name", "last_name", "avatar", "engagement_score", "last_active_at")
RECORDS_AT_MOST = 500
"""More cost time and find nothing new."""
DUCKDB_ONE_IN = 8
"""DuckDB takes 40 ms to plan, Polars a quarter of it: so many inputs on Polars for one on both."""


def check(data: bytes) -> None:
    """Any records, written a line each, come out the same; each is clean, merged into a better one or rejected."""
    check_on("polars", data)
    if zlib.crc32(data) % DUCKDB_ONE_IN == 0:
        check_on("duckdb", data)


def check_on(engine: str, data: bytes) -> None:
    """Check one engine."""
    records = [_record(line) for line in data.decode("utf-8", "surrogateescape").split("\n")[:RECORDS_AT_MOST]]
    options = MAPPINGS[len(data) % len(MAPPINGS)]
    processor = CustomerDataProcessor(
        len(data), AS_OF, _engine(engine), mapping=RecordMapping.model_validate(options), generate=bool(len(data) % 4)
    )
    expected = reference.cleaned(records, seed=len(data), as_of=AS_OF, options=options, generate=bool(len(data) % 4))
    assert processor.process_customers(records) == expected
    assert len(processor.rejected) == sum(reference.id_of(record, options) is reference.UNUSABLE for record in records)


@cache
def _engine(name: str) -> Engine:
    return open_engine(name)


def _record(line: str) -> dict[str, Any]:
    r"""Read a record: its fields in order, parted by tabs. `1\t\t~` has an id, no email and a null name."""
    return {name: _value(text) for name, text in zip(FIELDS, line.split("\t"), strict=False) if text}


def _value(text: str) -> Any:
    if text == "~":
        return None
    try:
        return json.loads(text, parse_int=lambda digits: int(digits[:400]))
    except (ValueError, RecursionError):
        return text


if __name__ == "__main__":
    fuzz(check)
