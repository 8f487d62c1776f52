"""Which page to ask for next, and what to do about each answer: decisions only, no clock, no I/O.

Everything that affects the order, the number or the end of requests lives here or in pacing.py and backoff.py.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from customer_assets.api.actions import Action, Arrived, Decision, Failed
from customer_assets.api.backoff import BackoffPolicy
from customer_assets.api.pacing import Pacer
from customer_assets.api.page_ranges import PageRanges
from customer_assets.metrics import Cause
from customer_assets.models import Page


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


class Crawl:
    """One pass over the pages, from what came back to what comes next.

    A driver asks `next_action` until it says Done or GiveUp: on FetchPage it sends that request at once and asks
    again; on WaitUntil it asks again at that instant, or as soon as an answer came in and was told.

    Args:
        policy: How hard to try.
        pacer: When requests may go; used by one crawl after the other, so that what was learned stays.
        held: Pages that need no request.
        known: A page held from before: tells how many pages there are. Its `data` may be empty.
        only_page: Ask for this page only, whatever the API says of others.
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
        raise NotImplementedError

    @property
    def in_flight(self) -> int:
        """Requests without an answer yet."""
        raise NotImplementedError

    @property
    def total(self) -> int | None:
        """Customers in all, by the latest answer; None before the first."""
        raise NotImplementedError

    @property
    def total_pages(self) -> int | None:
        """Pages in all, by the latest answer; None before the first."""
        raise NotImplementedError

    def next_action(self, now_s: float) -> Action:
        """Decide what the driver does now."""
        raise NotImplementedError

    def arrived(self, answer: Arrived, now_s: float) -> Decision:
        """Take a page that came in, decide whether it is good: Accepted, or RetryScheduled for a short one."""
        raise NotImplementedError

    def failed(self, answer: Failed, now_s: float) -> Decision:
        """Take a request that did not bring its page, decide what becomes of the page."""
        raise NotImplementedError

    def snapshot(self) -> Snapshot:
        """Where the crawl stands."""
        raise NotImplementedError
