"""Turns a date, as text or as a number, into an instant. No clock."""

import re
from datetime import UTC, datetime, timedelta, timezone

from customer_assets.core.json_values import NO_MISSING_VALUES, MissingValues, canonical_text

_ISO_8601 = re.compile(
    r"""(?: [0-9]{4}-[0-9]{2}-[0-9]{2} | [0-9]{8} | [0-9]{4}-W[0-9]{2}(?:-[0-9])? | [0-9]{4}W[0-9]{2,3} )
        (?: [T ] (?:[01][0-9]|2[0-3])
            (?: :[0-5][0-9] (?: :[0-5][0-9] (?:[.,][0-9]+)? )? | [0-5][0-9] (?: [0-5][0-9] (?:[.,][0-9]+)? )? )?
            (?: Z | [+-][0-2][0-9] (?: :?[0-5][0-9] )? )? )?""",
    re.VERBOSE,
)
"""Narrower than `datetime.fromisoformat`, which accepts more with each version of Python."""

_HOUR_24 = re.compile(
    r"(?<=[T ]) 24 (?= (?: :00 (?: :00 (?:[.,]0+)? )? | 00 (?: 00 (?:[.,]0+)? )? )? (?:Z|[+-]|\Z) )", re.VERBOSE
)
"""ISO 8601 has two names for midnight: 24:00 is that at the end of the day."""

_WEEKDAY = "(?:MON|TUE|WED|THU|FRI|SAT|SUN)"
_DAY, _MONTH, _YEAR = "(?P<day>[0-9]{1,2})", "(?P<month>[A-Z]{3})", "(?P<year>[0-9]{4})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
_ZONE = "(?P<zone>Z|UTC?|GMT|[ECMP][SD]T|[+-][0-9]{2}[0-5][0-9])"
_COMMENT = r"(?: \([^()]*\))?"
_MONTH_BY_NAME = (
    re.compile(f"(?:{_WEEKDAY},? )?{_DAY} {_MONTH} {_YEAR} {_TIME}(?: ?{_ZONE}{_COMMENT})?"),
    re.compile(f"{_WEEKDAY} {_MONTH} {_DAY} {_TIME}(?: {_ZONE})? {_YEAR}"),
    re.compile(f"{_WEEKDAY} {_MONTH} {_DAY} {_YEAR} {_TIME}(?: (?:GMT)?{_ZONE}{_COMMENT})?"),
)
"""The dates of mails (RFC 2822); of C's `asctime`, with a zone as Java and Ruby write it; of JavaScript."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_AMERICAN_HOURS = {"E": -5, "C": -6, "M": -7, "P": -8}
"""Eastern, Central, Mountain and Pacific Standard Time, of RFC 2822, section 4.3; daylight time is an hour ahead."""

_COMPACT = re.compile(r"\A([0-9]{8})([0-9]{6}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{4})?)\Z")
"""A date and time run together, as directories and databases write them: 20261124120000Z."""

_ZONE_BESIDE_OFFSET = re.compile(r"(Z|[+-][0-9]{2}:[0-5][0-9])\[[A-Z][A-Z0-9_+/-]*\]\Z")
_UTC_BY_NAME = re.compile(r"(?: ?(?:UTC|GMT)|\[UTC\])\Z")
_BLANK_BEFORE_ZONE = re.compile(r" (?=(?:Z|[+-][0-9:]{2,6})$)")

_EPOCH_NUMERAL = re.compile(r"(?P<whole>[0-9]{9,15})(?:\.(?P<fraction>[0-9]*))?")
SMALLEST_EPOCH_S, SMALLEST_EPOCH_MS = 10**8, 10**11
"""Nine to eleven digits are seconds, 1973 to 5138; twelve, thirteen and fifteen are milliseconds, 1973 to 2286 and 5138
to 9999. A number below is no instant: it may be a day written as 20261124."""
SMALLEST_COMPACT, LARGEST_COMPACT = 10**13, 10**14 - 1
"""Fourteen digits are a date and time, 20261124120000: as text an instant, as a number none."""

LONGEST_DATE = 100
"""Characters."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def parse_instant(value: object, missing: MissingValues = NO_MISSING_VALUES) -> int | None:
    """Read a JSON value as microseconds since 1970 in UTC; what is not a date → None.

    Numbers are seconds or milliseconds since 1970; text is what `instant_us` reads.
    """
    if isinstance(value, str):
        text = canonical_text(value, missing)
        return None if text is None else instant_us(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _epoch_us(repr(value)) if abs(value) < 10 * LAST_US else None


def instant_us(text: str) -> int | None:
    """Read ISO 8601, a date with a month's name, or a number since 1970, as microseconds since 1970; else None.

    ISO 8601: calendar and week dates, basic and extended form, `T` or a blank between date and time, `Z` or an offset
    up to minutes, with or without a blank before it or a zone's name in brackets after it; date and time run together.
    `24:00` is midnight at the end of a day. Also the dates of mails (RFC 2822), of C's `asctime` and of JavaScript.
    A trailing ` UTC`, ` GMT` or `[UTC]`, or no offset: UTC. Without a time: midnight. Digits beyond microseconds are
    dropped. An instant outside the years 1..9999 in UTC is none:
    `"9999-12-31T23:30:00-01:00"` → None, `"2023-02-29"` → None, `"1764000000"` → 2025-11-24T16:00:00Z.
    """
    if len(text) > LONGEST_DATE:
        return None
    text = _UTC_BY_NAME.sub("", _ZONE_BESIDE_OFFSET.sub(r"\1", text.upper()))
    text = _BLANK_BEFORE_ZONE.sub("", _COMPACT.sub(r"\1T\2", text))
    on_time = _HOUR_24.sub("00", text)
    if _ISO_8601.fullmatch(on_time):
        try:
            return _microseconds(datetime.fromisoformat(on_time), days=int(on_time != text))
        except ValueError:
            return None
    for pattern in _MONTH_BY_NAME:
        if (found := pattern.fullmatch(text)) is not None:
            return _named_month_us(found)
    return _epoch_us(text)


def _named_month_us(found: re.Match[str]) -> int | None:
    day, year, hour, minute, second = (int(found[part] or 0) for part in ("day", "year", "hour", "minute", "second"))
    try:
        month = _MONTHS.index(found["month"]) + 1
        zone = timezone(_offset(found["zone"] or "Z"))
        return _microseconds(datetime(year, month, day, hour, minute, second, tzinfo=zone))
    except ValueError:
        return None


def _offset(zone: str) -> timedelta:
    if zone in ("Z", "UT", "UTC", "GMT"):
        return timedelta()
    if zone.endswith("T"):
        return timedelta(hours=_AMERICAN_HOURS[zone[0]] + (zone[1] == "D"))
    return timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))


def _microseconds(moment: datetime, days: int = 0) -> int | None:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    instant = (moment - _EPOCH + timedelta(days)) // _MICROSECOND
    return instant if FIRST_US <= instant <= LAST_US else None


def _epoch_us(text: str) -> int | None:
    found = _EPOCH_NUMERAL.fullmatch(text)
    if found is None:
        return None
    whole, fraction = int(found["whole"]), found["fraction"] or ""
    if whole < SMALLEST_EPOCH_S or SMALLEST_COMPACT <= whole <= LARGEST_COMPACT:
        return None
    digits = 6 if whole < SMALLEST_EPOCH_MS else 3
    instant = whole * 10**digits + int(fraction[:digits].ljust(digits, "0"))
    return instant if instant <= LAST_US else None
