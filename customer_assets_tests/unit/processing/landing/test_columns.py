"""Columns: each holds, value by value, what the one Python function for its field says."""

import math

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customer_assets.models import canonical_email, canonical_text, finite_number
from customer_assets.processing.landing.columns import emails, finite_numbers, texts
from customer_assets_tests.harness.dirty import EMAILS, NAMES, UNSEEN, WHITE, any_text
from customer_assets_tests.harness.reference import text

any_texts = st.lists(st.one_of(st.none(), any_text, st.sampled_from([*NAMES, *WHITE, *UNSEEN, *EMAILS])), max_size=12)


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        pytest.param("Ada", "Ada", id="plain"),
        pytest.param("  Ada ", "Ada", id="trimmed"),
        pytest.param("Ada \t\n Maria", "Ada Maria", id="inner white space"),
        pytest.param("\u3000Ada\xa0Maria\u2028", "Ada Maria", id="white space of Unicode"),
        pytest.param("Jose\u0301", "José", id="composed"),
        pytest.param("\u200bAda\u200d", "\u200bAda\u200d", id="zero-width characters are no white space"),
        pytest.param("a\x00b", "a\x00b", id="NUL"),
        pytest.param("\ud800a", "\ufffda", id="lone surrogate"),
        pytest.param("\ud83d\ude00", "😀", id="surrogate pair"),
        pytest.param("", None, id="empty"),
        pytest.param(" \u2003\t", None, id="blank"),
        pytest.param(None, None, id="null"),
        pytest.param(5, None, id="not text"),
    ],
)
def test_canonical_text(given_text: object, canonical: str | None) -> None:
    """Trimmed, each run of white space one space, NFC, never blank."""
    assert canonical_text(given_text) == canonical


@pytest.mark.parametrize(
    ("email", "canonical"),
    [
        pytest.param(" Ada.L@X.ORG ", "Ada.L@x.org", id="the domain in lower case, the local part as it is"),
        pytest.param("ada@İ.ORG", "ada@i̇.org", id="dotted capital I"),
        pytest.param("ada@ΟΔΟΣ.GR", "ada@οδοσ.gr", id="capital sigma"),
        pytest.param("ADA", "ADA", id="no domain"),
        pytest.param("A@B@C.ORG", "A@B@c.org", id="two signs"),
        pytest.param(" ", None, id="blank"),
    ],
)
def test_canonical_email(email: str, canonical: str | None) -> None:
    """Canonical text, its domain in lower case."""
    assert canonical_email(email) == canonical


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, None),
        ("1", None),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
    ],
)
def test_finite_number(value: object, number: float | None) -> None:
    """An integer or a float that is finite; nothing else."""
    assert finite_number(value) == number


@given(values=any_texts)
@example(values=["a b", "a  b", " a", "a ", "", "é"])
def test_texts(values: list[str | None]) -> None:
    """A column of text holds the canonical form of each value."""
    assert texts(values).to_pylist() == [canonical_text(value) for value in values]


@given(values=any_texts)
@example(values=["A@x.org", "a@X.org", None])
def test_emails(values: list[str | None]) -> None:
    """A column of emails holds the canonical form of each value."""
    assert emails(values).to_pylist() == [canonical_email(value) for value in values]


def test_every_character() -> None:
    """Each character of Unicode, alone, between others and beside a combining mark, lands as the function says."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    for pattern in ("{0}", "a{0}b{0}\u0301"):
        values: list[str | None] = [pattern.format(character) for character in characters]
        assert texts(values).to_pylist() == [canonical_text(value) for value in values]


@given(value=any_text)
def test_canonical_forms_are_final(value: str) -> None:
    """Canonical text is its own canonical form, of an email as well; and it is what the reference says."""
    once, email = canonical_text(value), canonical_email(value)
    assert canonical_text(once) == once == text(value)
    assert canonical_email(email) == email


@given(values=st.lists(st.one_of(st.none(), st.floats()), max_size=12))
def test_finite_numbers(values: list[float | None]) -> None:
    """A column of numbers holds what is finite."""
    assert finite_numbers(values).to_pylist() == [finite_number(value) for value in values]


def test_types_of_empty_columns() -> None:
    """No values still make a column of the right type."""
    assert [texts([]).type, finite_numbers([]).type] == [pa.string(), pa.float64()]
