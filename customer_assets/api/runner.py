"""Runs one pass of a crawl over a transport: sends what the crawl asks for, waits as long as it says, counts what came.

One loop for every transport, on the caller's thread; requests are in flight elsewhere, on threads or on asyncio. What
to request next is decided in `crawl/`, what an answer means in `responses.py`.
"""

import queue
from collections.abc import Callable
from functools import partial
from math import isinf
from typing import Protocol

from customer_assets.api.clock import Clock
from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import (
    Accepted,
    Decision,
    Done,
    FetchPage,
    GiveUp,
    Outcome,
    PageReceived,
    RequestFailed,
    Snapshot,
    WaitUntil,
)
from customer_assets.api.http.base import Transport, TransportError
from customer_assets.api.progress import Progress
from customer_assets.api.responses import PageParser, RawResponse, parse_response
from customer_assets.api.stats import CrawlStats
from customer_assets.errors import APIError, CrawlPausedError, IncompleteCrawlError, RequestRefusedError
from customer_assets.metrics import FailureCause
from customer_assets.models import Page

Judged = Outcome | BaseException
Send = Callable[[int, Callable[[Judged], None]], None]
"""Sends the request for a page; what came of it is handed over on whatever thread."""


class Listener(Protocol):
    """Hears how a crawl gets on; on the caller's thread."""

    def told(self, outcome: Outcome, decision: Decision) -> None:
        """Hear of an answer and what was decided of it."""
        ...

    def passed(self, now_s: float) -> float:
        """Hear that time passed; return how many seconds of mere waiting may pass until the next time."""
        ...


def drive(crawl: Crawl, send: Send, listener: Listener, clock: Clock) -> Done | GiveUp:
    """Run a crawl to its end."""
    answers: queue.SimpleQueue[Judged] = queue.SimpleQueue()
    while True:
        now_s = clock.monotonic_s()
        patience_s = listener.passed(now_s)
        action = crawl.next_action(now_s)
        if isinstance(action, FetchPage):
            send(action.page, answers.put)
        elif isinstance(action, WaitUntil):
            wait_s = action.instant_s - now_s
            outcome = clock.take(answers, wait_s if isinf(wait_s) else min(wait_s, patience_s))
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is not None:
                listener.told(outcome, _decision(crawl, outcome, clock.monotonic_s()))
        else:
            return action


def _decision(crawl: Crawl, outcome: Outcome, now_s: float) -> Decision:
    return crawl.arrived(outcome, now_s) if isinstance(outcome, PageReceived) else crawl.failed(outcome, now_s)


class Reading:
    """Reads what a crawl asks for.

    Args:
        crawl: Decides.
        figures: Counts.
        progress: Tells.
        accepted: Takes each page that is good, once.
        reader: Reads bodies.

    Attributes:
        last_failure: Why the latest request that failed did; None as long as none has.
        last_detail: The same in a few words, limits by their names.
    """

    def __init__(
        self,
        crawl: Crawl,
        figures: CrawlStats,
        progress: Progress,
        accepted: Callable[[Page], None],
        reader: PageParser,
    ) -> None:
        self._reader = reader
        self._crawl, self._figures, self._progress, self._accepted = crawl, figures, progress, accepted
        self.last_failure: FailureCause | None = None
        self.last_detail = ""

    def run(self, transport: Transport, clock: Clock) -> Done | GiveUp:
        """Read to the crawl's end."""
        try:
            return drive(self._crawl, partial(self._send, transport, clock), self, clock)
        finally:
            self._sum_up(self._crawl.snapshot())
            self._progress.close()

    def told(self, outcome: Outcome, decision: Decision) -> None:
        """Count an answer, and hand its page on if it is good."""
        self._figures.requests += 1
        self._figures.latencies.add(outcome.latency_s)
        self._figures.statuses[200 if isinstance(outcome, PageReceived) else outcome.status or 0] += 1
        if isinstance(outcome, RequestFailed):
            self.last_failure, self.last_detail = outcome.cause, outcome.detail
        elif isinstance(decision, Accepted):
            self._figures.bytes += len(outcome.page.data)
            self._progress.records += outcome.page.record_count
            self._accepted(outcome.page)
        self._progress.decided(decision, outcome.detail if isinstance(outcome, RequestFailed) else "")

    def passed(self, now_s: float) -> float:
        """Tell where the crawl stands, if it is time."""
        return self._progress.tick(self._crawl.snapshot, now_s)

    def _sum_up(self, snapshot: Snapshot) -> None:
        self._figures.throttles += snapshot.throttles
        self._figures.waiting_s += snapshot.waiting_s
        self._figures.retries.update(snapshot.retries)

    def _send(self, transport: Transport, clock: Clock, page: int, deliver: Callable[[Judged], None]) -> None:
        sent_s = clock.monotonic_s()

        def received(answer: RawResponse | BaseException) -> None:
            try:
                deliver(self._judged(answer, page, clock, sent_s))
            except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread, which waits for an answer
                deliver(error)

        transport.send(page, received)

    def _judged(self, answer: RawResponse | BaseException, page: int, clock: Clock, sent_s: float) -> Judged:
        if isinstance(answer, RawResponse):
            return parse_response(answer, page, clock.utc(), self._reader)
        if isinstance(answer, TransportError):
            return RequestFailed(page, answer.cause, clock.monotonic_s() - sent_s, detail=answer.detail)
        return answer


REMEDIES = {
    401: "Check the API key (CUSTOMER_API_KEY).",
    403: "The key may not read customers: ask the API's owner.",
    404: "Check the base URL (CUSTOMER_API_BASE_URL): customers are expected at /users below it.",
}
REDIRECTED = "The API has moved: set the base URL (CUSTOMER_API_BASE_URL) to where it is now."
CHECK_THE_ADDRESS = "Check the base URL and the settings of the request."


def early_end(end: GiveUp) -> RequestRefusedError | CrawlPausedError | None:
    """Make the error of a crawl that the API itself ended; None if it did not."""
    if end.refused_status is not None:
        return RequestRefusedError(end.refused_status, end.refused_page or 1, _remedy(end.refused_status))
    return None if end.retry_after_s is None else CrawlPausedError(end.retry_after_s)


def error(end: GiveUp, last_failure: str = "") -> APIError:
    """Make the error of a crawl that gave up; `last_failure` says of its latest failed request what was wrong."""
    reason = f"{end.reason}; the last failure: {last_failure}" if last_failure else end.reason
    return early_end(end) or IncompleteCrawlError(end.missing_pages, end.pages_total, reason)


def _remedy(status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
        return REDIRECTED
    return REMEDIES.get(status, CHECK_THE_ADDRESS)
