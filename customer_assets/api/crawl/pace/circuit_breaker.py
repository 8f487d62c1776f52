"""Distinguishes an outage from a flaky API, and says how long to probe a broken one. Counts and instants, no clock."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """What counts as an outage.

    Chance alone must not trip it: at 20 % random faults 4,000 pages do so once in 100,000 crawls, at 30 % once in 300;
    with a share of one half it were every other crawl.

    Attributes:
        failures_in_a_row: So many failures without a page in between are an outage.
        window: How many of the latest answers are looked at for the share.
        failing_share: More than this share of a full window failing is an outage.
        probe_waits_s: Seconds before the first, second, … probe; when all of them failed, the outage is final.
    """

    failures_in_a_row: int = 12
    window: int = 50
    failing_share: float = 0.6
    probe_waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)


class CircuitBreaker:
    """Closed while the API answers; open in an outage: then one probe at a time, and any page closes it again."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._in_a_row = 0
        self._latest: deque[bool] = deque(maxlen=policy.window)
        self._failing = 0
        self._probes_failed: int | None = None
        self._next_probe_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether only one request at a time may go."""
        return self._probes_failed is not None

    @property
    def is_exhausted(self) -> bool:
        """Whether every probe failed: the outage is final."""
        return self._probes_failed is not None and self._probes_failed >= len(self._policy.probe_waits_s)

    @property
    def next_probe_s(self) -> float:
        """The instant before which no probe goes; in the past while closed."""
        return self._next_probe_s

    def record_success(self) -> None:
        """Count an answer that held a page."""
        if self.is_open:
            self._probes_failed = None
            self._latest.clear()
            self._failing = 0
        self._in_a_row = 0
        self._record(failed=False)

    def record_failure(self, now_s: float) -> bool:
        """Count a failure that an outage can cause, never a 429 or a refusal. Return whether it opens the breaker."""
        self._in_a_row += 1
        self._record(failed=True)
        if self._probes_failed is None:
            most = self._policy.failing_share * self._policy.window
            is_mostly_failing = len(self._latest) == self._policy.window and self._failing > most
            opens = is_mostly_failing or self._in_a_row >= self._policy.failures_in_a_row
            if opens:
                self._schedule_probe(0, now_s)
            return opens
        if now_s >= self._next_probe_s:  # what was in flight when it opened is no probe
            self._schedule_probe(self._probes_failed + 1, now_s)
        return False

    def _schedule_probe(self, probes_failed: int, now_s: float) -> None:
        self._probes_failed = probes_failed
        if not self.is_exhausted:
            self._next_probe_s = now_s + self._policy.probe_waits_s[probes_failed]

    def _record(self, *, failed: bool) -> None:
        if len(self._latest) == self._policy.window:
            self._failing -= self._latest[0]
        self._latest.append(failed)
        self._failing += failed
