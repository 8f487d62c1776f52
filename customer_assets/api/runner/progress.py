"""What a crawl reports while it runs: each retry, and how far it has come. Decides nothing.

On a terminal, or in a notebook, it draws a bar; otherwise it logs a line every few seconds.
"""

import logging
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from customer_assets.api.crawl.events import Abandoned, Decision, Requeued, RetryScheduled, Snapshot, Throttled
from customer_assets.api.runner.stats import CrawlStats

logger = logging.getLogger("customer_assets.api")

LINE_EVERY_S = 5.0
BAR_EVERY_S = 0.25
BAR_FROM_S = 1.0
"""A crawl that ends sooner needs no bar."""
BAR_WIDTH = 30
MAX_WARNINGS = 200
"""Further retries are logged at debug level only, and counted in the progress lines."""

OnProgress = Callable[[Snapshot, float], None]


class Progress:
    """Reports how a crawl is getting on.

    Args:
        utc: Returns the current instant, for the lines themselves.
        started_s: When the crawl began, in seconds.
        on_progress: Called with a snapshot and the seconds since then, as often as a line is due.
        terminal: Where a bar is drawn; None: lines are logged instead.

    Attributes:
        records: Customers received so far.
    """

    def __init__(
        self,
        utc: Callable[[], datetime],
        started_s: float,
        on_progress: OnProgress | None = None,
        terminal: TextIO | None = None,
    ) -> None:
        self._utc, self._started_s, self._on_progress, self._terminal = utc, started_s, on_progress, terminal
        self._next_line_s = started_s + LINE_EVERY_S
        self._next_bar_s = started_s + BAR_FROM_S
        self._logged = self._drawn = 0
        self.records = 0

    def on_decision(self, decision: Decision, detail: str = "", lane: int = 0) -> None:
        """Log a request that has to be repeated, and in a few words why; from the second slice on, also of which."""
        place = f" of slice {lane + 1}" if lane else ""
        sentence = _sentence(decision, place, f" ({detail})" if detail else "")
        if sentence:
            self._logged += 1
            level = logging.WARNING if self._logged <= MAX_WARNINGS else logging.DEBUG
            logger.log(level, "%s %s", self._utc().isoformat(timespec="milliseconds"), sentence)

    def tick(self, snapshot: Callable[[], Snapshot], now_s: float) -> float:
        """Report where the crawl stands, if a line is due; return in how many seconds to call again."""
        if self._terminal is not None and now_s >= self._next_bar_s:
            self._next_bar_s = now_s + BAR_EVERY_S
            self._draw(self._terminal, snapshot(), now_s - self._started_s)
        if now_s >= self._next_line_s:
            self._next_line_s = now_s + LINE_EVERY_S
            self._log(snapshot(), now_s - self._started_s)
        return LINE_EVERY_S if self._terminal is None else BAR_EVERY_S

    def close(self) -> None:
        """Erase the bar."""
        if self._terminal is not None and self._drawn:
            self._terminal.write(" " * self._drawn + "\r")
            self._terminal.flush()
            self._drawn = 0

    def _log(self, snapshot: Snapshot, running_s: float) -> None:
        if self._terminal is None:
            logger.info(
                "%s %s", self._utc().isoformat(timespec="milliseconds"), line(snapshot, running_s, self.records)
            )
        if self._on_progress is not None:
            self._on_progress(snapshot, running_s)

    def _draw(self, terminal: TextIO, snapshot: Snapshot, running_s: float) -> None:
        drawn = f"{bar(snapshot)} {line(snapshot, running_s, self.records)}"
        # The cursor goes back to the margin, so that a line of the log overwrites the bar.
        terminal.write(drawn.ljust(self._drawn) + "\r")
        terminal.flush()
        self._drawn = len(drawn)


def find_terminal() -> TextIO | None:
    """Return where a bar can be drawn: a terminal, or the output of a notebook's cell; None: nowhere."""
    if sys.stderr.isatty():
        return sys.stderr
    return sys.stdout if "ipykernel" in sys.modules else None  # on standard error it would look like one


def bar(snapshot: Snapshot) -> str:
    """A bar that shows how much is done."""
    done = (snapshot.pages_arrived + snapshot.pages_held) / max(1, snapshot.total_pages or 0)
    full = round(BAR_WIDTH * min(1.0, done))
    return f"[{'#' * full}{'.' * (BAR_WIDTH - full)}]"


def line(snapshot: Snapshot, running_s: float, records: int | None = None) -> str:
    """One line on where a crawl stands; without its records if nobody counts them here."""
    done = snapshot.pages_arrived + snapshot.pages_held
    rate = snapshot.pages_arrived / running_s if running_s else 0.0
    left = None if snapshot.total_pages is None else max(0, snapshot.total_pages - done)
    eta = f"{left / rate:.0f} s left" if left is not None and rate else "unknown time left"
    pages_total = "?" if snapshot.total_pages is None else snapshot.total_pages
    counted = "" if records is None else f"{records} records, "
    return (
        f"{done} of {pages_total} pages, {counted}{rate:.1f} pages a second, {eta}, "
        f"{sum(snapshot.retries.values())} retries, {snapshot.throttles} throttled"
    )


def summary(figures: CrawlStats) -> str:
    """One line on what a crawl did."""
    success = "none successful" if figures.success_rate is None else f"{figures.success_rate:.1%} successful"
    causes = ", ".join(f"{count} {cause.value}" for cause, count in sorted(figures.retries.items())) or "none"
    shares = [figures.latencies.percentile_s(share) or 0.0 for share in (0.5, 0.95, 0.99)]
    p50, p95, p99 = (f"{1000 * share:.0f}" for share in shares)
    pages, records = _count(figures.pages, "page"), _count(figures.records, "record")
    passes, requests = _count(figures.passes, "pass", "passes"), _count(figures.requests, "request")
    return (
        f"{pages} ({figures.pages_from_store} from the page store), {records}, {passes}, {figures.duration_s:.1f} s; "
        f"{requests}, {success}; retries: {causes}; {figures.throttles} throttled, {figures.waiting_s:.1f} s waiting; "
        f"latency p50/p95/p99 {p50}/{p95}/{p99} ms; {figures.bytes} bytes"
    )


def _count(count: int, unit: str, units: str = "") -> str:
    return f"{count} {unit if count == 1 else units or unit + 's'}"


def _sentence(decision: Decision, place: str, why: str) -> str:
    match decision:
        case RetryScheduled(page, attempt, cause, wait_s):
            return f"page {page}{place}, attempt {attempt}: {cause.value}{why}; again in {wait_s:g} s"
        case Requeued(page, next_round, cause):
            return f"page {page}{place}: {cause.value}{why}, retries spent; again at the end, in round {next_round}"
        case Throttled(page, wait_s):
            return f"page {page}{place}: throttled; nothing is sent for {wait_s:g} s"
        case Abandoned(page, cause):
            return f"page {page}{place}: {cause.value}{why}; given up"
        case _:
            return ""
