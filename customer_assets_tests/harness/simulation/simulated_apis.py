"""Worlds for the crawl: an API, its limiter, its faults and the clock, all virtual. A world replays exactly.

`python -m customer_assets_tests.harness.simulation.simulated_apis --worlds 200000 --seed 1` crawls that many random
worlds and holds each to the laws. A broken law names its world: `--world N --seed 1` replays that one alone.
"""

import argparse
import heapq
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from math import ceil, inf

from customer_assets.api.crawl.crawl import Crawl, CrawlPolicy
from customer_assets.api.crawl.events import (
    Done,
    FetchPage,
    GiveUp,
    Outcome,
    PageReceived,
    RateLimitHints,
    RequestFailed,
    WaitUntil,
)
from customer_assets.api.crawl.pace.policy import BackoffPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page
from customer_assets_tests.harness.simulation import limiters
from customer_assets_tests.harness.simulation.invariants import Witness
from customer_assets_tests.harness.simulation.limiters import Limiter, NoLimit
from customer_assets_tests.harness.simulation.listings import Listing, random_listing, records_of

STATUSES = {
    FailureCause.SERVER_ERROR: 500,
    FailureCause.BAD_BODY: 200,
    FailureCause.REFUSED: 403,
    FailureCause.THROTTLED: 429,
}


@dataclass(frozen=True)
class World:
    """An API and what befalls its answers. Rates are shares of the answers.

    Attributes:
        pages: How many there are, by instant: the value of the latest one that has passed holds.
        refusal: How the limiter refuses: nginx, say, answers 503.
        jitter: Each latency is multiplied by a number between 1 and 1 + jitter.
        busy_rate: Share of the faults that name a `Retry-After`.
        outage: Nothing is answered well between these instants.
        poisoned: Pages that always fail.
        refused: Pages that are refused for good.
        short: Pages that come short, and how often.
        beyond_is_404: Pages behind the last are not found, rather than empty.
        lie: What a page claims in place of the truth.
        listing: How the API pages.
        spare: How many records the last page lacks.
        cursors_die: A crash outlives every cursor.
        lateness_s: By how much the crawl wakes up late, each time.
    """

    pages: tuple[tuple[float, int], ...] = ((0.0, 10),)
    limiter: Callable[[], Limiter] = NoLimit
    retry_after: Callable[[float], float | None] = limiters.whole_seconds
    refusal: FailureCause = FailureCause.THROTTLED
    latency_s: float = 0.05
    jitter: float = 0.0
    fault_rate: float = 0.0
    faults: tuple[FailureCause, ...] = (FailureCause.SERVER_ERROR,)
    busy_rate: float = 0.0
    outage: tuple[float, float] = (inf, inf)
    poisoned: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    short: dict[int, int] = field(default_factory=dict)
    beyond_is_404: bool = False
    lie: Callable[[Page], Page] | None = None
    listing: Listing = field(default_factory=Listing)
    spare: int = 0
    cursors_die: bool = False
    seed: int = 0
    # the traveller's side
    policy: CrawlPolicy = field(default_factory=CrawlPolicy)
    requests_per_second: float | None = None
    crashes_s: tuple[float, ...] = ()
    lateness_s: Callable[[random.Random], float] = lambda _dice: 0.0

    def pages_at(self, now_s: float) -> int:
        """How many pages there are at an instant."""
        return [pages for since_s, pages in self.pages if since_s <= now_s][-1]

    def records_at(self, now_s: float) -> int:
        """How many records there are at an instant."""
        return max(self.pages_at(now_s) * 10 - self.spare, 0)

    @property
    def is_honest(self) -> bool:
        """Whether nothing but patience is needed to read everything."""
        return len(self.pages) == 1 and self.lie is None and not self.short

    @property
    def is_easy(self) -> bool:
        """Whether not even patience is needed."""
        has_faults = self.fault_rate or self.poisoned or self.refused or self.outage[0] < inf
        return self.is_honest and not has_faults and self.limiter is NoLimit


class Api:
    """The far end of a world: decides at once, the world's clock delivers later."""

    def __init__(self, world: World) -> None:
        self.world, self.dice, self.limiter = world, random.Random(world.seed), world.limiter()
        self.in_flight = self.life = 0
        self.requests_of_page: Counter[int] = Counter()

    def answer(self, fetch: FetchPage, now_s: float) -> Outcome:
        """Decide on a request."""
        world, number = self.world, fetch.page
        latency_s = world.latency_s * (1 + world.jitter * self.dice.random())
        refusal_s = self.limiter.refusal_s(now_s, self.in_flight)
        self.in_flight += 1
        if refusal_s is not None:
            status = STATUSES[world.refusal]
            return RequestFailed(number, world.refusal, latency_s, status, RateLimitHints(world.retry_after(refusal_s)))
        self.requests_of_page[number] += 1
        refused = self.refusal(fetch, now_s)
        if refused is not None:
            return RequestFailed(number, FailureCause.REFUSED, latency_s, refused)
        cause = self.fault(number, now_s)
        if cause is not None:
            asked_s = self.dice.choice((0.5, 1.0, 3.0)) if self.dice.random() < world.busy_rate else None
            return RequestFailed(number, cause, latency_s, STATUSES.get(cause), RateLimitHints(asked_s))
        page = self.page(fetch, now_s)
        if page is None:
            return RequestFailed(number, FailureCause.REFUSED, latency_s, 404)
        return PageReceived(page, latency_s)

    def refusal(self, fetch: FetchPage, now_s: float) -> int | None:
        """The status of a refusal, if it comes to one."""
        world = self.world
        if fetch.page in world.refused:
            return 403
        if world.cursors_die and fetch.cursor is not None and not fetch.cursor.endswith(f"@{self.life}"):
            return 400
        is_by_page = world.listing.tells == "pages" and world.beyond_is_404
        return 404 if is_by_page and fetch.page > max(world.pages_at(now_s), 1) else None

    def fault(self, number: int, now_s: float) -> FailureCause | None:
        """Throw the dice for a request."""
        is_out = self.world.outage[0] <= now_s < self.world.outage[1]
        chance = self.dice.random()
        if is_out or number in self.world.poisoned or chance < self.world.fault_rate:
            return self.dice.choice(self.world.faults)
        return None

    def page(self, fetch: FetchPage, now_s: float) -> Page | None:
        """The page; fewer records on one that comes short."""
        world = self.world
        page = world.listing.page(fetch, world.records_at(now_s), self.dice, self.life)
        if page is not None and self.requests_of_page[fetch.page] <= world.short.get(fetch.page, 0):
            page = replace(page, record_count=min(page.record_count, 7))
        return world.lie(page) if world.lie and page is not None else page


def visit(world: World, *, crawl: Crawl | None = None) -> Witness:
    """Crawl a world to its end, resuming after each crash; the witness holds the crawl to its laws all along."""
    api, witness = Api(world), Witness(world.policy, world.listing.numbering, world.listing.asked)
    lives_s = [*world.crashes_s, inf]
    while lives_s:
        witness.begin(crawl or witness.resumed(new_pacer(world)))
        live(api, witness, lives_s[0])
        api.in_flight, crawl = 0, None
        if isinstance(witness.end, GiveUp) and witness.end.is_stale:
            witness.forget()
            continue
        if witness.end is not None:
            break
        api.life += 1
        lives_s.pop(0)
    if isinstance(witness.end, Done) and world.is_honest:
        read = {record for page in witness.pages.values() for record in records_of(page)}
        assert read == set(range(world.records_at(0.0))), "done means every record"
    if world.is_easy:
        assert isinstance(witness.end, Done) or "page 2" in str(witness.end), "an easy world is read to its end"
        fewest = max(ceil(world.records_at(0.0) / world.listing.size), 1)
        lives = 1 + len(world.crashes_s)
        if not world.listing.varies and not (world.cursors_die and world.crashes_s):
            assert witness.requests <= fewest + lives * (2 * world.policy.max_concurrency + 1), (
                "few requests beyond the end"
            )
    return witness


def new_pacer(world: World) -> RateLimiter:
    """The pacer of a client in this world."""
    return RateLimiter(world.requests_per_second, max_concurrency=world.policy.max_concurrency)


def live(api: Api, witness: Witness, crash_s: float) -> None:
    """Drive one crawl as a driver would, until it ends or crashes."""
    answers: list[tuple[float, int, Outcome]] = []
    order = count()
    while witness.now_s < crash_s:
        action = witness.next_action()
        if isinstance(action, FetchPage):
            outcome = api.answer(action, witness.now_s)
            heapq.heappush(answers, (witness.now_s + outcome.latency_s, next(order), outcome))
        elif isinstance(action, Done | GiveUp):
            return
        elif answers and answers[0][0] <= action.instant_s:
            arrived_s, _, outcome = heapq.heappop(answers)
            witness.now_s = max(witness.now_s, arrived_s + api.world.lateness_s(api.dice))
            api.in_flight -= 1
            witness.tell(outcome)
        else:
            assert isinstance(action, WaitUntil)
            assert witness.now_s < action.instant_s < inf, "a wait for nothing"
            witness.now_s = action.instant_s + api.world.lateness_s(api.dice)


# --- random worlds -----------------------------------------------------------------------------------------


def grows_for_ever(page: Page) -> Page:
    """There is always one page more."""
    return Page(page.number, 10, 10**9, page.number * 2 + 1, 10, page.data)


def repeats_itself(page: Page) -> Page:
    """Every page holds the same records."""
    return Page(page.number, 10, page.total, page.total_pages, 10, b"the same")


def claims_too_much(page: Page) -> Page:
    """More pages than anybody has."""
    return Page(page.number, 10, 10**19, 10**18, 10, page.data)


def random_limiter(dice: random.Random) -> Callable[[], Limiter]:
    """Any limiter, tight or wide."""
    rate, quota = dice.choice((1.0, 5.0, 20.0, 100.0)), dice.choice((3, 20, 100))
    burst, window_s, places = dice.choice((1, 5, 20)), dice.choice((1.0, 5.0)), dice.randint(1, 6)
    return dice.choice(
        (
            lambda: limiters.TokenBucket(rate, burst),
            lambda: limiters.FixedWindow(quota, window_s),
            lambda: limiters.SlidingWindow(quota, window_s),
            lambda: limiters.SlidingWindow(quota, window_s, counts_refused=True),
            lambda: limiters.ConcurrencyLimit(places),
            lambda: limiters.Closed(quota),
        )
    )


def random_world(seed: int) -> World:
    """Any world at all; most are hostile in some ways, few in all."""
    dice = random.Random(seed)
    pages = dice.choice((0, 1, 2, 5, 12, 30, 80, 80))
    listing = random_listing(dice) if dice.random() < 0.6 else Listing()

    def seldom() -> bool:
        return dice.random() < 0.2

    def some_pages() -> frozenset[int]:
        return frozenset(dice.randint(1, max(pages, 1)) for _ in range(dice.randint(1, 3)))

    start_s = dice.choice((0.0, 0.5, 3.0))
    lies = (grows_for_ever, repeats_itself, claims_too_much)
    moves = tuple((dice.uniform(0.0, 5.0), max(pages + dice.randint(-4, 4), 0)) for _ in range(dice.randint(1, 3)))
    return World(
        pages=((0.0, pages), *(sorted(moves) if seldom() else ())),
        limiter=random_limiter(dice) if dice.random() < 0.5 else NoLimit,
        retry_after=limiters.an_hour
        if seldom()
        else dice.choice((limiters.whole_seconds, limiters.exact, limiters.silent)),
        refusal=FailureCause.SERVER_ERROR if seldom() else FailureCause.THROTTLED,
        latency_s=dice.choice((0.001, 0.05, 0.4)),
        jitter=dice.choice((0.0, 0.2, 5.0)),
        fault_rate=dice.choice((0.0, 0.0, 0.1, 0.2, 0.2, 0.3, 0.3, 0.5, 0.9, 1.0)),
        faults=dice.choice(
            ((FailureCause.SERVER_ERROR,), (FailureCause.TIMEOUT, FailureCause.CONNECTION), (FailureCause.BAD_BODY,))
        ),
        busy_rate=dice.choice((0.0, 0.3, 1.0)),
        outage=(start_s, start_s + dice.choice((1.0, 10.0, 1e6))) if seldom() else (inf, inf),
        poisoned=some_pages() if seldom() else frozenset(),
        refused=some_pages() if seldom() and seldom() else frozenset(),
        short={page: dice.choice((1, 1, 99)) for page in some_pages()} if seldom() and listing.tells == "pages" else {},
        beyond_is_404=seldom(),
        lie=dice.choice(lies) if seldom() and seldom() else None,
        listing=listing,
        spare=dice.choice((0, 0, 1, 9)) if pages else 0,
        cursors_die=seldom(),
        seed=seed,
        policy=CrawlPolicy(
            max_concurrency=dice.choice((1, 2, 8, 32)),
            backoff=dice.choice((BackoffPolicy(), BackoffPolicy(), BackoffPolicy.growing(0.05, 5), BackoffPolicy(()))),
            rounds=dice.randint(1, 4),
            max_pause_s=dice.choice((0.0, 2.0, 60.0)),
        ),
        requests_per_second=dice.choice((None, None, None, 0.5, 10.0, 100.0)),
        crashes_s=tuple(sorted(dice.uniform(0, 8) for _ in range(dice.randint(1, 3)))) if seldom() else (),
    )


def main(arguments: list[str]) -> int:
    """Visit many worlds; return how many broke a law."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--worlds", type=int, default=10_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="which")
    parser.add_argument("--world", type=int, help="only this one")
    chosen = parser.parse_args(arguments)
    numbers = range(chosen.worlds) if chosen.world is None else [chosen.world]
    ends: Counter[str] = Counter()
    broken, requests, started_s = 0, 0, time.monotonic()
    for number in numbers:
        world = random_world(chosen.seed * 10**9 + number)
        try:
            witness = visit(world)
        except AssertionError as law:
            broken += 1
            print(f"world {number}: {law}\n  {world}")  # noqa: T201
            continue
        requests += witness.requests
        ends[witness.end.reason if isinstance(witness.end, GiveUp) else "done"] += 1
    took_s = time.monotonic() - started_s
    print(f"{len(numbers)} worlds, {requests} requests, {broken} broke a law, {dict(ends)}, {took_s:.0f} s")  # noqa: T201
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
