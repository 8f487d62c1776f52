"""Turns one field's values into a column. Pure.

For each kind one Python function decides what a value becomes, in `json_values`, `dates` or `emails`. Arrow finds,
cheaply and on the safe side, the values that this function would leave as they are; only the others go through it.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

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
from customer_assets.processing.landing.dates import (
    LARGEST_COMPACT,
    LAST_US,
    SMALLEST_COMPACT,
    SMALLEST_EPOCH_MS,
    SMALLEST_EPOCH_S,
    parse_instant,
)
from customer_assets.processing.landing.emails import LONGEST_LOCAL_PART, canonical_domain, email_domain
from customer_assets.processing.schemas import INSTANT

pc: Any = pyarrow.compute
Column: TypeAlias = Any
"""An Arrow array. Arrow's stubs are generic where its classes are not, and refuse a column beside a number."""
Values: TypeAlias = Sequence[Any]
"""JSON scalars, null as None."""

FALSE = pa.scalar(value=False)

_NOT_CANONICAL = (
    r"[\x00-\x1f\x7f-\x9f\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{fdd0}-\x{fdef}"
    + "".join(rf"\x{{{plane + 0xFFFE:x}}}\x{{{plane + 0xFFFF:x}}}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)
"""White space but the blank, control characters and noncharacters, for RE2."""

_UNUSUAL_IN_AN_ADDRESS = "[^!#$%&*+./0-9=?@A-Z^_`a-z{|}~-]"
_USUAL_IN_AN_ADDRESS = b"!#$%&*+-./0123456789=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~"
"""What neither wraps an address nor quotes a part of it; a colon ends `mailto:`."""

_DAY = "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
_REGULAR_DATES = (
    (f"^{_DAY}{_TIME}{_OFFSET}$", INSTANT),
    (f"^{_DAY}(?:{_TIME})?$", pa.timestamp("us")),
)
"""The forms that Arrow parses to the same instant as `instant_us`, and as what. Leap days go the long way."""


def column_of(kind: Kind, values: Values, missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make the column of a field."""
    if all(value is None for value in values[:1]) and values.count(None) == len(values):
        return pa.nulls(len(values), _EMPTY[kind].type)
    return _COLUMNS[kind](values, missing)


def texts(values: Values, missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make a column of `canonical_text`."""
    return _canonical(values, canonical_text, missing)


def categories(values: Values, missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make a column of `category`."""
    return _canonical(values, category, missing)


def scores(values: Values, _missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make a column of `score`."""
    if not {*map(type, values)} <= {int, float, type(None)}:
        return pa.array(map(score, values), pa.float64())
    try:
        column = pa.array(values, pa.float64())
    except (pa.ArrowInvalid, OverflowError):  # an integer that no float holds exactly
        return pa.array(map(score, values), pa.float64())
    return pc.if_else(pc.is_finite(column), column, None)


def numbers(values: Values, missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make a column of `number`."""
    if {*map(type, values)} <= {int, float, type(None)}:
        return pc.add(scores(values), 0.0)  # -0.0 becomes 0.0
    return pa.array([number(value, missing) for value in values], pa.float64())


def integers(values: Values, missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make a column of `integer`."""
    if {*map(type, values)} <= {int, type(None)}:
        try:
            return pa.array(values, pa.int64())
        except OverflowError:
            pass
    return pa.array([integer(value, missing) for value in values], pa.int64())


def booleans(values: Values, missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make a column of `boolean`."""
    if {*map(type, values)} <= {bool, type(None)}:
        return pa.array(values, pa.bool_())
    return pa.array([boolean(value, missing) for value in values], pa.bool_())


def instants(values: Values, missing: MissingValues = NO_MISSING_VALUES) -> Column:
    """Make a column of `parse_instant`."""
    kinds = {*map(type, values)}
    try:
        if kinds <= {str, type(None)}:
            return _parsed_dates(pa.array(values, pa.string()), missing).view(INSTANT)
        if kinds <= {int, type(None)}:
            return _parsed_epochs(pa.array(values, pa.int64())).view(INSTANT)
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, an integer beyond 64 bits: no date, no Arrow value
        pass
    return pa.array([parse_instant(value, missing) for value in values], pa.int64()).view(INSTANT)


def domains(addresses: Column) -> Column:
    """Make the column of `email_domain` of a column of canonical text."""
    parts = pc.split_pattern(addresses, "@")
    plain = pc.equal(pc.list_value_length(parts), 2)
    if _bytes_of(addresses).translate(None, _USUAL_IN_AN_ADDRESS):
        plain = pc.and_not(plain, pc.match_substring_regex(addresses, _UNUSUAL_IN_AN_ADDRESS))
    if plain.true_count == len(addresses):
        return _plain_domains(parts.flatten())
    odd = pc.fill_null(pc.invert(plain), FALSE)
    found = pc.replace_with_mask(
        pa.nulls(len(addresses), pa.string()), pc.fill_null(plain, FALSE), _plain_domains(parts.filter(plain).flatten())
    )
    return pc.replace_with_mask(found, odd, pa.array(map(email_domain, addresses.filter(odd).to_pylist()), pa.string()))


def _plain_domains(parts: Column) -> Column:
    """Make the domains of local parts and domains, which take turns: nothing wraps them or quotes a part of them."""
    lengths = pc.binary_length(parts.take(_every_second(0, len(parts))))
    found = parts.take(_every_second(1, len(parts))).dictionary_encode()
    known = pa.array(map(canonical_domain, found.dictionary.to_pylist()), pa.string()).take(found.indices)
    return pc.if_else(pc.and_(pc.greater(lengths, 0), pc.less_equal(lengths, LONGEST_LOCAL_PART)), known, None)


@lru_cache(maxsize=8)
def _every_second(first: int, length: int) -> Column:
    return pa.array(range(first, length, 2), pa.int32())


def _canonical(
    values: Values, canonical: Callable[[object, MissingValues], str | None], missing: MissingValues
) -> Column:
    try:
        column = pa.array(values, pa.string())
    except (UnicodeEncodeError, pa.ArrowInvalid, pa.ArrowTypeError):  # a lone surrogate, or not text
        return pa.array([canonical(value, missing) for value in values], pa.string())
    settled = _is_canonical(column, missing)
    if settled.false_count == 0:  # nulls are settled, too
        return column
    unsettled = pc.fill_null(pc.invert(settled), FALSE)
    replacements = [canonical(value, missing) for value in column.filter(unsettled).to_pylist()]
    return pc.replace_with_mask(column, unsettled, pa.array(replacements, pa.string()))


def _is_canonical(column: Column, missing: MissingValues) -> Column:
    """Find the values that are certainly canonical: NFC, no white space but single blanks within, not missing."""
    plain = pc.ascii_is_printable(column)
    others = pc.fill_null(pc.invert(plain), FALSE)
    if others.true_count:  # names repeat: each is looked at once
        names = column.filter(others).dictionary_encode()
        # Arrow's NFC has another Unicode version than Python's. What it leaves alone, Python leaves alone, too: normal
        # forms of assigned characters never change, and Python does not compose a character that only Arrow knows.
        composed = pc.equal(names.dictionary, pc.utf8_normalize(names.dictionary, "NFC"))
        composed = pc.and_not(composed, pc.match_substring_regex(names.dictionary, _NOT_CANONICAL))
        plain = pc.replace_with_mask(plain, others, composed.take(names.indices))
    canonical = pc.and_(plain, _is_trimmed(column))
    return pc.and_not(canonical, _may_be_missing(column, missing)) if missing.values else canonical


def _is_trimmed(column: Column) -> Column:
    """Find the values that are not empty, with no blank at either end and no two in a row."""
    filled = pc.greater(pc.binary_length(column), 0)
    if not _has_blanks(column):
        return filled
    trimmed = pc.and_(filled, pc.equal(column, pc.ascii_trim(column, " ")))
    return pc.and_not(trimmed, pc.match_substring(column, "  "))


def _may_be_missing(column: Column, missing: MissingValues) -> Column:
    """Find the values that `missing` can hold; `_is_canonical` sends them the long way."""
    whole, first_word, has_all_of_ascii = _missing_patterns(missing)
    lowered = pc.ascii_lower(column)
    found = pc.is_in(lowered, whole)
    if _has_blanks(column):
        found = pc.or_(found, pc.fill_null(pc.match_substring_regex(lowered, first_word), FALSE))
    if not has_all_of_ascii:
        found = pc.or_(found, pc.invert(pc.fill_null(pc.ascii_is_printable(column), FALSE)))
    return found


@lru_cache(maxsize=8)
def _missing_patterns(missing: MissingValues) -> tuple[Column, str, bool]:
    """Return the values, the pattern of a text that begins with one, and whether all are ASCII."""
    values = sorted(missing.values)
    first_word = f"^(?:{'|'.join(map(re.escape, values))}) "
    return pa.array(values, pa.string()), first_word, all(map(str.isascii, values))


def _has_blanks(column: Column) -> bool:
    """Look for a blank in all values at once: most columns of addresses have none."""
    return b" " in _bytes_of(column)


def _bytes_of(column: Column) -> bytes:
    text = column.buffers()[2]
    return b"" if text is None else text.to_pybytes()


def _parsed_dates(column: Column, missing: MissingValues) -> Column:
    parsed = pa.nulls(len(column), pa.int64())
    left = pc.and_not(column.is_valid(), _may_be_missing(column, missing)) if missing.values else column.is_valid()
    odd = pc.and_not(column.is_valid(), left)
    for pattern, kind in _REGULAR_DATES:
        regular = pc.and_(left, pc.fill_null(pc.match_substring_regex(column, pattern), FALSE))
        if regular.true_count:
            parsed = pc.replace_with_mask(parsed, regular, column.filter(regular).cast(kind).view(pa.int64()))
            left = pc.and_not(left, regular)
    left = pc.or_(left, odd)
    if left.true_count:
        rest = [parse_instant(value, missing) for value in column.filter(left).to_pylist()]
        parsed = pc.replace_with_mask(parsed, left, pa.array(rest, pa.int64()))
    return parsed


def _parsed_epochs(column: Column) -> Column:
    seconds = pc.and_(pc.greater_equal(column, SMALLEST_EPOCH_S), pc.less(column, SMALLEST_EPOCH_MS))
    milliseconds = pc.and_(pc.greater_equal(column, SMALLEST_EPOCH_MS), pc.less_equal(column, LAST_US // 1_000))
    compact = pc.and_(pc.greater_equal(column, SMALLEST_COMPACT), pc.less_equal(column, LARGEST_COMPACT))
    in_range = pc.if_else(pc.and_not(pc.or_(seconds, milliseconds), compact), column, None)
    return pc.multiply(in_range, pc.if_else(seconds, 1_000_000, 1_000))


_COLUMNS: dict[Kind, Callable[[Values, MissingValues], Column]] = {
    Kind.TEXT: texts,
    Kind.EMAIL: texts,
    Kind.CATEGORY: categories,
    Kind.NUMBER: numbers,
    Kind.SCORE: scores,
    Kind.INTEGER: integers,
    Kind.BOOLEAN: booleans,
    Kind.INSTANT: instants,
}
_EMPTY: dict[Kind, Column] = {kind: column([], NO_MISSING_VALUES) for kind, column in _COLUMNS.items()}
