"""What one JSON value becomes: text, a category, a number, an integer, a boolean, an id. No columns.

The lenient reading of JSON stands here too. Dates and email addresses have grammars of their own: see
`processing/landing/dates.py` and `processing/landing/emails.py`.
"""

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Literal

IdType = Literal["integer", "text"]

SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
"""64 bits, on every engine."""
LONGEST_TEXT_ID = 255
"""Characters. Databases index text keys of this length."""
LONGEST_NUMERAL = 400
"""The largest float has 309 digits."""

_BEYOND_MEASURE: int = 10**LONGEST_NUMERAL
"""In place of longer integers: they fit neither an id nor a float, and Python refuses those beyond 4,300 digits."""

_DIGITS = re.compile("[0-9]+")
_INTEGER = re.compile("[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_EXACT_IN_A_FLOAT = 2**53

_SURROGATE = re.compile("[\ud800-\udfff]")
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_NONCHARACTER = re.compile(f"[{_NONCHARACTERS}]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
"""C0, DEL and C1 without those that are white space. PostgreSQL refuses a document that holds a NUL."""
_UNFIT_FOR_AN_ID = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_NONCHARACTERS}]")


class UnusableIdError(ValueError):
    """A record's id names nobody.

    Attributes:
        code: Why, as `models.REJECTIONS` lists it.
    """

    def __init__(self, code: str) -> None:
        """Keep the code."""
        self.code = code
        super().__init__(code)


class MissingValues:
    """The texts by which an API says that it has no value, such as `N/A`. Case-insensitive."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """Take the texts; each is compared in its canonical form."""
        self.values = frozenset(text.lower() for value in values if (text := canonical_text(value)) is not None)

    def __contains__(self, text: str) -> bool:
        """Whether a canonical text says "missing": it is one of the values, or each of its words is: `N/A N/A`."""
        lowered = text.lower()
        if lowered in self.values:
            return True
        return " " in lowered and all(word in self.values for word in lowered.split(" "))


NO_MISSING_VALUES = MissingValues()


def canonical_text(value: object, missing: MissingValues = NO_MISSING_VALUES) -> str | None:
    r"""Trim, collapse each run of white space to one space, compose to NFC; blank, missing or not text → None.

    White space is what `str.isspace` says: Unicode's White_Space and U+001C..U+001F. Other control characters are
    removed. Lone surrogates and noncharacters, which no file should hold, become U+FFFD. Zero-width characters stay:
    they carry meaning in Persian names and in emoji. `"  Ada \n Maria\0 "` → `"Ada Maria"`.
    """
    if not isinstance(value, str):
        return None
    if not (value.isascii() and value.isprintable()):
        if _SURROGATE.search(value):
            value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        value = unicodedata.normalize("NFC", _NONCHARACTER.sub("\ufffd", _CONTROL.sub("", value)))
    text = " ".join(value.split())
    return None if not text or text in missing else text


def category(value: object, missing: MissingValues = NO_MISSING_VALUES) -> str | None:
    """Write a scalar as text: `" web "` → `"web"`, `1` → `"1"`, `1.0` → `"1"`, `True` → `"true"`; else None."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int):
        value = str(value) if abs(value) < _BEYOND_MEASURE else None
    elif isinstance(value, float):
        is_exact = value.is_integer() and abs(value) < _EXACT_IN_A_FLOAT
        value = None if not math.isfinite(value) else str(int(value)) if is_exact else repr(value)
    return canonical_text(value, missing)


def score(value: object) -> float | None:
    """Take an integer or a float; NaN, ±inf, a boolean, text and what no float can hold → None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def number(value: object, missing: MissingValues = NO_MISSING_VALUES) -> float | None:
    """Do the same, and read text that spells a number: `" 199.65 "` → 199.65; `"1,000"` → None; -0.0 → 0.0."""
    if isinstance(value, str):
        text = canonical_text(value, missing)
        if text is None or len(text) > LONGEST_NUMERAL or _NUMBER.fullmatch(text) is None:
            return None
        value = float(text)
    found = score(value)
    return None if found is None else found + 0.0


def integer(value: object, missing: MissingValues = NO_MISSING_VALUES) -> int | None:
    """Take an integer of 64 bits, or text that spells one: `"-7"` → -7; `7.0`, `True`, `"7.0"` → None."""
    if isinstance(value, str):
        text = canonical_text(value, missing)
        if text is None or len(text) > LONGEST_NUMERAL or _INTEGER.fullmatch(text) is None:
            return None
        value = int(text)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else None


def boolean(value: object, missing: MissingValues = NO_MISSING_VALUES) -> bool | None:
    """Take true and false, 1 and 0, or text that says so: `"TRUE"` → True, `"0"` → False; anything else → None."""
    if isinstance(value, str):
        return _BOOLEANS.get((canonical_text(value, missing) or "").lower())
    return bool(value) if isinstance(value, int) and value in (0, 1) else None


def parse_id(
    value: object, id_type: IdType = "integer", missing: MissingValues = NO_MISSING_VALUES
) -> int | str | None:
    """Return the customer that an id names; None if it names nobody."""
    try:
        return require_id(value, id_type, missing)
    except UnusableIdError:
        return None


def require_id(value: object, id_type: IdType, missing: MissingValues = NO_MISSING_VALUES) -> int | str:
    """Return the customer that an id names.

    Integers: `7` → 7, `" 007 "` → 7; `True`, `7.0` and `"-7"` are none. Text: `" 007 "` → `"007"`, `7` → `"7"`.

    Raises:
        UnusableIdError: It names nobody; says why.
    """
    text = value.strip() if isinstance(value, str) else None
    if value is None or text == "" or (text is not None and text in missing):
        raise UnusableIdError("id_missing")
    return _text_id(value, text) if id_type == "text" else _integer_id(value, text)


def _integer_id(value: object, text: str | None) -> int:
    if text is not None and _DIGITS.fullmatch(text):
        digits = text.lstrip("0") or "0"
        value = int(digits) if len(digits) <= len(str(LARGEST_INTEGER)) else LARGEST_INTEGER + 1
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnusableIdError("id_not_an_integer")
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise UnusableIdError("id_out_of_range")
    return value


def _text_id(value: object, text: str | None) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if abs(value) < _BEYOND_MEASURE else "9" * LONGEST_NUMERAL
    if text is None or _UNFIT_FOR_AN_ID.search(text):
        raise UnusableIdError("id_not_text")
    if len(text) > LONGEST_TEXT_ID:
        raise UnusableIdError("id_too_long")
    return text


def read_json(text: str, *, keep_numerals: bool = False) -> Any:  # noqa: ANN401 - any JSON value
    """Read what many programs take for JSON: NaN and infinities, half surrogate pairs, numbers of any length.

    Args:
        text: The JSON.
        keep_numerals: Read an integer that is too long as the text of its digits, and a number that no float holds
            as None: the value will be shown or written again. Otherwise they are numbers beyond every range.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deep.
    """
    if keep_numerals:
        return json.loads(text, parse_int=_integer_or_digits, parse_float=_finite_float)
    return json.loads(text, parse_int=_integer_of_any_length)


def sanitize_json(body: bytes) -> bytes:
    """Rewrite lenient JSON as RFC 8259 wants it: NaN, infinities → null; half a surrogate pair → U+FFFD.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deep.
    """
    read = json.loads(
        body.decode(), parse_constant=lambda _: None, parse_int=_integer_or_digits, parse_float=_finite_float
    )
    text = json.dumps(read, ensure_ascii=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _finite_float(numeral: str) -> float | None:
    value = float(numeral)
    return value if math.isfinite(value) else None


def _integer_or_digits(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_NUMERAL else digits


def _integer_of_any_length(digits: str) -> int:
    if len(digits) <= LONGEST_NUMERAL:
        return int(digits)
    return -_BEYOND_MEASURE if digits.startswith("-") else _BEYOND_MEASURE
