"""Reads a listing in slices, side by side, until each of them adds up. How a range is asked for is decided elsewhere.

Each slice is a listing of its own: with its pages in the store, its total, and its passes against customers who move.
A sink cannot forget one slice alone. So if some of a slice's pages no longer count, all slices are handed to the sink
once more: those that were complete from the store, without a request.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from customer_assets.api.crawl.consistency import MAX_PASSES, PageSink, looks_full
from customer_assets.api.crawl.events import GiveUp, PageReceived
from customer_assets.api.crawl.extent import NOTHING_FOLLOWS, Numbering
from customer_assets.api.crawl.lanes import Lanes
from customer_assets.api.crawl.pace.circuit_breaker import CircuitBreaker
from customer_assets.api.crawl.pace.health import ApiHealth
from customer_assets.api.crawl.pace.policy import CrawlPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.api.http.base import Transport
from customer_assets.api.page_store.best_effort import BestEffortStore
from customer_assets.api.paging.slices import Range, Slices, read_ranges, write_ranges
from customer_assets.api.runner.collector import page_ids
from customer_assets.api.runner.crawl_runner import CrawlRunner
from customer_assets.api.runner.endpoint import Endpoint, SlicedEndpoint
from customer_assets.api.runner.first_page import LookUp, validate_end, validate_first_page
from customer_assets.api.runner.passes import PAGE_IS_GONE, Listing, ListingReader
from customer_assets.api.runner.slice_sink import Slice, SliceSink, WindowReachedError
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.api.runner.steps import CrawlStep, Steps
from customer_assets.core.errors import (
    APIError,
    ConfigurationError,
    CrawlPausedError,
    IncompleteCrawlError,
    RequestRefusedError,
)
from customer_assets.core.models import Page

logger = logging.getLogger("customer_assets.api")

MOST_ROUNDS = 100
"""So often all slices are handed to the sink, whatever happens: far more than customers who move can cause."""

PLAN = 1
"""The number under which the ranges are stored, as a page."""

PLAN_EVERY_S = 60.0
"""Far less than stored pages are kept, and seldom enough not to matter beside them."""

OpenRunner = Callable[[Lanes, SlicedEndpoint, CrawlStats, Callable[[PageReceived], None]], CrawlRunner]


@dataclass(frozen=True, slots=True)
class Access:
    """How slices are requested, and the whole listing's total.

    Attributes:
        open_runner: Opens what runs all slices.
        open_endpoint: Makes the endpoint of a range.
        fetch_total: Asks for the total of the whole listing; None: the API does not count it.
        is_compared: Whether that total is to be compared with what came.
        counts_everyone: Whether it has a request of its own, which counts all customers whatever was requested.
        look_up: Requests a page of the whole listing in a given way of paging.
    """

    open_runner: OpenRunner
    open_endpoint: Callable[[Range], Endpoint]
    fetch_total: Callable[[CrawlStats], int | None] | None
    is_compared: bool
    counts_everyone: bool
    look_up: LookUp


class SlicedReader:
    """Reads a listing in slices.

    Args:
        listing: What is known of each slice.
        slices: Which ranges to begin with, and how one is split.
        policy: How hard a crawl tries.
        limiter: When requests can go.
        store: The stored pages of an unfinished crawl.
        window: Customers that the API lists at once; None: any number.
        access: How slices are requested.
        epoch_s: Returns seconds since 1970.
    """

    def __init__(
        self,
        listing: Listing,
        slices: Slices,
        policy: CrawlPolicy,
        limiter: RateLimiter,
        store: BestEffortStore,
        *,
        window: int | None,
        access: Access,
        epoch_s: Callable[[], float],
    ) -> None:
        self._listing, self._slices, self._window, self._access = listing, slices, window, access
        self._policy, self._limiter, self._store = policy, limiter, store
        self._epoch_s, self._began_s = epoch_s, epoch_s()
        self._now = datetime.fromtimestamp(self._began_s, UTC)
        self._plan = store.part("slices")
        self._parts: list[Slice] = []
        self._next_index, self._plan_due_s = 0, 0.0
        self._totals: list[int | None] = []
        self._must_repeat = self._has_read = False

    def read(self, sink: PageSink, figures: CrawlStats, transport: Transport) -> None:
        """Read every page into a sink, and a slice again if customers moved meanwhile."""
        stored = self._plan.pages([PLAN]).get(PLAN)
        self._begin(self._first_ranges() if stored is None else read_ranges(stored.data))
        self._totals = [self._count(figures)]
        for figures.passes in range(1, MAX_PASSES + 1):
            try:
                self._settle(sink, figures, transport)
            except CrawlPausedError as pause:
                self._keep_until(pause, figures)
                raise
            if stored is not None and not self._has_read and not self._listing.cache_ttl_s:
                logger.warning("The stored pages are those of a crawl that had ended; reading all pages again.")
                stored = None
                self._drop(0)
                self._begin(self._first_ranges())
                self._settle(sink, figures, transport)
            if figures.passes == 1:
                self._validate_paging(figures)
            self._totals.append(self._count(figures))
            figures.missing_customers = self._outside(figures)
            if not figures.missing_customers or figures.passes == MAX_PASSES:
                break
            logger.warning("The API counts more customers than the slices hold; reading the latest ones again.")
            latest = next(part for part in self._parts if part.range.high is None)
            latest.store.set_ttl(0)
        self._conclude(figures)
        self._drop(self._listing.cache_ttl_s)

    def _validate_paging(self, figures: CrawlStats) -> None:
        """Check the way of paging on the whole listing: a single slice cannot show that it is wrong."""
        look_up, paging = self._access.look_up, self._listing.paging
        if paging.numbering is Numbering.CHAIN:
            fullest = max(part.figures.records for part in self._parts)
            if all(part.figures.pages <= 1 for part in self._parts) and looks_full(fullest):
                validate_end(look_up, paging, fullest, figures)
        elif self._totals == [None] and all(part.figures.total is None for part in self._parts):
            validate_first_page(look_up, paging, lambda page: page_ids(page, self._listing.record), figures)

    # --- all slices ------------------------------------------------------------------------------------

    def _settle(self, sink: PageSink, figures: CrawlStats, transport: Transport) -> None:
        """Read all slices until each adds up and the sink holds nothing else."""
        for _ in range(MOST_ROUNDS):
            sink.start_pass()
            self._must_repeat = False
            requests = figures.requests
            _Round(self, sink, figures).read(transport)
            self._has_read = self._has_read or figures.requests > requests
            figures.unique_ids, figures.rejected = sink.unique_ids(), sink.rejected_records()
            if not self._must_repeat:
                return

    def _first_ranges(self) -> list[Range]:
        return self._slices.first_ranges(self._now, self.lanes_at_once)

    def _begin(self, ranges: list[Range]) -> None:
        self._parts = [self._new_part(each) for each in ranges]
        self.save_plan()
        if len(ranges) > 1:
            logger.info("The customers are read in %d slices.", len(ranges))

    def _new_part(self, part: Range) -> Slice:
        self._next_index += 1
        return Slice(self._next_index - 1, part, self._store.part(str(part)))

    def on_slice_end(self) -> None:
        """Store the ranges once more if it is time."""
        if self._epoch_s() >= self._plan_due_s:
            self.save_plan()

    def save_plan(self) -> None:
        """Store the ranges; again now and then, so that they do not expire before the pages."""
        self._plan_due_s = self._epoch_s() + PLAN_EVERY_S
        data = write_ranges(part.range for part in self._parts)
        self._plan.put(Page(PLAN, None, None, None, 0, data))

    def _drop(self, ttl_s: float) -> None:
        """Keep all pages for so many seconds; 0 drops them."""
        for part in self._parts:
            part.store.set_ttl(ttl_s)
        self._plan.set_ttl(ttl_s)

    def _keep_until(self, pause: CrawlPausedError, figures: CrawlStats) -> None:
        """Keep all pages until a pause is over."""
        pause.pages_received = figures.pages_received
        for part in self._parts:
            since_s = part.store.paused_since()
            part.store.keep_until(pause.retry_after_s, self._began_s if since_s is None else since_s)
        self._plan.keep_until(pause.retry_after_s, self._began_s)

    def _count(self, figures: CrawlStats) -> int | None:
        """Ask for the total of the whole listing; None: nobody can say, or a single slice says it itself."""
        access = self._access
        is_whole = len(self._parts) == 1 and not access.counts_everyone
        if access.fetch_total is None or is_whole or (not access.is_compared and not access.counts_everyone):
            return None
        total = access.fetch_total(figures)
        if access.counts_everyone:
            figures.customers = total
        return total if access.is_compared else None

    def _outside(self, figures: CrawlStats) -> int:
        """How many customers are in no slice, because they lack a date, say.

        Customers who join and leave meanwhile make a difference, too, which is no larger than that of the totals.
        """
        known = [total for total in self._totals if total is not None]
        if not known:
            return 0
        figures.total = known[-1]
        outside = min(known) - figures.rejected - figures.unique_ids
        return outside if outside > max(known) - min(known) else 0

    def _conclude(self, figures: CrawlStats) -> None:
        """Add up what the slices amount to."""
        parts = [part.figures for part in self._parts]
        figures.passes = max([figures.passes, *(part.passes for part in self._parts)])
        figures.pages, figures.records = sum(each.pages for each in parts), sum(each.records for each in parts)
        figures.pages_from_store = sum(each.pages_from_store for each in parts)
        figures.moved_s = max(each.moved_s for each in parts)
        figures.missing_customers = max(figures.missing_customers, sum(each.missing_customers for each in parts))
        totals = [each.total for each in parts if each.total is not None]
        if len(totals) == len(parts):
            overlap = sum(each.unique_ids for each in parts) - figures.unique_ids  # where ends are inclusive
            figures.source_duplicates = sum(each.source_duplicates for each in parts) + max(overlap, 0)
            figures.total = max(sum(totals), figures.total or 0)
        if figures.missing_customers > 0:
            logger.warning("The API counts %d customers more than it handed over.", figures.missing_customers)

    # --- one slice -------------------------------------------------------------------------------------

    def read_slice(self, part: Slice, sink: PageSink, health: ApiHealth) -> Steps[list[Slice]]:
        """Read one slice; return those that it was split into, if it was."""
        counted = SliceSink(sink, part, self._listing, self._slices, self._window)
        reader = ListingReader(
            self._listing, self._policy, self._limiter, part.store, epoch_s=self._epoch_s, health=health
        )
        try:
            from_store = part.figures.pages_from_store
            read = yield from reader.read_pass(counted, part.figures)
            if not part.must_repeat:
                part.figures.pages_from_store = from_store  # handing it on once more is no resuming
            part.figures.unique_ids, part.figures.rejected = counted.unique_ids(), counted.rejected_records()
            same = counted.fingerprint() == part.fingerprint
            consistency = yield from reader.assess(read, counted, part.figures, is_repeatable=same)
        except WindowReachedError:
            return self._split(part, counted)
        except RequestRefusedError as refusal:
            if refusal.status not in NOTHING_FOLLOWS or not counted.is_beyond_window(refusal.page):
                raise
            return self._split(part, counted)
        self._must_repeat = self._must_repeat or counted.is_dirty
        part.passes += part.must_repeat
        is_settled = (same and read.totals.totals_stable) or read.is_paused or part.passes >= MAX_PASSES
        part.must_repeat = not consistency.is_final and not is_settled
        if part.must_repeat:
            again = self._slices.describe(part.range), consistency.value
            logger.warning("Customers %s: %s; reading them again.", *again)
            part.fingerprint, self._must_repeat = counted.fingerprint(), True
            part.store.set_ttl(0)
        else:
            reader.conclude(part.figures, read, consistency)
            if not consistency.is_final and read.not_found is not None:
                raise RequestRefusedError(HTTPStatus.NOT_FOUND, read.not_found, PAGE_IS_GONE)
        return []

    def _split(self, part: Slice, counted: SliceSink) -> list[Slice]:
        halves = self._slices.split(part.range, self._now)
        if halves is None:
            raise IncompleteCrawlError(
                (),
                None,
                f"the API lists no more than {self._window} customers at once, there are as many "
                f"{self._slices.describe(part.range)}, and no shorter range can be asked for",
            )
        if part.range == Range() and self._listing.total_is != "none":
            self._totals.append(counted.total)  # it was the whole listing
        self._must_repeat = self._must_repeat or counted.is_dirty
        part.store.set_ttl(0)
        parts = [self._new_part(each) for each in halves]
        place = self._parts.index(part)
        self._parts[place : place + 1] = parts
        self.save_plan()
        return parts

    def open_round(
        self, figures: CrawlStats, on_page: Callable[[PageReceived], None]
    ) -> tuple[Lanes, CrawlRunner, ApiHealth]:
        """Open the lanes of a round, and what runs them."""
        health = ApiHealth(CircuitBreaker(self._policy.breaker))
        lanes = Lanes(self._policy, self._limiter, health)

        def open_slice(lane: int) -> Endpoint:
            return self._access.open_endpoint(next(part.range for part in self._parts if part.index == lane))

        endpoint = SlicedEndpoint(open_slice)
        return lanes, self._access.open_runner(lanes, endpoint, figures, on_page), health

    @property
    def parts(self) -> list[Slice]:
        """All slices, in the order of their ranges."""
        return self._parts

    @property
    def lanes_at_once(self) -> int:
        """How many slices are read at once: more than requests, since some wait before they try a page again."""
        return 2 * self._policy.max_concurrency


class _Round:
    """Hands all slices to the sink once, side by side.

    Args:
        reader: Reads each of them.
        sink: Receives the pages.
        figures: Counts requests.
    """

    def __init__(self, reader: SlicedReader, sink: PageSink, figures: CrawlStats) -> None:
        self._reader, self._sink = reader, sink
        self._lanes, self._runner, self._health = reader.open_round(figures, self._on_page)
        self._waiting = deque(reader.parts)
        self._steps: dict[int, Steps[list[Slice]]] = {}
        self._current: dict[int, CrawlStep] = {}
        self._full: set[int] = set()

    def read(self, transport: Transport) -> None:
        """Read all slices.

        Raises:
            APIError: One of them cannot be read; what was in flight for the others has been stored.
        """
        with self._runner:
            try:
                while True:
                    while self._waiting and len(self._current) < self._reader.lanes_at_once:
                        self._open(self._waiting.popleft())
                    if not self._current:
                        return
                    self._lanes.pending = bool(self._waiting)
                    self._go_on(self._runner.run(transport))
            except (APIError, ConfigurationError):
                self._lanes.close()
                self._runner.run(transport)
                raise

    def _open(self, part: Slice) -> None:
        steps = self._steps[part.index] = self._reader.read_slice(part, self._sink, self._health)
        self._take_step(part.index, lambda: next(steps))

    def _go_on(self, end: object) -> None:
        """Let the slice whose crawl has ended take its next step."""
        lane = self._lanes.ended
        if lane is None:
            return
        del self._current[lane]
        steps = self._steps[lane]
        if lane in self._full:
            self._full.remove(lane)
            self._take_step(lane, lambda: steps.throw(WindowReachedError()))
        elif isinstance(end, GiveUp) and not end.is_stale:
            error = self._runner.error(end)
            self._take_step(lane, lambda: steps.throw(error))
        else:
            self._take_step(lane, lambda: steps.send(end if isinstance(end, GiveUp) else None))

    def _take_step(self, lane: int, advance: Callable[[], CrawlStep]) -> None:
        try:
            step = advance()
        except StopIteration as end:
            self._waiting.extendleft(reversed(end.value))
            del self._steps[lane]
            self._reader.on_slice_end()
        else:
            self._current[lane] = step
            self._lanes.start(lane, step.crawl)

    def _on_page(self, received: PageReceived) -> None:
        try:
            self._current[received.lane].on_page(received.page)
        except WindowReachedError:
            self._full.add(received.lane)
            self._lanes.stop(received.lane, "the slice holds as many customers as the API lists at once")
