"""Values: what one JSON value becomes."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.core.json_values import (
    MissingValues,
    UnusableIdError,
    boolean,
    canonical_text,
    category,
    integer,
    number,
    parse_id,
    read_json,
    require_id,
    sanitize_json,
    score,
)
from customer_assets_tests.harness.records import reference
from customer_assets_tests.harness.records.dirty import IDS, NO_IDS, any_text, any_value

MISSING = MissingValues(reference.MISSING)


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        pytest.param("Ada", "Ada", id="plain"),
        pytest.param("  Ada ", "Ada", id="trimmed"),
        pytest.param("Ada \t\n Maria", "Ada Maria", id="inner white space"),
        pytest.param("\u3000Ada\xa0Maria\u2028", "Ada Maria", id="white space of Unicode"),
        pytest.param("Jose\u0301", "José", id="composed"),
        pytest.param("\u200bAda\u200d", "\u200bAda\u200d", id="zero-width characters are not white space"),
        pytest.param("a\x00b", "ab", id="NUL"),
        pytest.param("a\x1b[2Jb\x9b", "a[2Jb", id="control characters"),
        pytest.param("e\x00\u0301", "é", id="composed once a control character is gone"),
        pytest.param("\ud800a", "\ufffda", id="lone surrogate"),
        pytest.param("\ud83d\ude00", "😀", id="surrogate pair"),
        pytest.param("\uffffa\ufdd0\U0010fffe", "\ufffda\ufffd\ufffd", id="noncharacters"),
        pytest.param("", None, id="empty"),
        pytest.param(" \u2003\t", None, id="blank"),
        pytest.param("\x00 \x7f", None, id="nothing but control characters"),
        pytest.param("n/A", None, id="missing"),
        pytest.param("N/A  --", None, id="missing word by word"),
        pytest.param("N/A Lovelace", "N/A Lovelace", id="only one word is missing"),
        pytest.param(None, None, id="null"),
        pytest.param(5, None, id="not text"),
    ],
)
def test_canonical_text(given_text: object, canonical: str | None) -> None:
    """Trimmed, each run of white space one space, NFC, without control characters, never blank."""
    assert canonical_text(given_text, MISSING) == canonical


@settings(deadline=None)
@given(value=any_text)
def test_canonical_text_is_final(value: str) -> None:
    """It is its own canonical form, and what the reference says."""
    once = canonical_text(value)
    assert canonical_text(once) == once == reference.text(value)
    assert canonical_text(value, MISSING) == reference.text(value, {})


@pytest.mark.parametrize(
    ("value", "found"),
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
def test_score(value: object, found: float | None) -> None:
    """An integer or a float that is finite; nothing else."""
    assert score(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("199.65", 199.65),
        (" 1e3 ", 1000.0),
        ("-.5", -0.5),
        ("+7.", 7.0),
        ("1,000", None),
        ("1 000", None),
        ("1_000", None),
        ("0x10", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("9" * 401, None),
        ("\u0661", None),
        (True, None),
        ([], None),
    ],
)
def test_number(value: object, found: float | None) -> None:
    """A score, or text that spells a number as JSON does, signs and points a little freer."""
    assert number(value) == found


def test_minus_zero_is_zero() -> None:
    """So that engines that compare bits find them equal."""
    assert math.copysign(1, number(-0.0) or 0.0) == math.copysign(1, number("-0") or 0.0) == 1


@pytest.mark.parametrize(
    ("kind", "mine", "theirs"),
    [
        pytest.param(
            "category",
            lambda value: category(value, MISSING),
            lambda value: reference.category(value, {}),
            id="category",
        ),
        pytest.param("number", number, reference.number, id="number"),
        pytest.param("integer", integer, reference.integer, id="integer"),
        pytest.param("boolean", boolean, reference.boolean, id="boolean"),
    ],
)
@settings(deadline=None)
@given(value=st.one_of(any_value, st.integers(-3, 3), st.sampled_from(["TRUE", "0", "1.0", "-7", " 5 ", "1e2", "N/A"])))
def test_every_kind_is_what_the_reference_says(kind: str, mine: Any, theirs: Any, value: object) -> None:
    """Whatever the value, of whatever type."""
    assert mine(value) == theirs(value), kind
    assert type(mine(value)) is type(theirs(value))


@pytest.mark.parametrize("id_type", ["integer", "text"])
@settings(deadline=None)
@given(value=st.one_of(st.sampled_from([*IDS, *NO_IDS]), any_value))
def test_an_id_is_what_the_reference_says(id_type: Any, value: object) -> None:
    """Or it names nobody, for a reason."""
    expected = reference.id_of({"id": value}, {"id_type": id_type})
    found = parse_id(value, id_type, MISSING)
    assert found == (None if expected is reference.UNUSABLE else expected)
    if found is None:
        with pytest.raises(UnusableIdError):
            require_id(value, id_type, MISSING)


@pytest.mark.parametrize(
    ("text", "numbers", "digits"),
    [
        ("[1, 2.5]", [1, 2.5], [1, 2.5]),
        ("9" * 401, 10**400, "9" * 401),
        ("-" + "9" * 401, -(10**400), "-" + "9" * 401),
        ("[1e999]", [math.inf], [None]),
    ],
)
def test_lenient_json(text: str, numbers: Any, digits: Any) -> None:
    """Numbers beyond every range, or as they were written."""
    assert read_json(text) == numbers
    assert read_json(text, keep_numerals=True) == digits


def test_sanitized_json_is_json() -> None:
    """What has no form in it is null, half a surrogate pair a replacement character."""
    assert sanitize_json(b'[NaN, -Infinity, 1e999, "\\ud800", "\\ud83d\\ude00"]') == (
        '[null, null, null, "\ufffd", "\U0001f600"]'.encode()
    )
