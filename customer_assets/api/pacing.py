"""How fast a crawl may send: a rate, given or learned, and one gate for all requests. Pure: instants come in."""

from math import inf

from customer_assets.api.actions import Failed, Outcome
from customer_assets.metrics import Cause

START_RATE = 20.0
GROWTH = 0.25
"""Requests a second gained per round trip's worth of answers: e^0.25 overshoots a limit by at most 28 %."""
AFTER_REFUSAL = 0.7
CREEP_PER_S = 0.04


class Pacer:
    """Spaces requests evenly at a rate, and holds all of them while the gate is shut."""

    def __init__(self, requests_per_second: float | None = None, *, max_concurrency: int = 8) -> None:
        self._max_concurrency = max_concurrency
        self._given = requests_per_second
        self._rate = requests_per_second or START_RATE
        self._searching = True
        self._next_slot_s = -inf
        self._gate_s = -inf
        self._reacted_s = -inf
        self._latency_s = 0.05

    @property
    def rate(self) -> float:
        """Requests a second at present."""
        return self._rate

    @property
    def gate_s(self) -> float:
        """The instant before which nothing may be sent."""
        return self._gate_s

    def next_send_s(self, now_s: float) -> float:
        """The earliest instant of the next request."""
        return max(self._next_slot_s, self._gate_s)

    def sent(self, now_s: float) -> None:
        """A request was sent."""
        self._next_slot_s = max(now_s, self._next_slot_s) + 1 / self._rate

    def answered(self, outcome: Outcome, now_s: float) -> None:
        """An answer came."""
        self._latency_s += 0.2 * (outcome.latency_s - self._latency_s)
        if isinstance(outcome, Failed) and outcome.cause is Cause.THROTTLED:
            self._refused(outcome, now_s)
        elif self._given is None:
            gained = GROWTH / max(self._latency_s, 0.001) if self._searching else CREEP_PER_S
            self._rate += gained

    def _refused(self, outcome: Failed, now_s: float) -> None:
        """A 429 came: shut the gate, and slow down once per event."""
        retry_after_s = 1.0 if outcome.advice.retry_after_s is None else outcome.advice.retry_after_s
        self._gate_s = max(self._gate_s, now_s + retry_after_s)
        self._next_slot_s = max(self._next_slot_s, self._gate_s)
        if self._given is None and now_s - outcome.latency_s >= self._reacted_s:
            self._rate = max(0.5, self._rate * AFTER_REFUSAL)
            self._searching = False
            self._reacted_s = now_s
