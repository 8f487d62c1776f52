"""How settings write durations, and how requests write instants. Pure.

What is requested since an instant belongs in `incremental.py`; what is requested between two, in `slices.py`.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from customer_assets.core.configuration import SettingError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd])")
LONGEST = timedelta(days=3650)
"""Longer than any customer's history that is worth a sync, and far from where Python's dates end."""

FORMATS = ("iso8601", "epoch", "epoch_ms", "date", "http_date")

_STRFTIME = re.compile(r"(?:%[YmdHMSjyfzZ%]|[^%])+")
_FINEST = {"%S": timedelta(seconds=1), "%M": timedelta(minutes=1), "%H": timedelta(hours=1)}


def parse_duration(value: object) -> object:
    """Read a duration: `90s`, `10m`, `36h`, `7d`, or a timedelta.

    Raises:
        SettingError: It is not a duration, or out of range.
    """
    if isinstance(value, timedelta):
        length = value
    elif isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())):
        length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    else:
        raise SettingError(f"{value!r} is not a duration", "Write it like 90s, 10m, 36h or 7d.")
    if not timedelta() <= length <= LONGEST:
        raise SettingError(f"{value!r} is out of range", "Write 0s to 3650d.")
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(lambda length: f"{length // timedelta(seconds=1)}s", return_type=str),
]


def validate_format(text: str) -> str:
    """Return how instants are written.

    Raises:
        SettingError: It writes no instant.
    """
    if text not in FORMATS and not ("%" in text and _STRFTIME.fullmatch(text)):
        raise SettingError(f"{text!r} is not a format", f"Use {', '.join(FORMATS)}, or one like %Y-%m-%d %H:%M:%S.")
    return text


InstantFormat = Annotated[str, AfterValidator(validate_format)]


def resolution(form: str) -> timedelta:
    """The shortest time that a format can express, but at least a second."""
    if form in ("iso8601", "epoch", "epoch_ms", "http_date"):
        return timedelta(seconds=1)
    return next((length for mark, length in _FINEST.items() if mark in form), timedelta(days=1))


def write_instant(instant: datetime, form: str) -> str | int:
    """Write an instant in UTC, rounded down to what the format can express."""
    instant = instant.astimezone(UTC)
    if form == "epoch":
        return int(instant.timestamp())
    if form == "epoch_ms":
        return int(instant.timestamp()) * 1_000
    if form == "iso8601":
        return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
    if form == "http_date":
        return format_datetime(instant, usegmt=True)
    return f"{instant:%Y-%m-%d}" if form == "date" else f"{instant:{form}}"
