"""What refusals say about an API's limit: a rate for each kind of limiter, and which kinds agree. Pure arithmetic.

A refusal means that the limiter had just run out. How many requests it had accepted by then shows its rate, but only
once its kind is known: a token bucket also hands out what it had saved up, a window forgets what is older than itself.
So every kind makes its own estimate at each refusal. The right kind makes the same one every time, whatever the pace
was; the others contradict themselves. How fast to go is decided in `rate_estimator.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, floor, inf, log, log10, sqrt

from customer_assets.api.crawl.pace.policy import PacePolicy

SHORTEST_S = 1e-3
"""Clocks are no finer than this."""

LOWEST_RATE = 1e-6

MOST_WEIGHTED = 500
"""Requests beyond which a longer interval is no better: the limiter's jitter outweighs the error of counting."""


MOST_PER_MINUTE = 25.0
"""Requests a second beyond which nobody states a limit by the minute."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What an API accepted between two refusals, or from the start to the first.

    Attributes:
        sends_s: When the accepted requests were sent, ascending. The oldest can be missing.
        accepted: How many there were, those missing in `sends_s` included.
        until_s: When the request was sent whose refusal ended the interval.
        since_s: When the request was sent whose refusal began it; None at the start of a crawl.
    """

    sends_s: Sequence[float]
    accepted: int
    until_s: float
    since_s: float | None

    @property
    def duration_s(self) -> float:
        """How long the interval was; `inf` at the start of a crawl, before which nothing was sent."""
        return inf if self.since_s is None else max(self.until_s - self.since_s, SHORTEST_S)

    @property
    def mean_rate(self) -> float:
        """Accepted requests a second, pauses included: no limiter that started empty allows less."""
        return self.accepted / self.duration_s


def bucket_rate(interval: Interval, burst_s: float) -> float:
    """The rate of a token bucket that stores `burst_s` seconds of it and was just empty."""
    last_s, last = interval.sends_s[-1], len(interval.sends_s) - 1
    stored = max((last - index) / (last_s - sent_s + burst_s) for index, sent_s in enumerate(interval.sends_s))
    return max(stored, interval.mean_rate)


def sustained_rate(interval: Interval) -> float:
    """The rate of a limiter that stores nothing: the highest that was kept for a second."""
    sends_s, until_s = interval.sends_s, interval.until_s
    if until_s - sends_s[0] <= 1:
        return (len(sends_s) - 1) / max(sends_s[-1] - sends_s[0], SHORTEST_S)
    return max(
        (len(sends_s) - index) / (until_s - sent_s) for index, sent_s in enumerate(sends_s) if until_s - sent_s >= 1
    )


def window_rate(interval: Interval, window_s: float) -> float:
    """The rate of a window of `window_s` seconds whose quota was just used up."""
    if interval.duration_s < window_s:
        return interval.mean_rate
    begin_s = interval.until_s - window_s
    counted = sum(sent_s >= begin_s for sent_s in interval.sends_s) / window_s
    recorded_s = max(interval.until_s - interval.sends_s[0], SHORTEST_S)
    return max(counted, interval.accepted / recorded_s) if recorded_s >= window_s else counted


def burst_beyond(interval: Interval, rate: float) -> float:
    """How many requests a limiter of that rate must have stored, to accept what it accepted."""
    sends_s, until_s = interval.sends_s, interval.until_s
    return max(len(sends_s) - index - rate * (until_s - sent_s) for index, sent_s in enumerate(sends_s))


def roundest(low: float, high: float) -> float | None:
    """The roundest number of requests a second or a minute between two rates: 97 to 116 a second → 100.

    Limits are set by people: 2, 10, 40 or 100 a second, 500 or 700 a minute. None if no candidate is in between.
    """
    found: tuple[float, float] | None = None
    for unit_s in (1, 60):
        most = high * unit_s
        if most < 1 or (unit_s == 60 and high > MOST_PER_MINUTE):  # noqa: PLR2004 - a minute
            continue
        digit = 10.0 ** floor(log10(most))
        for step in (digit, digit / 2, digit / 10, digit / 20):
            candidate = floor(most / step) * step
            if candidate >= low * unit_s:
                found = max(found or (0.0, 0.0), (step / most, candidate / unit_s))
                break
    return found and found[1]


@dataclass(slots=True, eq=False)
class _Kind:
    """A kind of limiter, and the weighted mean and scatter of its estimates' logarithms.

    Attributes:
        rate_of: Its estimate from one interval.
        handicap: Added to its scatter, since it is rare.
        is_likely: Whether it is considered before there is a second refusal to compare.
    """

    rate_of: Callable[[Interval], float]
    handicap: float
    is_likely: bool
    weight: float = 0.0
    mean: float = 0.0
    scatter: float = 0.0

    def add(self, estimate: float, weight: float, memory: float) -> None:
        self.weight, self.scatter = self.weight * memory + weight, self.scatter * memory
        off = estimate - self.mean
        self.mean += off * weight / self.weight
        self.scatter += weight * off * (estimate - self.mean)

    @property
    def contradiction(self) -> float:
        """How far apart its estimates are, relative to themselves."""
        return sqrt(max(self.scatter, 0.0) / self.weight) + self.handicap


class LimitEvidence:
    """The intervals of one crawl, weighed.

    Attributes:
        requests: Accepted requests that the evidence rests on, since the limit last changed.
        refusals: Intervals that it rests on.
    """

    def __init__(self, policy: PacePolicy) -> None:
        self._policy = policy
        self.forget()

    def forget(self) -> None:
        """Start again: the limit is not what it was."""
        self.requests = self.refusals = 0
        rare = self._policy.rare_handicap
        self._kinds = [
            _Kind(sustained_rate, 0.0, is_likely=True),
            *(_Kind(partial(bucket_rate, burst_s=s), 0.0, is_likely=True) for s in self._policy.usual_bursts_s),
            *(_Kind(partial(bucket_rate, burst_s=s), rare, is_likely=False) for s in self._policy.rare_bursts_s),
            *(_Kind(partial(window_rate, window_s=s), 0.0, is_likely=True) for s in self._policy.usual_windows_s),
            *(_Kind(partial(window_rate, window_s=s), rare, is_likely=False) for s in self._policy.rare_windows_s),
        ]

    def add(self, interval: Interval) -> None:
        """Weigh one interval more; one that contradicts all before it starts the evidence again."""
        estimates = [log(max(kind.rate_of(interval), LOWEST_RATE)) for kind in self._kinds]
        if self.refusals and self._is_new_limit(estimates, interval.accepted):
            self.forget()
        for kind, estimate in zip(self._kinds, estimates, strict=True):
            kind.add(estimate, min(interval.accepted, MOST_WEIGHTED) ** 2, self._policy.memory)
        self.requests += interval.accepted
        self.refusals += 1

    def bracket(self) -> tuple[float, float]:
        """Between which rates the limit is."""
        means = [kind.mean for kind in self._agreeing()]
        error = min(self._counting_error(), 0.5)
        return exp(min(means)) * (1 - error), exp(max(means)) * (1 + error)

    def _agreeing(self) -> list[_Kind]:
        """The kinds of limiter whose estimates agree; after one refusal, the likely ones."""
        if self.refusals == 1:
            return [kind for kind in self._kinds if kind.is_likely]
        tolerance = self._policy.tolerance + self._counting_error()
        most = min(kind.contradiction for kind in self._kinds) + tolerance
        return [kind for kind in self._kinds if kind.contradiction <= most]

    def _counting_error(self) -> float:
        """A request more or less at either end of an interval."""
        return self._policy.counting_error / sqrt(self._kinds[0].weight)

    def _is_new_limit(self, estimates: Sequence[float], accepted: int) -> bool:
        """Whether no kind of limiter explains an interval and those before it."""
        most = self._policy.new_limit + 2 / accepted
        agreeing = self._agreeing()
        return all(
            abs(estimate - kind.mean) > most
            for kind, estimate in zip(self._kinds, estimates, strict=True)
            if kind in agreeing
        )
