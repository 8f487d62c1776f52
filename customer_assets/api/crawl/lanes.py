"""Crawls side by side: one pace, one circuit breaker, one count of requests in flight. Decisions only.

Each crawl has a lane of its own and decides about its own listing, as it would alone. What belongs to all of them is
decided here: whose turn it is, and when nothing more is sent.
"""

from dataclasses import replace
from math import inf

from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import (
    Action,
    Decision,
    Done,
    FetchPage,
    Outcome,
    PageReceived,
    Snapshot,
    WaitUntil,
)
from customer_assets.api.crawl.pace.health import ApiHealth
from customer_assets.api.crawl.pace.policy import CrawlPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter

MANY_PAGES = 1_000
"""Assumed to be left while more crawls follow, or a chain does not say how long it is: so the pace is found early."""

NOTHING = Snapshot(0, 0, 0, 0, 0, 0, 0, {}, 0, 0.0)


class Lanes:
    """Runs crawls side by side, each in its lane.

    `next_action` returns Done or GiveUp whenever one of the crawls has ended; `ended` says which. Before the first page
    arrives, requests go one at a time, as in an outage.

    Args:
        policy: How hard to try.
        limiter: When requests can go; all crawls have the same.
        health: How the API answers; all crawls have the same.

    Attributes:
        ended: The lane whose crawl has ended last.
        pending: Whether more crawls follow, so that nobody knows how much is left.
    """

    def __init__(self, policy: CrawlPolicy, limiter: RateLimiter, health: ApiHealth) -> None:
        self._policy, self._limiter, self._health = policy, limiter, health
        self._crawls: dict[int, Crawl] = {}
        self._past = NOTHING
        self._is_closing = self.pending = False
        self.ended: int | None = None

    def start(self, lane: int, crawl: Crawl) -> None:
        """Begin a crawl in a lane that is free."""
        self._crawls[lane] = crawl

    def stop(self, lane: int, reason: str) -> None:
        """End a lane's crawl as soon as it has nothing in flight."""
        self._crawls[lane].drop_held(reason)

    def close(self) -> None:
        """Send nothing more; what is in flight is still received."""
        self._is_closing = True

    @property
    def in_flight(self) -> int:
        """Requests without an outcome yet."""
        return sum(crawl.in_flight for crawl in self._crawls.values())

    def snapshot(self) -> Snapshot:
        """How far all crawls have come, those that have ended included."""
        found = self._past
        for crawl in self._crawls.values():
            found += crawl.snapshot()
        return replace(found, total=None, total_pages=None) if self.pending else found

    def next_action(self, now_s: float) -> Action:
        """Decide what the runner does now."""
        if self._is_closing:
            return WaitUntil(inf) if self.in_flight else Done(0)
        is_proven = self._health.is_proven
        if self.in_flight >= self._health.max_in_flight(self._policy):
            return WaitUntil(inf)
        wake_s = inf
        # An API that only fails gets the requests of one crawl: the others wait for its first page.
        for lane, crawl in list(self._crawls.items())[: None if is_proven else 1]:
            action = crawl.next_action(now_s)
            if isinstance(action, WaitUntil):
                wake_s = min(wake_s, action.instant_s)
                continue
            if isinstance(action, FetchPage):
                if is_proven:
                    self._crawls[lane] = self._crawls.pop(lane)  # its next turn comes after the others'
                return replace(action, lane=lane)
            self.ended = lane
            self._past += self._crawls.pop(lane).snapshot()
            return action
        return WaitUntil(wake_s)

    def receive(self, outcome: Outcome, now_s: float) -> Decision:
        """Take the outcome of one request and decide what becomes of its page."""
        decision = self._crawls[outcome.lane].receive(outcome, now_s)
        if isinstance(outcome, PageReceived):
            left = sum(crawl.pages_left() for crawl in self._crawls.values())
            is_unknown = self.pending or any(crawl.total_pages is None for crawl in self._crawls.values())
            self._limiter.set_remaining(max(left, MANY_PAGES) if is_unknown else left)
        return decision
