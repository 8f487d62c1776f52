"""Columns: each holds, value by value, what the one Python function for its kind says."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from customer_assets.core.fields import Kind
from customer_assets.core.json_values import (
    NO_MISSING_VALUES,
    MissingValues,
    boolean,
    canonical_text,
    category,
    integer,
    number,
    score,
)
from customer_assets.processing.landing.columns import column_of, domains, texts
from customer_assets.processing.landing.dates import parse_instant
from customer_assets.processing.landing.emails import email_domain
from customer_assets_tests.harness.records import reference
from customer_assets_tests.harness.records.dirty import (
    DATES,
    EMAILS,
    NAMES,
    UNSEEN,
    WHITE,
    any_date,
    any_email,
    any_text,
)

MISSING = MissingValues([*reference.MISSING, "keine Angabe", "—"])
MISSING_TEXTS = ["N/A", "n/a N/A", "-", "--", "-- x", "?", "Undefined", "undefinedx", "Keine ANGABE", "—", "\u212a/A"]

any_texts = st.lists(
    st.one_of(st.none(), any_text, st.sampled_from([*NAMES, *WHITE, *UNSEEN, *EMAILS, *MISSING_TEXTS])), max_size=12
)
any_scalar = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(-(2**65), 2**65), st.floats(), any_text, any_date
)
any_scalars = st.one_of(
    st.lists(any_scalar, max_size=8),
    st.lists(st.one_of(st.none(), st.integers()), max_size=8),
    st.lists(st.one_of(st.none(), st.floats(), st.integers(-9, 9)), max_size=8),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=8),
)


@pytest.mark.parametrize("missing", [NO_MISSING_VALUES, MISSING], ids=["none missing", "some missing"])
@settings(deadline=None)
@given(values=any_texts)
@example(values=["a b", "a  b", " a", "a ", "", "é"])
@example(values=MISSING_TEXTS)
def test_texts(missing: MissingValues, values: list[str | None]) -> None:
    """A column of text holds the canonical form of each value."""
    assert texts(values, missing).to_pylist() == [canonical_text(value, missing) for value in values]


@settings(deadline=None)
@given(values=st.lists(st.one_of(st.none(), any_text, any_email), max_size=12))
@example(values=["A@x.org", "a@X.org", None])
@example(values=["a@x.org", "b@y.org"])
@example(values=["@x.org", f"{'a' * 64}@x.org", f"{'a' * 65}@x.org"])
def test_domains(values: list[str | None]) -> None:
    """A column of domains holds that of each address."""
    canonical = texts(values)
    assert domains(canonical).to_pylist() == [email_domain(value) for value in canonical.to_pylist()]


def test_every_character() -> None:
    """Each character of Unicode, alone, between others and beside a combining mark, lands as the function says."""
    characters: list[str | None] = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    surrounded = [f"a{character}b{character}\u0301" for character in characters]
    by_the_page: list[str | None] = ["".join(surrounded[start : start + 64]) for start in range(0, len(surrounded), 64)]
    for values in (characters, by_the_page):
        assert texts(values).to_pylist() == [canonical_text(value) for value in values]


FUNCTIONS: dict[Kind, Any] = {
    Kind.TEXT: canonical_text,
    Kind.EMAIL: canonical_text,
    Kind.CATEGORY: category,
    Kind.NUMBER: number,
    Kind.SCORE: lambda value, _missing: score(value),
    Kind.INTEGER: integer,
    Kind.BOOLEAN: boolean,
    Kind.INSTANT: parse_instant,
}


@pytest.mark.parametrize("kind", Kind)
@settings(deadline=None)
@given(values=any_scalars)
@example(values=[*DATES, None])
@example(values=[1_764_000_000, 1_764_000_000_000, 10**8, 10**8 - 1, 10**11 - 1, 10**11, 253_402_300_800_000])
@example(values=["N/A", "2026-11-24", "-", "2026-11-24T12:00:00Z"])
@example(values=[1, True, 1.0, "1"])
@example(values=[2**53 + 1, 0.5])
@example(values=[2**63, -(2**63)])
@example(values=[0.0, -0.0])
def test_a_column_of_any_kind_is_its_values_one_by_one(kind: Kind, values: list[Any]) -> None:
    """Whichever of them Arrow settled at once, and whatever types meet in it."""
    column = column_of(kind, values, MISSING)
    found = column.view(pa.int64()).to_pylist() if kind is Kind.INSTANT else column.to_pylist()
    expected = [FUNCTIONS[kind](value, MISSING) for value in values]
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


def test_types_of_empty_columns() -> None:
    """No values, or none but null, still make a column of the right type."""
    for kind in Kind:
        assert column_of(kind, []).type == column_of(kind, [None]).type == column_of(kind, ["x"]).type
