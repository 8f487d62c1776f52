"""Models of how APIs limit their callers, in virtual time: the caller passes the present instant."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol


class Limiter(Protocol):
    """An API's limit."""

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Return None to accept a request now, or the seconds until one would be accepted."""
        ...


@dataclass
class NoLimit:
    """Accepts everything."""

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Accept it."""
        del now_s, in_flight
        return None


@dataclass
class TokenBucket:
    """Accepts `rate` requests a second on average and `burst` at once; refused requests cost nothing."""

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
class Gcra:
    """The same limit kept as one time stamp, when the next request would be on schedule (ATM's generic cell rate)."""

    rate: float
    burst: float
    due_s: float = -math.inf

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Move the stamp on, unless it lies too far ahead."""
        del in_flight
        early_s = self.due_s - now_s - (self.burst - 1) / self.rate
        if early_s > 1e-9:
            return early_s
        self.due_s = max(self.due_s, now_s) + 1 / self.rate
        return None


@dataclass
class NginxLimitReq:
    """nginx's `limit_req zone=… rate=…r/s burst=… nodelay`, counted in milliseconds as it does."""

    rate: float
    burst: float
    excess: float = 0.0
    last_s: float = -math.inf

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Count the excess; a refused request leaves it as it was."""
        del in_flight
        now_s = math.floor(now_s * 1000) / 1000
        is_first = self.last_s == -math.inf
        excess = 0.0 if is_first else max(self.excess - self.rate * (now_s - self.last_s) + 1, 0.0)
        if excess > self.burst:
            return (excess - self.burst) / self.rate
        self.excess, self.last_s = excess, now_s
        return None


@dataclass
class FixedWindow:
    """Accepts `quota` requests in each window; windows are counted from `phase_s`."""

    quota: int
    window_s: float
    phase_s: float = 0.0
    window: int = -1
    used: int = 0

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Count in the current window."""
        del in_flight
        now_s -= self.phase_s
        window = math.floor(now_s / self.window_s)
        if window != self.window:
            self.window, self.used = window, 0
        if self.used >= self.quota:
            return (window + 1) * self.window_s - now_s
        self.used += 1
        return None


@dataclass
class SlidingWindow:
    """Accepts `quota` requests in any window of `window_s`; with `counts_refused`, refused requests count too."""

    quota: int
    window_s: float
    counts_refused: bool = False
    log: deque[float] = field(default_factory=deque)

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Count in the window that ends now."""
        del in_flight
        while self.log and self.log[0] <= now_s - self.window_s:
            self.log.popleft()
        refused = len(self.log) >= self.quota
        wait_s = self.log[-self.quota] + self.window_s - now_s if refused else None
        if not refused or self.counts_refused:
            self.log.append(now_s)
        return wait_s


@dataclass
class SlidingCounter:
    """`quota` in any window, estimated from the counts of this fixed window and the one before, as CDNs do."""

    quota: int
    window_s: float
    window: int = -1
    used: int = 0
    used_before: int = 0

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Weigh the count of the window before by how much of it is still within reach."""
        del in_flight
        window, share = math.floor(now_s / self.window_s), now_s / self.window_s % 1
        if window != self.window:
            self.used_before = self.used if window == self.window + 1 else 0
            self.window, self.used = window, 0
        if self.used_before * (1 - share) + self.used >= self.quota:
            return self.window_s * (1 - share)
        self.used += 1
        return None


@dataclass
class ConcurrencyLimit:
    """Accepts `places` requests at a time."""

    places: int

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Compare with how many are in flight."""
        del now_s
        return 0.05 if in_flight >= self.places else None


@dataclass
class Closed:
    """Accepts the first `opening` requests and refuses all others."""

    opening: int = 0

    def refusal_s(self, now_s: float, in_flight: int) -> float | None:
        """Count down."""
        del now_s, in_flight
        self.opening -= 1
        return None if self.opening >= 0 else 0.5


# --- how the wait is announced -----------------------------------------------------------------------------


def whole_seconds(wait_s: float) -> float:
    """Round up to whole seconds, as most servers send `Retry-After`."""
    return float(max(math.ceil(wait_s), 1))


def exact(wait_s: float) -> float:
    """Keep the decimals."""
    return wait_s


def silent(wait_s: float) -> None:
    """Send no `Retry-After`."""
    del wait_s


def an_hour(wait_s: float) -> float:
    """Ask for an hour more, longer than any crawl waits."""
    return 3600.0 + wait_s
