"""Which requests the simulator fails on purpose, and when it answers 429. Pure: the time is passed in."""

import hashlib
import math
from dataclasses import dataclass

SERVER_ERRORS = (500, 503)


def failure_status(seed: int, failure_rate: float, page: int, request: int) -> int | None:
    """Return the status with which the n-th request for a page fails, or None if it succeeds.

    Depends only on the arguments, so a crawl meets the same faults in whatever order it requests the pages.
    """
    digest = hashlib.blake2b(f"{seed}:{page}:{request}".encode(), digest_size=8).digest()
    if int.from_bytes(digest[:4]) / 2**32 >= failure_rate:
        return None
    return SERVER_ERRORS[digest[4] % len(SERVER_ERRORS)]


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate` requests per second through on average, and `burst` at once.

    Attributes:
        rate: Tokens per second; 0 means no limit.
        burst: How many tokens the bucket holds.
    """

    rate: float
    burst: float
    _tokens: float = math.nan
    _filled_s: float = 0.0

    def wait_s(self, now_s: float) -> float | None:
        """Take a token and return None, or return the seconds until one is there."""
        if self.rate <= 0:
            return None
        held = self.burst if math.isnan(self._tokens) else self._tokens + (now_s - self._filled_s) * self.rate
        self._tokens, self._filled_s = min(self.burst, held), now_s
        if self._tokens < 1:
            return (1 - self._tokens) / self.rate
        self._tokens -= 1
        return None
