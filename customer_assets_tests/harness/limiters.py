"""How APIs limit their callers: each kind as a model on virtual time."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol


class Limiter(Protocol):
    """An API's limit."""

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Let a request through (None), or say after how many seconds one would be."""
        ...


@dataclass
class NoLimit:
    """Lets everything through."""

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Let it through."""
        del now_s, in_flight
        return None


@dataclass
class TokenBucket:
    """`rate` a second on average, `burst` at once; what is refused costs nothing."""

    rate: float
    burst: float
    tokens: float = math.nan
    filled_s: float = 0.0

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Take a token."""
        del in_flight
        held = self.burst if math.isnan(self.tokens) else self.tokens + (now_s - self.filled_s) * self.rate
        self.tokens, self.filled_s = min(self.burst, held), now_s
        if self.tokens < 1 - 1e-9:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return None


@dataclass
class FixedWindow:
    """`quota` in each window, counted from the clock's zero."""

    quota: int
    window_s: float
    window: int = -1
    used: int = 0

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Count within the present window."""
        del in_flight
        window = math.floor(now_s / self.window_s)
        if window != self.window:
            self.window, self.used = window, 0
        if self.used >= self.quota:
            return (window + 1) * self.window_s - now_s
        self.used += 1
        return None


@dataclass
class SlidingWindow:
    """`quota` in any window; refused requests count as well, if the API is of that kind."""

    quota: int
    window_s: float
    counts_refused: bool = False
    log: deque[float] = field(default_factory=deque)

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Count within the window that ends now."""
        del in_flight
        while self.log and self.log[0] <= now_s - self.window_s:
            self.log.popleft()
        refused = len(self.log) >= self.quota
        wait_s = self.log[-self.quota] + self.window_s - now_s if refused else None
        if not refused or self.counts_refused:
            self.log.append(now_s)
        return wait_s


@dataclass
class ConcurrencyLimit:
    """`places` at once."""

    places: int

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Look at how many are in flight."""
        del now_s
        return 0.05 if in_flight >= self.places else None


@dataclass
class Closed:
    """Lets the first `opening` through, then nothing, for ever."""

    opening: int = 0

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Count down."""
        del now_s, in_flight
        self.opening -= 1
        return None if self.opening >= 0 else 0.5


# --- how the limit is told ---------------------------------------------------------------------------------


def whole_seconds(wait_s: float) -> float:
    """A `Retry-After` as most servers send it."""
    return float(max(math.ceil(wait_s), 1))


def exact(wait_s: float) -> float:
    """A `Retry-After` with decimals."""
    return wait_s


def silent(wait_s: float) -> None:
    """No `Retry-After` at all."""
    del wait_s


def an_hour(wait_s: float) -> float:
    """A `Retry-After` that no crawl sits out."""
    return 3600.0 + wait_s
