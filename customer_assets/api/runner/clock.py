"""Time as the runner sees it: what the clock says, and waiting for an outcome. Tests bring a clock of their own."""

import queue
import time
from datetime import UTC, datetime
from math import isinf
from typing import Any


class Clock:
    """The machine's time."""

    def monotonic_s(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()

    def epoch_s(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def utc(self) -> datetime:
        """The current instant."""
        return datetime.now(UTC)

    def take(self, outcomes: "queue.SimpleQueue[Any]", wait_s: float) -> Any | None:  # noqa: ANN401 - whatever was put
        """Wait for the next outcome; None if none arrives in time."""
        try:
            return outcomes.get(timeout=None if isinf(wait_s) else max(0.0, wait_s))
        except queue.Empty:
            return None
