"""When the next request may be sent: the given rate or the learned one, and the one gate of `Retry-After`. No clock."""

from math import inf

from customer_assets.api.actions import Arrived, Outcome
from customer_assets.metrics import Cause

BUSY_IN_A_ROW = 3
"""So many answers in a row with `Retry-After`, other than 429: the API is busy, not one page flaky."""


class Pacer:
    """Says when the next request may go; told of every request and every answer.

    Args:
        requests_per_second: The rate to keep; None learns it.
        max_concurrency: How many requests the crawl may have in flight.
    """

    def __init__(self, requests_per_second: float | None = None, *, max_concurrency: int = 8) -> None:
        self._rate = requests_per_second
        self._max_concurrency = max_concurrency
        self._gate_s = -inf
        self._next_s = -inf
        self._busy_in_a_row = 0
        self._pause_s = 0.25

    @property
    def requests_per_second(self) -> float | None:
        """The present pace; None while nothing limits it."""
        return self._rate

    @property
    def gate_s(self) -> float:
        """The instant before which nothing may be sent; in the past if the gate is open."""
        return self._gate_s

    def next_send_s(self, now_s: float) -> float:
        """The earliest instant at which a request may go: `now_s` or later."""
        return max(now_s, self._gate_s, self._next_s)

    def expects(self, pages_left: int) -> None:
        """Tell how many pages are still to be read."""

    def sent(self, now_s: float) -> None:
        """Tell that a request has gone."""
        if self._rate is not None:
            self._next_s = max(self._next_s, now_s) + 1 / self._rate

    def answered(self, outcome: Outcome, now_s: float) -> None:
        """Tell what came back of a request, or that nothing did."""
        asked_s = outcome.advice.retry_after_s
        if isinstance(outcome, Arrived):
            self._pause_s, self._busy_in_a_row = 0.25, 0
        elif outcome.cause is Cause.THROTTLED:
            self._gate_s = max(self._gate_s, now_s + (self._pause_s if asked_s is None else asked_s))
            self._pause_s = min(self._pause_s * 2, 30.0)
        elif asked_s is not None:
            self._busy_in_a_row += 1
            if self._busy_in_a_row >= BUSY_IN_A_ROW:
                self._gate_s = max(self._gate_s, now_s + asked_s)
