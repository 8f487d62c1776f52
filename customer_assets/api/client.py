"""The client: plain calls over a crawl, a transport and a page store. It only puts them together."""

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self, TextIO, Unpack

from customer_assets.api.auth.secret import Secret, hide_api_key, validate_api_key
from customer_assets.api.auth.settings import AuthContext, Credentials
from customer_assets.api.crawl.consistency import PageSink, TotalIs
from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import GiveUp, PageReceived
from customer_assets.api.crawl.extent import Numbering
from customer_assets.api.crawl.lanes import Lanes
from customer_assets.api.crawl.pace.policy import BackoffPolicy, CrawlPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.api.http.base import Transport, TransportSettings, open_transport
from customer_assets.api.options import ApiKeywords, ApiSettings
from customer_assets.api.page_store.base import open_store
from customer_assets.api.page_store.best_effort import BestEffortStore
from customer_assets.api.paging import PageNumber, Paging
from customer_assets.api.paging.slices import Range, Slices
from customer_assets.api.responses.answer import TotalRequest
from customer_assets.api.responses.parser import PageParser, records
from customer_assets.api.runner.clock import Clock
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.api.runner.crawl_runner import NO_LIMITS, CrawlLimits, CrawlRunner
from customer_assets.api.runner.endpoint import Endpoint, SlicedEndpoint, count_endpoint
from customer_assets.api.runner.passes import Listing, ListingReader
from customer_assets.api.runner.progress import OnProgress, Progress, find_terminal, summary
from customer_assets.api.runner.sliced import Access, SlicedReader
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.api.runner.steps import CrawlStep, drive
from customer_assets.core.errors import (
    APIError,
    ConfigurationError,
    IncompleteCrawlError,
    PageFailedError,
    RequestRefusedError,
)
from customer_assets.core.models import Page

logger = logging.getLogger("customer_assets.api")

IN_MEMORY = "memory://"
"""The page store of a client that names none."""


class CustomerAPIClient:
    """Reads all customers of a paginated, rate-limited, unreliable REST API.

    Nothing is sent before the first call. Use it as a context, or close it.

    Args:
        base_url: The API, such as `https://reqres.in/api`.
        api_key: Sent to this API only, in the header `x-api-key` unless `key_header` or `auth` says otherwise. Blank
            where `auth` reads its secrets from variables.
        clock: The time, and how to wait.
        on_progress: Called every few seconds with the crawl's progress and the seconds since its start.
        identity: Names the API in the page store instead of its base URL; for an API whose address changes.
        show_progress: Draw a progress bar while a crawl runs, on a terminal or in a notebook.
        terminal: Draw it here instead; for programs that redirect standard error.
        environ: Where `auth` reads its secrets; None: the environment of the process.
        **options: The fields of `ApiSettings`; `transport` may also be a transport of your own, which the client
            closes.

    Attributes:
        figures: What the latest crawl did, up to the point where it failed, if it did.

    Raises:
        ConfigurationError: An argument cannot be used; the error names it.
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
        environ: Mapping[str, str] | None = None,
        **options: Unpack[ApiKeywords],
    ) -> None:
        api_key = hide_api_key(api_key)  # from here on no traceback shows it
        self._transport = _own_transport(options)
        self._is_own_transport, self._process = self._transport is not None, os.getpid()
        self.options = ApiSettings.from_keywords(base_url=base_url, **options)
        self.base_url = self.options.base_url
        if not self.base_url:
            raise ConfigurationError("base_url", "it is blank", "Write it like https://reqres.in/api.")
        self._endpoint = self._open_endpoint(self.options.paging)
        self._clock, self._on_progress, self._identity = clock or Clock(), on_progress, identity
        self._show_progress, self._terminal = show_progress, terminal
        self.figures, self._limits = CrawlStats(), NO_LIMITS
        store_url, epoch_s = self.options.page_store or IN_MEMORY, self._clock.epoch_s
        self._store = BestEffortStore(
            lambda: open_store(store_url, epoch_s), self._crawl_name(), self.options.resume_ttl_s
        )
        self._limiter = RateLimiter(self.options.requests_per_second, max_concurrency=self.options.max_concurrency)
        self._credentials = self._open_credentials(api_key, os.environ if environ is None else environ)

    def __repr__(self) -> str:
        """Show what it reads and how, but never the key."""
        if not hasattr(self, "_endpoint"):  # a traceback that shows local variables can come before it exists
            return "<CustomerAPIClient>"
        return (
            f"<CustomerAPIClient {self._endpoint.url} transport={self.options.transport} "
            f"max_concurrency={self.options.max_concurrency}>"
        )

    def __enter__(self) -> Self:
        """Use it as a context manager."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close connections and files."""
        self.close()

    def close(self) -> None:
        """Close connections and files.

        Pages stay in the page store for the next client to resume from, except with `memory://`, the default.
        """
        if self._transport is not None and self._process == os.getpid():
            self._transport.close()
        self._transport = None
        self._store.close()

    def fetch_all_customers(self) -> list[dict[str, Any]]:
        """Return every customer once, as the API sent it, in the API's order.

        Of several records of one customer the most complete one is kept. Records without a usable id are left out.
        Called again after an error, it requests only the missing pages.

        Raises:
            IncompleteCrawlError: Pages stayed unreadable; the error names them.
            CrawlPausedError: The API asked for a longer pause than a crawl waits for.
            RequestRefusedError: The API refused for good.
        """
        customers = CustomerCollector(self.options.record)
        figures = self.crawl(customers)
        if figures.rejected:
            logger.warning("%d records have no usable id and are left out.", figures.rejected)
        return customers.customers()

    def crawl(self, sink: PageSink) -> CrawlStats:
        """Read every page into a sink, and again if customers moved in the meantime.

        Raises:
            IncompleteCrawlError: Pages stayed unreadable; the error names them.
            CrawlPausedError: The API asked for a longer pause than a crawl waits for.
            CrawlLimitError: It reached `max_crawl_s` or `max_crawl_bytes`.
            RequestRefusedError: The API refused for good.
        """
        self.figures, started_s = CrawlStats(began_at=self._clock.utc()), self._clock.monotonic_s()
        options = self.options
        self._limits = CrawlLimits(options.max_crawl_s, options.max_crawl_bytes, started_s + options.max_crawl_s)
        self._store.begin()
        try:
            if self.options.slices_to_read is None:
                drive(self._reader().read(sink, self.figures), self._run)
            else:
                self._sliced_reader(self.options.slices_to_read).read(sink, self.figures, self._open_transport())
        finally:
            self._store.end()
            self.figures.duration_s = self._clock.monotonic_s() - started_s
        logger.info("%s", summary(self.figures))
        return self.figures

    def _fetch_page(self, page: int) -> dict[str, Any]:
        """Return one page's answer, retries included.

        Raises:
            ConfigurationError: There is no such page.
            PageFailedError: It stayed unreadable.
            CrawlPausedError: The API asked for a longer pause than a crawl waits for.
            RequestRefusedError: The API refused for good.
        """
        if self._numbering is Numbering.CHAIN and page != 1:
            raise ConfigurationError("page", f"page {page!r} cannot be requested alone", "Only page 1 can.")
        if isinstance(page, bool) or not isinstance(page, int) or page < 1:
            raise ConfigurationError("page", f"{page!r} is not a page number", "Pages are counted from 1.")
        received: list[PageReceived] = []
        crawl = Crawl(replace(self._policy(), rounds=1), self._limiter, only=(page,))
        stats = CrawlStats()
        with self._runner(crawl, self._endpoint, stats, received.append) as runner:
            end = runner.run(self._open_transport())
        if isinstance(end, GiveUp):
            error, failure = runner.error(end), runner.last_failure
            if isinstance(error, IncompleteCrawlError):
                cause, detail = (failure.cause.value, failure.detail) if failure else (end.reason, "")
                raise PageFailedError(page, stats.requests, cause, detail)
            raise error
        found = received[0].page
        return {
            "page": found.number,
            "per_page": found.per_page,
            "total": found.total,
            "total_pages": found.total_pages,
            "data": records(found),
        }

    def _fetch_total(self, endpoint: Endpoint, figures: CrawlStats) -> int | None:
        """Ask for the total by a request of its own."""
        try:
            return self._fetch_alone(endpoint, figures).total
        except RequestRefusedError as refusal:
            if endpoint.url == self._endpoint.url:
                raise
            problem, remedy = f"the API answers it with HTTP {refusal.status}", "Check it, or set total to null."
            raise ConfigurationError("answer.total.path", problem, remedy) from None

    def _look_up(self, paging: Paging, number: int, figures: CrawlStats) -> Page | None:
        """Request a page in a given way of paging. None if the API does not return it."""
        try:
            return self._fetch_alone(self._open_endpoint(paging), figures, number)
        except APIError:
            return None

    def _fetch_alone(self, endpoint: Endpoint, figures: CrawlStats, number: int = 1) -> Page:
        received: list[PageReceived] = []
        crawl = Crawl(replace(self._policy(), rounds=1), self._limiter, only=(number,))
        with self._runner(crawl, endpoint, figures, received.append) as runner:
            end = runner.run(self._open_transport())
        if isinstance(end, GiveUp):
            raise runner.error(end)
        return received[0].page

    @property
    def _numbering(self) -> Numbering:
        return self._endpoint.paging.numbering

    def _reader(self) -> ListingReader:
        total_is, counts = self.options.answer.total_is, self._count_endpoint()
        listing = Listing(
            self._endpoint.paging,
            self.options.record,
            total_is if total_is in ("exact", "at_least") else "none",
            self.options.cache_ttl_s,
        )
        return ListingReader(
            listing,
            self._policy(),
            self._limiter,
            self._store,
            fetch_total=None if counts is None else partial(self._fetch_total, counts),
            look_up=self._look_up,
            epoch_s=self._clock.epoch_s,
        )

    def _sliced_reader(self, slices: Slices) -> SlicedReader:
        """What reads a listing in slices; a window that ends it early only ends a slice."""
        options, answer = self.options, self.options.answer
        paging = options.paging.model_copy(update={"window": None})
        parser = PageParser(answer, paging)
        total_is: TotalIs = answer.total_is if answer.total_is in ("exact", "at_least") else "none"
        whole = self._count_endpoint() or (None if answer.total is None else self._open_endpoint(paging))

        def open_endpoint(part: Range) -> Endpoint:
            parts = {"params": options.params, "body": options.body}
            return self._open_endpoint(paging, parser, **slices.request(part, parts, paging.send_in))

        access = Access(
            self._runner,
            open_endpoint,
            None if whole is None else partial(self._fetch_total, whole),
            is_compared=total_is != "none",
            counts_everyone=isinstance(answer.total, TotalRequest),
            look_up=self._look_up,
        )
        in_slices: TotalIs = total_is if isinstance(answer.total, str) else "none"
        return SlicedReader(
            Listing(paging, options.record, in_slices, options.cache_ttl_s, is_slice=True),
            slices,
            self._policy(),
            self._limiter,
            self._store,
            window=options.paging.window,
            access=access,
            epoch_s=self._clock.epoch_s,
        )

    def _count_endpoint(self) -> Endpoint | None:
        """Where the total is, if it has a request of its own."""
        total = self.options.answer.total
        if not isinstance(total, TotalRequest):
            return None
        return count_endpoint(self.base_url, total, self.options.headers)

    def _open_endpoint(self, paging: Paging, parser: PageParser | None = None, **parts: Any) -> Endpoint:  # noqa: ANN401
        settings = self.options
        return Endpoint(
            self.base_url + settings.path,
            paging,
            settings.answer,
            method=settings.method,
            params=parts.get("params", settings.params),
            headers=settings.headers,
            body=parts.get("body", settings.body),
            parser=parser,
        )

    def _run(self, step: CrawlStep) -> GiveUp | None:
        """Run a crawl to its end; return why the pages it held are stale, and raise what else kept it from its end."""
        transport = self._open_transport()
        with self._runner(
            step.crawl, self._endpoint, self.figures, lambda received: step.on_page(received.page)
        ) as runner:
            end = runner.run(transport)
        if not isinstance(end, GiveUp):
            return None
        if end.is_stale:
            return end
        raise runner.error(end)

    def _runner(
        self,
        crawl: Crawl | Lanes,
        endpoint: Endpoint | SlicedEndpoint,
        figures: CrawlStats,
        on_page: Callable[[PageReceived], None],
    ) -> CrawlRunner:
        progress = self._progress()
        return CrawlRunner(crawl, endpoint, self._credentials, self._clock, figures, progress, on_page, self._limits)

    def _open_credentials(self, api_key: Secret, environ: Mapping[str, str]) -> Credentials:
        if self.options.auth is None:  # without it nothing but this argument can hold the key
            api_key = validate_api_key(api_key)
        context = AuthContext(
            self.base_url,
            api_key,
            environ,
            self._token_file(environ),
            self._clock,
            self.options.timeout_s,
            tuple(self.options.retry_waits_s),
        )
        return self.options.authentication.open(context)

    def _token_file(self, environ: Mapping[str, str]) -> Path:
        """Where rotated tokens are kept: beside the stored pages, or in the user's state directory."""
        store = self.options.page_store or ""
        if store.startswith("sqlite:///"):
            return Path(store.removeprefix("sqlite:///")).parent / "tokens.json"
        state = environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(state).expanduser() / "customer_assets" / "tokens.json"

    def _progress(self) -> Progress:
        bar_on = (self._terminal or find_terminal()) if self._show_progress else None
        return Progress(self._clock.utc, self._clock.monotonic_s(), self._on_progress, bar_on)

    def _open_transport(self) -> Transport:
        if self._process != os.getpid() and not self._is_own_transport:
            self._process, self._transport = os.getpid(), None  # no thread survives a fork
        if self._transport is None:
            options = self.options
            settings = TransportSettings(
                self._endpoint.url, options.timeout_s, options.max_body_bytes, options.max_concurrency
            )
            self._transport = open_transport(options.transport, settings)
        return self._transport

    def _policy(self) -> CrawlPolicy:
        return CrawlPolicy(
            max_concurrency=self.options.max_concurrency,
            backoff=BackoffPolicy(tuple(self.options.retry_waits_s)),
            rounds=self.options.rounds,
            max_pause_s=self.options.max_pause_s,
        )

    def _crawl_name(self) -> str:
        """The crawl's identity: what is requested from where, never with which key."""
        asked = [self._identity or self.base_url, self.options.path, str(self.options.page_size)]
        about = {
            name: getattr(self.options, name) for name in ("method", "params", "headers", "body", "answer", "slices")
        }
        about["pages"] = self._endpoint.paging.model_copy(update={"size": None})
        defaults = {name: field.default for name, field in ApiSettings.model_fields.items()} | {"pages": PageNumber()}
        asked += [f"{name}={value!r}" for name, value in about.items() if value != defaults[name]]
        return hashlib.sha256("\n".join(asked).encode()).hexdigest()[:32]


def _own_transport(options: ApiKeywords) -> Transport | None:
    """Take a transport that is an object, not a name, out of the options."""
    transport = options.get("transport")
    if isinstance(transport, str) or transport is None or not callable(getattr(transport, "send", None)):
        return None
    del options["transport"]
    return transport
