"""When the next request may be sent: the given rate or the learned one, and one gate for all. No clock.

The gate shuts for a 429's `Retry-After`, for a quota that the headers call used up, and when one answer after the other
asks for a pause. It opens by itself; nothing opens it earlier.
"""

from math import inf

from customer_assets.api.crawl.events import Outcome, RateLimitHints, RequestFailed
from customer_assets.api.crawl.rate_estimator import RateEstimator
from customer_assets.metrics import FailureCause

BUSY_IN_A_ROW = 3
"""So many answers in a row with `Retry-After`, other than 429: the API is busy, not one page flaky."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""Pauses after a 429 that names none; they double while nothing is accepted in between."""

STATED_SHARE = 0.98
"""Share of the rate that the headers state which is used: two clocks never agree."""

SLACK_S, IDLE_S = 0.02, 0.2
"""A request that goes late puts off the next by less: timers are late. After a pause nothing is made up for."""


class RateLimiter:
    """Says when the next request may go; told of every request and every answer.

    Args:
        requests_per_second: The rate to keep at most; None learns it.
        max_concurrency: How many requests the crawl may have in flight.
    """

    def __init__(self, requests_per_second: float | None = None, *, max_concurrency: int = 8) -> None:
        self._given = requests_per_second
        self._stated: float | None = None
        self._estimator = RateEstimator(max_concurrency)
        self._in_flight = 0
        self._quota_left: int | None = None
        self._quota_ends_s = self._blocked_until_s = self._next_s = -inf
        self._busy_in_a_row = 0
        self._pause_s = FIRST_PAUSE_S

    @property
    def requests_per_second(self) -> float | None:
        """The present pace; None while none is kept."""
        known = [rate for rate in (self._given, self._stated) if rate is not None]
        if not known or self._estimator.has_learned:
            known += [rate for rate in (self._estimator.rate,) if rate is not None]
        return min(known, default=None)

    @property
    def blocked_until_s(self) -> float:
        """The instant before which nothing may be sent; in the past if the gate is open."""
        return self._blocked_until_s

    @property
    def paused_until_s(self) -> float:
        """The instant before which the API wants no request: the gate's, or the end of a quota that is used up."""
        is_used_up = self._quota_left is not None and self._quota_left <= 0
        return max(self._blocked_until_s, self._quota_ends_s) if is_used_up else self._blocked_until_s

    def next_send_s(self, now_s: float) -> float:
        """The earliest instant at which a request may go: `now_s` or later."""
        return max(now_s, self._next_s, self.paused_until_s)

    def set_remaining(self, pages_left: int) -> None:
        """Tell how many pages are still to be read."""
        self._estimator.set_remaining(pages_left)

    def on_send(self, now_s: float) -> None:
        """Tell that a request has gone."""
        self._in_flight += 1
        if self._quota_left is not None:
            self._quota_left -= 1
        self._estimator.on_send(now_s)
        rate = self.requests_per_second
        if rate is not None:
            late_s = now_s - self._next_s
            self._next_s = now_s - (min(late_s, SLACK_S) if late_s < IDLE_S else 0.0) + 1 / rate

    def on_outcome(self, outcome: Outcome, now_s: float) -> None:
        """Tell what came back of a request, or that nothing did."""
        self._in_flight = max(self._in_flight - 1, 0)
        advice = outcome.advice
        self._apply_hints(advice, now_s)
        if isinstance(outcome, RequestFailed) and outcome.cause is FailureCause.THROTTLED:
            self._on_refusal(outcome.latency_s, advice, now_s)
            return
        if not isinstance(outcome, RequestFailed) or outcome.status is not None:
            self._estimator.on_answer(outcome.latency_s)
        self._pause_s = FIRST_PAUSE_S
        asked_s = advice.retry_after_s if isinstance(outcome, RequestFailed) else None
        self._busy_in_a_row = 0 if asked_s is None else self._busy_in_a_row + 1
        if asked_s is not None and self._busy_in_a_row >= BUSY_IN_A_ROW:
            self._block(now_s, asked_s)

    def on_outage(self) -> None:
        """Tell that the API broke down: it gets half the pace when it is back."""
        self._estimator.on_outage()

    def _apply_hints(self, advice: RateLimitHints, now_s: float) -> None:
        """Take over what the headers say: a rate, and what is left of a quota until it is renewed."""
        if advice.requests_per_second is not None:
            self._stated = STATED_SHARE * advice.requests_per_second
        if advice.remaining is None or advice.reset_after_s is None:
            return
        self._quota_left = advice.remaining - self._in_flight
        self._quota_ends_s = now_s + advice.reset_after_s
        if advice.remaining == 0:
            self._block(now_s, advice.reset_after_s)

    def _on_refusal(self, latency_s: float, advice: RateLimitHints, now_s: float) -> None:
        is_news = self._estimator.on_refusal(latency_s, now_s)
        if advice.retry_after_s:
            self._block(now_s, advice.retry_after_s)
        elif is_news:
            self._block(now_s, self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _block(self, now_s: float, wait_s: float) -> None:
        until_s = now_s + wait_s
        more_s = until_s - max(self._blocked_until_s, now_s)
        if more_s > 0:
            self._blocked_until_s = until_s
            self._estimator.on_pause(more_s, until_s)
