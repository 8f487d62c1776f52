"""How long the API asks to be left alone: its headers, parsed. Pure; what is malformed or absurd is ignored."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from customer_assets.api.actions import NO_ADVICE, RateAdvice

LONGEST_HEADER = 200
A_YEAR_S = 366 * 86_400.0
EPOCH_FROM = 1_000_000_000
"""A reset larger than this is an instant, not a number of seconds: 1e9 s are 31 years."""

_SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")
_PARAMETER = re.compile(r";\s*([a-z]+)=([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """The waits between a page's requests within one round.

    Attributes:
        waits_s: Seconds to wait after the first, second, … failed attempt; as many as there are retries.
    """

    waits_s: tuple[float, ...] = (1.0, 2.0, 4.0)

    @classmethod
    def growing(cls, first_s: float, retries: int, *, longest_s: float = 30.0) -> "BackoffPolicy":
        """Waits that double from `first_s` up to `longest_s`: `growing(1, 3)` → 1, 2, 4."""
        return cls(tuple(min(first_s * 2.0**retry, longest_s) for retry in range(retries)))

    def wait_s(self, attempt: int) -> float | None:
        """Seconds to wait after this failed attempt (from 1); None when the retries are spent."""
        return self.waits_s[attempt - 1] if attempt <= len(self.waits_s) else None


def parse_retry_after(value: str, now_utc: datetime) -> float | None:
    """Return seconds from now: `120` → 120.0; an HTTP date → the seconds until then; anything else → None."""
    text = value.strip()
    if len(text) > LONGEST_HEADER:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), A_YEAR_S)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return min(max(0.0, math.ceil((instant - now_utc).total_seconds())), A_YEAR_S)


def rate_advice(headers: Mapping[str, str], now_utc: datetime) -> RateAdvice:
    """Read what an answer says of the API's limit. Header names are in lower case."""
    if not any(
        name in headers for name in ("retry-after", "ratelimit", "ratelimit-remaining", "x-ratelimit-remaining")
    ):
        return NO_ADVICE
    retry_after = headers.get("retry-after")
    limit = _structured(headers.get("ratelimit", ""))
    policy = _structured(headers.get("ratelimit-policy", ""))
    remaining = limit.get("r", _count(headers, "remaining"))
    reset_s = limit.get("t", _reset(headers, now_utc))
    rate = policy["q"] / policy["w"] if policy.get("q") and policy.get("w") else None
    return RateAdvice(
        retry_after_s=None if retry_after is None else parse_retry_after(retry_after, now_utc),
        requests_per_second=rate,
        remaining=None if remaining is None else int(remaining),
        reset_after_s=None if reset_s is None else float(reset_s),
    )


def _structured(value: str) -> dict[str, int]:
    """Take the parameters of a structured field's first item: `"p";q=100;w=10` → q 100, w 10."""
    return {name: int(number) for name, number in _PARAMETER.findall(value[:LONGEST_HEADER].split(",", maxsplit=1)[0])}


def _count(headers: Mapping[str, str], part: str) -> int | None:
    text = headers.get(f"ratelimit-{part}", headers.get(f"x-ratelimit-{part}", "")).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(10**12)) else None


def _reset(headers: Mapping[str, str], now_utc: datetime) -> float | None:
    value = _count(headers, "reset")
    if value is None:
        return None
    return max(0.0, value - now_utc.timestamp()) if value > EPOCH_FROM else float(value)
