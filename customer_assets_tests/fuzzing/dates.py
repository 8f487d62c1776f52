"""Fuzzes the reading of dates: any text is the instant that a second reader finds, alone and in a column, or none."""

import json
from datetime import UTC, datetime, timedelta

from customer_assets.core.json_values import canonical_text
from customer_assets.processing.landing.columns import instants
from customer_assets.processing.landing.dates import instant_us, parse_instant
from customer_assets_tests.fuzzing.running import fuzz
from customer_assets_tests.harness.records import reference

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check(data: bytes) -> None:
    """Any texts, a line each, are the instants that the reference reads."""
    texts = data.decode("utf-8", "surrogateescape").split("\n")
    expected = [_reference_us(text) for text in texts]
    assert [instant_us(canonical_text(text) or "") for text in texts] == expected
    assert instants(list(texts)).view("int64").to_pylist() == expected
    numbers = [_number(text) for text in texts]
    assert instants(numbers).view("int64").to_pylist() == [_reference_us(number) for number in numbers]
    assert [parse_instant(number) for number in numbers] == [_reference_us(number) for number in numbers]


def _number(text: str) -> float | None:
    try:
        found = json.loads(text, parse_int=lambda digits: int(digits[:400]))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, int | float) else None


def _reference_us(value: object) -> int | None:
    moment = reference.instant(value)
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


if __name__ == "__main__":
    fuzz(check)
