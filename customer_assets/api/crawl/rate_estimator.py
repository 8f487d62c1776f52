"""Learns how many requests a second an API bears, from what it accepts and what it refuses. No clock.

From one refusal to the next a limiter's store runs from empty to empty: what was accepted meanwhile is what the limit
let through, and what it saved up while nothing was sent. In the long run that is the limit; in the short, a bracket.
The numbers below were found on simulated limiters (token buckets, fixed and sliding windows, limits on concurrency):
few refusals are worth more than a fast approach, for each costs everyone the `Retry-After`, mostly a whole second.
"""

from dataclasses import dataclass
from math import inf, sqrt

INITIAL_WINDOW_SHARE = 0.625
"""Share of the allowed concurrency to open with: a slow approach from below makes the first refusal tell the limit."""

OPENING_GROWTH = 0.10
"""Growth a second before the first refusal."""

SHORT_CRAWL_GROWTH = 0.01
"""The same where a crawl ends within `SOON_S` anyway: a refusal costs more than a faster pace gains."""

SOON_S = 6.0
PROBING_PAYS_S = 15.0
"""Once a refusal told the limit, looking for a higher one only pays in a crawl that goes on for longer than this."""

UNPACED_RATE = 500.0
"""Requests a second above which no pace is kept before the first refusal: `max_concurrency` is limit enough."""

UNCERTAINTY = 0.7
"""Growth a second after a refusal, times the requests that the estimate rests on."""

LEAST_GROWTH, MOST_GROWTH = 0.0005, 0.25
GROWTH_DOUBLES_S = 20.0
"""Seconds without a refusal after which growth doubles: the limit may have been raised."""

BURST_S = 0.2
"""How much of its rate a limiter may save up, in seconds, where nothing is known of it: between none and one."""

FEW = 30
"""An estimate from fewer requests than this is a guess."""

SLOWEST_RATE = 0.1
SHORTEST_S = 1e-3


@dataclass(slots=True)
class Interval:
    """What happened since the limiter's store was last empty, or since the first request.

    Attributes:
        since_s: When it began.
        accepted: Answers other than 429.
        paused_s: Seconds for which nothing was sent.
    """

    since_s: float
    accepted: int = 0
    paused_s: float = 0.0

    def rates(self, until_s: float) -> tuple[float, float]:
        """What was accepted a second: over all, and while something was sent. The limit lies between."""
        took_s = max(until_s - self.since_s, SHORTEST_S)
        return self.accepted / took_s, self.accepted / max(took_s - self.paused_s, SHORTEST_S)


class RateEstimator:
    """The pace that an API is found to bear.

    Args:
        max_concurrency: How many requests may be in flight.
    """

    def __init__(self, max_concurrency: int) -> None:
        self._places = max_concurrency
        self._window = max(INITIAL_WINDOW_SHARE * max_concurrency, 1.0)
        self._round_trip_s: float | None = None
        self._rate: float | None = None
        self._growth, self._evidence = 0.0, 0
        self._pages_left = 0
        self._sent_s = self._open_s = self._reacted_s = -inf
        self._interval: Interval | None = None
        self._first: tuple[int, float] | None = None
        self._least = 0.0

    @property
    def rate(self) -> float | None:
        """The present pace in requests a second; None while none is kept."""
        if self._rate is not None or self._round_trip_s is None:
            return self._rate
        rate = self._window / self._round_trip_s
        return rate if self._window < self._places and rate < UNPACED_RATE else None

    @property
    def has_learned(self) -> bool:
        """Whether the pace rests on a refusal."""
        return self._rate is not None

    def set_remaining(self, pages_left: int) -> None:
        """Tell how many pages are still to be read."""
        self._pages_left = pages_left

    def on_send(self, now_s: float) -> None:
        """Tell that a request has gone."""
        if self._interval is None:
            self._interval = Interval(now_s)
        since_s = now_s - max(self._sent_s, self._open_s)
        self._sent_s = now_s
        if self._round_trip_s is None or since_s == inf:
            return
        idle_s = since_s - 2 * self._round_trip_s - 2 / (self.rate or inf)
        if idle_s <= 0:
            self._grow(max(since_s, 0.0), self._round_trip_s)
        elif self._rate is None:
            self._interval = Interval(now_s)
        else:
            self._interval.paused_s += idle_s

    def on_pause(self, seconds: float, until_s: float) -> None:
        """Tell that nothing is sent until an instant, so many seconds more than was known."""
        self._open_s = until_s
        if self._interval is not None:
            self._interval.paused_s += seconds

    def on_answer(self, latency_s: float) -> None:
        """Tell of an answer other than 429."""
        if self._interval is not None:
            self._interval.accepted += 1
        known_s = self._round_trip_s or max(latency_s, SHORTEST_S)
        latency_s = min(max(latency_s, SHORTEST_S), 4 * known_s)  # one slow answer must not slow the rest
        self._round_trip_s = known_s + (latency_s - known_s) / 10

    def on_refusal(self, latency_s: float, now_s: float) -> bool:
        """Tell of a 429; return whether it is news: of what was on its way at the last news, it is none."""
        sent_s = now_s - latency_s
        interval = self._interval or Interval(sent_s)
        if sent_s <= self._reacted_s:
            self._refine(interval, sent_s)
            return False
        if interval.accepted == 0:
            rate = (self._rate or 1 / max(latency_s, SHORTEST_S)) / 2
        elif self._rate is None or self._first is None:
            rate = self._first_estimate(interval, sent_s)
        else:
            rate = self._estimate(interval, sent_s, self._rate, self._first)
        is_new_limit = self._rate is None or rate < 0.75 * self._rate
        self._evidence = interval.accepted + (0 if is_new_limit else self._evidence)
        self._growth = min(max(UNCERTAINTY / max(self._evidence, 1), LEAST_GROWTH), MOST_GROWTH)
        self._rate = max(rate, SLOWEST_RATE)
        self._interval, self._reacted_s = Interval(sent_s), now_s
        return True

    def on_outage(self) -> None:
        """Tell that the API broke down: come back at half the pace, and grow soon."""
        pace = self._rate or self._window / (self._round_trip_s or 1.0)
        self._rate = max(pace / 2, SLOWEST_RATE)
        self._growth, self._evidence = UNCERTAINTY / 10, FEW

    def _grow(self, since_s: float, round_trip_s: float) -> None:
        pace = self._rate or self._window / round_trip_s
        left_s = self._pages_left / pace
        if self._rate is None:
            self._window *= 1 + since_s * (OPENING_GROWTH if left_s > SOON_S else SHORT_CRAWL_GROWTH)
        elif left_s > PROBING_PAYS_S and pace * round_trip_s < 1.25 * self._places:
            self._growth = min(self._growth * 2 ** (since_s / GROWTH_DOUBLES_S), MOST_GROWTH)
            self._rate = pace * (1 + since_s * self._growth)

    def _first_estimate(self, interval: Interval, until_s: float) -> float:
        """The store was full at the start: what came out of it must not be taken for the limit."""
        _, rate = interval.rates(until_s)
        active_s = interval.accepted / rate
        self._first, self._least = (interval.accepted, active_s), 0.0
        return rate * (1 - min(max(BURST_S / max(active_s, SHORTEST_S), 0.03), 0.1))

    def _estimate(self, interval: Interval, until_s: float, top: float, first: tuple[int, float]) -> float:
        """Narrow the bracket, from a little below the rate at which the store ran empty.

        Args:
            interval: What happened since it was empty before.
            until_s: When it was found empty.
            top: The rate at that instant.
            first: Accepted, and in how many seconds, until it was empty for the first time.
        """
        least, most = interval.rates(until_s)
        self._least = least
        more, longer_s = interval.accepted - first[0], interval.accepted / most - first[1]
        if least > 0.9 * most:  # a long interval: the pace grew slowly, and only its end was too fast
            rate = max(0.985 * most, top * (0.99 - sqrt(2 * BURST_S * self._growth)))
        elif more > FEW and longer_s > first[1]:  # the store, full both times, cancels out
            rate = 0.96 * min(max(more / longer_s, least), most)
        else:
            rate = sqrt(least * most)
        if interval.accepted < most * 3 * (self._round_trip_s or 0.0):  # refused again at once
            rate = min(rate, 0.7 * top)
        if interval.accepted < FEW:
            rate = max(rate, 0.5 * top)
        return max(min(rate, 0.985 * top), 0.9 * least)

    def _refine(self, interval: Interval, until_s: float) -> None:
        """Of requests that met an empty store the API accepts just its rate: better than a guess."""
        took_s = until_s - interval.since_s
        if self._evidence < FEW and self._rate is not None and interval.accepted and took_s > 0:
            self._rate = max(min(self._rate, (interval.accepted + 1) / took_s), self._least, SLOWEST_RATE)
