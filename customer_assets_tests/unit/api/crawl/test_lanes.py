"""Crawls side by side: whose turn it is, how many requests go at once, and how all of them end."""

from math import inf

import pytest

from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import Done, FetchPage, GiveUp, PageReceived, RequestFailed, WaitUntil
from customer_assets.api.crawl.extent import Extent, Numbering
from customer_assets.api.crawl.lanes import Lanes
from customer_assets.api.crawl.pace.circuit_breaker import ApiHealth, CircuitBreaker
from customer_assets.api.crawl.pace.policy import CrawlPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page

POLICY = CrawlPolicy(max_concurrency=4)


class Table:
    """Lanes with a number of chains, as a runner sees them."""

    def __init__(self, chains: int) -> None:
        self.now_s = 0.0
        self.health, limiter = ApiHealth(CircuitBreaker(POLICY.breaker)), RateLimiter(max_concurrency=4)
        self.lanes = Lanes(POLICY, limiter, self.health)
        for lane in range(chains):
            extent = Extent(Numbering.CHAIN)
            self.lanes.start(lane, Crawl(POLICY, limiter, extent=extent, health=self.health))

    def fetches(self) -> list[tuple[int, int]]:
        """What is requested within a moment, as fast as the pace allows: lane and page."""
        found, until_s = [], self.now_s + 0.9
        while True:
            action = self.lanes.next_action(self.now_s)
            if isinstance(action, FetchPage):
                found.append((action.lane, action.page))
            elif isinstance(action, WaitUntil) and action.instant_s <= until_s:
                self.now_s = action.instant_s
            else:
                return found

    def arrive(self, lane: int, page: int, cursor: str | None = None) -> None:
        """Let a page arrive."""
        received = Page(page, None, None, None, 1, b'[{"id": %d}]' % (100 * lane + page), cursor)
        self.lanes.receive(PageReceived(received, 0.1, lane=lane), self.now_s)

    def fail(self, lane: int, page: int, now_s: float = 0.0) -> None:
        """Let a request fail."""
        failure = RequestFailed(page, FailureCause.SERVER_ERROR, 0.1, 500, lane=lane)
        self.lanes.receive(failure, now_s)


def test_before_the_first_page_one_request_goes() -> None:
    """An API that only fails is asked no more often than by one crawl."""
    table = Table(3)
    assert table.fetches() == [(0, 1)]
    table.fail(0, 1)
    assert table.lanes.next_action(0.5) == WaitUntil(1.0)
    now_s, sent = 1.0, 1
    while isinstance(action := table.lanes.next_action(now_s), FetchPage | WaitUntil):
        if isinstance(action, WaitUntil):
            now_s = action.instant_s
            continue
        sent += 1
        assert action.lane == 0
        table.fail(0, 1, now_s)
    assert isinstance(action, GiveUp)
    assert sent == 4


def test_all_lanes_share_the_requests_in_flight() -> None:
    """No more than the policy allows; each takes its turn."""
    table = Table(6)
    table.fetches()
    table.arrive(0, 1, "more")
    assert table.fetches() == [(0, 2), (1, 1), (2, 1), (3, 1)]
    table.arrive(0, 2, "more still")
    assert table.fetches() == [(4, 1)]
    table.arrive(2, 1, "and more")
    assert table.fetches() == [(5, 1)]
    assert table.lanes.in_flight == 4


def test_an_end_names_its_lane() -> None:
    """The others go on."""
    table = Table(2)
    table.fetches()
    table.arrive(0, 1)
    assert isinstance(table.lanes.next_action(0.0), Done)
    assert table.lanes.ended == 0
    assert table.fetches() == [(1, 1)]


def test_an_outage_is_one_for_all() -> None:
    """Failures of all lanes together open the breaker, and one probe goes at a time."""
    table = Table(4)
    table.fetches()
    table.arrive(0, 1, "more")
    while not table.health.breaker.is_open:
        for lane, page in table.fetches():
            table.fail(lane, page, table.now_s)
        table.now_s += 1.0
    table.now_s = max(table.now_s + 9.0, table.health.breaker.next_probe_s)
    sent = table.fetches()
    assert len(sent) == 1


def test_closed_lanes_send_nothing_and_wait_for_what_is_in_flight() -> None:
    """Its pages are still received."""
    table = Table(2)
    table.fetches()
    table.arrive(0, 1, "more")
    assert table.fetches() == [(0, 2), (1, 1)]
    table.lanes.close()
    assert table.lanes.next_action(0.0) == WaitUntil(inf)
    table.arrive(0, 2, "much more")
    assert table.lanes.next_action(0.0) == WaitUntil(inf)
    table.arrive(1, 1)
    assert isinstance(table.lanes.next_action(0.0), Done)


def test_a_stopped_lane_ends_once_nothing_is_in_flight() -> None:
    """A slice that reaches the window is split then."""
    table = Table(1)
    table.fetches()
    table.arrive(0, 1, "more")
    assert table.fetches() == [(0, 2)]
    table.lanes.stop(0, "it is full")
    assert table.lanes.next_action(0.0) == WaitUntil(inf)
    table.arrive(0, 2, "much more")
    end = table.lanes.next_action(0.0)
    assert isinstance(end, GiveUp)
    assert (end.is_stale, end.reason) == (True, "it is full")


@pytest.mark.parametrize("pending", [False, True])
def test_the_snapshot_adds_up(pending: bool) -> None:  # noqa: FBT001 - both
    """Lanes that have ended count; nobody knows how much there is while more lanes follow."""
    table = Table(2)
    table.lanes.pending = pending
    table.fetches()
    table.arrive(0, 1)
    table.lanes.next_action(0.0)
    table.fetches()
    table.fail(1, 1)
    snapshot = table.lanes.snapshot()
    assert (snapshot.pages_arrived, snapshot.requests, snapshot.in_flight, snapshot.waiting) == (1, 2, 0, 1)
    assert snapshot.retries == {FailureCause.SERVER_ERROR: 1}
    assert snapshot.total_pages is None
