"""When the next request can be sent: at the given, stated or learned rate, and never during a pause. No clock.

A 429's `Retry-After` pauses all requests. So does a quota that is used up by what the headers say, and a row of answers
that each ask for a pause. Nothing ends a pause early.
"""

from math import inf

from customer_assets.api.crawl.events import Outcome, RateLimitHints, RequestFailed
from customer_assets.api.crawl.pace.policy import PacePolicy
from customer_assets.api.crawl.pace.rate_estimator import RateEstimator
from customer_assets.core.metrics import FailureCause


class RateLimiter:
    """Decides when the next request can go.

    Requests follow a schedule: one that goes late does not delay the next, as far as the limit allows catching up.

    Args:
        requests_per_second: The rate to keep at most; None learns it.
        max_concurrency: How many requests the crawl can have in flight.
        policy: How a rate is learned and kept.
    """

    def __init__(
        self,
        requests_per_second: float | None = None,
        *,
        max_concurrency: int = 8,
        policy: PacePolicy | None = None,
    ) -> None:
        self._policy = policy or PacePolicy()
        self._given = requests_per_second
        self._stated: float | None = None
        self._estimator = RateEstimator(max_concurrency, self._policy)
        self._in_flight = 0
        self._quota_left: int | None = None
        self._quota_ends_s = self._blocked_until_s = self._next_s = -inf
        self._busy_in_a_row = 0
        self._pause_s = self._policy.first_pause_s

    @property
    def requests_per_second(self) -> float | None:
        """The present pace; None while none is kept."""
        known = [rate for rate in (self._given, self._stated) if rate is not None]
        if not known or self._estimator.has_learned:
            known += [rate for rate in (self._estimator.rate,) if rate is not None]
        return min(known, default=None)

    @property
    def blocked_until_s(self) -> float:
        """When the present pause ends; in the past if there is none."""
        return self._blocked_until_s

    @property
    def paused_until_s(self) -> float:
        """When the present pause ends, or a quota that is used up is renewed."""
        is_used_up = self._quota_left is not None and self._quota_left <= 0
        return max(self._blocked_until_s, self._quota_ends_s) if is_used_up else self._blocked_until_s

    def next_send_s(self, now_s: float) -> float:
        """The earliest instant at which a request can go: `now_s` or later."""
        return max(now_s, self._next_s, self.paused_until_s)

    def set_remaining(self, pages_left: int) -> None:
        """Note how many pages are still to be read."""
        self._estimator.set_remaining(pages_left)

    def on_send(self, now_s: float) -> None:
        """Note that a request is sent."""
        self._in_flight += 1
        if self._quota_left is not None:
            self._quota_left -= 1
        self._estimator.on_send(now_s)
        rate = self.requests_per_second
        if rate is not None:
            late_s = now_s - self._next_s
            made_up_s = min(late_s, self._catch_up_s()) if late_s < self._policy.idle_s else 0.0
            self._next_s = max(now_s - made_up_s + 1 / rate, self._estimator.full_until_s())

    def _catch_up_s(self) -> float:
        """A rate that somebody stated is kept strictly."""
        is_stated = self._given is not None or self._stated is not None
        return self._policy.timer_slack_s if is_stated else self._estimator.catch_up_s

    def on_outcome(self, outcome: Outcome, now_s: float) -> None:
        """Note the outcome of a request."""
        self._in_flight = max(self._in_flight - 1, 0)
        advice = outcome.advice
        self._apply_hints(advice, now_s)
        if isinstance(outcome, RequestFailed) and outcome.cause is FailureCause.THROTTLED:
            self._on_refusal(outcome.latency_s, advice, now_s)
            return
        if not isinstance(outcome, RequestFailed) or outcome.status is not None:
            self._estimator.on_answer(outcome.latency_s)
        self._pause_s = self._policy.first_pause_s
        asked_s = advice.retry_after_s if isinstance(outcome, RequestFailed) else None
        self._busy_in_a_row = 0 if asked_s is None else self._busy_in_a_row + 1
        if asked_s is not None and self._busy_in_a_row >= self._policy.busy_in_a_row:
            self._block(now_s, asked_s)

    def on_outage(self) -> None:
        """Note that the API broke down."""
        self._estimator.on_outage()

    def _apply_hints(self, advice: RateLimitHints, now_s: float) -> None:
        """Apply what the headers say: a rate, and what is left of a quota until it is renewed."""
        if advice.requests_per_second is not None:
            self._stated = self._policy.stated_share * advice.requests_per_second
        if advice.remaining is not None and advice.reset_after_s is None and advice.remaining <= self._in_flight:
            self._next_s = max(self._next_s, now_s + self._policy.full_bucket_s)
        if advice.remaining is None or advice.reset_after_s is None:
            return
        self._quota_left = advice.remaining - self._in_flight
        self._quota_ends_s = now_s + advice.reset_after_s
        if advice.remaining == 0:
            self._block(now_s, advice.reset_after_s)

    def _on_refusal(self, latency_s: float, advice: RateLimitHints, now_s: float) -> None:
        is_news = self._estimator.on_refusal(latency_s, now_s)
        asked_s = advice.retry_after_s
        if asked_s is None and not advice.remaining:  # what is left of another quota says nothing about this one
            asked_s = advice.reset_after_s
        if asked_s:
            self._block(now_s, asked_s)
        elif is_news:
            self._block(now_s, self._pause_s)
            self._pause_s = min(2 * self._pause_s, self._policy.longest_pause_s)

    def _block(self, now_s: float, wait_s: float) -> None:
        until_s = now_s + wait_s
        more_s = until_s - max(self._blocked_until_s, now_s)
        if more_s > 0:
            self._blocked_until_s = until_s
            self._next_s = max(self._next_s, until_s)  # a pause is no lateness
            self._estimator.on_pause(more_s, until_s)
