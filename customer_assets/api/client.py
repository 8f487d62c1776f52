"""The client: plain calls over a crawl, a transport and a page store. It puts them together; they decide and wait."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import msgspec

from customer_assets.api.actions import Accepted, Arrived, Decision, Done, GiveUp, Outcome
from customer_assets.api.backoff import BackoffPolicy
from customer_assets.api.clock import Clock
from customer_assets.api.crawl import Crawl, CrawlPolicy, Snapshot
from customer_assets.api.customers import CustomerList
from customer_assets.api.drivers import open_driver
from customer_assets.api.figures import CrawlFigures
from customer_assets.api.keeping import KeptPages
from customer_assets.api.options import ClientOptions, checked_base_url, checked_key
from customer_assets.api.pacing import Pacer
from customer_assets.api.page_ranges import PageRanges
from customer_assets.api.pages import open_store
from customer_assets.api.passes import MAX_PASSES, PageSink, Tally, Verdict, verdict
from customer_assets.api.progress import Progress
from customer_assets.api.transports import Target
from customer_assets.errors import (
    CrawlPausedError,
    IncompleteCrawlError,
    PageFailedError,
    RequestRefusedError,
)
from customer_assets.models import Page

REMEDIES = {
    401: "Check the API key (CUSTOMER_API_KEY).",
    403: "The key may not read customers: ask the API's owner.",
    404: "Check the base URL (CUSTOMER_API_BASE_URL): customers are expected at /users below it.",
}
CHECK_THE_ADDRESS = "Check the base URL and the settings of the request."


class CustomerAPIClient:
    """Reads all customers of a paginated, rate-limited, unreliable REST API.

    Nothing is sent before the first call. Use it as a context, or close it.

    Args:
        base_url: The API, such as `https://reqres.in/api`.
        api_key: Sent as `x-api-key`, to this API only.
        clock: Tells the time and waits.
        on_progress: Called every few seconds with where the crawl stands and the seconds since its start.
        **options: See `ClientOptions`.

    Raises:
        ConfigurationError: An argument cannot be used; names it.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        clock: Clock | None = None,
        on_progress: Callable[[Snapshot, float], None] | None = None,
        **options: Any,  # noqa: ANN401 - `ClientOptions` checks them
    ) -> None:
        self.options = ClientOptions(**options)
        self.base_url = checked_base_url(base_url, allow_insecure_http=self.options.allow_insecure_http)
        self._target = Target(
            url=self.base_url + self.options.path,
            api_key=checked_key(api_key),
            page_size=self.options.page_size,
            timeout_s=self.options.timeout_s,
            max_body_bytes=self.options.max_body_bytes,
        )
        self._clock, self._on_progress = clock or Clock(), on_progress
        self._driver = open_driver(self.options.transport, self._target, self.options.max_concurrency, self._clock)
        self._kept = KeptPages(self._open_store, self._crawl_name(), self.options.resume_ttl_s)
        self._pacer = Pacer(self.options.requests_per_second, max_concurrency=self.options.max_concurrency)

    def __repr__(self) -> str:
        """Show where it reads and how; never the key."""
        return (
            f"<CustomerAPIClient {self._target.url} transport={self.options.transport} "
            f"max_concurrency={self.options.max_concurrency}>"
        )

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close connections and files."""
        self.close()

    def close(self) -> None:
        """Close connections and files; pages that were read stay in the page store."""
        self._driver.close()
        self._kept.close()

    def fetch_all_customers(self) -> list[dict[str, Any]]:
        """Return every customer once, as the API sent it, in the API's order.

        Of several records of one customer the most complete one stands. Records without a usable id are left out.
        Called again after an error, it asks only for the pages that are missing.

        Raises:
            IncompleteCrawlError: Pages stayed unreadable; names them.
            CrawlPausedError: The API asked for a longer pause than a crawl waits.
            RequestRefusedError: The API refused for good.
        """
        customers = CustomerList()
        self.crawl(customers)
        return customers.customers()

    def crawl(self, sink: PageSink) -> CrawlFigures:
        """Read every page into a sink, again if customers moved meanwhile.

        Raises:
            IncompleteCrawlError: Pages stayed unreadable; names them.
            CrawlPausedError: The API asked for a longer pause than a crawl waits.
            RequestRefusedError: The API refused for good.
        """
        figures, started_s = CrawlFigures(), self._clock.monotonic_s()
        fingerprint = None
        for figures.passes in range(1, MAX_PASSES + 1):
            tally = self._pass(sink, figures)
            found = verdict(
                tally, sink.unique_ids(), sink.rejected_records(), same_as_before=sink.fingerprint() == fingerprint
            )
            if found is not Verdict.MOVED:
                break
            fingerprint = sink.fingerprint()
            if figures.passes < MAX_PASSES:
                self._kept.keep(0)
        self._kept.keep(self.options.cache_ttl_s)
        figures.duration_s = self._clock.monotonic_s() - started_s
        return _concluded(figures, tally, sink, found)

    def _fetch_page(self, page: int) -> dict[str, Any]:
        """Return one page's answer, retries included.

        Raises:
            PageFailedError: It stayed unreadable.
            CrawlPausedError: The API asked for a longer pause than a crawl waits.
            RequestRefusedError: The API refused for good.
        """
        found: list[Page] = []
        crawl = Crawl(replace(self._policy(), rounds=1), self._pacer, only_page=page)
        end = self._drive(crawl, CrawlFigures(), found.append)
        if isinstance(end, GiveUp):
            raise _error(end, crawl.snapshot().requests, only_page=page)
        (arrived,) = found
        return {
            "page": arrived.number,
            "per_page": arrived.per_page,
            "total": arrived.total,
            "total_pages": arrived.total_pages,
            "data": msgspec.json.decode(arrived.data),
        }

    def _pass(self, sink: PageSink, figures: CrawlFigures) -> Tally:
        sink.start_pass()
        tally, held, known = Tally(), PageRanges(), None
        for known in self._kept:
            held.add(known.number)
            tally.add(known)
            sink.add(known)
        figures.pages_from_store = tally.pages

        def accepted(page: Page) -> None:
            self._kept.put(page)
            tally.add(page)
            sink.add(page)

        crawl = Crawl(self._policy(), self._pacer, held=held, known=known)
        end = self._drive(crawl, figures, accepted)
        snapshot = crawl.snapshot()
        figures.throttles += snapshot.throttles
        figures.waiting_s += snapshot.waiting_s
        figures.retries.update(snapshot.retries)
        if isinstance(end, GiveUp):
            raise _error(end, snapshot.requests)
        return tally

    def _drive(self, crawl: Crawl, figures: CrawlFigures, accepted: Callable[[Page], None]) -> Done | GiveUp:
        progress = Progress(self._clock.utc, self._clock.monotonic_s(), self._on_progress)

        def told(outcome: Outcome, decision: Decision) -> None:
            figures.requests += 1
            figures.latencies.add(outcome.latency_s)
            figures.statuses[_status(outcome)] += 1
            if isinstance(decision, Accepted) and isinstance(outcome, Arrived):
                figures.bytes += len(outcome.page.data)
                accepted(outcome.page)
            progress.decided(decision)
            progress.tick(crawl.snapshot, self._clock.monotonic_s())

        return self._driver.run(crawl, told)

    def _open_store(self) -> Any:  # noqa: ANN401
        return open_store(self.options.page_store, self._clock.epoch_s)

    def _policy(self) -> CrawlPolicy:
        return CrawlPolicy(
            max_concurrency=self.options.max_concurrency,
            backoff=BackoffPolicy(self.options.retry_waits_s),
            rounds=self.options.rounds,
            max_pause_s=self.options.max_pause_s,
        )

    def _crawl_name(self) -> str:
        asked = (self.options.identity or self.base_url, self.options.path, str(self.options.page_size))
        return hashlib.sha256("\n".join(asked).encode()).hexdigest()[:32]


def _status(outcome: Outcome) -> int:
    return 200 if isinstance(outcome, Arrived) else outcome.status or 0


def _concluded(figures: CrawlFigures, tally: Tally, sink: PageSink, found: Verdict) -> CrawlFigures:
    figures.pages, figures.records, figures.total = tally.pages, tally.records, tally.total
    figures.unique_ids, figures.rejected = sink.unique_ids(), sink.rejected_records()
    difference = tally.total - figures.rejected - figures.unique_ids
    if found is Verdict.SOURCE_DUPLICATES:
        figures.source_duplicates = difference
    else:
        figures.missing_customers = difference
    return figures


def _error(end: GiveUp, requests: int, only_page: int | None = None) -> Exception:
    if end.refused_status is not None:
        remedy = REMEDIES.get(end.refused_status, CHECK_THE_ADDRESS)
        return RequestRefusedError(end.refused_status, end.refused_page or only_page or 1, remedy)
    if end.retry_after_s is not None:
        return CrawlPausedError(end.retry_after_s)
    if only_page is not None:
        return PageFailedError(only_page, requests, end.reason)
    return IncompleteCrawlError(end.missing_pages, end.pages_total, end.reason)
