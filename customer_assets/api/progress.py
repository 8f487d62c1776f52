"""What a crawl says while it runs: each retry, and a line every few seconds. Only words; it decides nothing."""

import logging
from collections.abc import Callable
from datetime import datetime

from customer_assets.api.actions import Abandoned, Decision, Requeued, RetryScheduled, Throttled
from customer_assets.api.crawl import Snapshot

logger = logging.getLogger("customer_assets.api")

LINE_EVERY_S = 5.0
RETRIES_TOLD = 200
"""Each retry up to so many is a warning; further ones are told at debug level and counted in the progress lines."""


class Progress:
    """Tells how a crawl is getting on.

    Args:
        utc: Tells the present instant, for the lines themselves.
        started_s: When the crawl began, in seconds.
        on_progress: Called with a snapshot and the seconds since then, as often as a line is written.
    """

    def __init__(
        self,
        utc: Callable[[], datetime],
        started_s: float,
        on_progress: Callable[[Snapshot, float], None] | None = None,
    ) -> None:
        self._utc, self._started_s, self._on_progress = utc, started_s, on_progress
        self._next_line_s = started_s + LINE_EVERY_S
        self._told = 0

    def decided(self, decision: Decision) -> None:
        """Tell of a request that has to be repeated."""
        sentence = _sentence(decision)
        if sentence:
            self._told += 1
            level = logging.WARNING if self._told <= RETRIES_TOLD else logging.DEBUG
            logger.log(level, "%s %s", self._utc().isoformat(timespec="milliseconds"), sentence)

    def tick(self, snapshot: Callable[[], Snapshot], now_s: float) -> None:
        """Tell where the crawl stands, if it is time."""
        if now_s < self._next_line_s:
            return
        self._next_line_s = now_s + LINE_EVERY_S
        present, running_s = snapshot(), now_s - self._started_s
        logger.info("%s", line(present, running_s))
        if self._on_progress is not None:
            self._on_progress(present, running_s)


def line(snapshot: Snapshot, running_s: float) -> str:
    """Say in a line where a crawl stands."""
    done = snapshot.pages_arrived + snapshot.pages_held
    rate = snapshot.pages_arrived / running_s if running_s else 0.0
    left = None if snapshot.total_pages is None else max(0, snapshot.total_pages - done)
    eta = f"{left / rate:.0f} s left" if left is not None and rate else "unknown time left"
    return (
        f"{done} of {snapshot.total_pages or '?'} pages, {rate:.1f} pages a second, {eta}, "
        f"{sum(snapshot.retries.values())} retries, {snapshot.throttles} throttled"
    )


def _sentence(decision: Decision) -> str:
    match decision:
        case RetryScheduled(page, attempt, cause, wait_s):
            return f"page {page}, attempt {attempt}: {cause.value}; again in {wait_s:g} s"
        case Requeued(page, next_round, cause):
            return f"page {page}: {cause.value}, retries spent; again at the end, in round {next_round}"
        case Throttled(page, wait_s):
            return f"page {page}: throttled (429); nothing is sent for {wait_s:g} s"
        case Abandoned(page, cause):
            return f"page {page}: {cause.value}; given up"
        case _:
            return ""
