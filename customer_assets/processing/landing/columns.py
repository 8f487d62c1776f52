"""Where one field's values become a column: canonical text, finite numbers, instants. Pure.

What a value becomes is said by one Python function each, in `models` and `dates`. Columns only decide, cheaply and on
the safe side, which values it would leave as they are, and send the others through it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

from customer_assets.models import canonical_email, canonical_text
from customer_assets.processing.landing.dates import instant_us

pc: Any = pyarrow.compute
Column: TypeAlias = Any
"""An Arrow array. Arrow's stubs are generic where its classes are not, and refuse a column beside a number."""

FALSE = pa.scalar(value=False)
INSTANT = pa.timestamp("us", "UTC")

_WHITE_SPACE_BUT_BLANK = (
    r"[\x09-\x0d\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
)
"""What `str.isspace` says, for RE2."""

_DAY = "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
_REGULAR_DATES = (
    (f"^{_DAY}{_TIME}{_OFFSET}$", INSTANT),
    (f"^{_DAY}(?:{_TIME})?$", pa.timestamp("us")),
)
"""The forms that Arrow parses to the same instant as `instant_us`, and as what. Leap days go the long way."""


def texts(values: list[str | None]) -> Column:
    """Make a column of `canonical_text`."""
    return _canonical(values, canonical_text, _is_canonical)


def emails(values: list[str | None]) -> Column:
    """Make a column of `canonical_email`."""
    return _canonical(values, canonical_email, _is_plain_and_lower)


def finite_numbers(values: list[float | None]) -> Column:
    """Make a column of numbers; NaN and ±inf → null."""
    column = pa.array(values, pa.float64())
    return column if column.null_count == len(column) else pc.if_else(pc.is_finite(column), column, None)


def instants(values: list[str | None]) -> Column:
    """Make a column of `instant_us` of the canonical text."""
    try:
        column = pa.array(values, pa.string())
    except UnicodeEncodeError:  # a lone surrogate: no date, and no Arrow text
        return pa.array(map(_instant, values), pa.int64()).view(INSTANT)
    if column.null_count == len(column):
        return pa.nulls(len(column), INSTANT)
    return _parsed(column).view(INSTANT)


def _canonical(
    values: list[str | None],
    canonical: Callable[[object], str | None],
    is_canonical: Callable[[Column], Column],
) -> Column:
    try:
        column = pa.array(values, pa.string())
    except UnicodeEncodeError:  # a lone surrogate, from a Python string
        return pa.array(map(canonical, values), pa.string())
    settled = is_canonical(column)
    if settled.false_count == 0:  # nulls are settled, too
        return column
    return _mended(column, settled, canonical)


def _is_canonical(column: Column) -> Column:
    """Tell the values that are canonical for sure: NFC, no white space but single blanks within."""
    plain = _is_plain(column)
    others = pc.fill_null(pc.invert(plain), FALSE)
    if others.true_count:  # names repeat: each is looked at once
        names = column.filter(others).dictionary_encode()
        plain = pc.replace_with_mask(plain, others, _is_composed(names.dictionary).take(names.indices))
    return pc.and_(plain, _is_trimmed(column))


def _is_plain_and_lower(column: Column) -> Column:
    """Tell the emails that are canonical for sure: as above, ASCII and in lower case."""
    return pc.and_(pc.and_(_is_plain(column), _is_trimmed(column)), pc.equal(column, pc.ascii_lower(column)))


def _is_plain(column: Column) -> Column:
    return pc.ascii_is_printable(column)


def _is_composed(column: Column) -> Column:
    """Ask Arrow's NFC, of another Unicode version than Python's: what it leaves alone, Python leaves alone, too.

    Normal forms of assigned characters never change, and one that only Arrow knows is none that Python composes.
    """
    composed = pc.equal(column, pc.utf8_normalize(column, "NFC"))
    return pc.and_not(composed, pc.match_substring_regex(column, _WHITE_SPACE_BUT_BLANK))


def _is_trimmed(column: Column) -> Column:
    """Tell the values that are not empty, with no blank at either end and no two in a row."""
    filled = pc.greater(pc.binary_length(column), 0)
    if not _has_blanks(column):
        return filled
    trimmed = pc.and_(filled, pc.equal(column, pc.ascii_trim(column, " ")))
    return pc.and_not(trimmed, pc.match_substring(column, "  "))


def _has_blanks(column: Column) -> bool:
    """Look for a blank in all values at once: most columns of addresses have none."""
    text = column.buffers()[2]
    return text is not None and b" " in text.to_pybytes()


def _parsed(column: Column) -> Column:
    parsed = pa.nulls(len(column), pa.int64())
    left = column.is_valid()
    for pattern, kind in _REGULAR_DATES:
        regular = pc.and_(left, pc.fill_null(pc.match_substring_regex(column, pattern), FALSE))
        if regular.true_count:
            parsed = pc.replace_with_mask(parsed, regular, column.filter(regular).cast(kind).view(pa.int64()))
            left = pc.and_not(left, regular)
    if left.true_count:
        rest = pa.array(map(_instant, column.filter(left).to_pylist()), pa.int64())
        parsed = pc.replace_with_mask(parsed, left, rest)
    return parsed


def _instant(value: object) -> int | None:
    text = canonical_text(value)
    return None if text is None else instant_us(text)


def _mended(column: Column, settled: Column, canonical: Callable[[object], str | None]) -> Column:
    unsettled = pc.fill_null(pc.invert(settled), FALSE)
    replacements = pa.array(map(canonical, column.filter(unsettled).to_pylist()), pa.string())
    return pc.replace_with_mask(column, unsettled, replacements)
