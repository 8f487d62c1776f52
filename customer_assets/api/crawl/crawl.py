"""Which page to request next, and what to do about each outcome: decisions only, no clock, no I/O.

Everything that affects the order, the number or the end of requests lives in this folder.
"""

from collections import Counter
from collections.abc import Collection
from math import ceil, inf
from typing import NamedTuple

from customer_assets.api.crawl.events import (
    Abandoned,
    Accepted,
    Action,
    Decision,
    Done,
    FetchPage,
    GiveUp,
    Outcome,
    PageReceived,
    RequestFailed,
    Requeued,
    RetryScheduled,
    Snapshot,
    Throttled,
    WaitUntil,
)
from customer_assets.api.crawl.extent import BEYOND_THE_END, NOTHING_FOLLOWS, UNBOUNDED, Extent, Numbering
from customer_assets.api.crawl.guards import RepetitionGuard
from customer_assets.api.crawl.pace.circuit_breaker import CircuitBreaker
from customer_assets.api.crawl.pace.health import ApiHealth
from customer_assets.api.crawl.pace.policy import CrawlPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.api.crawl.page_queue import Attempt, PageQueue
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.api.responses.diagnosis import Diagnosis
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page

__all__ = ["Crawl", "CrawlPolicy", "Snapshot"]

NOT_FOUND = 404

CURSOR_EXPIRED = (400, 404, 410, 422)
"""What APIs answer to a cursor that they no longer know."""


class _Ending(NamedTuple):
    """Why a crawl ends early, as soon as nothing is in flight."""

    reason: str
    status: int | None = None
    page: int | None = None
    retry_at_s: float | None = None
    diagnosis: Diagnosis | None = None
    is_stale: bool = False


class Crawl:
    """One pass over the pages: from what came back to what comes next.

    A runner calls `next_action` until it returns Done or GiveUp. On FetchPage it sends that request and calls again; on
    WaitUntil it calls again at that instant, or as soon as it has passed an outcome to `receive`.

    Until the first page arrives, requests go one at a time and share one page's retries: an API that only fails gets
    four requests. A crawl that resumes tries another page each time, so that one bad page cannot block the others.

    Args:
        policy: How hard to try.
        limiter: When requests can go; shared by successive crawls, so that what it learned is kept.
        extent: How far the listing reaches; it has observed the pages that are held.
        held: Pages that need no request; must not change while the crawl runs. Where numbers count records, these are
            the records' positions.
        only: Request these pages only, whatever the API says about others.
        health: How the API answers; shared by crawls that run side by side. None: nobody knows yet.

    Attributes:
        departures: Customers who left while pages were read, as far as totals show: by how much a page's total was
            lower than one that was known before the page was requested.
        not_found: The first page of the listing's end that the API answered with 404 although it counts it: customers
            have left, or the count is too high. None: there is no such page.
    """

    def __init__(
        self,
        policy: CrawlPolicy,
        limiter: RateLimiter,
        *,
        extent: Extent | None = None,
        held: PageRanges | None = None,
        only: Collection[int] = (),
        health: ApiHealth | None = None,
    ) -> None:
        self._policy, self._limiter, self._only = policy, limiter, only
        self._extent = extent or Extent(max_pages=policy.max_pages, max_growth=policy.max_growth)
        self._held, self._held_count = held or PageRanges(), 0
        self._repetition = RepetitionGuard(policy.max_repeats)
        self._health = health or ApiHealth(CircuitBreaker(policy.breaker))
        self._breaker = self._health.breaker
        self._in_flight: dict[int, int] = {}
        self._largest_total = self._extent.total or 0
        self.departures = 0
        self.not_found: int | None = None
        self._furthest = 0
        self._covered = self._accepted = self._requests = self._throttles = 0
        self._retries: Counter[FailureCause] = Counter()
        self._waiting_s = 0.0
        self._unproven_failures, self._unproven_until_s = 0, -inf
        self._heard_s: float | None = None
        self._ending: _Ending | None = None
        self._queue = PageQueue(self._held, 1, 1)
        if only:
            self._queue = PageQueue(self._held, UNBOUNDED + 1, UNBOUNDED)
            for page in only:
                self._queue.add(page, 1, -inf)
        elif self._extent.is_begun:
            self._queue = PageQueue(self._held, self._held.first_absent(1), 0)
            self._follow_extent(self._extent.problem)

    @property
    def in_flight(self) -> int:
        """Requests without an outcome yet."""
        return len(self._in_flight)

    @property
    def total(self) -> int | None:
        """Customers in all, by the latest answer; None before the first."""
        return self._extent.total

    @property
    def total_pages(self) -> int | None:
        """Pages in all, by the latest answer; None before the first."""
        return self._extent.total_pages

    def pages_left(self) -> int:
        """Pages that have not arrived; where nobody knows how many there are, as many again as have."""
        if self._queue.last >= UNBOUNDED or self._extent.numbering is Numbering.CHAIN:
            return self._accepted
        return max(ceil((self._queue.last - self._held_count - self._covered) / self._extent.step), 0)

    def snapshot(self) -> Snapshot:
        """How far the crawl has come."""
        return Snapshot(
            total=self.total,
            total_pages=self.total_pages,
            pages_arrived=self._accepted,
            pages_held=ceil(self._held_count / self._extent.step),
            requests=self._requests,
            in_flight=self.in_flight,
            waiting=self._queue.waiting,
            retries=Counter(self._retries),
            throttles=self._throttles,
            waiting_s=self._waiting_s,
        )

    # --- what comes next -------------------------------------------------------------------------------

    def next_action(self, now_s: float) -> Action:
        """Decide what the runner does now."""
        if self._ending is not None:
            return WaitUntil(inf) if self._in_flight else self._give_up(self._ending, now_s)
        page_s = self._queue.earliest_s()
        if page_s == inf and not self._in_flight:
            if self._queue.missing():
                return self._give_up(_Ending("every retry of these pages was spent"), now_s)
            return Done(len(self._only) or self._queue.last)
        if page_s == inf or len(self._in_flight) >= self._health.max_in_flight(self._policy):
            return WaitUntil(inf)
        asked_s = max(page_s, self._limiter.paused_until_s)
        patience_s = max(self._policy.max_pause_s, *self._policy.backoff.waits_s, 0.0)  # none of its own waits ends it
        if asked_s - now_s > patience_s and not self._in_flight:
            return self._give_up(_Ending("the API asked for a longer pause", retry_at_s=asked_s), now_s)
        ready_s = max(page_s, self._limiter.next_send_s(now_s), self._breaker.next_probe_s, self._unproven_until_s)
        return self._fetch(now_s) if ready_s <= now_s else WaitUntil(ready_s)

    def _fetch(self, now_s: float) -> FetchPage:
        page = self._queue.pop(now_s, new_first=not self._health.is_proven)
        attempt = self._queue.attempts[page]
        if attempt.number == 1 and attempt.round > 1:
            attempt.accepted_before = self._health.accepted
        self._in_flight[page] = self._largest_total
        self._requests += 1
        if self._heard_s is None:
            self._heard_s = now_s
        self._limiter.on_send(now_s)
        return FetchPage(page, attempt.number, attempt.round, self._extent.cursor(page))

    def _give_up(self, ending: _Ending, now_s: float) -> GiveUp:
        if self._extent.drop_doubt():
            self._queue.set_last_page(self._last())
        return GiveUp(
            missing_pages=self._queue.missing(),
            pages_total=self.total_pages,
            reason=ending.reason,
            refused_status=ending.status,
            refused_page=ending.page,
            retry_after_s=None if ending.retry_at_s is None else ending.retry_at_s - now_s,
            diagnosis=ending.diagnosis,
            is_stale=ending.is_stale,
        )

    # --- what came back --------------------------------------------------------------------------------

    def receive(self, outcome: Outcome, now_s: float) -> Decision:
        """Take the outcome of one request and decide what becomes of its page."""
        number = outcome.page.number if isinstance(outcome, PageReceived) else outcome.page
        known_total = self._in_flight.pop(number)
        blocked_until_s = max(self._limiter.blocked_until_s, now_s)
        self._limiter.on_outcome(outcome, now_s)
        self._waiting_s += max(self._limiter.blocked_until_s - blocked_until_s, 0.0)
        if isinstance(outcome, PageReceived):
            if outcome.page.total is not None:  # responses overtake each other: what was known at the request counts
                self._largest_total = max(self._largest_total, outcome.page.total)
                self.departures = max(self.departures, known_total - outcome.page.total)
            return self._on_page(outcome.page, now_s)
        if outcome.cause is FailureCause.THROTTLED:
            return self._on_throttled(outcome, now_s)
        self._heard_s = now_s
        if outcome.cause is FailureCause.REFUSED:
            return self._on_refused(outcome)
        return self._on_failure(outcome, now_s)

    def drop_held(self, reason: str) -> None:
        """End the crawl as soon as nothing is in flight, because the pages it holds no longer fit the listing."""
        self._ending = self._ending or _Ending(reason, is_stale=True)

    def _on_page(self, page: Page, now_s: float) -> Decision:
        self._heard_s, self._health.is_proven, self._unproven_until_s = now_s, True, -inf
        self._breaker.record_success()
        self._follow_extent(self._extent.observe(page))
        self._health.largest_bytes = max(self._health.largest_bytes, len(page.data))
        attempt = self._queue.attempts[page.number]
        if (
            self._extent.is_short(page)
            and not attempt.was_short
            and self._policy.backoff.wait_s(attempt.number) is not None
        ):
            attempt.was_short = True
            return self._retry(page.number, FailureCause.SHORT_PAGE, 0.0, now_s)
        self._queue.remove(page.number)
        self._accepted += 1
        self._health.accepted += 1
        if page.record_count:
            self._note_furthest(page.number)
        self._covered += page.record_count if self._extent.numbering is Numbering.RECORDS else 1
        if self._extent.numbering is Numbering.RECORDS:
            self._request_rest(page, attempt.span, now_s)
        self._limiter.set_remaining(self.pages_left())
        if self._extent.is_bounded or self._extent.numbering is not Numbering.PAGES:  # else a repetition is the end
            self._end(self._repetition.observe(page))
        return Accepted(page.number)

    def _note_furthest(self, number: int) -> None:
        self._furthest = max(self._furthest, number)
        if self.not_found is not None and self._furthest > self.not_found:  # a page behind it exists
            self._ending = self._ending or _Ending(f"the API refused with HTTP {NOT_FOUND}", NOT_FOUND, self.not_found)
            self.not_found = None
            self._queue.set_last_page(self._last())

    def _request_rest(self, page: Page, span: int, now_s: float) -> None:
        """Go on where the records of a page end: servers clamp page sizes, whatever a request asks for."""
        rest = self._held.first_absent(page.number + page.record_count)
        if 0 < page.record_count < span and rest < page.number + span and rest <= self._queue.last:
            self._queue.add(rest, page.number + span - rest, now_s)
        elif page.record_count > span:
            self._queue.skip_to(rest)

    def _on_failure(self, failure: RequestFailed, now_s: float) -> Decision:
        if self._breaker.record_failure(now_s):
            self._limiter.on_outage()
        if self._breaker.is_exhausted:
            self._end("the API stopped answering: page after page failed, and every probe after it")
        if not self._health.is_proven:
            self._count_unproven_failure(failure.diagnosis, now_s)
        return self._retry(failure.page, failure.cause, failure.advice.retry_after_s or 0.0, now_s)

    def _on_throttled(self, failure: RequestFailed, now_s: float) -> Decision:
        self._throttles += 1
        limit_s = self._policy.max_throttled_s
        if self._heard_s is not None and now_s - self._heard_s > limit_s:
            self._end(f"the API answered with nothing but 429 for {limit_s:.0f} s")
        if self._ending is not None:
            return self._abandon(failure.page, failure.cause)
        self._queue.retry(failure.page, now_s)
        return Throttled(failure.page, max(self._limiter.blocked_until_s - now_s, 0.0))

    def _on_refused(self, failure: RequestFailed) -> Decision:
        page, status = failure.page, failure.status
        is_chain = self._extent.numbering is Numbering.CHAIN
        is_counted = not is_chain and self._extent.is_bounded
        if is_chain and len(self._held) > 0 and self._accepted == 0 and status in CURSOR_EXPIRED:
            self._ending = self._ending or _Ending("the API no longer knows the cursor", is_stale=True)
        elif not self._only and (self._extent.refuse(page, status) or self._extent.drop_doubt(page)):
            self._queue.set_last_page(self._extent.last)
        elif is_counted and not self._only and status in BEYOND_THE_END and self._furthest < page <= self._queue.last:
            # The listing can have become shorter. Whether anybody is missing shows when the pass has been read.
            self.not_found = min(page, self.not_found or page)
            self._queue.set_last_page(self._last())
        elif not self._is_gone(status, page):
            reason = "the API refused" if status is None else f"the API refused with HTTP {status}"
            self._ending = self._ending or _Ending(reason, status, page)
        return self._abandon(page, failure.cause)

    def _last(self) -> int:
        """The last page that can be requested."""
        last = self._extent.last
        if self.not_found is not None and last < self.not_found:
            self.not_found = None  # the API has corrected its count
        return last if self.not_found is None else self.not_found - 1

    def _count_unproven_failure(self, diagnosis: Diagnosis | None, now_s: float) -> None:
        """Count a failure before the first page: an API that only fails gets no more than one page's requests."""
        self._unproven_failures += 1
        wait_s = self._policy.backoff.wait_s(self._unproven_failures)
        if wait_s is None or (diagnosis is not None and diagnosis.is_certain):
            self._end("no page could be read, every retry was spent", diagnosis)
        else:
            self._unproven_until_s = now_s + wait_s

    def _retry(self, page: int, cause: FailureCause, asked_s: float, now_s: float) -> Decision:
        """Request the page again: after its wait, in another round, or not at all."""
        attempt = self._queue.attempts[page]
        if self._ending is not None:
            return self._abandon(page, cause)
        wait_s = self._policy.backoff.wait_s(attempt.number)
        if wait_s is None:
            return self._requeue(page, attempt, cause, now_s + asked_s)
        self._retries[cause] += 1
        wait_s = max(wait_s, asked_s)
        self._queue.retry(page, now_s + wait_s)
        attempt.number += 1
        return RetryScheduled(page, attempt.number - 1, cause, wait_s)

    def _requeue(self, page: int, attempt: Attempt, cause: FailureCause, due_s: float) -> Decision:
        # Of a chain no other page can arrive meanwhile.
        is_chain = self._extent.numbering is Numbering.CHAIN and self._health.is_proven
        if attempt.round >= self._policy.rounds or (self._health.accepted <= attempt.accepted_before and not is_chain):
            return self._abandon(page, cause)
        self._retries[cause] += 1
        attempt.round, attempt.number = attempt.round + 1, 1
        self._queue.requeue(page, due_s)
        return Requeued(page, attempt.round, cause)

    def _abandon(self, page: int, cause: FailureCause) -> Abandoned:
        self._queue.abandon(page)
        if self._extent.drop_doubt(page):
            self._queue.set_last_page(self._last())
        return Abandoned(page, cause)

    # --- how much there is -----------------------------------------------------------------------------

    def _follow_extent(self, problem: str | None) -> None:
        self._end(problem)
        if self._only:
            return
        self._queue.step = self._extent.step
        last = self._last()
        if last != self._queue.last:
            self._queue.set_last_page(last)
            self._held_count = self._held.count_up_to(last)
        if self._ending is not None and self._is_gone(self._ending.status, self._ending.page or 0):
            self._ending = None

    def _is_gone(self, status: int | None, page: int) -> bool:
        """Whether a page was refused because it lies beyond the end: the API has shrunk, or says where it ends."""
        is_plain = status == NOT_FOUND or (status in NOTHING_FOLLOWS and self._extent.says_where_it_ends)
        return is_plain and not self._only and page > max(self._queue.last, 1)

    def _end(self, reason: str | None, diagnosis: Diagnosis | None = None) -> None:
        if reason is not None and self._ending is None:
            self._ending = _Ending(reason, diagnosis=diagnosis)
