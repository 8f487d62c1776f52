"""How numbers, shares, durations and instants are written for people. Pure.

A figure is rounded here and nowhere else, so it looks the same wherever the report shows it.
"""

import math
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

MINUS = "−"  # the minus sign, which is as wide as a plus and does not wrap
NOTHING = "–"  # an en dash, for a figure that there is none of


def number(value: float | None, digits: int = 0) -> str:
    """Write a number: 1200 → `1,200`, -3 → `−3`; None or NaN → `–`."""
    if value is None or math.isnan(value):
        return NOTHING
    rounded = round_half_up(value, digits)
    return f"{rounded:,.{digits}f}".replace("-", MINUS) if rounded else f"{0:.{digits}f}"


def round_half_up(value: float, digits: int) -> Decimal:
    """Round as people do, and by the digits that a reader sees: 99.25 → 99.3, not the 99.2 of Python's `round`."""
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def score(value: float | None) -> str:
    """Write a mean score with one digit: 98.333 → `98.3`."""
    return number(value, 1)


def difference(value: float | None, digits: int = 0, none: str = "no change") -> str:
    """Write a difference with its sign: 3 → `+3`, -3 → `−3`; one that rounds to 0 → `none`; None → ``."""
    if value is None:
        return ""
    if not round_half_up(value, digits):
        return none
    return f"{'+' if value > 0 else ''}{number(value, digits)}"


def percent(share: float) -> str:
    """Write a share: 0.417 → `41.7 %`. A little never shows as nothing, nor nearly all as all."""
    written = f"{round_half_up(round(share * 100, 9), 1):.1f}"
    if written == "0.0" and share > 0:
        return "< 0.1 %"
    return "> 99.9 %" if written == "100.0" and share < 1 else f"{written} %"


def pluralize(count: int, unit: str) -> str:
    """Write a count with its unit: `1 customer`, `1,200 customers`."""
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def instant(iso: str) -> str:
    """Write an instant: `24 November 2026, 03:00 UTC`; a text that is not an instant stays as it is."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def duration(seconds: float) -> str:
    """Write a duration: `0.4 s`, `95 s`, `12 min 5 s`."""
    if round(seconds, 1) < 10:  # noqa: PLR2004 - from ten seconds on, a decimal says nothing
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes > 1 else f"{round(seconds)} s"


def words(name: str) -> str:
    """Write an identifier as words: `mobile_app` → `mobile app`."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """Begin with a capital and leave the rest alone: `last name` → `Last name`."""
    return text[:1].upper() + text[1:]
