"""Which page to ask for next, and what to do about each answer: decisions only, no clock, no I/O.

Everything that affects the order, the number or the end of requests lives here or in agenda.py, breaker.py,
pacing.py and backoff.py.
"""

from collections import Counter
from math import inf
from typing import NamedTuple

from customer_assets.api.crawl.circuit_breaker import CircuitBreaker
from customer_assets.api.crawl.events import (
    Abandoned,
    Accepted,
    Action,
    Decision,
    Done,
    FetchPage,
    GiveUp,
    PageReceived,
    RequestFailed,
    Requeued,
    RetryScheduled,
    Snapshot,
    Throttled,
    WaitUntil,
)
from customer_assets.api.crawl.guards import GrowthGuard, RepetitionGuard
from customer_assets.api.crawl.page_queue import Attempt, PageQueue
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.api.crawl.policy import CrawlPolicy
from customer_assets.api.crawl.rate_limiter import RateLimiter
from customer_assets.metrics import FailureCause
from customer_assets.models import Page

__all__ = ["Crawl", "CrawlPolicy", "Snapshot"]

NOT_FOUND = 404


class _Ending(NamedTuple):
    """Why a crawl ends early, once nothing is in flight any more."""

    reason: str
    status: int | None = None
    page: int | None = None
    retry_at_s: float | None = None


class Crawl:
    """One pass over the pages, from what came back to what comes next.

    A driver asks `next_action` until it says Done or GiveUp: on FetchPage it sends that request at once and asks
    again; on WaitUntil it asks again at that instant, or as soon as an answer came in and was told.

    Until a page has arrived one request at a time goes, and in all no more than one page may have: an API that only
    fails is asked four times. A crawl that resumes asks for another page each time, lest one page that always fails
    keeps it from the others.

    Args:
        policy: How hard to try.
        pacer: When requests may go; used by one crawl after the other, so that what was learned stays.
        held: Pages that need no request; must not change while the crawl runs.
        known: A page held from before: tells how many pages there are. Its `data` may be empty.
        only_page: Ask for this page only, whatever the API says of others.
    """

    def __init__(
        self,
        policy: CrawlPolicy,
        pacer: RateLimiter,
        *,
        held: PageRanges | None = None,
        known: Page | None = None,
        only_page: int | None = None,
    ) -> None:
        self._policy, self._pacer, self._only_page = policy, pacer, only_page
        self._held, self._pages_held = held or PageRanges(), 0
        self._totals = GrowthGuard(policy.max_pages, policy.max_growth)
        self._repeats = RepetitionGuard(policy.max_repeats)
        self._breaker = CircuitBreaker(policy.breaker)
        self._in_flight: set[int] = set()
        self._accepted = self._requests = self._throttles = 0
        self._retries: Counter[FailureCause] = Counter()
        self._waiting_s = 0.0
        self._is_proven = False
        self._unproven_failures, self._unproven_until_s = 0, -inf
        self._heard_s: float | None = None
        self._ending: _Ending | None = None
        first = only_page or 1
        self._agenda = PageQueue(self._held, first, first)
        if known is not None and only_page is None:
            self._agenda = PageQueue(self._held, self._held.first_absent(1), 0)
            self._follow(known)

    @property
    def in_flight(self) -> int:
        """Requests without an answer yet."""
        return len(self._in_flight)

    @property
    def total(self) -> int | None:
        """Customers in all, by the latest answer; None before the first."""
        return self._totals.records

    @property
    def total_pages(self) -> int | None:
        """Pages in all, by the latest answer; None before the first."""
        return self._totals.pages

    def snapshot(self) -> Snapshot:
        """Where the crawl stands."""
        return Snapshot(
            total=self.total,
            total_pages=self.total_pages,
            pages_arrived=self._accepted,
            pages_held=self._pages_held,
            requests=self._requests,
            in_flight=self.in_flight,
            waiting=self._agenda.waiting,
            retries=Counter(self._retries),
            throttles=self._throttles,
            waiting_s=self._waiting_s,
        )

    # --- what comes next -------------------------------------------------------------------------------

    def next_action(self, now_s: float) -> Action:
        """Decide what the driver does now."""
        if self._ending is not None:
            return WaitUntil(inf) if self._in_flight else self._give_up(self._ending, now_s)
        page_s = self._agenda.earliest_s()
        if page_s == inf and not self._in_flight:
            return self._finish(now_s)
        if page_s == inf or len(self._in_flight) >= self._places():
            return WaitUntil(inf)
        asked_s = max(page_s, self._pacer.paused_until_s)
        if asked_s - now_s > self._patience_s() and not self._in_flight:
            return self._give_up(_Ending("the API asked for a longer pause", retry_at_s=asked_s), now_s)
        ready_s = max(page_s, self._pacer.next_send_s(now_s), self._breaker.next_probe_s, self._unproven_until_s)
        return self._fetch(now_s) if ready_s <= now_s else WaitUntil(ready_s)

    def _places(self) -> int:
        """How many requests may be in flight: one while nothing is proven, or an outage is suspected."""
        return self._policy.max_concurrency if self._is_proven and not self._breaker.is_open else 1

    def _patience_s(self) -> float:
        """The longest wait that the crawl bears: none of its own waits ends it."""
        return max(self._policy.max_pause_s, *self._policy.backoff.waits_s, 0.0)

    def _fetch(self, now_s: float) -> FetchPage:
        page = self._agenda.take(now_s, new_first=not self._is_proven)
        trial = self._agenda.trials[page]
        if trial.attempt == 1 and trial.round > 1:
            trial.accepted_before = self._accepted
        self._in_flight.add(page)
        self._requests += 1
        if self._heard_s is None:
            self._heard_s = now_s
        self._pacer.on_send(now_s)
        return FetchPage(page, trial.attempt, trial.round)

    def _finish(self, now_s: float) -> Done | GiveUp:
        if self._agenda.missing():
            return self._give_up(_Ending("every retry of these pages was spent"), now_s)
        return Done(1 if self._only_page else self._agenda.last)

    def _give_up(self, ending: _Ending, now_s: float) -> GiveUp:
        return GiveUp(
            missing_pages=self._agenda.missing(),
            pages_total=self.total_pages,
            reason=ending.reason,
            refused_status=ending.status,
            refused_page=ending.page,
            retry_after_s=None if ending.retry_at_s is None else ending.retry_at_s - now_s,
        )

    # --- what came back --------------------------------------------------------------------------------

    def arrived(self, answer: PageReceived, now_s: float) -> Decision:
        """Take a page that came in, decide whether it is good: Accepted, or RetryScheduled for a short one."""
        page = answer.page
        self._answered(page.number, answer, now_s)
        self._heard_s, self._is_proven, self._unproven_until_s = now_s, True, -inf
        self._breaker.record_success()
        self._follow(page)
        trial = self._agenda.trials[page.number]
        if self._is_short(page) and not trial.was_short and self._policy.backoff.wait_s(trial.attempt) is not None:
            trial.was_short = True
            return self._fail(page.number, FailureCause.SHORT_PAGE, 0.0, now_s)
        self._agenda.arrived(page.number)
        self._accepted += 1
        self._pacer.set_remaining(self._pages_left())
        self._end(self._repeats.follow(page))
        return Accepted(page.number)

    def failed(self, answer: RequestFailed, now_s: float) -> Decision:
        """Take a request that did not bring its page, decide what becomes of the page."""
        self._answered(answer.page, answer, now_s)
        if answer.cause is FailureCause.THROTTLED:
            return self._throttled(answer, now_s)
        self._heard_s = now_s
        if answer.cause is FailureCause.REFUSED:
            return self._refused(answer)
        if self._breaker.record_failure(now_s):
            self._pacer.on_outage()
        if self._breaker.is_exhausted:
            self._end("the API stopped answering: page after page failed, and every probe after it")
        if not self._is_proven:
            self._unproven(now_s)
        return self._fail(answer.page, answer.cause, answer.advice.retry_after_s or 0.0, now_s)

    def _answered(self, page: int, answer: PageReceived | RequestFailed, now_s: float) -> None:
        self._in_flight.remove(page)
        shut_s = max(self._pacer.blocked_until_s, now_s)
        self._pacer.on_outcome(answer, now_s)
        self._waiting_s += max(self._pacer.blocked_until_s - shut_s, 0.0)

    def _throttled(self, answer: RequestFailed, now_s: float) -> Decision:
        self._throttles += 1
        bears_s = self._policy.max_throttled_s
        if self._heard_s is not None and now_s - self._heard_s > bears_s:
            self._end(f"the API answered with nothing but 429 for {bears_s:.0f} s")
        if self._ending is not None:
            return self._abandon(answer.page, answer.cause)
        self._agenda.retry(answer.page, now_s)
        return Throttled(answer.page, max(self._pacer.blocked_until_s - now_s, 0.0))

    def _refused(self, answer: RequestFailed) -> Decision:
        status = answer.status
        if not self._is_gone(status, answer.page):
            reason = "the API refused" if status is None else f"the API refused with HTTP {status}"
            self._ending = self._ending or _Ending(reason, status, answer.page)
        return self._abandon(answer.page, answer.cause)

    def _unproven(self, now_s: float) -> None:
        """Count a failure before the first page: an API that only fails sees no more than one page's requests."""
        self._unproven_failures += 1
        wait_s = self._policy.backoff.wait_s(self._unproven_failures)
        if wait_s is None:
            self._end("no page could be read, every retry was spent")
        else:
            self._unproven_until_s = now_s + wait_s

    def _fail(self, page: int, cause: FailureCause, asked_s: float, now_s: float) -> Decision:
        """Ask for the page again: after its wait, in another round, or not at all."""
        trial = self._agenda.trials[page]
        if self._ending is not None:
            return self._abandon(page, cause)
        wait_s = self._policy.backoff.wait_s(trial.attempt)
        if wait_s is None:
            return self._exhausted(page, trial, cause, now_s + asked_s)
        self._retries[cause] += 1
        wait_s = max(wait_s, asked_s)
        self._agenda.retry(page, now_s + wait_s)
        trial.attempt += 1
        return RetryScheduled(page, trial.attempt - 1, cause, wait_s)

    def _exhausted(self, page: int, trial: Attempt, cause: FailureCause, due_s: float) -> Decision:
        if trial.round >= self._policy.rounds or self._accepted <= trial.accepted_before:
            return self._abandon(page, cause)
        self._retries[cause] += 1
        trial.round, trial.attempt = trial.round + 1, 1
        self._agenda.requeue(page, due_s)
        return Requeued(page, trial.round, cause)

    def _abandon(self, page: int, cause: FailureCause) -> Abandoned:
        self._agenda.abandon(page)
        return Abandoned(page, cause)

    # --- how much there is -----------------------------------------------------------------------------

    def _follow(self, page: Page) -> None:
        self._end(self._totals.follow(page))
        if self._only_page is not None or page.total_pages > self._policy.max_pages:
            return
        if page.total_pages != self._agenda.last:
            self._agenda.follow(page.total_pages)
            self._pages_held = self._held.count_up_to(page.total_pages)
        if self._ending is not None and self._is_gone(self._ending.status, self._ending.page or 0):
            self._ending = None

    def _is_gone(self, status: int | None, page: int) -> bool:
        """Whether a page was not found because the API has fewer pages by now."""
        return status == NOT_FOUND and self._only_page is None and page > max(self._agenda.last, 1)

    def _is_short(self, page: Page) -> bool:
        return page.record_count < page.per_page and page.number < page.total_pages

    def _pages_left(self) -> int:
        return max(self._agenda.last - self._pages_held - self._accepted, 0)

    def _end(self, reason: str | None) -> None:
        if reason is not None and self._ending is None:
            self._ending = _Ending(reason)
