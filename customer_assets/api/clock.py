"""Time as the drivers see it: what the clock says, and waiting for an answer. Tests bring a clock of their own."""

import queue
import time
from datetime import UTC, datetime
from math import isinf
from typing import Any


class Clock:
    """The machine's time."""

    def monotonic_s(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def epoch_s(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def utc(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)

    def take(self, answers: "queue.SimpleQueue[Any]", wait_s: float) -> Any | None:  # noqa: ANN401 - whatever was put
        """Take the next answer; None if none comes within so many seconds."""
        try:
            return answers.get(timeout=None if isinf(wait_s) else max(0.0, wait_s))
        except queue.Empty:
            return None
