"""How long to wait: the policy's waits, and what an answer's headers say. Arithmetic on values, no clock.

Headers read, in this order: `Retry-After`; the fields of draft-ietf-httpapi-ratelimit-headers (`RateLimit: "p";r=5;t=9`
beside `RateLimit-Policy: "p";q=9;w=60`) and of its drafts before 08 (`limit=9, remaining=5, reset=30`, `9;w=60`);
the split fields of those before 06 (`RateLimit-Remaining`, …); `X-RateLimit-*`. What is malformed says nothing.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from customer_assets.api.crawl.events import NO_HINTS, RateLimitHints

LONGEST_VALUE = 64
"""Characters: no form of an HTTP date is longer than 33; what is longer is not read at all."""

EPOCH_FROM = 1e9
"""A number beyond this is no wait of 31 years but an instant, in seconds since 1970."""

LONGEST_WAIT_S = 366 * 86_400.0
"""A wait of more than a year says nothing about the API's limit."""

LONGEST_FIELD = 1024
"""Characters: a longer field is not read."""

LONGEST_PACED_WINDOW_S = 10.0
"""A quota for a longer window is a store to draw on, not a pace: it is spent freely, then the window's end awaited."""

_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,15}", re.ASCII)
_MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^";])+')


def parse_retry_after(value: str, now_utc: datetime) -> float | None:
    """Seconds from now that a `Retry-After` asks for (RFC 9110, 10.2.3): `"120"` → 120; a date → seconds until then.

    A date that has passed → 0. What is malformed, negative or more than a year off → None: it says nothing.
    """
    wait_s = seconds_until(value, now_utc)
    if wait_s is None:
        date = parse_http_date(value)
        wait_s = None if date is None else plausible_wait((date - now_utc).total_seconds())
    return wait_s


def seconds_until(value: str, now_utc: datetime) -> float | None:
    """Read a number of seconds, or an instant in seconds since 1970 as seconds from now; None if it is neither."""
    text = value.strip() if len(value) <= LONGEST_VALUE else ""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return plausible_wait(number - now_utc.timestamp() if number > EPOCH_FROM else number)


def plausible_wait(wait_s: float) -> float | None:
    """Take a wait as it is, one that is over as 0; None if it is absurd."""
    return max(wait_s, 0.0) if wait_s <= LONGEST_WAIT_S else None


def parse_http_date(value: str) -> datetime | None:
    """Read an HTTP date in any of its three forms (RFC 9110, 5.6.7); None if it is none."""
    if not 0 < len(value) <= LONGEST_VALUE:
        return None
    try:
        date = parsedate_to_datetime(value)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class _Window(NamedTuple):
    """How many requests are left, and for how long that holds."""

    remaining: int | None = None
    reset_after_s: float | None = None


def parse_rate_limit_headers(headers: Mapping[str, str], now_utc: datetime) -> RateLimitHints:
    """Read an answer's headers, keys in lower case. Never raises.

    Dates count from the server's own `Date`, where it sends one: the two clocks need not agree.
    """
    if not any("rate" in name or name == "retry-after" for name in headers):
        return NO_HINTS
    server_utc = parse_http_date(headers.get("date", "")) or now_utc
    window = _window(headers, server_utc)
    return RateLimitHints(
        retry_after_s=parse_retry_after(headers.get("retry-after", ""), server_utc),
        requests_per_second=_pace(headers),
        remaining=window.remaining,
        reset_after_s=window.reset_after_s,
    )


def _window(headers: Mapping[str, str], now_utc: datetime) -> _Window:
    """The tightest window of those that the headers name."""
    combined = [
        _Window(_integer(of.get("r", of.get("remaining"))), _seconds(of.get("t", of.get("reset")), now_utc))
        for of in _combined(headers.get("ratelimit", ""))
    ]
    split = [
        _Window(_integer(headers.get(f"{prefix}remaining")), _seconds(headers.get(f"{prefix}reset"), now_utc))
        for prefix in _PREFIXES
    ]
    for found in (combined, split):
        stated = [window for window in found if window.remaining is not None]
        if stated:
            return min(stated, key=lambda window: (window.remaining, -(window.reset_after_s or 0.0)))
    return _Window()


def _combined(field: str) -> Iterator[dict[str, str]]:
    """Each policy's parameters; the old form `limit=…, remaining=…, reset=…` is one policy."""
    members = list(_members(field))
    if any("r" in parameters for parameters in members):
        yield from members
    else:
        yield {name: value for parameters in members for name, value in parameters.items()}


def _pace(headers: Mapping[str, str]) -> float | None:
    """The tightest rate of the policies whose window is short enough for one."""
    stated = [
        (_integer(of.get("q", of.get(""))), _integer(of.get("w")))
        for of in _members(headers.get("ratelimit-policy", ""))
        if of.get("qu", '"requests"') == '"requests"'
    ]
    rates = [
        quota / window_s for quota, window_s in stated if quota and window_s and window_s <= LONGEST_PACED_WINDOW_S
    ]
    return min(rates, default=None)


def _members(field: str) -> Iterator[dict[str, str]]:
    """Each member of a list as its parameters, its own value under "": `100;w=60` → {"": "100", "w": "60"}."""
    if len(field) > LONGEST_FIELD:
        return
    for member in _MEMBER.findall(field):
        parameters: dict[str, str] = {}
        for part in _PART.findall(member):
            name, equals, value = part.strip().partition("=")
            parameters.setdefault(name.lower() if equals else "", value if equals else name)
        yield parameters


def _integer(text: str | None) -> int | None:
    found = text is not None and _INTEGER.fullmatch(text.strip())
    return int(found[0]) if found else None


def _seconds(text: str | None, now_utc: datetime) -> float | None:
    return None if text is None else seconds_until(text, now_utc)
