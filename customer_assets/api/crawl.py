"""What a crawl does next, given what came back and the time. No clock, no I/O, no dice: they come in as arguments.

Everything that decides which page is asked for, when, and how often must live here. A page is on its way through
`_frontier` (never asked for) → in flight → `_waiting` (its retry is due later) or `_again` (next round) → arrived or
missing. The crawl holds the pages in flight and the failed ones, never all.
"""

import heapq
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from customer_assets.api.actions import (
    Abandoned,
    Accepted,
    Action,
    Arrived,
    Decision,
    Done,
    Failed,
    FetchPage,
    GiveUp,
    Requeued,
    RetryScheduled,
    Throttled,
    WaitUntil,
)
from customer_assets.api.backoff import BackoffPolicy
from customer_assets.api.pacing import Pacer
from customer_assets.api.page_ranges import PageRanges
from customer_assets.metrics import Cause
from customer_assets.models import Page

OUTAGE_AFTER = 12


@dataclass(frozen=True, slots=True)
class CrawlPolicy:
    """How hard a crawl tries.

    Attributes:
        max_concurrency: Requests in flight at most.
        backoff: The waits between a page's requests within one round.
        rounds: How often a page may spend all its retries before it is abandoned.
        max_pause_s: The longest `Retry-After` that a crawl waits; a longer one ends it.
        max_throttled_s: How long a crawl waits for anything but a 429.
        max_pages: More pages than this end the crawl.
    """

    max_concurrency: int = 8
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    rounds: int = 3
    max_pause_s: float = 60.0
    max_throttled_s: float = 300.0
    max_pages: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a crawl stands, for progress and figures.

    Attributes:
        total: Customers in all, by the latest answer; None before the first.
        total_pages: Pages in all, by the latest answer; None before the first.
        pages_arrived: Pages accepted from the API in this crawl.
        pages_held: Pages that were held from the start, of those now known to exist.
        requests: Requests sent.
        in_flight: Requests without an answer yet.
        waiting: Pages waiting for their retry.
        retries: Requests repeated or to be repeated, by cause (429s are not among them).
        throttles: Answers 429.
        waiting_s: Seconds for which the gate was shut, in all.
    """

    total: int | None
    total_pages: int | None
    pages_arrived: int
    pages_held: int
    requests: int
    in_flight: int
    waiting: int
    retries: Mapping[Cause, int] = field(default_factory=Counter[Cause])
    throttles: int = 0
    waiting_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Try:
    page: int
    attempt: int = 1
    round: int = 1
    arrivals_before: int = 0


class Crawl:
    """One pass over all pages.

    Ask `next_action`; tell `arrived` and `failed` what came of each request.

    Args:
        policy: How failure is treated.
        pacer: How fast requests may be sent.
        held: Pages that need no request.
        only_page: Read this one page, nothing else.
        known: A page held from before: tells how many pages there are.
    """

    def __init__(
        self,
        policy: CrawlPolicy,
        pacer: Pacer,
        *,
        held: PageRanges | None = None,
        known: Page | None = None,
        only_page: int | None = None,
    ) -> None:
        self._policy, self._pacer, self._only_page = policy, pacer, only_page
        self._held = held or PageRanges()
        self._frontier = only_page or 1
        self._last_page = only_page or (known.total_pages if known else None)
        self._total = known.total if known else None
        self._requests = 0
        self._retries: Counter[Cause] = Counter()
        self._throttles = 0
        self._in_flight: dict[int, tuple[_Try, float]] = {}
        self._waiting: list[tuple[float, int, _Try]] = []
        self._again: deque[_Try] = deque()
        self._asked_again: set[int] = set()
        self._missing: dict[int, Cause] = {}
        self._arrivals = 0
        self._failures_in_a_row = 0
        self._end: GiveUp | None = None

    @property
    def in_flight(self) -> int:
        """Requests that were sent and not answered."""
        return len(self._in_flight)

    @property
    def total_pages(self) -> int | None:
        """Pages in all, by the latest answer; None before the first."""
        return self._last_page

    @property
    def arrivals(self) -> int:
        """Pages that have arrived."""
        return self._arrivals

    @property
    def total(self) -> int | None:
        """Customers in all, by the latest answer; None before the first."""
        return self._total

    def snapshot(self) -> Snapshot:
        """Where the crawl stands."""
        return Snapshot(
            self._total,
            self._last_page,
            self._arrivals,
            self._held.count_up_to(self._last_page or 0),
            self._requests,
            len(self._in_flight),
            len(self._waiting),
            self._retries,
            self._throttles,
            0.0,
        )

    # --- what to do next

    def next_action(self, now_s: float) -> Action:
        """Say what to do now. A `FetchPage` counts as sent at this instant."""
        if self._end is not None:
            return WaitUntil(inf) if self._in_flight else self._named_end()
        if len(self._in_flight) >= self._concurrency():
            return WaitUntil(inf)
        ready = self._ready_at(now_s)
        if ready is None:
            return WaitUntil(inf) if self._in_flight else self._finished()
        send_at = max(ready, self._pacer.next_send_s(now_s))
        return WaitUntil(send_at) if send_at > now_s else self._fetch(now_s)

    def _concurrency(self) -> int:
        probing = self._failures_in_a_row >= OUTAGE_AFTER
        return 1 if probing or self._last_page is None else self._policy.max_concurrency

    def _ready_at(self, now_s: float) -> float | None:
        """The instant from which some page may be asked for; None if only answers can tell."""
        if self._waiting and self._waiting[0][0] <= now_s:
            return now_s
        if self._has_frontier() or self._again:
            return now_s
        return self._waiting[0][0] if self._waiting else None

    def _has_frontier(self) -> bool:
        last = self._last_page
        if last is None:
            return self._frontier == 1 and not self._in_flight and not self._waiting and not self._again
        self._frontier = self._held.first_absent(self._frontier)
        return self._frontier <= last

    def _fetch(self, now_s: float) -> FetchPage:
        attempt = self._next_try(now_s)
        self._in_flight[attempt.page] = (attempt, now_s)
        self._requests += 1
        self._pacer.sent(now_s)
        return FetchPage(attempt.page, attempt.attempt, attempt.round)

    def _next_try(self, now_s: float) -> _Try:
        if self._waiting and self._waiting[0][0] <= now_s:
            return heapq.heappop(self._waiting)[2]
        if self._has_frontier():
            self._frontier += 1
            return _Try(self._frontier - 1)
        return self._again.popleft()

    # --- what came back

    def arrived(self, outcome: Arrived, now_s: float) -> Decision:
        """Take an answer that held its page."""
        page = outcome.page
        attempt, _sent = self._in_flight.pop(page.number)
        self._pacer.answered(outcome, now_s)
        self._failures_in_a_row = 0
        self._total = page.total
        if self._is_short(outcome) and page.number not in self._asked_again:
            self._asked_again.add(page.number)
            heapq.heappush(self._waiting, (now_s, page.number, attempt))
            return RetryScheduled(page.number, attempt.attempt, Cause.SHORT_PAGE, 0.0)
        self._asked_again.discard(page.number)
        self._arrivals += 1
        if self._only_page is None:
            self._follow(page.total_pages)
        return Accepted(page.number)

    def failed(self, outcome: Failed, now_s: float) -> Decision:
        """Take an answer without its page, or none at all."""
        attempt, sent_s = self._in_flight.pop(outcome.page)
        if outcome.cause is Cause.REFUSED:
            return self._refused(outcome, attempt)
        if outcome.cause is Cause.THROTTLED:
            return self._throttled(outcome, attempt, sent_s, now_s)
        self._pacer.answered(outcome, now_s)
        self._failures_in_a_row += 1
        return self._retry(outcome, attempt, now_s)

    def _is_short(self, outcome: Arrived) -> bool:
        page = outcome.page
        return page.number < page.total_pages and page.record_count < page.per_page

    def _follow(self, total_pages: int) -> None:
        if total_pages > self._policy.max_pages:
            self._give_up(f"the API claims {total_pages} pages, more than max_pages={self._policy.max_pages}")
        self._last_page = max(1, total_pages)

    def _throttled(self, outcome: Failed, attempt: _Try, sent_s: float, now_s: float) -> Decision:
        self._throttles += 1
        self._pacer.answered(outcome, now_s)
        wait_s = max(0.0, self._pacer.gate_s - now_s)
        heapq.heappush(self._waiting, (now_s + wait_s, attempt.page, attempt))
        if wait_s > self._policy.max_pause_s:
            self._end = GiveUp((), self._last_page, "the API asked for a long pause", retry_after_s=wait_s)
        return Throttled(outcome.page, wait_s)

    def _refused(self, outcome: Failed, attempt: _Try) -> Decision:
        self._missing[outcome.page] = outcome.cause
        self._end = GiveUp(
            (), self._last_page, "the API refused", refused_status=outcome.status, refused_page=outcome.page
        )
        return Abandoned(outcome.page, outcome.cause)

    def _retry(self, outcome: Failed, attempt: _Try, now_s: float) -> Decision:
        if self._is_outage():
            self._give_up(f"the API is out: {self._failures_in_a_row} requests failed in a row")
        self._retries[outcome.cause] += 1
        backoff_s = self._policy.backoff.wait_s(attempt.attempt)
        if backoff_s is not None:
            wait_s = max(backoff_s, outcome.advice.retry_after_s or 0.0)
            due = _Try(attempt.page, attempt.attempt + 1, attempt.round, attempt.arrivals_before)
            heapq.heappush(self._waiting, (now_s + wait_s, attempt.page, due))
            return RetryScheduled(outcome.page, attempt.attempt, outcome.cause, wait_s)
        if attempt.round < self._policy.rounds and self._arrivals > attempt.arrivals_before:
            self._again.append(_Try(attempt.page, 1, attempt.round + 1, self._arrivals))
            return Requeued(outcome.page, attempt.round + 1, outcome.cause)
        self._missing[outcome.page] = outcome.cause
        return Abandoned(outcome.page, outcome.cause)

    def _is_outage(self) -> bool:
        return self._failures_in_a_row >= 2 * OUTAGE_AFTER

    # --- how it ends

    def _give_up(self, reason: str) -> None:
        self._end = self._end or GiveUp((), self._last_page, reason)

    def _finished(self) -> Action:
        if not self._missing:
            return Done(self._arrivals)
        causes = ", ".join(sorted({cause.value for cause in self._missing.values()}))
        self._give_up(f"they failed in every round, last by {causes}")
        return self._named_end()

    def _named_end(self) -> Action:
        end = self._end or GiveUp((), self._last_page, "")
        return GiveUp(
            tuple(sorted(self._not_arrived())),
            self._last_page,
            end.reason,
            end.refused_status,
            end.refused_page,
            end.retry_after_s,
        )

    def _not_arrived(self) -> set[int]:
        pages = set(self._missing) | {entry[2].page for entry in self._waiting} | {entry.page for entry in self._again}
        if self._last_page is None:
            return pages or {self._frontier}
        return pages | {page for page in range(self._frontier, self._last_page + 1) if page not in self._held}
