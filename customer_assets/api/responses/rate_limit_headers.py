"""What a response's headers say about the API's limit: how long to wait, how many requests are left, at what rate.

Reads `Retry-After`, more than once and as `1m30s` if need be; the fields of draft-ietf-httpapi-ratelimit-headers
(`RateLimit: "p";r=5;t=9` beside `RateLimit-Policy: "p";q=9;w=60`) and of its drafts before 08 (`limit=9, remaining=5,
reset=30`, `9;w=60`); the split fields of those before 06 (`RateLimit-Remaining`) and their `X-` forms; and what some
vendors call them: BigCommerce's `X-Rate-Limit-Time-Reset-Ms`, Shopify's bucket `39/40`, Salesforce's `api-usage=1/9`.
A reset can be seconds left, an instant since 1970 in seconds or thousandths, millionths or billionths of one, or a
date. A proxy adds its own limit by naming headers twice: each is a window. Malformed values are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import zip_longest
from typing import NamedTuple

from customer_assets.api.crawl.events import NO_HINTS, RateLimitHints

LONGEST_VALUE = 64
"""Characters: no form of an HTTP date is longer than 33; what is longer is not read at all."""

EPOCH_FROM = 1e9
"""A number beyond this is not a wait of 31 years but an instant, in seconds since 1970."""

EPOCH_MS_FROM = 1e11
"""A number beyond this is such an instant in milliseconds, or in parts of them: in seconds it would be in 5138."""

LONGEST_WAIT_S = 366 * 86_400.0
"""A wait of more than a year says nothing about the API's limit."""

LONGEST_FIELD = 1024
"""Characters: a longer field is not read."""

LONGEST_PACED_WINDOW_S = 10.0
"""A quota for a longer window is a store to draw on, not a pace: it is spent freely, then the window's end awaited."""

UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

THROTTLED = (420, HTTPStatus.TOO_MANY_REQUESTS)
"""Statuses that say "too many requests" and nothing else; 420 is an old one."""

THROTTLED_IF_LIMITED = (HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.TOO_EARLY, 430)
"""Statuses that say so where the headers name a wait or an empty quota; 430 is Shopify's."""

_SPLIT = (
    ("ratelimit-remaining", "ratelimit-reset", ""),
    ("x-ratelimit-remaining", "x-ratelimit-reset", ""),
    ("x-ratelimit-remaining", "x-ratelimit-reset-after", ""),
    ("x-rate-limit-remaining", "x-rate-limit-reset", ""),
    ("x-rate-limit-requests-left", "x-rate-limit-time-reset-ms", "ms"),
)
"""Names of what is left and of when it is renewed, and the unit of the latter."""

_USAGES = ("x-shopify-shop-api-call-limit", "sforce-limit-info")
"""Headers that say how much of how much is used up."""

_NUMBER = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,15}", re.ASCII)
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:h|ms|m|s))+", re.ASCII)
_DURATION_PART = re.compile(r"([0-9.]+)(h|ms|m|s)", re.ASCII)
_LISTED = re.compile(r"(?<=[0-9smhTZ]), (?=[0-9A-Z])", re.ASCII)
_USED = re.compile(r"(?:api-usage=)?([0-9]{1,15})/([0-9]{1,15})", re.ASCII)
_MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^";])+')


def parse_retry_after(value: str, now_utc: datetime) -> float | None:
    """Seconds from now that a `Retry-After` asks for (RFC 9110, 10.2.3): `"120"` → 120; a date → seconds until then.

    Of several values the longest wait counts. A date that has passed → 0. None if nothing in it is a plausible wait.
    """
    if len(value) > LONGEST_VALUE:
        return None
    waits_s = [seconds_until(part, now_utc) for part in _LISTED.split(value)]
    return max((wait_s for wait_s in waits_s if wait_s is not None), default=None)


def seconds_until(value: str, now_utc: datetime) -> float | None:
    """Read seconds, `1m30s`, an instant since 1970 or a date as seconds from now; None if it is none of these."""
    text = value.strip() if len(value) <= LONGEST_VALUE else ""
    if _NUMBER.fullmatch(text) is not None:
        number = float(text)
        while number > EPOCH_MS_FROM:
            number /= 1000
        return plausible_wait(number - now_utc.timestamp() if number > EPOCH_FROM else number)
    if text and _DURATION.fullmatch(text) is not None:
        return plausible_wait(sum(float(number) * UNITS_S[unit] for number, unit in _DURATION_PART.findall(text)))
    date = parse_http_date(value) or _iso_date(text)
    return None if date is None else plausible_wait((date - now_utc).total_seconds())


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


def _iso_date(text: str) -> datetime | None:
    """Read a date and time of ISO 8601 that names its time zone; None if it is none."""
    try:
        date = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        return None
    return date if date is not None and date.tzinfo is not None else None


class _Window(NamedTuple):
    """How many requests are left, and for how long that holds."""

    remaining: int | None = None
    reset_after_s: float | None = None

    @property
    def tightness(self) -> tuple[bool, int, float]:
        """Orders windows, the tightest first: the fewest requests, and then for the longest time."""
        return self.remaining is None, self.remaining or 0, -(self.reset_after_s or 0.0)


def parse_rate_limit_headers(headers: Mapping[str, str], now_utc: datetime) -> RateLimitHints:
    """Read a response's headers, keys in lower case. Never raises.

    Dates count from the server's own `Date`, where it sends one: the two clocks need not agree.
    """
    if not any("limit" in name or name == "retry-after" for name in headers):
        return NO_HINTS
    server_utc = parse_http_date(headers.get("date", "")) or now_utc
    window = _window(headers, server_utc)
    return RateLimitHints(
        retry_after_s=parse_retry_after(headers.get("retry-after", ""), server_utc),
        requests_per_second=_pace(headers),
        remaining=window.remaining,
        reset_after_s=window.reset_after_s,
    )


def is_throttled(status: int, hints: RateLimitHints) -> bool:
    """Whether a failed response says that the API's limit is exceeded, whatever the status calls it."""
    is_limited = hints.retry_after_s is not None or hints.remaining == 0
    return status in THROTTLED or (status in THROTTLED_IF_LIMITED and is_limited)


def _window(headers: Mapping[str, str], now_utc: datetime) -> _Window:
    """The tightest window of those that the headers name; those that say how much is left come first."""
    combined = [
        _Window(_integer(of.get("r", of.get("remaining"))), _seconds(of.get("t", of.get("reset")), now_utc))
        for of in _combined(headers.get("ratelimit", ""))
    ]
    split = [
        _Window(_integer(left and left.removesuffix(".0")), _seconds(reset, now_utc, unit))  # Reddit counts in floats
        for remaining_name, reset_name, unit in _SPLIT
        for left, reset in zip_longest(_listed(headers, remaining_name), _listed(headers, reset_name))
    ]
    used = [
        _Window(max(int(found[2]) - int(found[1]), 0))
        for name in _USAGES
        if len(field := headers.get(name, "")) <= LONGEST_FIELD and (found := _USED.search(field))
    ]
    for windows in (combined, split, used):
        stated = [window for window in windows if window.remaining is not None]
        if stated:
            return min(stated, key=lambda window: window.tightness)
    return min([*combined, *split, _Window()], key=lambda window: window.tightness)


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


def _listed(headers: Mapping[str, str], name: str) -> list[str]:
    """The values of a header that can come more than once, in which dates have commas too."""
    value = headers.get(name)
    return [] if value is None or len(value) > LONGEST_FIELD else _LISTED.split(value)


def _seconds(text: str | None, now_utc: datetime, unit: str = "") -> float | None:
    return None if text is None else seconds_until(f"{text.strip()}{unit}", now_utc)
