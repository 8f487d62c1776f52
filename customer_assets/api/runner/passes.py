"""Reads a listing into a sink, pass after pass, until what came adds up. What that means is decided in `crawl/`."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import ceil
from typing import NamedTuple

from customer_assets.api.crawl.consistency import (
    MAX_PASSES,
    Consistency,
    PageSink,
    PassTotals,
    TotalIs,
    assess,
)
from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import GiveUp
from customer_assets.api.crawl.extent import NOTHING_FOLLOWS, UNBOUNDED, Extent, Numbering
from customer_assets.api.crawl.guards import GROWTH_ALLOWANCE
from customer_assets.api.crawl.pace.health import ApiHealth
from customer_assets.api.crawl.pace.policy import BackoffPolicy, CrawlPolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.api.page_store.best_effort import BestEffortStore
from customer_assets.api.paging import Paging, Single
from customer_assets.api.runner.collector import page_ids
from customer_assets.api.runner.first_page import LookUp, validate_end, validate_numbers
from customer_assets.api.runner.held_pages import HeldPages
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.api.runner.steps import CrawlStep, Steps
from customer_assets.core.errors import (
    APIError,
    CrawlPausedError,
    IncompleteCrawlError,
    RequestRefusedError,
)
from customer_assets.core.models import Page, Repetition
from customer_assets.core.record_mapping import RecordMapping

logger = logging.getLogger("customer_assets.api")

SPOT_CHECK_SHARE = 0.04
"""Share of the pages that are read again, at most, to tell duplicates at the source from customers who moved."""

MOST_CATCHING_UP = 5
"""How often the pages at the front are read again while customers keep joining there."""

CAPS = (1_000, 5_000, 10_000, 50_000, 100_000)
"""Totals at which search engines stop counting, and listing."""

PAGE_IS_GONE = "The API counts this page but does not find it: ask whoever runs it which of the two is right."

Ids = tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a listing from the settings.

    Attributes:
        paging: How pages follow each other.
        record: What a record looks like.
        total_is: What totals say.
        cache_ttl_s: Seconds for which the pages of a finished crawl answer in the API's place.
        is_slice: Whether it is one of several that a crawl reads: it can be complete before the crawl has ended.
    """

    paging: Paging
    record: RecordMapping
    total_is: TotalIs
    cache_ttl_s: float
    is_slice: bool = False


class Pass(NamedTuple):
    """One pass, as read."""

    totals: PassTotals
    since_s: float
    """When its first page was read."""
    is_paused: bool
    """Whether the API has named a long pause since then."""
    not_found: int | None
    """The page from which on pages were not found, although the API counts them."""


class ListingReader:
    """Reads a listing completely.

    Args:
        listing: What is known of it.
        policy: How hard a crawl tries.
        limiter: When requests can go.
        store: The stored pages of an unfinished crawl.
        fetch_total: Asks for the total where that takes a request of its own.
        look_up: Requests a page in a given way of paging, to check the configured one. None: it is not checked.
        epoch_s: Returns seconds since 1970.
        health: How the API answers, where several listings are read side by side.
    """

    def __init__(
        self,
        listing: Listing,
        policy: CrawlPolicy,
        limiter: RateLimiter,
        store: BestEffortStore,
        *,
        epoch_s: Callable[[], float],
        fetch_total: Callable[[CrawlStats], int | None] | None = None,
        look_up: LookUp | None = None,
        health: ApiHealth | None = None,
    ) -> None:
        self._listing, self._policy, self._limiter, self._store = listing, policy, limiter, store
        self._fetch_total, self._look_up = fetch_total, look_up
        self._epoch_s, self._health = epoch_s, health
        self._paging = listing.paging
        self._numbering = self._paging.numbering
        self._is_total_believed, self._max_pages = True, policy.max_pages

    def read(self, sink: PageSink, figures: CrawlStats) -> Steps[None]:
        """Read every page into a sink, and again if customers moved in the meantime."""
        fingerprint = None
        for figures.passes in range(1, MAX_PASSES + 1):
            read = yield from self.read_pass(sink, figures)
            figures.unique_ids, figures.rejected = sink.unique_ids(), sink.rejected_records()
            same = sink.fingerprint() == fingerprint
            consistency = yield from self.assess(read, sink, figures, is_repeatable=same)
            is_shifted = not consistency.is_final
            is_settled = same and read.totals.totals_stable  # a third pass would read the same pages again
            if not is_shifted or is_settled or read.is_paused:
                break
            fingerprint = sink.fingerprint()
            if figures.passes < MAX_PASSES:
                logger.warning("Pass %d: %s; reading all pages again.", figures.passes, consistency.value)
                self._store.set_ttl(0)
        self._store.set_ttl(0 if is_shifted else self._listing.cache_ttl_s)
        if is_shifted and read.not_found is not None:
            raise RequestRefusedError(HTTPStatus.NOT_FOUND, read.not_found, PAGE_IS_GONE)
        is_short = figures.unique_ids + figures.rejected < (read.totals.total or 0)
        if is_shifted and is_settled and is_short:  # two passes brought the same, so nobody moved
            self._refuse_repetition(sink, least=ceil(read.totals.pages / 2))
        self.conclude(figures, read, consistency)

    # --- one pass --------------------------------------------------------------------------------------

    def read_pass(self, sink: PageSink, figures: CrawlStats) -> Steps[Pass]:
        """Read the stored pages, then the missing ones; from the beginning if the stored ones no longer fit."""
        while True:
            held = self._hold_pages(sink)
            if held.is_complete and not self._listing.cache_ttl_s and not self._listing.is_slice:
                logger.warning("The stored pages are those of a crawl that had ended; reading all pages again.")
                self._store.set_ttl(0)
                continue
            figures.pages_from_store = held.totals.pages
            crawl = Crawl(self._policy, self._limiter, extent=held.extent, held=held.ranges, health=self._health)
            stale = yield from self._run_kept(crawl, figures, held)
            if stale is not None:
                logger.warning("The stored pages no longer fit the API's (%s); reading all pages again.", stale.reason)
                self._store.set_ttl(0)
                continue
            totals = held.totals
            totals.departures = max(totals.departures, crawl.departures)
            self._settle_total(totals, held.extent, figures)
            if self._look_up is not None and not held.is_complete:
                self._validate_paging(self._look_up, totals, figures)
            if not held.is_complete and crawl.not_found is None and (yield from self._goes_on(totals)):
                continue
            if totals.has_grown and self._numbering is not Numbering.CHAIN:
                yield from self._catch_up(totals, sink)
            return Pass(totals, held.since_s, held.is_paused, crawl.not_found)

    def _hold_pages(self, sink: PageSink) -> HeldPages:
        """Begin a pass with the stored pages."""
        is_exact = self._listing.total_is == "exact"
        extent = Extent(
            self._numbering,
            page_size=self._paging.size,
            is_total_exact=is_exact and self._is_total_believed,
            is_count_believed=self._is_total_believed,
            max_pages=self._max_pages,
            max_growth=self._policy.max_growth,
        )
        total_is = "at_least" if is_exact and not self._is_total_believed else self._listing.total_is
        totals = PassTotals(self._numbering, total_is)
        return HeldPages(self._store, sink, totals, extent, self._ids, self._epoch_s())

    def _validate_paging(self, look_up: LookUp, totals: PassTotals, figures: CrawlStats) -> None:
        if totals.ends_at_once:
            validate_end(look_up, self._paging, totals.records, figures)
        elif figures.passes == 1 and not figures.pages_from_store:  # or customers can have moved since
            validate_numbers(look_up, self._paging, totals, self._ids, figures)

    def _run_kept(self, crawl: Crawl, figures: CrawlStats, held: HeldPages) -> Steps[GiveUp | None]:
        """Run a crawl; if the API names a long pause, keep the pages until it is over."""
        received = figures.pages_received
        try:
            return (yield CrawlStep(crawl, lambda page: held.receive(page, crawl)))
        except CrawlPausedError as pause:
            pause.pages_received = figures.pages_received - received
            self._store.keep_until(pause.retry_after_s, held.since_s)
            raise

    def _settle_total(self, totals: PassTotals, extent: Extent, figures: CrawlStats) -> None:
        """Find out what the end and the total are worth, once all pages are there."""
        if self._numbering is not Numbering.CHAIN and not extent.is_bounded and extent.last < UNBOUNDED:
            # No page says that it is the last, but the stored pages must be known for those of a crawl that has ended.
            self._store.put(Page(extent.last + 1, None, None, None, 0, b"[]"))
        totals.leave_out_beyond(extent.last)
        if extent.counts_one_page:
            logger.warning("The total that the API names counts one page only, so nothing can be compared with it.")
            totals.forget_total()
        if self._fetch_total is not None:
            figures.customers = self._fetch_total(figures)
            if totals.total_is != "none":
                totals.set_total(figures.customers)

    # --- beyond the end --------------------------------------------------------------------------------

    def _goes_on(self, totals: PassTotals) -> Steps[bool]:
        """Whether customers follow the last page, although the API counts no more: totals can be capped.

        Only a full last page is doubted: that takes one request.
        """
        counts = totals.last is not None and (totals.last.total, totals.last.total_pages) != (None, None)
        if not counts or not totals.ends_full or not self._is_total_believed or isinstance(self._paging, Single):
            return False
        if totals.total_is == "none" and totals.last is not None and totals.last.total_pages is None:
            return False
        number = totals.last.number + self._width(totals.last) if totals.last else 1
        try:
            found = (yield from self._read_again([number], retries=1)).get(number)
        except RequestRefusedError as refusal:
            self._refuse_capped_total(totals, refusal)
            return False
        except APIError:
            return False  # nobody can say what is there, or the quota is used up
        if found is None or not set(self._ids(found)) - set(self._ids(totals.first)) - set(self._ids(totals.last)):
            return False
        if found.total is None or found.total <= (totals.total or 0):
            logger.warning("The API lists more customers than it counts; reading on to the end of the listing.")
            self._is_total_believed = False
            if totals.total not in CAPS:  # a miscount has its bounds
                self._max_pages = int(totals.pages * self._policy.max_growth) + GROWTH_ALLOWANCE
        return True

    def _refuse_capped_total(self, totals: PassTotals, refusal: RequestRefusedError) -> None:
        """Refuse a listing that ends exactly where search engines stop, if the API refuses to go on."""
        is_plain_end = refusal.status in (HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        if totals.total in CAPS and refusal.status in NOTHING_FOLLOWS and not is_plain_end:
            raise IncompleteCrawlError(
                (refusal.page,),
                None,
                f"the API counts exactly {totals.total} customers and refuses the page behind them "
                f"(HTTP {refusal.status}), so it seems to list no more than that; read it by another way of paging",
            )

    # --- reading again ---------------------------------------------------------------------------------

    def _read_again(self, numbers: Iterable[int], retries: int | None = None) -> Steps[dict[int, Page]]:
        """Read pages once more, beside those of the pass."""
        received: dict[int, Page] = {}
        wanted = tuple(dict.fromkeys(numbers))
        backoff = BackoffPolicy(tuple(self._policy.backoff.waits_s)[:retries])
        policy = replace(self._policy, rounds=1, backoff=backoff)
        crawl = Crawl(policy, self._limiter, only=wanted, health=self._health)
        yield CrawlStep(crawl, lambda page: received.update({page.number: page}))
        return received

    def _catch_up(self, totals: PassTotals, sink: PageSink) -> Steps[None]:
        """Read the pages again that hold customers by now who joined, or moved there, after they were read."""
        beyond = totals.last.number + self._width(totals.last) if totals.last else 1
        most = ceil(totals.pages / 2)
        for _ in range(MOST_CATCHING_UP):
            numbers = list(dict.fromkeys(totals.read_too_early()))
            if not numbers or len(numbers) > most:
                return
            most -= len(numbers)
            for page in (yield from self._read_again(numbers)).values():
                totals.read_again(page)
                sink.add(replace(page, number=beyond))  # a number of its own: the page itself was handed on already
                beyond += self._width(page)

    def assess(self, read: Pass, sink: PageSink, figures: CrawlStats, *, is_repeatable: bool) -> Steps[Consistency]:
        """What a pass amounts to; pages are read again if that can settle it."""
        totals, found = read.totals, (figures.unique_ids, figures.rejected)
        consistency = assess(totals, *found, is_repeatable=is_repeatable, verify=self._paging.verify)
        if read.not_found is not None and totals.total is None and not is_repeatable:
            return Consistency.SHIFTED  # pages are gone, and nothing says how many customers are left
        if consistency is not Consistency.SHIFTED or read.is_paused:
            if consistency is Consistency.SOURCE_DUPLICATES:
                self._refuse_repetition(sink)
            return consistency
        if assess(totals, *found, is_repeatable=True) is Consistency.SOURCE_DUPLICATES and not totals.departures:
            repetition = _repetition(sink, max(int(totals.pages * SPOT_CHECK_SHARE), 1))
            if repetition is not None and (yield from self._is_unchanged(repetition.pages)):
                self._refuse_repetition(sink)
                return Consistency.SOURCE_DUPLICATES
        return consistency

    def _is_unchanged(self, numbers: tuple[int, ...]) -> Steps[bool]:
        """Whether pages still hold the very customers that were read from them: if so, none of them has moved."""
        if not numbers:
            return True  # all duplicates came within one page, that is, at one time
        stored = self._store.pages(numbers)
        if self._numbering is Numbering.CHAIN or len(stored) < len(numbers):
            return False
        again = yield from self._read_again(numbers)
        return all(self._ids(again.get(number)) == self._ids(stored[number]) for number in numbers)

    def _refuse_repetition(self, sink: PageSink, least: int = 1) -> None:
        """Refuse a listing in which at least `least` pages repeat others: duplicate customers do not explain that.

        Raises:
            IncompleteCrawlError: Pages with different numbers hold the same customers.
        """
        repetition = _repetition(sink, 1)
        if repetition is not None and repetition.whole_pages >= least:
            raise IncompleteCrawlError(
                (),
                None,
                f"pages hold exactly the customers of other pages ({repetition.whole_pages} of them), so the API seems "
                "to ignore the page that it is asked for; check the settings of paging",
            )

    def conclude(self, figures: CrawlStats, read: Pass, consistency: Consistency) -> None:
        """Note what a listing amounts to."""
        totals = read.totals
        figures.pages, figures.records, figures.total = totals.pages, totals.records + totals.surplus, totals.total
        is_shifted = not consistency.is_final
        if is_shifted and (totals.total is None or read.is_paused):
            figures.moved_s = max(self._epoch_s() - read.since_s, 1.0)
            logger.warning(
                "Customers moved while pages were read, over %.0f s, and reading again did not settle it: some who "
                "joined or moved can be missing.",
                figures.moved_s,
            )
        if totals.total is None:
            return
        difference = totals.total - figures.rejected - figures.unique_ids
        if consistency is Consistency.SOURCE_DUPLICATES:
            figures.source_duplicates = difference
        elif is_shifted:
            figures.missing_customers = totals.missing(difference, is_paused=read.is_paused)
        if difference < 0 and not totals.departures:
            logger.warning("The API handed over %d customers more than it counts.", -difference)
        elif figures.missing_customers:
            logger.warning("The API counts %d customers more than it handed over.", figures.missing_customers)

    # --- bits ------------------------------------------------------------------------------------------

    def _ids(self, page: Page | None) -> Ids:
        return () if page is None else page_ids(page, self._listing.record)

    def _width(self, page: Page) -> int:
        """How many numbers a page covers."""
        return page.record_count if self._numbering is Numbering.RECORDS else 1


def _repetition(sink: PageSink, most: int) -> Repetition | None:
    """How customers repeat over the pages of a pass, if the sink can say so."""
    find = getattr(sink, "repetition", None)
    return None if find is None else find(most)
