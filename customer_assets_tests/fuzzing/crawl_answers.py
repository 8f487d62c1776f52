"""Fuzzes the crawl: whatever is answered to its requests, it keeps its laws and comes to an end."""

from math import inf

from customer_assets.api.crawl.crawl import Crawl, CrawlPolicy
from customer_assets.api.crawl.events import FetchPage, Outcome, PageReceived, RateLimitHints, RequestFailed
from customer_assets.api.crawl.pace.policy import BackoffPolicy
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page
from customer_assets_tests.fuzzing.running import fuzz
from customer_assets_tests.harness.simulation.invariants import Witness
from customer_assets_tests.harness.simulation.simulated_apis import Api, World, live, new_pacer

ANSWERS_AT_MOST = 1_000
"""The laws bound a crawl's time by its pages; an answer every second of so many stays within."""
PAGES_AT_MOST = 60

CAUSES = (
    FailureCause.SERVER_ERROR,
    FailureCause.TIMEOUT,
    FailureCause.CONNECTION,
    FailureCause.BAD_BODY,
    FailureCause.REFUSED,
    FailureCause.THROTTLED,
)
STATUSES = (500, None, None, 200, 403, 429)
WAITS_S = (None, 0.0, 0.5, 1.0, None, 2.0, None, 3_600.0)


class SpeltApi(Api):
    """An API whose answers are spelt by bytes, two for each; once they are used up, every page is there."""

    def __init__(self, world: World, data: bytes) -> None:
        super().__init__(world)
        self.data, self.pages = iter(data[: 2 * ANSWERS_AT_MOST]), world.pages_at(0.0)

    def answer(self, fetch: FetchPage, now_s: float) -> Outcome:  # noqa: ARG002 - these answers know no time
        """Say what is answered: the first byte what, the second with which numbers."""
        number = fetch.page
        what, detail = next(self.data, 0), next(self.data, 0)
        self.in_flight += 1
        latency_s = (0.01, 0.05, 0.4, 3.0)[detail % 4]
        if what < 128:
            return PageReceived(self.spelt_page(number, what, detail), latency_s)
        cause = what % len(CAUSES)
        status = 404 if what >= 240 and CAUSES[cause] is FailureCause.REFUSED else STATUSES[cause]
        return RequestFailed(number, CAUSES[cause], latency_s, status, _advice(what, detail))

    def spelt_page(self, number: int, what: int, detail: int) -> Page:
        """A page of ten records, or fewer; every few pages there are more of them, or fewer."""
        if what % 8 == 1:
            self.pages = detail % PAGES_AT_MOST
        records = 0 if number > self.pages else detail % 11 if what % 8 == 2 else 10
        return Page(number, 10, self.pages * 10, self.pages, records, b"%d" % number)


def check(data: bytes) -> None:
    """Any answers, spelt after two bytes for the policy, end a crawl without a law broken."""
    policy, pages = data[0] if data else 0, data[1] % PAGES_AT_MOST if len(data) > 1 else 7
    world = World(
        pages=((0.0, pages),),
        policy=CrawlPolicy(
            max_concurrency=(1, 2, 8, 32)[policy % 4],
            backoff=(BackoffPolicy(), BackoffPolicy.growing(0.05, 5), BackoffPolicy(()))[policy // 4 % 3],
            rounds=1 + policy // 12 % 3,
            max_pause_s=(0.0, 2.0, 60.0)[policy // 36 % 3],
        ),
        requests_per_second=(None, 100.0)[policy // 108 % 2],
    )
    witness = Witness(world.policy)
    witness.begin(Crawl(world.policy, new_pacer(world)))
    live(SpeltApi(world, data[2:]), witness, inf)
    assert witness.end is not None


def _advice(what: int, detail: int) -> RateLimitHints:
    wait_s = WAITS_S[detail // 4 % len(WAITS_S)]
    if what % 5 == 0:
        return RateLimitHints(remaining=detail // 32, reset_after_s=wait_s)
    return RateLimitHints(wait_s, requests_per_second=detail / 16 if what % 5 == 1 and detail else None)


if __name__ == "__main__":
    fuzz(check)
