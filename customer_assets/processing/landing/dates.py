"""Where a date's text becomes an instant. No clock."""

import re
from datetime import UTC, datetime, timedelta

_ISO_8601 = re.compile(
    r"""(?: [0-9]{4}-[0-9]{2}-[0-9]{2} | [0-9]{8} | [0-9]{4}-W[0-9]{2}(?:-[0-9])? | [0-9]{4}W[0-9]{2,3} )
        (?: [T ] (?:[01][0-9]|2[0-3])
            (?: :[0-5][0-9] (?: :[0-5][0-9] (?:[.,][0-9]+)? )? | [0-5][0-9] (?: [0-5][0-9] (?:[.,][0-9]+)? )? )?
            (?: Z | [+-][0-2][0-9] (?: :?[0-5][0-9] )? )? )?""",
    re.VERBOSE,
)
"""Narrower than `datetime.fromisoformat`, which accepts more with each version of Python."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def instant_us(text: str) -> int | None:
    """Parse an ISO 8601 date or date and time to microseconds since 1970 in UTC; anything else → None.

    Calendar and week dates, basic and extended form, `T` or a blank between date and time, `Z` or an offset up to
    minutes. Without an offset: UTC; without a time: midnight; digits beyond microseconds are dropped. An instant
    outside the years 1..9999 in UTC is none: `"9999-12-31T23:30:00-01:00"` → None, `"2023-02-29"` → None.
    """
    text = text.upper()
    if _ISO_8601.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    instant = (moment - _EPOCH) // _MICROSECOND
    return instant if _FIRST_US <= instant <= _LAST_US else None
