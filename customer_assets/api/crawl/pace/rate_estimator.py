"""Learns how many requests a second an API takes, from what it accepts and what it refuses. No clock.

Before the first refusal the pace grows slowly from below. Each refusal narrows the bracket in which the limit must be
(`limit_evidence.py`); the pace moves there and climbs through what is left open, as long as another refusal costs less
than the faster pace gains. After that a higher limit is looked for seldom, and more seldom each time it is not found.
"""

from collections import deque
from enum import Enum, auto
from itertools import dropwhile, takewhile
from math import ceil, inf

from customer_assets.api.crawl.pace.limit_evidence import SHORTEST_S, Interval, LimitEvidence, burst_beyond, roundest
from customer_assets.api.crawl.pace.policy import PacePolicy

SLOWEST_RATE = 0.1
"""One request in ten seconds: slower, nothing is learned."""

FASTEST_GROWTH = 0.25
"""A second: faster, a pace is far beyond the limit before the refusal of it arrives."""

MEANINGFUL = 3
"""Accepted requests below which an interval says only: too fast."""

SHORTEST_TRIAL_S = 1.0
"""Seconds for which a pace must have been kept before its refusal counts against it: there can be a backlog."""

SENDS_KEPT = 2_048
"""A second or two of the fastest crawls, minutes of the slower ones."""

OUTAGE_SHARE = 0.5
"""An API that just broke down gets half the pace when it is back."""


class _Stage(Enum):
    """How sure the pace is."""

    OPENING = auto()
    """Nothing was refused yet."""
    GUESS = auto()
    """One refusal: the kind of limiter is unknown."""
    BRACKET = auto()
    """Several refusals agree on a bracket."""
    ROUND_NUMBER = auto()
    """A round number is in the bracket."""


class RateEstimator:
    """The pace that an API takes.

    Args:
        max_concurrency: How many requests can be in flight.
        policy: How it is learned.
    """

    def __init__(self, max_concurrency: int, policy: PacePolicy | None = None) -> None:
        self._policy = policy or PacePolicy()
        self._max_concurrency = max_concurrency
        self._window = max(self._policy.opening_share * max_concurrency, 1.0)
        self._round_trip_s: float | None = None
        self._rate: float | None = None
        self._stage = _Stage.OPENING
        self._evidence = LimitEvidence(self._policy)
        self._target = self._ceiling = 0.0
        self._burst = 0.0
        self._catch_up_s = self._policy.catch_up_s
        self._pages_left = 0
        self._refused_at_once = self._confirmations = 0
        self._probing_s, self._pause_s = 0.0, self._policy.first_pause_s
        self._sent_s = self._resumed_s = self._reacted_s = -inf
        # The interval since the last refusal: `_sends_s` also holds the sends before it, for `sent_before`.
        self._sends_s: deque[float] = deque(maxlen=SENDS_KEPT)
        self._since_s: float | None = None
        self._sent = self._refused = 0

    @property
    def rate(self) -> float | None:
        """The present pace in requests a second; None while none is kept."""
        if self._rate is not None or self._round_trip_s is None:
            return self._rate
        rate = self._window / self._round_trip_s
        return rate if self._window < self._max_concurrency and rate < self._policy.unpaced_rate else None

    @property
    def has_learned(self) -> bool:
        """Whether the pace rests on a refusal."""
        return self._rate is not None

    @property
    def catch_up_s(self) -> float:
        """For how many seconds of lateness requests can be made up for."""
        return self._catch_up_s if self.has_learned else self._policy.timer_slack_s

    def full_until_s(self) -> float:
        """The instant before which another request would be more than the limit allows in one second.

        Only this holds against a window, however late requests are made up for; a bucket's burst allows for more.
        """
        if self._rate is None or not self._evidence.refusals:
            return -inf
        most = max(ceil(self._rate), 1)
        period_s = most / self._rate
        most += int(max(self._burst / self._rate - self._policy.sure_burst_s, 0.0) * self._rate / 2)
        return self._sends_s[-most] + period_s if len(self._sends_s) >= most else -inf

    def set_remaining(self, pages_left: int) -> None:
        """Note how many pages are still to be read."""
        self._pages_left = pages_left

    def on_send(self, now_s: float) -> None:
        """Note that a request is sent."""
        since_s = now_s - max(self._sent_s, self._resumed_s)
        self._sent_s = now_s
        self._sends_s.append(now_s)
        self._sent += 1
        if self._round_trip_s is not None and since_s < inf:
            idle_after_s = 2 * self._round_trip_s + 2 / (self.rate or inf)
            self._grow(min(max(since_s, 0.0), idle_after_s), self._round_trip_s)

    def on_pause(self, seconds: float, until_s: float) -> None:
        """Note that nothing is sent until an instant, `seconds` longer than was known."""
        self._resumed_s = until_s
        self._pause_s = seconds if self._reacted_s == -inf else until_s - self._reacted_s

    def on_answer(self, latency_s: float) -> None:
        """Note an answer other than a 429."""
        known_s = self._round_trip_s or max(latency_s, SHORTEST_S)
        latency_s = min(max(latency_s, SHORTEST_S), 4 * known_s)  # one slow answer must not slow the rest
        self._round_trip_s = known_s + (latency_s - known_s) / 10

    def on_refusal(self, latency_s: float, now_s: float) -> bool:
        """Record a 429. Return False if its request was sent before the last slow-down, which already covers it."""
        sent_s = now_s - latency_s
        if sent_s <= self._reacted_s:
            self._refused += 1
            return False
        interval = self._interval(sent_s)
        top = self.rate or 1 / max(latency_s, SHORTEST_S)
        self._probing_s = 0.0
        if interval.accepted < MEANINGFUL:
            self._retreat(top)
        elif self._is_clump(interval):
            self._catch_up_s = max(self._catch_up_s / self._policy.clump_penalty, self._policy.least_catch_up_s)
        else:
            self._learn(interval, top)
        self._since_s, self._reacted_s = sent_s, now_s
        self._sent = sum(1 for _ in takewhile(lambda each_s: each_s >= sent_s, reversed(self._sends_s)))
        self._refused = 1
        return True

    def on_outage(self) -> None:
        """Note that the API broke down."""
        pace = self._rate or self._window / (self._round_trip_s or 1.0)
        self._rate = max(OUTAGE_SHARE * pace, SLOWEST_RATE)
        self._target = max(self._target, self._rate)
        self._ceiling = max(self._ceiling, pace)

    def _interval(self, until_s: float) -> Interval:
        """What was accepted since the last refusal: those refused after it were sent right behind it."""
        since_s = -inf if self._since_s is None else self._since_s
        sends_s = list(dropwhile(lambda each_s: each_s < since_s, self._sends_s))
        later = sum(1 for _ in takewhile(lambda each_s: each_s >= until_s, reversed(sends_s)))
        accepted_s = sends_s[self._refused : len(sends_s) - later]
        accepted = max(self._sent - later - self._refused, 0)
        return Interval(accepted_s, accepted if accepted_s else 0, until_s, self._since_s)

    def _is_clump(self, interval: Interval) -> bool:
        """Whether a request was refused within the pace: a few came too close together."""
        if self._stage is _Stage.OPENING or self._catch_up_s <= self._policy.least_catch_up_s:
            return False
        begin_s = max(interval.until_s - 1.0, self._resumed_s)
        sent = sum(1 for _ in takewhile(lambda each_s: each_s >= begin_s, reversed(interval.sends_s)))
        return sent + 1 < (interval.until_s - begin_s) * self._target

    def _retreat(self, top: float) -> None:
        """Slow down, since nearly everything is refused."""
        self._refused_at_once += 1
        if self._refused_at_once > 1:
            self._evidence.forget()
        self._rate = max(self._policy.retreat * top, SLOWEST_RATE)
        if not self._evidence.refusals:
            self._stage, self._target, self._ceiling, self._burst = _Stage.GUESS, self._rate, top, 0.0

    def _learn(self, interval: Interval, refused_rate: float) -> None:
        """Choose a new pace from what was accepted since the last refusal."""
        policy, before = self._policy, self._stage
        self._refused_at_once = 0
        self._evidence.add(interval)
        low, high = self._evidence.bracket()
        is_narrow = high < policy.round_ratio * low and self._evidence.requests >= policy.round_requests
        round_number = roundest(0.99 * low, 1.01 * high) if is_narrow else None
        limit = round_number or (low * high) ** 0.5
        if before is _Stage.OPENING or interval.duration_s < SHORTEST_TRIAL_S:
            refused_rate = max(refused_rate, high)  # it overran, or there was a backlog: that pace was not tried
        target = max(min(policy.used_share * limit, self._safe_rate(interval, refused_rate)), SLOWEST_RATE)
        self._confirmations += abs(target - self._target) < policy.probe_step * target
        self._rate = self._target = target
        first = self._evidence.refusals == 1
        if round_number is not None:
            self._stage, self._ceiling = _Stage.ROUND_NUMBER, target
        elif first:
            self._stage, self._ceiling = _Stage.GUESS, high
        else:
            self._stage, self._ceiling = _Stage.BRACKET, min(high, (target + refused_rate) / 2)
        burst = burst_beyond(interval, limit)
        self._burst = burst if first else min(burst, self._burst)

    def _safe_rate(self, interval: Interval, refused_rate: float) -> float:
        """A rate below the refused one; below the last target, too, if that was refused before it had settled."""
        policy = self._policy
        is_settled = interval.duration_s >= policy.settled_s or self._stage in (_Stage.OPENING, _Stage.GUESS)
        if not is_settled and refused_rate < self._target * (1 + 2 * policy.probe_step):
            return policy.step_back * min(refused_rate, self._target)
        return policy.used_share * refused_rate

    def _grow(self, since_s: float, round_trip_s: float) -> None:
        policy = self._policy
        pace = self._rate or self._window / round_trip_s
        left_s = self._pages_left / pace
        if self._rate is None:
            growth = policy.opening_growth if left_s > policy.short_crawl_s else policy.short_crawl_growth
            self._window *= 1 + since_s * growth
        elif pace * round_trip_s < 1.25 * self._max_concurrency:  # a little beyond what the concurrency allows
            self._rate = pace * (1 + since_s * min(self._growth(pace, left_s, since_s), FASTEST_GROWTH))

    def _growth(self, pace: float, left_s: float, since_s: float) -> float:
        """Growth a second of a learned pace."""
        policy = self._policy
        if pace < self._target:
            return max(self._target / pace - 1, policy.least_climb) / policy.climb_s
        room = self._ceiling / pace - 1
        pauses = 1 if self._stage is _Stage.GUESS else 2  # after several refusals the limit is rather at the bottom
        if room > 0 and room * left_s / 2 > pauses * self._pause_s:
            return max(room, policy.least_climb) / policy.climb_s
        probe_s = self._probe_s()
        if left_s < probe_s:
            return 0.0
        self._probing_s += since_s
        return policy.probe_step / probe_s * 2 ** min(self._probing_s / probe_s, 6)

    def _probe_s(self) -> float:
        """In how many seconds to look for a higher limit."""
        policy = self._policy
        probe_s = max(policy.probe_pauses * self._pause_s, policy.least_probe_s)
        if self._stage is not _Stage.ROUND_NUMBER:
            probe_s *= min(self._evidence.requests / policy.probe_requests, 1.0)
        return max(probe_s, 1.0) * min(policy.confirmed**self._confirmations, policy.most_confirmed)
