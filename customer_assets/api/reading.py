"""One pass of a crawl, read through a transport: judged, counted and told. Puts together what others decide."""

from collections.abc import Callable
from functools import partial

from customer_assets.api.actions import Accepted, Arrived, Decision, Done, Failed, GiveUp, Outcome, Snapshot
from customer_assets.api.clock import Clock
from customer_assets.api.crawl import Crawl
from customer_assets.api.driving import Judged, drive
from customer_assets.api.envelope import Answer, PageReader, judged
from customer_assets.api.figures import CrawlFigures
from customer_assets.api.progress import Progress
from customer_assets.api.transports import Transport, TransportError
from customer_assets.metrics import Cause
from customer_assets.models import Page


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
        figures: CrawlFigures,
        progress: Progress,
        accepted: Callable[[Page], None],
        reader: PageReader,
    ) -> None:
        self._reader = reader
        self._crawl, self._figures, self._progress, self._accepted = crawl, figures, progress, accepted
        self.last_failure: Cause | None = None
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
        self._figures.statuses[200 if isinstance(outcome, Arrived) else outcome.status or 0] += 1
        if isinstance(outcome, Failed):
            self.last_failure, self.last_detail = outcome.cause, outcome.detail
        elif isinstance(decision, Accepted):
            self._figures.bytes += len(outcome.page.data)
            self._progress.records += outcome.page.record_count
            self._accepted(outcome.page)
        self._progress.decided(decision, outcome.detail if isinstance(outcome, Failed) else "")

    def passed(self, now_s: float) -> float:
        """Tell where the crawl stands, if it is time."""
        return self._progress.tick(self._crawl.snapshot, now_s)

    def _sum_up(self, snapshot: Snapshot) -> None:
        self._figures.throttles += snapshot.throttles
        self._figures.waiting_s += snapshot.waiting_s
        self._figures.retries.update(snapshot.retries)

    def _send(self, transport: Transport, clock: Clock, page: int, deliver: Callable[[Judged], None]) -> None:
        sent_s = clock.monotonic_s()

        def received(answer: Answer | BaseException) -> None:
            try:
                deliver(self._judged(answer, page, clock, sent_s))
            except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread, which waits for an answer
                deliver(error)

        transport.send(page, received)

    def _judged(self, answer: Answer | BaseException, page: int, clock: Clock, sent_s: float) -> Judged:
        if isinstance(answer, Answer):
            return judged(answer, page, clock.utc(), self._reader)
        if isinstance(answer, TransportError):
            return Failed(page, answer.cause, clock.monotonic_s() - sent_s, detail=answer.detail)
        return answer
