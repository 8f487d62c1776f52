"""Fuzzes the reading of dates: any text is the instant that a second reader finds, alone and in a column, or none."""

from datetime import UTC, datetime, timedelta

from customer_assets.models import canonical_text
from customer_assets.processing.landing.columns import instants
from customer_assets.processing.landing.dates import instant_us
from customer_assets_tests.fuzzing.running import fuzz
from customer_assets_tests.harness import reference

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check(data: bytes) -> None:
    """Any texts, a line each, are the instants that the reference reads."""
    texts = data.decode("utf-8", "surrogateescape").split("\n")
    expected = [_reference_us(text) for text in texts]
    assert [instant_us(canonical_text(text) or "") for text in texts] == expected
    assert instants(list(texts)).view("int64").to_pylist() == expected


def _reference_us(text: str) -> int | None:
    moment = reference.instant(reference.text(text))
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


if __name__ == "__main__":
    fuzz(check)
