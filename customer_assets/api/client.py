"""The client: plain calls over a crawl, a transport and a page store. It puts them together; they decide and wait."""

import hashlib
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self, TextIO, Unpack

from customer_assets.api.clock import Clock
from customer_assets.api.collector import CustomerCollector
from customer_assets.api.crawl.consistency import MAX_PASSES, Consistency, PageSink, PassTotals, assess
from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import Done, GiveUp
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.api.crawl.policy import BackoffPolicy, CrawlPolicy
from customer_assets.api.crawl.rate_limiter import RateLimiter
from customer_assets.api.http.base import Target, Transport, open_transport
from customer_assets.api.options import ApiKeywords, ApiSettings, hide_api_key, validate_api_key
from customer_assets.api.page_store.base import PageStore, open_store
from customer_assets.api.page_store.best_effort import BestEffortStore
from customer_assets.api.progress import OnProgress, Progress, summary
from customer_assets.api.responses import PageParser, records
from customer_assets.api.runner import Reading, early_end, error
from customer_assets.api.stats import CrawlStats
from customer_assets.errors import ConfigurationError, PageFailedError
from customer_assets.field_mapping import DEFAULT_MAPPING
from customer_assets.models import Page

logger = logging.getLogger("customer_assets.api")

IN_MEMORY = "memory://"
"""The page store of a client that names none."""


class CustomerAPIClient:
    """Reads all customers of a paginated, rate-limited, unreliable REST API.

    Nothing is sent before the first call. Use it as a context, or close it.

    Args:
        base_url: The API, such as `https://reqres.in/api`.
        api_key: Sent to this API only, in the header `x-api-key` unless `key_header` names another.
        clock: The time, and how to wait.
        on_progress: Called every few seconds with the crawl's progress and the seconds since its start.
        identity: Names the API in the page store instead of its base URL; for an API whose address changes.
        show_progress: Draw a progress bar while a crawl runs, if standard error is a terminal.
        terminal: Draw it here instead; for programs that redirect standard error.
        **options: The fields of `ApiSettings`; `transport` may also be a transport of your own, which the client
            closes.

    Attributes:
        figures: What the latest crawl did; of one that failed, as far as it came.

    Raises:
        ConfigurationError: An argument cannot be used; names it.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        clock: Clock | None = None,
        on_progress: OnProgress | None = None,
        identity: str | None = None,
        show_progress: bool = True,
        terminal: TextIO | None = None,
        **options: Unpack[ApiKeywords],
    ) -> None:
        api_key = hide_api_key(api_key)  # from here on no traceback shows it
        self._transport = _own_transport(options)
        self.options = ApiSettings.from_keywords(base_url=base_url, **options)
        self.base_url = self.options.base_url
        if not self.base_url:
            raise ConfigurationError("base_url", "it is blank", "Write it like https://reqres.in/api.")
        self._target = Target(
            url=self.base_url + self.options.path,
            api_key=validate_api_key(api_key),
            page_size=self.options.page_size,
            timeout_s=self.options.timeout_s,
            max_body_bytes=self.options.max_body_bytes,
            shape=self.options.mapping,
            key_header=self.options.key_header,
            key_scheme=self.options.key_scheme,
        )
        self._reader = PageParser(self.options.mapping, self.options.page_size)
        self._clock, self._on_progress, self._identity = clock or Clock(), on_progress, identity
        self._show_progress, self._terminal = show_progress, terminal
        self.figures = CrawlStats()
        self._kept = BestEffortStore(self._open_store, self._crawl_name(), self.options.resume_ttl_s)
        self._pacer = RateLimiter(self.options.requests_per_second, max_concurrency=self.options.max_concurrency)

    def __repr__(self) -> str:
        """Show where it reads and how; never the key."""
        if not hasattr(self, "_target"):  # a traceback that shows local variables comes by before it is made
            return "<CustomerAPIClient>"
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
        """Close connections and files.

        Pages that were read stay in the page store, for the next client to resume from; with `memory://`, the default,
        they go with this one.
        """
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._kept.close()

    def fetch_all_customers(self) -> list[dict[str, Any]]:
        """Return every customer once, as the API sent it, in the API's order.

        Of several records of one customer the most complete one stands. TableVersions without a usable id are left out.
        Called again after an error, it asks only for the pages that are missing.

        Raises:
            IncompleteCrawlError: Pages stayed unreadable; names them.
            CrawlPausedError: The API asked for a longer pause than a crawl waits.
            RequestRefusedError: The API refused for good.
        """
        customers = CustomerCollector(self.options.record)
        figures = self.crawl(customers)
        if figures.rejected:
            logger.warning("%d records have no usable id and are left out.", figures.rejected)
        return customers.customers()

    def crawl(self, sink: PageSink) -> CrawlStats:
        """Read every page into a sink, again if customers moved meanwhile.

        Raises:
            IncompleteCrawlError: Pages stayed unreadable; names them.
            CrawlPausedError: The API asked for a longer pause than a crawl waits.
            RequestRefusedError: The API refused for good.
        """
        self.figures, started_s = CrawlStats(), self._clock.monotonic_s()
        try:
            self._crawl(sink, self.figures)
        finally:
            self.figures.duration_s = self._clock.monotonic_s() - started_s
        logger.info("%s", summary(self.figures))
        return self.figures

    def _crawl(self, sink: PageSink, figures: CrawlStats) -> None:
        fingerprint = None
        for figures.passes in range(1, MAX_PASSES + 1):
            tally = self._pass(sink, figures)
            ids, rejected, same = sink.unique_ids(), sink.rejected_records(), sink.fingerprint() == fingerprint
            found = assess(tally, ids, rejected, same_as_before=same)
            if found is not Consistency.SHIFTED or (same and tally.totals_stable):
                break  # the very same pages twice: a third pass would read them again
            fingerprint = sink.fingerprint()
            if figures.passes < MAX_PASSES:
                logger.warning("What pass %d read does not add up: all pages are read again.", figures.passes)
                self._kept.keep(0)
        self._kept.keep(0 if found is Consistency.SHIFTED else self.options.cache_ttl_s)
        figures.unique_ids, figures.rejected = ids, rejected
        _conclude(figures, tally, found)

    def _fetch_page(self, page: int) -> dict[str, Any]:
        """Return one page's answer, retries included.

        Raises:
            ConfigurationError: There is no such page.
            PageFailedError: It stayed unreadable.
            CrawlPausedError: The API asked for a longer pause than a crawl waits.
            RequestRefusedError: The API refused for good.
        """
        if isinstance(page, bool) or not isinstance(page, int) or page < 1:
            raise ConfigurationError("page", f"{page!r} is no page", "Pages are counted from 1.")
        found: list[Page] = []
        crawl = Crawl(replace(self._policy(), rounds=1), self._pacer, only_page=page)
        figures = CrawlStats()
        reading = self._reading(crawl, figures, found.append)
        end = self._run(reading)
        if isinstance(end, GiveUp):
            cause = end.reason if reading.last_failure is None else reading.last_failure.value
            raise early_end(end) or PageFailedError(page, figures.requests, cause, reading.last_detail)
        (arrived,) = found
        return {
            "page": arrived.number,
            "per_page": arrived.per_page,
            "total": arrived.total,
            "total_pages": arrived.total_pages,
            "data": records(arrived),
        }

    def _pass(self, sink: PageSink, figures: CrawlStats) -> PassTotals:
        sink.start_pass()
        tally, held, known = PassTotals(), PageRanges(), None
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
        reading = self._reading(crawl, figures, accepted)
        end = self._run(reading)
        if isinstance(end, GiveUp):
            raise error(end, reading.last_detail)
        return tally

    def _reading(self, crawl: Crawl, figures: CrawlStats, accepted: Callable[[Page], None]) -> Reading:
        terminal = self._terminal or (sys.stderr if sys.stderr.isatty() else None)
        drawn_on = terminal if self._show_progress else None
        progress = Progress(self._clock.utc, self._clock.monotonic_s(), self._on_progress, drawn_on)
        return Reading(crawl, figures, progress, accepted, self._reader)

    def _run(self, reading: Reading) -> Done | GiveUp:
        if self._transport is None:
            self._transport = open_transport(self.options.transport, self._target, self.options.max_concurrency)
        return reading.run(self._transport, self._clock)

    def _open_store(self) -> PageStore:
        return open_store(self.options.page_store or IN_MEMORY, self._clock.epoch_s)

    def _policy(self) -> CrawlPolicy:
        return CrawlPolicy(
            max_concurrency=self.options.max_concurrency,
            backoff=BackoffPolicy(tuple(self.options.retry_waits_s)),
            rounds=self.options.rounds,
            max_pause_s=self.options.max_pause_s,
        )

    def _crawl_name(self) -> str:
        """The crawl's identity: what is asked for and of whom, never with which key."""
        asked = [self._identity or self.base_url, self.options.path, str(self.options.page_size)]
        shape = replace(self.options.mapping, record=DEFAULT_MAPPING.record)  # pages are kept as they came
        if shape != DEFAULT_MAPPING:
            asked.append(repr(shape))
        return hashlib.sha256("\n".join(asked).encode()).hexdigest()[:32]


def _own_transport(options: ApiKeywords) -> Transport | None:
    """Take a transport that is an object, not a name, out of the options."""
    transport = options.get("transport")
    if isinstance(transport, str) or transport is None or not callable(getattr(transport, "send", None)):
        return None
    del options["transport"]
    return transport


def _conclude(figures: CrawlStats, tally: PassTotals, found: Consistency) -> None:
    figures.pages, figures.records, figures.total = tally.pages, tally.records, tally.total
    difference = tally.total - figures.rejected - figures.unique_ids
    if found is Consistency.SOURCE_DUPLICATES:
        figures.source_duplicates = difference
    else:
        figures.missing_customers = difference
    if figures.missing_customers < 0:
        logger.warning("The API handed over %d customers more than it counts.", -figures.missing_customers)
    elif figures.missing_customers:
        logger.warning("The API counts %d customers more than it handed over.", figures.missing_customers)
