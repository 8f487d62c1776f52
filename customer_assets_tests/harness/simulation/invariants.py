"""Holds a crawl to its laws while it runs: what a server, a clock and a reader of the log would notice."""

from collections import Counter
from dataclasses import dataclass
from math import inf

from customer_assets.api.crawl.crawl import Crawl, CrawlPolicy
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
    Throttled,
)
from customer_assets.api.crawl.extent import Extent, Numbering
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page

LONGEST_S = 10_000.0
"""No world of at most 100 pages takes longer: at most 24 requests a page, and twice a second at the slowest."""


@dataclass
class Expected:
    """What may happen next to a page that failed."""

    from_s: float
    attempt: int
    round: int


class Witness:
    """Stands between a driver and a crawl, over all lives of that crawl.

    Every `assert` is a law; its message says which.
    """

    def __init__(
        self, policy: CrawlPolicy, numbering: Numbering = Numbering.PAGES, page_size: int | None = None
    ) -> None:
        self.policy, self.numbering, self.page_size = policy, numbering, page_size
        self.now_s = 0.0
        self.accepted: Counter[int] = Counter()
        self.pages: dict[int, Page] = {}
        self.statuses: Counter[int] = Counter()
        self.throttle_times: list[float] = []
        self.requests = self.peak_in_flight = 0
        self.end: Done | GiveUp | None = None

    @property
    def tells_pages(self) -> bool:
        """Whether every page says how many pages there are."""
        return all(page.total_pages is not None for page in self.pages.values())

    @property
    def throttled(self) -> int:
        """Answers 429."""
        return len(self.throttle_times)

    def resumed(self, limiter: RateLimiter) -> Crawl:
        """A crawl that goes on from the pages that a store would hold."""
        held, extent = (
            PageRanges(),
            Extent(
                self.numbering,
                page_size=self.page_size,
                max_pages=self.policy.max_pages,
                max_growth=self.policy.max_growth,
            ),
        )
        for number, page in sorted(self.pages.items()):
            extent.observe(page)
            held.add_range(number, number + (page.record_count if self.numbering is Numbering.RECORDS else 1) - 1)
        return Crawl(self.policy, limiter, extent=extent, held=held)

    def forget(self) -> None:
        """Lose what the store held: its cursor has expired."""
        assert self.numbering is Numbering.CHAIN, "only a chain starts again"
        self.accepted.clear()
        self.pages.clear()
        self.end = None

    def begin(self, crawl: Crawl) -> None:
        """Follow a new crawl."""
        self.crawl = crawl
        if (
            self.numbering is Numbering.RECORDS
        ):  # an empty page covers no record: if there are any by now, it is read again
            for number in [number for number, page in self.pages.items() if page.record_count == 0]:
                del self.accepted[number]
        self.in_flight: dict[int, FetchPage] = {}
        self.expected: dict[int, Expected] = {}
        self.abandoned: set[int] = set()
        self.tries: Counter[int] = Counter()
        self.gate_s = -inf
        self.actions = self.requests_now = 0
        self.begun_s = self.now_s
        self.held_before = frozenset(self.accepted)

    def next_action(self) -> Action:
        """Ask the crawl what comes next, and judge it."""
        action = self.crawl.next_action(self.now_s)
        self.actions += 1
        assert self.actions <= 4 * self.requests_now + 4, "a bounded number of actions"
        if isinstance(action, FetchPage):
            self.sent(action)
        elif isinstance(action, Done | GiveUp):
            self.ended(action)
        return action

    def sent(self, action: FetchPage) -> None:
        """Judge a request."""
        page = action.page
        assert self.now_s >= self.gate_s, "no request inside a Retry-After"
        assert page not in self.in_flight, "a page is not asked for twice at once"
        assert page not in self.accepted, "a page that arrived is not asked for again"
        assert page not in self.abandoned, "a page that was abandoned is not asked for again"
        expected = self.expected.pop(page, Expected(-inf, 1, 1))
        assert self.now_s >= expected.from_s, "a page waits for its retry"
        assert (action.attempt, action.round) == (expected.attempt, expected.round), "attempts and rounds are counted"
        self.in_flight[page] = action
        self.requests += 1
        self.requests_now += 1
        self.peak_in_flight = max(self.peak_in_flight, len(self.in_flight))
        assert len(self.in_flight) <= self.policy.max_concurrency, "never more in flight than allowed"
        assert len(self.in_flight) == self.crawl.in_flight, "the crawl counts what is in flight"

    def tell(self, outcome: Outcome) -> Decision:
        """Hand an answer to the crawl, and judge what it decides."""
        if isinstance(outcome, PageReceived):
            self.statuses[200] += 1
            decision = self.crawl.receive(outcome, self.now_s)
            sent = self.in_flight.pop(outcome.page.number)
        else:
            self.statuses[outcome.status or 0] += 1
            decision = self.crawl.receive(outcome, self.now_s)
            sent = self.in_flight.pop(outcome.page)
        assert decision.page == sent.page, "a decision is about the page that was answered"
        self.tries[sent.page] += not (isinstance(outcome, RequestFailed) and outcome.cause is FailureCause.THROTTLED)
        limit = self.policy.rounds * (len(self.policy.backoff.waits_s) + 1)
        assert self.tries[sent.page] <= limit, "no more tries than rounds of retries"
        if isinstance(outcome, RequestFailed):
            self.after_failure(outcome, sent, decision)
        else:
            self.after_arrival(outcome, sent, decision)
        return decision

    def after_arrival(self, outcome: PageReceived, sent: FetchPage, decision: Decision) -> None:
        """Judge what becomes of a page that came."""
        page = outcome.page
        if isinstance(decision, Accepted):
            self.accepted[page.number] += 1
            self.pages[page.number] = page
            assert self.accepted[page.number] == 1, "every page once"
            return
        if self.numbering is Numbering.RECORDS:
            assert page.record_count == 0, "only an empty page is asked for again"
        else:
            assert page.per_page is None or page.record_count < page.per_page, "only a short page is asked for again"
            assert page.total_pages is None or page.number < page.total_pages, "the last page may be short"
        self.after_retry(decision, sent, None, FailureCause.SHORT_PAGE)

    def after_failure(self, outcome: RequestFailed, sent: FetchPage, decision: Decision) -> None:
        """Judge what becomes of a page that did not come."""
        asked_s = outcome.advice.retry_after_s
        if outcome.cause is not FailureCause.THROTTLED:
            assert not isinstance(decision, Throttled), "only a 429 throttles"
            self.after_retry(decision, sent, asked_s, outcome.cause)
            return
        self.throttle_times.append(self.now_s)
        self.gate_s = max(self.gate_s, self.now_s + (asked_s or 0.0))
        if isinstance(decision, Throttled):
            assert decision.wait_s >= (asked_s or 0.0) - 1e-9, "the gate stays shut as long as the API asks"
            self.expected[sent.page] = Expected(self.gate_s, sent.attempt, sent.round)
        else:
            self.after_end(decision)

    def after_retry(self, decision: Decision, sent: FetchPage, asked_s: float | None, cause: FailureCause) -> None:
        """Judge a retry, another round, or the end of a page."""
        if isinstance(decision, RetryScheduled):
            wait_s = max(self.policy.backoff.waits_s[sent.attempt - 1], asked_s or 0.0)
            assert decision == RetryScheduled(sent.page, sent.attempt, cause, wait_s), (
                "waits exactly as the policy says"
            )
            self.expected[sent.page] = Expected(self.now_s + wait_s, sent.attempt + 1, sent.round)
        elif isinstance(decision, Requeued):
            assert sent.attempt == len(self.policy.backoff.waits_s) + 1, "another round only after all retries"
            assert decision == Requeued(sent.page, sent.round + 1, cause), "rounds are counted"
            assert sent.round < self.policy.rounds, "no more rounds than the policy has"
            self.expected[sent.page] = Expected(self.now_s + (asked_s or 0.0), 1, sent.round + 1)
        else:
            self.after_end(decision)

    def after_end(self, decision: Decision) -> None:
        """Note a page that was given up."""
        assert isinstance(decision, Abandoned), "a page is asked for again or given up"
        self.abandoned.add(decision.page)

    def ended(self, end: Done | GiveUp) -> None:
        """Judge the end."""
        self.end = end
        assert self.now_s - self.begun_s < LONGEST_S, "an end in bounded time"
        assert not self.in_flight, "a crawl ends when nothing is in flight"
        pages = self.crawl.total_pages if self.tells_pages else None
        missing = [page for page in range(1, min(pages, 10_000) + 1) if page not in self.accepted] if pages else []
        if self.crawl.not_found is not None:
            missing = [page for page in missing if page < self.crawl.not_found]
        if isinstance(end, Done):
            assert missing == [], "done means every page"
            return
        assert end.reason, "a crawl says why it gives up"
        assert end.pages_total == self.crawl.total_pages, "a crawl says how many pages there are"
        if pages is not None and pages <= self.policy.max_pages:
            assert list(end.missing_pages) == missing, "every page that is missing is named"
        if not self.statuses[200]:
            served = sum(self.tries.values())
            assert served <= len(self.policy.backoff.waits_s) + 1, (
                "an API that only fails is asked no more than one page may be"
            )
        longest_s = max(self.policy.max_pause_s, *self.policy.backoff.waits_s, 0.0)
        assert end.retry_after_s is None or end.retry_after_s > longest_s, "only a long pause ends a crawl"
