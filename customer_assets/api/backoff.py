"""How long to wait after a failure, and what an answer's headers say of it: arithmetic on values, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from customer_assets.api.actions import NO_ADVICE, RateAdvice


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
    """Seconds from now that a `Retry-After` asks for, whichever its form (RFC 9110, 10.2.3); None if unusable."""
    raise NotImplementedError


def rate_advice(headers: Mapping[str, str], now_utc: datetime) -> RateAdvice:
    """What an answer's headers say of the limit; keys in lower case. Never raises: what is malformed says nothing."""
    return NO_ADVICE
