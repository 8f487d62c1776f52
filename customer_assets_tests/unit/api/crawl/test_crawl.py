"""What the crawl asks for, when, and how it ends: by hand step by step, and in whole worlds on virtual time."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

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
    RateLimitHints,
    RequestFailed,
    Requeued,
    RetryScheduled,
    Snapshot,
    Throttled,
    WaitUntil,
)
from customer_assets.api.crawl.extent import Extent, Numbering
from customer_assets.api.crawl.pace.circuit_breaker import BreakerPolicy
from customer_assets.api.crawl.pace.policy import BackoffPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.api.responses.diagnosis import Diagnosis
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page
from customer_assets_tests.harness.simulation import limiters, simulated_apis
from customer_assets_tests.harness.simulation.invariants import Witness
from customer_assets_tests.harness.simulation.listings import Listing, Tells
from customer_assets_tests.harness.simulation.simulated_apis import World, random_world, visit

START_S = 100.0
ERROR = FailureCause.SERVER_ERROR


class RecordingLimiter(RateLimiter):
    """Notes what it is told."""

    def __init__(self, rate: float | None, places: int) -> None:
        super().__init__(rate, max_concurrency=places)
        self.sent_s: list[float] = []
        self.answers: list[Outcome] = []
        self.expected: list[int] = []
        self.breakdowns = 0

    def on_send(self, now_s: float) -> None:
        """Note a request."""
        self.sent_s.append(now_s)
        super().on_send(now_s)

    def on_outcome(self, outcome: Outcome, now_s: float) -> None:
        """Note an answer."""
        self.answers.append(outcome)
        super().on_outcome(outcome, now_s)

    def set_remaining(self, pages_left: int) -> None:
        """Note how many are left."""
        self.expected.append(pages_left)
        super().set_remaining(pages_left)

    def on_outage(self) -> None:
        """Note a breakdown."""
        self.breakdowns += 1
        super().on_outage()


class CrawlHarness:
    """Drives one crawl by hand; answers take so little time that no pace is kept before a 429."""

    def __init__(
        self,
        policy: CrawlPolicy | None = None,
        *,
        held: Iterable[int] = (),
        known: int | None = None,
        only: tuple[int, ...] = (),
        rate: float | None = None,
        extent: Extent | None = None,
    ) -> None:
        self.policy = policy or CrawlPolicy()
        self.pacer = RecordingLimiter(rate, self.policy.max_concurrency)
        extent = extent or Extent(max_pages=self.policy.max_pages, max_growth=self.policy.max_growth)
        if known is not None:
            extent.observe(page(1, known, data=b""))
        ranges = PageRanges(held) if held else None
        self.crawl = Crawl(self.policy, self.pacer, extent=extent, held=ranges, only=only)
        self.now_s = START_S
        self.action: Action = WaitUntil(-inf)

    def sends(self) -> list[int]:
        """Ask until the crawl sends no more; return the pages asked for."""
        return [sent.page for sent in self.requests()]

    def requests(self) -> list[FetchPage]:
        """Ask until the crawl sends no more; return the requests."""
        sent = []
        while isinstance(action := self.crawl.next_action(self.now_s), FetchPage):
            sent.append(action)
        self.action = action
        return sent

    def waits(self) -> float:
        """Wait as long as the crawl says, and not a moment less; return for how long."""
        assert self.sends() == []
        assert isinstance(self.action, WaitUntil)
        instant_s = self.action.instant_s
        wait_s = instant_s - self.now_s
        assert 0 < wait_s < inf
        self.now_s = instant_s - 1e-6
        assert self.sends() == []
        self.now_s = instant_s
        return wait_s

    def good(self, number: int, pages: int = 10, records: int = 10, data: bytes | None = None) -> Decision:
        """Answer with a page."""
        return self.crawl.receive(PageReceived(page(number, pages, records, data), 0.001), self.now_s)

    def bad(
        self,
        number: int,
        cause: FailureCause = ERROR,
        status: int | None = None,
        after_s: float | None = None,
        latency_s: float = 0.001,
    ) -> Decision:
        """Answer without a page."""
        return self.crawl.receive(RequestFailed(number, cause, latency_s, status, RateLimitHints(after_s)), self.now_s)

    def receive(self, received: Page) -> Decision:
        """Answer with a page of the test's own making; it is taken."""
        decision = self.crawl.receive(PageReceived(received, 0.001), self.now_s)
        assert decision == Accepted(received.number)
        return decision

    def ends(self) -> Done | GiveUp:
        """Ask for the end, twice: it stays the same."""
        assert self.sends() == []
        assert isinstance(self.action, Done | GiveUp)
        assert self.crawl.next_action(self.now_s) == self.action
        return self.action

    def goes_on(self, pages: int, fails: dict[int, int] | None = None) -> Done | GiveUp:
        """Answer everything well at once, but for pages that fail so many times; return the end."""
        left = dict(fails or {})
        for _ in range(1_000):
            sent = self.sends()
            if isinstance(self.action, Done | GiveUp):
                return self.action
            for number in sent:
                left[number] = left.get(number, 0) - 1
                if left[number] >= 0:
                    self.bad(number)
                else:
                    self.good(number, pages)
            if not sent:
                assert isinstance(self.action, WaitUntil)
                assert self.action.instant_s < inf
                self.now_s = self.action.instant_s
        raise AssertionError("the crawl does not end")


def page(number: int, pages: int = 10, records: int = 10, data: bytes | None = None) -> Page:
    """Make a page, full if nothing else is said."""
    return Page(number, 10, pages * 10, pages, records, b"%d" % number if data is None else data)


def begun(pages: int = 10, policy: CrawlPolicy | None = None) -> CrawlHarness:
    """Make a traveller whose first page has arrived."""
    traveller = CrawlHarness(policy)
    assert traveller.sends() == [1]
    assert traveller.good(1, pages) == Accepted(1)
    return traveller


# --- until the first page has arrived ----------------------------------------------------------------------


def test_the_first_page_is_asked_for_alone() -> None:
    """Until it is there nothing else is; then as many as allowed."""
    traveller = CrawlHarness()
    assert traveller.requests() == [FetchPage(1, 1, 1)]
    assert traveller.action == WaitUntil(inf)
    assert traveller.good(1, 20) == Accepted(1)
    assert traveller.sends() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert traveller.action == WaitUntil(inf)


def test_an_api_that_only_fails_is_asked_four_times() -> None:
    """After 1, 2 and 4 s; then the crawl gives up, and says what for."""
    traveller, waits_s = CrawlHarness(), []
    for attempt, wait_s in ((1, 1.0), (2, 2.0), (3, 4.0)):
        assert traveller.requests() == [FetchPage(1, attempt, 1)]
        assert traveller.bad(1) == RetryScheduled(1, attempt, ERROR, wait_s)
        waits_s.append(traveller.waits())
    assert waits_s == [1.0, 2.0, 4.0]
    assert traveller.requests() == [FetchPage(1, 4, 1)]
    assert traveller.bad(1) == Abandoned(1, ERROR)
    assert traveller.ends() == GiveUp((1,), None, "no page could be read, every retry was spent")


@pytest.mark.parametrize(
    "cause", [FailureCause.SERVER_ERROR, FailureCause.TIMEOUT, FailureCause.CONNECTION, FailureCause.BAD_BODY]
)
@pytest.mark.parametrize("policy", [CrawlPolicy(), CrawlPolicy(max_concurrency=1), CrawlPolicy(rounds=1)])
def test_a_world_that_only_fails_sees_exactly_four_requests(cause: FailureCause, policy: CrawlPolicy) -> None:
    """However it fails, in the seven seconds that the waits take."""
    witness = visit(World(fault_rate=1.0, faults=(cause,), policy=policy))
    assert witness.requests == 4
    assert witness.now_s == pytest.approx(7.0 + 4 * 0.05)


def test_without_retries_an_api_that_fails_is_asked_once() -> None:
    """One request is all that one page may have."""
    assert visit(World(fault_rate=1.0, policy=CrawlPolicy(backoff=BackoffPolicy(())))).requests == 1


def test_a_crawl_that_resumes_asks_for_another_page_each_time() -> None:
    """Four requests in all; one page that always fails does not keep it from the others."""
    traveller = CrawlHarness(held=(2,), known=9)
    for number, wait_s in ((1, 1.0), (3, 2.0), (4, 4.0)):
        assert traveller.requests() == [FetchPage(number, 1, 1)]
        assert traveller.action == WaitUntil(inf)
        assert traveller.bad(number) == RetryScheduled(number, 1, ERROR, 1.0)
        assert traveller.waits() == wait_s
    assert traveller.sends() == [5]
    assert traveller.bad(5) == Abandoned(5, ERROR)
    end = traveller.ends()
    assert end == GiveUp((1, 3, 4, 5, 6, 7, 8, 9), 9, "no page could be read, every retry was spent")


def test_the_first_page_sets_the_crawl_free() -> None:
    """Its arrival ends the waits of a bad start; failures later are their page's alone."""
    traveller = CrawlHarness()
    for _ in range(3):
        assert traveller.sends() == [1]
        traveller.bad(1)
        traveller.waits()
    assert traveller.sends() == [1]
    traveller.good(1, 9)
    assert traveller.sends() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert traveller.bad(2) == RetryScheduled(2, 1, ERROR, 1.0)
    traveller.good(3, 9)
    assert traveller.bad(4) == RetryScheduled(4, 1, ERROR, 1.0)


# --- retries -----------------------------------------------------------------------------------------------


def test_a_page_is_asked_for_again_after_1_2_and_4_seconds() -> None:
    """Exactly, and each attempt is counted."""
    traveller = begun(2)
    for attempt, wait_s in ((1, 1.0), (2, 2.0), (3, 4.0)):
        assert traveller.requests() == [FetchPage(2, attempt, 1)]
        assert traveller.bad(2, FailureCause.TIMEOUT) == RetryScheduled(2, attempt, FailureCause.TIMEOUT, wait_s)
        assert traveller.waits() == wait_s
    assert traveller.requests() == [FetchPage(2, 4, 1)]
    assert traveller.good(2, 2) == Accepted(2)
    assert traveller.ends() == Done(2)


@pytest.mark.parametrize(("asked_s", "wait_s"), [(None, 1.0), (0.0, 1.0), (0.5, 1.0), (1.5, 1.5), (60.0, 60.0)])
def test_a_failure_may_ask_for_a_longer_wait(asked_s: float | None, wait_s: float) -> None:
    """The longer of the policy's wait and the API's holds."""
    traveller = begun(2)
    traveller.sends()
    assert traveller.bad(2, after_s=asked_s) == RetryScheduled(2, 1, ERROR, wait_s)
    assert traveller.waits() == wait_s


def test_a_page_that_waits_holds_no_place() -> None:
    """Others go on meanwhile; its retry comes before new pages when it is due."""
    traveller = begun(9, CrawlPolicy(max_concurrency=2))
    assert traveller.sends() == [2, 3]
    traveller.bad(2)
    assert traveller.sends() == [4]
    traveller.good(3)
    assert traveller.sends() == [5]
    traveller.now_s += 1.0
    traveller.good(4)
    assert traveller.requests() == [FetchPage(2, 2, 1)]
    traveller.good(5)
    assert traveller.sends() == [6]


def test_a_page_that_spent_its_retries_goes_behind_all_new_pages() -> None:
    """Another round, from the first attempt, when no new page is left."""
    traveller = begun(5, CrawlPolicy(max_concurrency=1, backoff=BackoffPolicy((1.0,))))
    assert traveller.sends() == [2]
    traveller.bad(2)
    assert traveller.sends() == [3]
    traveller.now_s += 1.0
    traveller.good(3, 5)
    assert traveller.requests() == [FetchPage(2, 2, 1)]
    assert traveller.bad(2) == Requeued(2, 2, ERROR)
    assert traveller.sends() == [4]
    traveller.good(4, 5)
    assert traveller.sends() == [5]
    traveller.good(5, 5)
    assert traveller.requests() == [FetchPage(2, 1, 2)]
    assert traveller.bad(2) == RetryScheduled(2, 1, ERROR, 1.0)


def test_another_round_waits_as_long_as_the_api_asks() -> None:
    """And not at all if it does not ask."""
    traveller = begun(2, CrawlPolicy(backoff=BackoffPolicy(())))
    assert traveller.sends() == [2]
    assert traveller.bad(2, after_s=5.0) == Requeued(2, 2, ERROR)
    assert traveller.waits() == 5.0
    assert traveller.requests() == [FetchPage(2, 1, 2)]
    traveller = begun(2, CrawlPolicy(backoff=BackoffPolicy(())))
    assert traveller.sends() == [2]
    assert traveller.bad(2) == Requeued(2, 2, ERROR)
    assert traveller.requests() == [FetchPage(2, 1, 2)]


def test_a_round_without_any_page_is_the_last() -> None:
    """While nothing else arrives, asking again is no use; the page is abandoned."""
    traveller = begun(2, CrawlPolicy(backoff=BackoffPolicy(()), rounds=9))
    assert traveller.sends() == [2]
    assert traveller.bad(2) == Requeued(2, 2, ERROR)
    assert traveller.sends() == [2]
    assert traveller.bad(2) == Abandoned(2, ERROR)
    assert traveller.ends() == GiveUp((2,), 2, "every retry of these pages was spent")


@pytest.mark.parametrize(("rounds", "decision"), [(3, Abandoned(2, ERROR)), (4, Requeued(2, 4, ERROR))])
def test_a_page_has_as_many_rounds_as_the_policy_says(rounds: int, decision: Decision) -> None:
    """Each is worth it while another page arrives in it; the last ends in any case."""
    traveller = begun(4, CrawlPolicy(backoff=BackoffPolicy(()), rounds=rounds))
    assert traveller.sends() == [2, 3, 4]
    assert [traveller.bad(number) for number in (2, 3, 4)] == [Requeued(number, 2, ERROR) for number in (2, 3, 4)]
    assert traveller.sends() == [2, 3, 4]
    assert traveller.good(4, 4) == Accepted(4)
    assert [traveller.bad(number) for number in (2, 3)] == [Requeued(number, 3, ERROR) for number in (2, 3)]
    assert traveller.requests() == [FetchPage(2, 1, 3), FetchPage(3, 1, 3)]
    assert traveller.good(3, 4) == Accepted(3)
    assert traveller.bad(2) == decision


def test_a_page_that_arrives_between_two_attempts_makes_another_round_worth_it() -> None:
    """What counts is what arrived since the round began, not since its last attempt."""
    traveller = begun(3, CrawlPolicy(backoff=BackoffPolicy((1.0,))))
    assert traveller.sends() == [2, 3]
    assert [traveller.bad(number) for number in (2, 3)] == [RetryScheduled(number, 1, ERROR, 1.0) for number in (2, 3)]
    traveller.now_s += 1.0
    assert traveller.requests() == [FetchPage(2, 2, 1), FetchPage(3, 2, 1)]
    assert [traveller.bad(number) for number in (2, 3)] == [Requeued(number, 2, ERROR) for number in (2, 3)]
    assert traveller.requests() == [FetchPage(2, 1, 2), FetchPage(3, 1, 2)]
    assert traveller.bad(2) == RetryScheduled(2, 1, ERROR, 1.0)
    assert traveller.good(3, 3) == Accepted(3)
    assert traveller.waits() == 1.0
    assert traveller.requests() == [FetchPage(2, 2, 2)]
    assert traveller.bad(2) == Requeued(2, 3, ERROR)


def test_after_the_last_round_a_page_is_abandoned() -> None:
    """Whatever else arrived meanwhile."""
    traveller = begun(9, CrawlPolicy(backoff=BackoffPolicy(()), rounds=2, max_concurrency=2))
    assert traveller.sends() == [2, 3]
    assert traveller.bad(2) == Requeued(2, 2, ERROR)
    traveller.bad(3)
    assert traveller.goes_on(9, {2: 1}) == GiveUp((2,), 9, "every retry of these pages was spent")


def test_pages_that_always_fail_do_not_keep_the_others() -> None:
    """All others arrive; the poisoned are named, after as many tries as rounds of retries allow at most."""
    witness = visit(World(pages=((0.0, 30),), poisoned=frozenset({1, 7, 30}), policy=CrawlPolicy(rounds=2)))
    assert witness.end == GiveUp((1,), None, "no page could be read, every retry was spent")
    witness = visit(World(pages=((0.0, 30),), poisoned=frozenset({7, 30}), policy=CrawlPolicy(rounds=2)))
    assert witness.end == GiveUp((7, 30), 30, "every retry of these pages was spent")
    assert sorted(witness.accepted) == [page for page in range(1, 30) if page != 7]


# --- 429 ---------------------------------------------------------------------------------------------------


def test_a_429_shuts_the_gate_for_every_page_and_spends_no_retry() -> None:
    """The page comes first when it opens, in the same attempt."""
    traveller = begun(9, CrawlPolicy(max_concurrency=2))
    assert traveller.sends() == [2, 3]
    assert traveller.bad(2, FailureCause.THROTTLED, 429, 3.0) == Throttled(2, 3.0)
    assert traveller.waits() == 3.0
    assert traveller.requests() == [FetchPage(2, 1, 1)]
    assert traveller.crawl.snapshot().throttles == 1
    assert traveller.crawl.snapshot().retries == {}


def test_time_at_a_shut_gate_is_counted_once() -> None:
    """A second 429 adds only what it lengthens the pause by."""
    traveller = begun(9, CrawlPolicy(max_concurrency=4))
    assert traveller.sends() == [2, 3, 4, 5]
    assert traveller.bad(2, FailureCause.THROTTLED, 429, 3.0) == Throttled(2, 3.0)
    traveller.now_s += 1.0
    assert traveller.bad(3, FailureCause.THROTTLED, 429, 4.0) == Throttled(3, 4.0)
    assert traveller.bad(4, FailureCause.THROTTLED, 429, 1.0) == Throttled(4, 4.0)
    assert traveller.good(5, 9) == Accepted(5)
    assert traveller.crawl.snapshot().waiting_s == 5.0
    assert traveller.waits() == 4.0


def test_a_429_may_come_first_of_all() -> None:
    """The first page is asked for again, alone, as often as it takes."""
    traveller = CrawlHarness()
    for _ in range(9):
        assert traveller.requests() == [FetchPage(1, 1, 1)]
        assert traveller.bad(1, FailureCause.THROTTLED, 429, 2.0) == Throttled(1, 2.0)
        assert traveller.waits() >= 2.0
    assert traveller.sends() == [1]
    assert traveller.good(1, 1) == Accepted(1)
    assert traveller.ends() == Done(1)
    assert traveller.crawl.snapshot().throttles == 9


def test_a_429_whose_gate_is_open_waits_for_nothing() -> None:
    """Of a request from before the pause and told after it, it is no news, and names no negative wait."""
    traveller = begun(9, CrawlPolicy(max_concurrency=2))
    assert traveller.sends() == [2, 3]
    traveller.bad(2, FailureCause.THROTTLED, 429, 1.0)
    traveller.now_s += 5.0
    assert traveller.bad(3, FailureCause.THROTTLED, 429, latency_s=6.0) == Throttled(3, 0.0)


@pytest.mark.parametrize(("silence_s", "ends"), [(300.0, False), (300.5, True)])
def test_nothing_but_429s_is_borne_for_so_long(silence_s: float, *, ends: bool) -> None:
    """Five minutes from the first request, not a moment longer."""
    traveller = CrawlHarness()
    assert traveller.sends() == [1]
    traveller.now_s += silence_s - 30.0
    traveller.bad(1, FailureCause.THROTTLED, 429, 20.0)
    traveller.now_s += 20.0
    assert traveller.sends() == [1]
    traveller.now_s += 10.0
    decision = traveller.bad(1, FailureCause.THROTTLED, 429, 1.0)
    if ends:
        assert decision == Abandoned(1, FailureCause.THROTTLED)
        assert traveller.ends() == GiveUp((1,), None, "the API answered with nothing but 429 for 300 s")
    else:
        assert decision == Throttled(1, 1.0)


@pytest.mark.parametrize("is_page", [True, False])
def test_any_other_answer_begins_the_silence_anew(*, is_page: bool) -> None:
    """A page as well as a failure."""
    traveller = begun(9, CrawlPolicy(max_throttled_s=10.0, max_concurrency=3))
    assert traveller.sends() == [2, 3, 4]
    traveller.now_s += 8.0
    if is_page:
        traveller.good(2, 9)
    else:
        traveller.bad(2)
    traveller.now_s += 10.0
    assert traveller.bad(3, FailureCause.THROTTLED, 429, 1.0) == Throttled(3, 1.0)
    traveller.now_s += 0.5
    assert traveller.bad(4, FailureCause.THROTTLED, 429, 1.0) == Abandoned(4, FailureCause.THROTTLED)
    end = traveller.ends()
    assert isinstance(end, GiveUp)
    assert end.reason == "the API answered with nothing but 429 for 10 s"


def test_a_429_after_the_end_is_the_end_of_its_page() -> None:
    """Nothing is asked for again once the crawl ends."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    traveller.bad(2, FailureCause.REFUSED, 403)
    assert traveller.bad(3, FailureCause.THROTTLED, 429, 1.0) == Abandoned(3, FailureCause.THROTTLED)


# --- long pauses -------------------------------------------------------------------------------------------


def test_a_pause_beyond_the_policys_ends_the_crawl() -> None:
    """It says how long from now the API asked for."""
    traveller = begun(2)
    assert traveller.sends() == [2]
    traveller.bad(2, FailureCause.THROTTLED, 429, 3_600.0)
    traveller.now_s += 10.0
    assert traveller.ends() == GiveUp((2,), 2, "the API asked for a longer pause", retry_after_s=3_590.0)


@pytest.mark.parametrize("cause", [FailureCause.THROTTLED, FailureCause.SERVER_ERROR])
def test_a_pause_as_long_as_the_policys_is_borne(cause: FailureCause) -> None:
    """A moment longer is not."""
    for asked_s, goes_on in ((60.0, True), (60.125, False)):
        traveller = begun(2)
        assert traveller.sends() == [2]
        traveller.bad(2, cause, after_s=asked_s)
        if goes_on:
            assert traveller.waits() == 60.0
        else:
            end = traveller.ends()
            assert isinstance(end, GiveUp)
            assert end.retry_after_s == 60.125


def test_a_long_pause_of_one_page_lets_the_others_go_on() -> None:
    """It ends the crawl when nothing else is left to do, and nothing is in flight."""
    traveller = begun(4, CrawlPolicy(max_concurrency=2))
    assert traveller.sends() == [2, 3]
    assert traveller.bad(2, after_s=100.0) == RetryScheduled(2, 1, ERROR, 100.0)
    assert traveller.sends() == [4]
    traveller.good(3, 4)
    assert traveller.sends() == []
    assert traveller.action == WaitUntil(START_S + 100.0)
    traveller.good(4, 4)
    assert traveller.ends() == GiveUp((2,), 4, "the API asked for a longer pause", retry_after_s=100.0)


@pytest.mark.parametrize(("page_bytes", "expected"), [(1, 8), (16 * 2**20, 8), (40 * 2**20, 3), (200 * 2**20, 1)])
def test_large_pages_are_requested_by_fewer_at_a_time(page_bytes: int, expected: int) -> None:
    """Together they stay below the policy's limit; a single one is requested, however large."""
    crawl = Crawl(CrawlPolicy(max_concurrency=8), RateLimiter(1_000_000, max_concurrency=8))
    assert isinstance(crawl.next_action(0.0), FetchPage)
    crawl.receive(PageReceived(Page(1, 1, 99, 99, 1, bytes(page_bytes)), 0.1), 0.1)
    now_s = 0.1
    while not isinstance(action := crawl.next_action(now_s), WaitUntil) or action.instant_s < inf:
        now_s = action.instant_s if isinstance(action, WaitUntil) else now_s
    assert crawl.in_flight == expected


def test_a_long_pause_waits_for_what_is_in_flight() -> None:
    """Pages on their way are taken before the crawl ends."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    traveller.bad(2, FailureCause.THROTTLED, 429, 3_600.0)
    assert traveller.sends() == []
    assert traveller.action == WaitUntil(START_S + 3_600.0)
    assert traveller.good(3, 3) == Accepted(3)
    assert traveller.ends() == GiveUp((2,), 3, "the API asked for a longer pause", retry_after_s=3_600.0)


def test_the_crawls_own_waits_never_end_it() -> None:
    """Even if they are longer than the longest pause."""
    traveller = begun(2, CrawlPolicy(backoff=BackoffPolicy((5.0, 90.0)), max_pause_s=0.0))
    for wait_s in (5.0, 90.0):
        assert traveller.sends() == [2]
        traveller.bad(2)
        assert traveller.waits() == wait_s
    traveller = begun(2, CrawlPolicy(max_concurrency=1, backoff=BackoffPolicy((90.0,)), max_pause_s=0.0))
    assert traveller.sends() == [2]
    traveller.bad(2, after_s=90.5)
    assert isinstance(traveller.ends(), GiveUp)


def test_without_patience_any_pause_ends_the_crawl() -> None:
    """`max_pause_s=0` and no retries: half a second is too long."""
    traveller = begun(2, CrawlPolicy(backoff=BackoffPolicy(()), max_pause_s=0.0))
    assert traveller.sends() == [2]
    traveller.bad(2, FailureCause.THROTTLED, 429, 0.5)
    assert traveller.ends() == GiveUp((2,), 2, "the API asked for a longer pause", retry_after_s=0.5)


def test_a_slow_rate_is_no_pause_of_the_apis() -> None:
    """A request every 100 s is what was asked for, not a reason to give up."""
    traveller = CrawlHarness(rate=0.01)
    assert traveller.sends() == [1]
    traveller.good(1, 2)
    assert traveller.waits() == pytest.approx(100.0)
    assert traveller.sends() == [2]


def test_a_quota_used_up_for_an_hour_ends_the_crawl() -> None:
    """As a `Retry-After` of an hour does, even if no answer has said that nothing is left."""
    traveller = begun(3, CrawlPolicy(max_concurrency=1))
    assert traveller.sends() == [2]
    advice = RateLimitHints(remaining=1, reset_after_s=3_600.0)
    traveller.crawl.receive(PageReceived(page(2, 3), 0.001, advice), traveller.now_s)
    assert traveller.sends() == [3]
    traveller.bad(3, FailureCause.TIMEOUT)
    assert traveller.ends() == GiveUp((3,), 3, "the API asked for a longer pause", retry_after_s=3_600.0)


def test_a_quota_used_up_for_a_minute_is_waited_for() -> None:
    """Then the crawl goes on."""
    traveller = begun(3, CrawlPolicy(max_concurrency=1))
    assert traveller.sends() == [2]
    advice = RateLimitHints(remaining=1, reset_after_s=60.0)
    traveller.crawl.receive(PageReceived(page(2, 3), 0.001, advice), traveller.now_s)
    assert traveller.sends() == [3]
    traveller.bad(3, FailureCause.TIMEOUT)
    assert traveller.waits() == 60.0
    assert traveller.sends() == [3]


def test_an_hour_of_retry_after_in_a_world() -> None:
    """The client learns how long from now."""
    world = World(limiter=lambda: limiters.TokenBucket(1.0, 3), retry_after=limiters.an_hour)
    end = visit(world).end
    assert isinstance(end, GiveUp)
    assert end.retry_after_s is not None
    assert 3_600 < end.retry_after_s < 3_602


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_of_the_first_page_ends_the_crawl_at_once(status: int) -> None:
    """After one request, with the status and the page."""
    traveller = CrawlHarness()
    assert traveller.sends() == [1]
    assert traveller.bad(1, FailureCause.REFUSED, status) == Abandoned(1, FailureCause.REFUSED)
    assert traveller.ends() == GiveUp((1,), None, f"the API refused with HTTP {status}", status, 1)


def test_a_refusal_without_a_status_says_so() -> None:
    """A redirect to elsewhere, say."""
    traveller = CrawlHarness()
    assert traveller.sends() == [1]
    traveller.bad(1, FailureCause.REFUSED)
    assert traveller.ends() == GiveUp((1,), None, "the API refused", None, 1)


def test_a_refusal_lets_what_is_in_flight_come_in() -> None:
    """Nothing new goes, nothing is asked for again; the first refusal is the reason."""
    traveller = begun(9, CrawlPolicy(max_concurrency=4))
    assert traveller.sends() == [2, 3, 4, 5]
    assert traveller.bad(3, FailureCause.REFUSED, 401) == Abandoned(3, FailureCause.REFUSED)
    assert traveller.sends() == []
    assert traveller.action == WaitUntil(inf)
    assert traveller.good(2, 9) == Accepted(2)
    assert traveller.bad(4) == Abandoned(4, ERROR)
    assert traveller.bad(5, FailureCause.REFUSED, 403) == Abandoned(5, FailureCause.REFUSED)
    assert traveller.ends() == GiveUp((3, 4, 5, 6, 7, 8, 9), 9, "the API refused with HTTP 401", 401, 3)


def test_a_refusal_is_no_outage() -> None:
    """It neither opens the breaker nor counts as a retry."""
    traveller = begun(20, CrawlPolicy(breaker=BreakerPolicy(failures_in_a_row=1)))
    assert traveller.sends() == [2, 3, 4, 5, 6, 7, 8, 9]
    traveller.bad(2, FailureCause.REFUSED, 403)
    assert traveller.pacer.breakdowns == 0
    assert traveller.crawl.snapshot().retries == {}


@pytest.mark.parametrize("is_first", [True, False], ids=["the 404 first", "the 404 last"])
def test_a_404_of_a_page_between_others_ends_the_crawl(*, is_first: bool) -> None:
    """There is a page behind it, so the listing does not end there."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    if is_first:
        traveller.bad(2, FailureCause.REFUSED, 404)
        traveller.good(3, 3)
    else:
        traveller.good(3, 3)
        traveller.bad(2, FailureCause.REFUSED, 404)
    assert traveller.ends() == GiveUp((2,), 3, "the API refused with HTTP 404", 404, 2)


@pytest.mark.parametrize("order", [(3, 2), (2, 3)])
def test_404s_at_the_end_mean_a_shorter_listing(order: tuple[int, ...]) -> None:
    """In any order; nothing behind them is requested. The totals decide whether anyone is missing."""
    traveller = begun(20, CrawlPolicy(max_concurrency=2))
    assert traveller.sends() == [2, 3]
    for number in order:
        traveller.bad(number, FailureCause.REFUSED, 404)
    assert traveller.ends() == Done(1)
    assert traveller.crawl.not_found == 2


def test_a_404_behind_the_last_page_is_none() -> None:
    """The API has fewer pages by now: the page is struck off, and the crawl is done."""
    traveller = begun(4)
    assert traveller.sends() == [2, 3, 4]
    assert traveller.good(2, 3) == Accepted(2)
    assert traveller.bad(4, FailureCause.REFUSED, 404) == Abandoned(4, FailureCause.REFUSED)
    assert traveller.good(3, 3) == Accepted(3)
    assert traveller.ends() == Done(3)


def test_the_second_page_may_be_gone() -> None:
    """One page is left."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    traveller.good(3, 1, records=0)
    traveller.bad(2, FailureCause.REFUSED, 404)
    assert traveller.ends() == Done(1)


@pytest.mark.parametrize("status", [403, 410])
def test_only_a_404_means_that_a_page_is_gone(status: int) -> None:
    """Another refusal behind the last page ends the crawl."""
    traveller = begun(4)
    assert traveller.sends() == [2, 3, 4]
    traveller.good(2, 3)
    traveller.bad(4, FailureCause.REFUSED, status)
    traveller.good(3, 3)
    assert traveller.ends() == GiveUp((), 3, f"the API refused with HTTP {status}", status, 4)


def test_a_404_may_come_before_the_word_of_fewer_pages() -> None:
    """The crawl that was to end goes on."""
    traveller = begun(4, CrawlPolicy(max_concurrency=2))
    assert traveller.sends() == [2, 3]
    traveller.good(2, 4)
    assert traveller.sends() == [4]
    traveller.bad(4, FailureCause.REFUSED, 404)
    assert traveller.sends() == []
    assert traveller.action == WaitUntil(inf)
    assert traveller.good(3, 3) == Accepted(3)
    assert traveller.ends() == Done(3)


@pytest.mark.parametrize(("status", "pages"), [(403, 3), (403, 4)])
def test_fewer_pages_forgive_nothing_else(status: int, pages: int) -> None:
    """No other refusal, whether the page still exists or not."""
    traveller = begun(5, CrawlPolicy(max_concurrency=2))
    assert traveller.sends() == [2, 3]
    traveller.good(2, 5)
    assert traveller.sends() == [4]
    traveller.bad(4, FailureCause.REFUSED, status)
    traveller.good(3, pages)
    end = traveller.ends()
    assert isinstance(end, GiveUp)
    assert (end.refused_status, end.refused_page) == (status, 4)


def test_the_first_page_is_never_gone() -> None:
    """Even an empty API has one: a 404 of it is a refusal."""
    traveller = CrawlHarness(known=3)
    assert traveller.sends() == [1]
    traveller.bad(1)
    traveller.waits()
    assert traveller.sends() == [2]
    traveller.good(2, 3)
    assert traveller.sends() == [1, 3]
    traveller.good(3, 0)
    traveller.bad(1, FailureCause.REFUSED, 404)
    assert traveller.ends() == GiveUp((), 0, "the API refused with HTTP 404", 404, 1)


# --- short pages -------------------------------------------------------------------------------------------


def test_a_short_page_is_asked_for_again_once() -> None:
    """After the first wait; if it is as short as before, it is taken as it is."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    traveller.good(3, 3)
    assert traveller.good(2, 3, records=9) == RetryScheduled(2, 1, FailureCause.SHORT_PAGE, 1.0)
    assert traveller.crawl.snapshot().retries == {FailureCause.SHORT_PAGE: 1}
    assert traveller.waits() == 1.0
    assert traveller.requests() == [FetchPage(2, 2, 1)]
    assert traveller.good(2, 3, records=9) == Accepted(2)
    assert traveller.ends() == Done(3)


def test_the_last_page_may_be_short() -> None:
    """And so may pages behind it."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    assert traveller.good(3, 3, records=1) == Accepted(3)
    assert traveller.good(2, 1, records=0) == Accepted(2)


def test_a_short_page_is_taken_where_no_retry_is_left() -> None:
    """Better a short page than none."""
    traveller = begun(2)
    for _ in range(3):
        assert traveller.sends() == [2]
        traveller.bad(2)
        traveller.waits()
    assert traveller.sends() == [2]
    assert traveller.good(2, 3, records=9) == Accepted(2)


def test_a_short_first_page_proves_that_the_api_answers() -> None:
    """Others are asked for at once."""
    traveller = CrawlHarness()
    assert traveller.sends() == [1]
    assert traveller.good(1, 3, records=9) == RetryScheduled(1, 1, FailureCause.SHORT_PAGE, 1.0)
    assert traveller.sends() == [2, 3]
    traveller.good(2, 3)
    traveller.good(3, 3)
    assert traveller.waits() == 1.0
    assert traveller.requests() == [FetchPage(1, 2, 1)]


def test_short_pages_in_a_world() -> None:
    """One that comes short once is read in full, one that always does is taken after two requests."""
    witness = visit(World(short={3: 1, 5: 99}))
    assert witness.end == Done(10)
    assert witness.requests == 12


# --- the API grows and shrinks -----------------------------------------------------------------------------


def test_pages_that_come_to_be_are_read() -> None:
    """Down to the answer to the last one."""
    traveller = begun(2)
    assert traveller.sends() == [2]
    assert traveller.good(2, 4) == Accepted(2)
    assert traveller.sends() == [3, 4]
    traveller.good(4, 5)
    traveller.good(3, 5)
    assert traveller.sends() == [5]
    traveller.good(5, 5)
    assert traveller.ends() == Done(5)


def test_pages_that_vanish_are_not_asked_for() -> None:
    """Neither for the first time nor again; what arrived counts."""
    traveller = begun(9, CrawlPolicy(max_concurrency=3))
    assert traveller.sends() == [2, 3, 4]
    traveller.bad(4)
    traveller.good(2, 9)
    traveller.good(3, 3)
    assert traveller.ends() == Done(3)
    assert traveller.crawl.total_pages == 3


def test_an_empty_api_is_done_after_one_request() -> None:
    """No page, nothing missing."""
    traveller = CrawlHarness()
    assert traveller.sends() == [1]
    assert traveller.good(1, 0, records=0) == Accepted(1)
    assert traveller.ends() == Done(0)


@pytest.mark.parametrize(("before", "after"), [(10, 20), (20, 10), (20, 0)])
def test_a_world_that_changes_is_read_as_it_is_at_the_end(before: int, after: int) -> None:
    """Whatever the last answers say is what there is."""
    witness = visit(World(pages=((0.0, before), (0.12, after)), policy=CrawlPolicy(max_concurrency=2)))
    assert witness.end == Done(after)


# --- APIs that would keep a crawl for ever -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (simulated_apis.claims_too_much, f"the API claims {10**18} pages, more than the 10000000 that a crawl reads"),
        (simulated_apis.repeats_itself, "the API answered 10 pages in a row with the very same records"),
    ],
)
def test_an_api_that_lies_is_left(lie: Callable[[Page], Page], reason: str) -> None:
    """With the reason, and what came in is not lost."""
    end = visit(World(pages=((0.0, 50),), lie=lie)).end
    assert isinstance(end, GiveUp)
    assert end.reason == reason


def test_an_api_that_grows_for_ever_is_left() -> None:
    """When it has grown beyond belief."""
    witness = visit(World(pages=((0.0, 3),), lie=simulated_apis.grows_for_ever))
    assert isinstance(witness.end, GiveUp)
    assert witness.end.reason.startswith("the API grew from 3 to 10")
    assert witness.requests < 100


def test_as_many_pages_as_allowed_are_read() -> None:
    """One more is not believed, and no page of them is asked for or called missing."""
    assert begun(10, CrawlPolicy(max_pages=10)).goes_on(10) == Done(10)
    end = begun(11, CrawlPolicy(max_pages=10)).ends()
    assert end == GiveUp((), 11, "the API claims 11 pages, more than the 10 that a crawl reads")


def test_the_policys_own_growth_and_repeats_hold() -> None:
    """Each guard gets its own number."""
    traveller = begun(10, CrawlPolicy(max_growth=3.0))
    assert traveller.sends() == [2, 3, 4, 5, 6, 7, 8, 9]
    traveller.good(2, 130)
    assert traveller.sends() == [10]
    traveller.good(3, 131)
    assert traveller.sends() == []
    traveller = begun(9, CrawlPolicy(max_repeats=2))
    traveller.sends()
    assert traveller.good(2, 9, data=b"1") == Accepted(2)
    assert traveller.sends() == []
    assert traveller.action == WaitUntil(inf)


def test_the_first_reason_to_end_is_the_one_told() -> None:
    """A refusal stays one, whatever comes in afterwards; a lie stays one, whatever is refused."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    traveller.bad(2, FailureCause.REFUSED, 403)
    traveller.good(3, 10**8)
    assert traveller.ends() == GiveUp((2,), 10**8, "the API refused with HTTP 403", 403, 2)
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    traveller.good(3, 10**8)
    traveller.bad(2, FailureCause.REFUSED, 403)
    end = traveller.ends()
    assert isinstance(end, GiveUp)
    assert end.reason.startswith("the API claims")
    assert (end.refused_status, end.refused_page) == (None, None)


def test_a_short_page_of_an_api_that_lies_is_not_asked_for_again() -> None:
    """The crawl ends with what there is."""
    traveller = begun(3)
    assert traveller.sends() == [2, 3]
    assert traveller.good(2, 10**8, records=9) == Abandoned(2, FailureCause.SHORT_PAGE)
    assert traveller.crawl.snapshot().retries == {}


# --- resuming ----------------------------------------------------------------------------------------------


def test_a_crawl_that_resumes_asks_only_for_what_is_missing() -> None:
    """First one page alone, as ever; then the gaps."""
    traveller = CrawlHarness(held=(1, 2, 4, 8), known=9)
    assert traveller.sends() == [3]
    assert traveller.action == WaitUntil(inf)
    traveller.good(3, 9)
    assert traveller.sends() == [5, 6, 7, 9]
    for number in (5, 6, 7, 9):
        traveller.good(number, 9)
    assert traveller.ends() == Done(9)


def test_a_crawl_that_has_everything_asks_for_nothing() -> None:
    """It is done before the first request."""
    assert CrawlHarness(held=(1, 2, 3), known=3).ends() == Done(3)
    assert CrawlHarness(known=0).ends() == Done(0)


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_pages_held_from_the_start_are_counted(pages: int) -> None:
    """Also where the only page is held."""
    held = tuple(range(1, pages + 1))
    assert CrawlHarness(held=held, known=pages).crawl.snapshot().pages_held == pages


def test_held_pages_without_word_of_how_many_there_are() -> None:
    """The first page tells, and is asked for."""
    traveller = CrawlHarness(held=(1, 2))
    assert traveller.sends() == [1]
    traveller.good(1, 3)
    assert traveller.sends() == [3]


def test_a_page_known_from_before_is_judged_like_any() -> None:
    """A claim beyond belief ends the crawl before the first request."""
    end = CrawlHarness(known=10**8).ends()
    assert isinstance(end, GiveUp)
    assert end.reason.startswith("the API claims")
    traveller = CrawlHarness(known=1)
    assert (traveller.crawl.total, traveller.crawl.total_pages) == (10, 1)


def test_growth_while_resuming_is_measured_from_the_known_page() -> None:
    """It was the first answer."""
    traveller = CrawlHarness(known=1)
    assert traveller.sends() == [1]
    traveller.good(1, 103)
    end = traveller.ends()
    assert isinstance(end, GiveUp)
    assert end.reason == "the API grew from 1 to 103 pages while it was read"


def test_a_crash_costs_only_what_was_in_flight() -> None:
    """Over all lives each page arrives once, and the rest is asked for once more at most."""
    world = World(pages=((0.0, 40),), crashes_s=(0.33, 0.61), policy=CrawlPolicy(max_concurrency=4))
    witness = visit(world)
    assert witness.end == Done(40)
    assert set(witness.accepted.values()) == {1}
    assert 40 < witness.requests <= 40 + 2 * 4


# --- offsets, chains and listings without a total ------------------------------------------------------------


def listed(listing: Listing, policy: CrawlPolicy | None = None, records: int = 95) -> Witness:
    """Crawl a listing of so many records; nothing goes wrong."""
    world = World(pages=((0.0, 10),), spare=100 - records, listing=listing, policy=policy or CrawlPolicy())
    witness = visit(world)
    assert isinstance(witness.end, Done)
    return witness


@pytest.mark.parametrize("tells", ["total", "more", "nothing"])
@pytest.mark.parametrize("numbering", [Numbering.PAGES, Numbering.RECORDS])
def test_pages_that_can_be_requested_ahead_are(numbering: Numbering, tells: Tells) -> None:
    """As many at once as allowed, with or without a total; what is too many is bounded by that."""
    witness = listed(Listing(numbering, tells))
    assert witness.peak_in_flight > 4
    assert 10 <= witness.requests <= 10 + 8


def test_a_chain_is_read_page_by_page() -> None:
    """One request at a time, one a page."""
    witness = listed(Listing(Numbering.CHAIN, "nothing"))
    assert (witness.peak_in_flight, witness.requests) == (1, 10)


def test_a_short_page_makes_way_for_one_request_only() -> None:
    """A small listing is not worth eight."""
    assert listed(Listing(tells="nothing"), records=7).requests == 2
    assert listed(Listing(Numbering.RECORDS, "nothing"), records=7).requests == 2


def test_the_rest_of_a_short_page_is_requested_where_it_begins() -> None:
    """Not the whole page again."""
    harness = CrawlHarness(extent=Extent(Numbering.RECORDS))
    assert harness.sends() == [1]
    harness.receive(Page(1, None, 35, None, 10, b"a"))
    assert harness.sends() == [11, 21, 31]
    harness.receive(Page(11, None, 35, None, 4, b"b"))
    assert harness.requests() == [FetchPage(15, 1, 1)]
    harness.receive(Page(15, None, 35, None, 6, b"c"))
    harness.receive(Page(21, None, 35, None, 10, b"d"))
    harness.receive(Page(31, None, 35, None, 5, b"e"))
    assert harness.ends() == Done(35)


def test_a_larger_page_than_expected_leaves_out_what_it_brought() -> None:
    """What is under way already may bring it twice."""
    harness = CrawlHarness(CrawlPolicy(max_concurrency=2), extent=Extent(Numbering.RECORDS, page_size=50))
    assert harness.sends() == [1]
    harness.receive(Page(1, None, 200, None, 10, b"a"))
    assert harness.sends() == [11, 21]
    harness.receive(Page(11, None, 200, None, 50, b"b"))
    assert harness.sends() == [61]


def test_a_request_of_a_chain_carries_the_cursor() -> None:
    """Also when it is sent again; the first one has none."""
    harness = CrawlHarness(extent=Extent(Numbering.CHAIN))
    assert harness.requests() == [FetchPage(1, 1, 1, None)]
    harness.receive(Page(1, None, None, None, 10, b"a", "abc"))
    assert harness.requests() == [FetchPage(2, 1, 1, "abc")]
    assert harness.bad(2) == RetryScheduled(2, 1, ERROR, 1.0)
    harness.waits()
    assert harness.requests() == [FetchPage(2, 2, 1, "abc")]
    harness.receive(Page(2, None, None, None, 0, b"b", "def"))
    assert harness.requests() == [FetchPage(3, 1, 1, "def")]
    harness.receive(Page(3, None, None, None, 3, b"c"))
    assert harness.ends() == Done(3)


def test_a_page_of_a_chain_has_all_its_rounds() -> None:
    """No other page can arrive meanwhile, so none is waited for."""
    policy = CrawlPolicy(backoff=BackoffPolicy((1.0,)), rounds=3, breaker=BreakerPolicy(failures_in_a_row=99))
    harness = CrawlHarness(policy, extent=Extent(Numbering.CHAIN))
    assert harness.sends() == [1]
    harness.receive(Page(1, None, None, None, 10, b"a", "abc"))
    decisions: list[Decision] = []
    for _ in range(6):
        assert harness.sends() == [2]
        decisions.append(harness.bad(2))
        harness.now_s += 1.0
    assert [type(decision) for decision in decisions] == [
        RetryScheduled,
        Requeued,
        RetryScheduled,
        Requeued,
        RetryScheduled,
        Abandoned,
    ]


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_an_expired_cursor_is_told_apart_from_a_refusal(status: int) -> None:
    """Only where a crawl resumes, and only before its first page."""
    extent = Extent(Numbering.CHAIN)
    extent.observe(Page(1, None, None, None, 10, b"a", "abc"))
    harness = CrawlHarness(extent=extent, held=(1,))
    assert harness.requests() == [FetchPage(2, 1, 1, "abc")]
    harness.bad(2, FailureCause.REFUSED, status)
    end = harness.ends()
    assert isinstance(end, GiveUp)
    assert end.is_stale
    extent.observe(Page(2, None, None, None, 10, b"b", "def"))
    harness = CrawlHarness(extent=extent, held=(1, 2))
    assert harness.sends() == [3]
    harness.receive(Page(3, None, None, None, 10, b"c", "ghi"))
    assert harness.sends() == [4]
    harness.bad(4, FailureCause.REFUSED, status)
    end = harness.ends()
    assert isinstance(end, GiveUp)
    assert (end.is_stale, end.refused_status) == (False, status)


def test_a_page_beyond_the_end_that_does_not_exist_is_no_refusal() -> None:
    """The pages before it are all there is; a 400 could be a window, and is one."""
    for status, expected in ((404, Done(1)), (400, None)):
        harness = CrawlHarness(CrawlPolicy(max_concurrency=2), extent=Extent(page_size=10))
        assert harness.sends() == [1]
        harness.receive(Page(1, None, None, None, 10, b"a"))
        assert harness.sends() == [2, 3]
        harness.bad(3, FailureCause.REFUSED, status)
        harness.receive(Page(2, None, None, None, 0, b"[]"))
        end = harness.ends()
        assert end == expected or (isinstance(end, GiveUp) and end.refused_status == status)


@pytest.mark.parametrize("status", [400, 404, 410, 416, 422])
@pytest.mark.parametrize("is_first", [True, False], ids=["the refusal first", "the refusal last"])
def test_no_refusal_counts_behind_the_page_that_says_that_it_is_the_last(status: int, *, is_first: bool) -> None:
    """Pages are requested ahead, and many APIs answer 400 there."""
    harness = CrawlHarness(CrawlPolicy(max_concurrency=2), extent=Extent(page_size=10))
    assert harness.sends() == [1]
    harness.receive(Page(1, None, None, None, 10, b"a", has_more=True))
    assert harness.sends() == [2, 3]
    if is_first:
        harness.bad(3, FailureCause.REFUSED, status)
    harness.receive(Page(2, None, None, None, 10, b"b", has_more=False))
    if not is_first:
        harness.bad(3, FailureCause.REFUSED, status)
    assert harness.ends() == Done(2)


@pytest.mark.parametrize("is_certain", [True, False])
def test_a_diagnosis_ends_a_crawl_that_has_not_begun(*, is_certain: bool) -> None:
    """At once if it is certain, else after one page's requests; it goes along."""
    diagnosis = Diagnosis("base_url", "wrong", "Mend it.", is_certain=is_certain)
    harness = CrawlHarness()
    for _ in range(1 if is_certain else 4):
        assert harness.sends() == [1]
        harness.crawl.receive(RequestFailed(1, FailureCause.CONNECTION, 0.001, diagnosis=diagnosis), harness.now_s)
        harness.now_s += 10.0
    end = harness.ends()
    assert isinstance(end, GiveUp)
    assert end.diagnosis == diagnosis


# --- one page only -----------------------------------------------------------------------------------------


def test_only_one_page_is_asked_for() -> None:
    """Whatever it says of others."""
    traveller = CrawlHarness(only=(7,))
    assert traveller.crawl.total_pages is None
    assert traveller.sends() == [7]
    assert traveller.good(7, 50) == Accepted(7)
    assert traveller.ends() == Done(1)
    assert traveller.crawl.total_pages == 50


def test_only_one_page_has_its_retries() -> None:
    """Four requests, then it is missing."""
    traveller = CrawlHarness(only=(7,))
    for _ in range(3):
        assert traveller.sends() == [7]
        traveller.bad(7)
        traveller.waits()
    assert traveller.sends() == [7]
    traveller.bad(7)
    assert traveller.ends() == GiveUp((7,), None, "no page could be read, every retry was spent")


def test_only_one_page_that_is_not_found_is_refused() -> None:
    """It is not gone: somebody asked for it by name."""
    traveller = CrawlHarness(only=(7,))
    assert traveller.sends() == [7]
    traveller.bad(7, FailureCause.REFUSED, 404)
    assert traveller.ends() == GiveUp((7,), None, "the API refused with HTTP 404", 404, 7)


def test_only_one_page_behind_the_last_is_taken() -> None:
    """Empty as it is."""
    traveller = CrawlHarness(only=(7,))
    assert traveller.sends() == [7]
    assert traveller.good(7, 3, records=0) == Accepted(7)
    assert traveller.ends() == Done(1)


# --- outages -----------------------------------------------------------------------------------------------


def broken() -> CrawlHarness:
    """Make a traveller whose API broke down: twelve failures at one instant, of pages 2 to 13."""
    traveller = begun(40, CrawlPolicy(max_concurrency=13))
    assert traveller.sends() == list(range(2, 15))
    for number in range(2, 14):
        assert traveller.pacer.breakdowns == 0
        traveller.bad(number)
    assert traveller.pacer.breakdowns == 1
    return traveller


def test_an_outage_is_probed_one_request_at_a_time() -> None:
    """Nothing goes beside what is in flight, nor before the first probe is due."""
    traveller = broken()
    assert traveller.sends() == []
    assert traveller.action == WaitUntil(inf)
    traveller.bad(14)
    assert traveller.waits() == 1.0
    assert len(traveller.sends()) == 1
    assert traveller.action == WaitUntil(inf)


def test_an_outage_is_probed_five_times_then_final() -> None:
    """After 1, 2, 4, 8 and 16 s; half the pace is told once."""
    traveller, waits_s = broken(), []
    traveller.bad(14)
    for _ in range(5):
        waits_s.append(traveller.waits())
        (probe,) = traveller.sends()
        decision = traveller.bad(probe)
    assert waits_s == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert decision == Abandoned(probe, ERROR)
    end = traveller.ends()
    assert isinstance(end, GiveUp)
    assert end.reason == "the API stopped answering: page after page failed, and every probe after it"
    assert end.missing_pages == tuple(range(2, 41))
    assert traveller.pacer.breakdowns == 1


def test_a_page_ends_the_outage() -> None:
    """Then as many go as before, at half the pace."""
    traveller = broken()
    traveller.bad(14)
    traveller.waits()
    (probe,) = traveller.sends()
    traveller.good(probe, 40)
    while traveller.waits() and len(traveller.sends()) == 1 and traveller.crawl.in_flight < 13:
        pass
    assert traveller.crawl.in_flight == 13
    assert traveller.pacer.requests_per_second is not None


def test_a_page_in_between_breaks_the_row() -> None:
    """Eleven failures, a page, eleven failures: no outage."""
    traveller = begun(40, CrawlPolicy(max_concurrency=23))
    assert traveller.sends() == list(range(2, 25))
    for number in range(2, 25):
        if number == 13:
            traveller.good(13, 40)
        else:
            traveller.bad(number)
    assert traveller.pacer.breakdowns == 0


def test_a_world_with_an_outage_is_read_in_the_end() -> None:
    """Ten seconds of nothing cost a handful of requests."""
    world = World(pages=((0.0, 200),), outage=(0.5, 10.5))
    witness = visit(world)
    assert witness.end == Done(200)
    assert witness.requests < 200 + 30
    assert 10.5 < witness.now_s < 40


def test_a_world_that_breaks_down_for_good_is_left() -> None:
    """After the probes, with a few dozen requests."""
    witness = visit(World(pages=((0.0, 200),), outage=(0.5, inf)))
    assert isinstance(witness.end, GiveUp)
    assert witness.end.reason.startswith("the API stopped answering")
    assert 31 < witness.now_s < 35
    assert witness.requests < len(witness.accepted) + 30


# --- what is told ------------------------------------------------------------------------------------------


def test_a_crawl_that_has_not_begun_knows_nothing() -> None:
    """All counts are 0."""
    assert CrawlHarness().crawl.snapshot() == Snapshot(None, None, 0, 0, 0, 0, 0, {}, 0, 0.0)


def test_a_snapshot_says_where_the_crawl_stands() -> None:
    """Every figure, in the midst of it."""
    traveller = CrawlHarness(CrawlPolicy(max_concurrency=4), held=(2, 3, 12), known=20)
    traveller.sends()
    traveller.good(1, 11)
    traveller.sends()
    traveller.good(4, 11)
    traveller.bad(5)
    traveller.bad(6, FailureCause.TIMEOUT)
    traveller.bad(7, FailureCause.THROTTLED, 429, 2.0)
    assert traveller.crawl.snapshot() == Snapshot(
        total=110,
        total_pages=11,
        pages_arrived=2,
        pages_held=2,
        requests=5,
        in_flight=0,
        waiting=3,
        retries={ERROR: 1, FailureCause.TIMEOUT: 1},
        throttles=1,
        waiting_s=2.0,
    )


def test_a_snapshot_stays_as_it_is() -> None:
    """Later retries are no part of it."""
    traveller = begun(2)
    traveller.sends()
    before = traveller.crawl.snapshot()
    assert before.in_flight == traveller.crawl.in_flight == 1
    traveller.bad(2)
    assert before.retries == {}
    assert traveller.crawl.snapshot().retries == {ERROR: 1}


def test_another_round_counts_as_a_retry_an_abandoned_page_does_not() -> None:
    """Only what is asked for again is a retry."""
    traveller = begun(2, CrawlPolicy(backoff=BackoffPolicy(())))
    traveller.sends()
    traveller.bad(2)
    assert traveller.crawl.snapshot().retries == {ERROR: 1}
    traveller.sends()
    traveller.bad(2)
    assert traveller.crawl.snapshot().retries == {ERROR: 1}


def test_every_retry_is_counted() -> None:
    """Three within the round, and one for another round."""
    traveller = begun(2)
    for count in (1, 2, 3, 4):
        assert traveller.sends() == [2]
        traveller.bad(2)
        assert traveller.crawl.snapshot().retries == {ERROR: count}
        traveller.now_s += 4.0


def test_the_pacer_is_told_of_everything() -> None:
    """Every request, every answer, and how many pages are left."""
    traveller = CrawlHarness(held=(3, 9), known=9)
    traveller.sends()
    traveller.good(1, 4)
    traveller.now_s += 1.0
    traveller.sends()
    traveller.bad(2)
    traveller.good(4, 4)
    assert traveller.pacer.sent_s == [START_S, START_S + 1.0, START_S + 1.0]
    assert [type(answer) for answer in traveller.pacer.answers] == [PageReceived, RequestFailed, PageReceived]
    assert traveller.pacer.expected == [2, 1]


def test_never_fewer_than_no_pages_are_left() -> None:
    """Even if the API says that there are fewer than have arrived."""
    traveller = begun(9)
    traveller.sends()
    traveller.good(2, 1)
    assert traveller.pacer.expected == [8, 0]


def test_an_answer_to_nothing_is_a_mistake() -> None:
    """The driver is told so: one answer to each request."""
    with pytest.raises(KeyError):
        CrawlHarness().good(1)


# --- whole worlds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pages", [1, 2, 9, 100])
@pytest.mark.parametrize("concurrency", [1, 2, 8, 32])
def test_a_good_api_sees_one_request_a_page(pages: int, concurrency: int) -> None:
    """And as many at once as allowed, if it lasts."""
    witness = visit(World(pages=((0.0, pages),), policy=CrawlPolicy(max_concurrency=concurrency)))
    assert witness.end == Done(pages)
    assert witness.requests == pages
    assert witness.peak_in_flight <= concurrency


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_page_size_that_is_cut_but_echoed_costs_one_request(concurrency: int) -> None:
    """The first page looks short, and is requested again; the second one has that size, too."""
    listing = Listing(asked=100, clamp=50, echoes=True)
    policy = CrawlPolicy(max_concurrency=concurrency)
    witness = visit(World(pages=((0.0, 60),), listing=listing, policy=policy))  # 600 records
    assert witness.end == Done(12)
    assert witness.requests == 13


@pytest.mark.parametrize("chunk", range(6))
def test_random_worlds_break_no_law(chunk: int) -> None:
    """Five hundred at a time: limits, faults, outages, lies, crashes, in any mixture."""
    for seed in range(500 * chunk, 500 * (chunk + 1)):
        try:
            visit(random_world(seed))
        except AssertionError as law:
            raise AssertionError(f"world {seed}: {law}") from law


def test_a_world_replays_exactly() -> None:
    """One seed, one crawl: each request, each answer and the end at the same instants."""
    for seed in range(30):
        one, other = visit(random_world(seed)), visit(random_world(seed))
        for name in ("now_s", "accepted", "statuses", "throttle_times", "requests", "peak_in_flight", "end"):
            assert getattr(one, name) == getattr(other, name)


def test_worlds_differ() -> None:
    """Else they would show nothing: some are read, others end in every other way."""
    ends = [visit(random_world(seed)).end for seed in range(200)]
    assert {end.reason.split(":")[0] if isinstance(end, GiveUp) else "done" for end in ends} >= {
        "done",
        "no page could be read, every retry was spent",
        "the API asked for a longer pause",
        "every retry of these pages was spent",
        "the API stopped answering",
    }


# --- any interleaving --------------------------------------------------------------------------------------

CAUSES = st.sampled_from(
    (FailureCause.SERVER_ERROR, FailureCause.TIMEOUT, FailureCause.CONNECTION, FailureCause.BAD_BODY)
)
PAUSES_S = st.sampled_from((None, 0.0, 0.5, 3.0, 20.0))
PICKS = st.integers(0, 31)
STEPS_S = st.sampled_from((0.0, 0.001, 0.2, 1.0, 5.0))


class CrawlMachine(RuleBasedStateMachine):
    """An API and a driver that do anything they may, under the witness's laws."""

    POLICIES: ClassVar = (
        CrawlPolicy(max_concurrency=3),
        CrawlPolicy(max_concurrency=1, rounds=2, backoff=BackoffPolicy((0.5,))),
        CrawlPolicy(max_concurrency=8, rounds=1, breaker=BreakerPolicy(3, 6, 0.5, (0.5, 1.0))),
        CrawlPolicy(max_concurrency=2, backoff=BackoffPolicy(()), max_pause_s=2.0),
    )

    def __init__(self) -> None:
        super().__init__()
        self.pages, self.wakes_s, self.beyond_is_404 = 6, inf, False

    LISTINGS: ClassVar = (
        Listing(),
        Listing(),
        Listing(tells="total"),
        Listing(tells="nothing"),
        Listing(tells="nothing", beyond="repeat"),
        Listing(tells="more"),
        Listing(Numbering.RECORDS, "total", varies=True),
        Listing(Numbering.RECORDS, "nothing", asked=50),
        Listing(Numbering.CHAIN, "nothing", varies=True),
        Listing(Numbering.CHAIN, "total", trails=True),
    )

    @initialize(
        policy=st.sampled_from(POLICIES),
        listing=st.sampled_from(LISTINGS),
        pages=st.integers(0, 12),
        rate=st.sampled_from((None, 0.5, 50.0)),
    )
    def start(self, policy: CrawlPolicy, listing: Listing, pages: int, rate: float | None) -> None:
        """Begin the first life."""
        self.listing, self.pages, self.rate = listing, pages, rate
        self.witness = Witness(policy, listing.numbering, listing.asked)
        self.live()

    def live(self) -> None:
        """Begin a life with what arrived in those before."""
        witness = self.witness
        pacer = RateLimiter(self.rate, max_concurrency=witness.policy.max_concurrency)
        witness.end = None
        witness.begin(witness.resumed(pacer))
        self.drive()

    def drive(self) -> None:
        """Ask the crawl until it waits or ends."""
        while isinstance(action := self.witness.next_action(), FetchPage):
            pass
        self.wakes_s = action.instant_s if isinstance(action, WaitUntil) else inf

    def tell(self, outcome: Outcome, step_s: float = 0.0) -> None:
        """Answer after a while, but before the crawl wakes."""
        self.witness.now_s = min(self.witness.now_s + step_s, self.wakes_s)
        self.witness.tell(outcome)
        self.drive()

    def picked(self, pick: int) -> int:
        """Choose a page in flight."""
        in_flight = sorted(self.witness.in_flight)
        return in_flight[pick % len(in_flight)]

    def page(self, number: int, *, is_short: bool = False) -> Page:
        """Make the page that the API has now."""
        made = self.listing.page(self.witness.in_flight[number], self.pages * 10, random.Random(number))
        assert made is not None
        is_short = is_short and self.listing.tells == "pages"
        return replace(made, record_count=min(made.record_count, 4)) if is_short else made

    def awaits_answer(self) -> bool:
        """Whether there is something to answer."""
        return bool(self.witness.in_flight)

    @precondition(awaits_answer)
    @rule(pick=PICKS, step_s=STEPS_S, is_short=st.sampled_from((False, False, True)))
    def answer(self, pick: int, step_s: float, *, is_short: bool) -> None:
        """A page, in any order."""
        self.tell(PageReceived(self.page(self.picked(pick), is_short=is_short), 0.01), step_s)

    @precondition(awaits_answer)
    @rule(pick=PICKS, step_s=STEPS_S, cause=CAUSES, asked_s=PAUSES_S)
    def fail(self, pick: int, step_s: float, cause: FailureCause, asked_s: float | None) -> None:
        """No page."""
        self.tell(RequestFailed(self.picked(pick), cause, 0.01, advice=RateLimitHints(asked_s)), step_s)

    @precondition(awaits_answer)
    @rule(pick=PICKS, asked_s=PAUSES_S)
    def throttle(self, pick: int, asked_s: float | None) -> None:
        """A 429."""
        self.tell(RequestFailed(self.picked(pick), FailureCause.THROTTLED, 0.01, 429, RateLimitHints(asked_s)))

    @precondition(awaits_answer)
    @rule(pick=PICKS, status=st.sampled_from((403, 404)))
    def refuse(self, pick: int, status: int) -> None:
        """A refusal."""
        self.tell(RequestFailed(self.picked(pick), FailureCause.REFUSED, 0.01, status))

    @precondition(lambda self: self.wakes_s < inf)
    @rule()
    def wake(self) -> None:
        """Nothing happens until the crawl wakes."""
        assert self.wakes_s > self.witness.now_s, "a wait for nothing"
        self.witness.now_s = self.wakes_s
        self.drive()

    @rule(pages=st.integers(0, 12))
    def change(self, pages: int) -> None:
        """The API has another number of pages."""
        self.pages = pages

    @rule()
    def crash(self) -> None:
        """The driver dies, or is done, and begins another life."""
        self.live()

    def teardown(self) -> None:
        """From anywhere, an API that answers well from now on is read to an end."""
        if not hasattr(self, "witness"):
            return
        for _ in range(300):
            if self.witness.end is not None:
                return
            if self.witness.in_flight:
                self.answer(0, 0.01, is_short=False)
            else:
                self.wake()
        raise AssertionError("the crawl does not end")


TestCrawlMachine = CrawlMachine.TestCase
TestCrawlMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
