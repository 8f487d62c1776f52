"""What the simulator does wrong on purpose, and when it says 429. Pure: instants and dice come in."""

import hashlib
import math
from dataclasses import dataclass

SERVER_ERRORS = (500, 503)


def failure_status(seed: int, failure_rate: float, page: int, request: int) -> int | None:
    """Choose the status with which the n-th request for a page fails; None if it does not.

    It depends on nothing else, so that a crawl meets the same faults in whatever order it asks.
    """
    digest = hashlib.blake2b(f"{seed}:{page}:{request}".encode(), digest_size=8).digest()
    if int.from_bytes(digest[:4]) / 2**32 >= failure_rate:
        return None
    return SERVER_ERRORS[digest[4] % len(SERVER_ERRORS)]


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate` requests a second through on average, and `burst` at once.

    Attributes:
        rate: Tokens a second; 0 lets everything through.
        burst: Tokens the bucket holds.
    """

    rate: float
    burst: float
    _tokens: float = math.nan
    _filled_s: float = 0.0

    def wait_s(self, now_s: float) -> float | None:
        """Take a token: None if there was one, else seconds until there is."""
        if self.rate <= 0:
            return None
        held = self.burst if math.isnan(self._tokens) else self._tokens + (now_s - self._filled_s) * self.rate
        self._tokens, self._filled_s = min(self.burst, held), now_s
        if self._tokens < 1:
            return (1 - self._tokens) / self.rate
        self._tokens -= 1
        return None
