"""The pages of a pass: those that an unfinished crawl has stored, and those that arrive now. Hands both to the sink."""

import logging
from collections.abc import Callable, Hashable
from dataclasses import replace

from customer_assets.api.crawl.consistency import PageSink, PassTotals
from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.extent import UNBOUNDED, Extent, Numbering
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.api.page_store.best_effort import BestEffortStore
from customer_assets.core.models import Page

logger = logging.getLogger("customer_assets.api")

FORMER = 2 * UNBOUNDED
"""Added to the number of a page's former version, which the sink gets beside the page."""


class HeldPages:
    """The pages of a pass, from the stored ones on.

    A resumed crawl reads pages at two times, and customers can have moved in between. Where they keep their order, one
    who moved from a page that is still missing to one that is stored, or the other way, moved the customers next to
    the gap as well. So the stored pages next to a gap are requested again; if they have not changed, nobody was missed.
    Chains do not move.

    Args:
        store: The stored pages.
        sink: Receives all pages; a new pass begins.
        totals: Counts them.
        extent: Learns from them how far the listing reaches.
        ids: The customers of a page, in order.
        now_s: Seconds since 1970.

    Attributes:
        totals: What the pages amount to.
        extent: How far the listing reaches.
        ranges: The pages that need no request.
        is_complete: Whether nothing was missing from the stored pages.
        is_paused: Whether the API has named a long pause since the first page was read.
        since_s: When the first page was read.
    """

    def __init__(
        self,
        store: BestEffortStore,
        sink: PageSink,
        totals: PassTotals,
        extent: Extent,
        ids: Callable[[Page], Hashable],
        now_s: float,
    ) -> None:
        self._store, self._sink, self._ids = store, sink, ids
        self.totals, self.extent, self.ranges = totals, extent, PageRanges()
        self.is_complete = False
        self._doubted: dict[int, Page] = {}
        sink.start_pass()
        self._take_stored()
        since_s = store.paused_since()
        self.is_paused, self.since_s = since_s is not None, now_s if since_s is None else since_s
        if self.is_paused:
            for page in store.former_versions():
                self._add_former(page)

    def receive(self, page: Page, crawl: Crawl) -> None:
        """Take a page that has arrived."""
        former = self._doubted.pop(page.number, None)
        if former is not None and self._ids(former) != self._ids(page):
            if not self.is_paused:
                crawl.drop_held("customers have moved since the crawl was interrupted")
                return
            # Under a quota nothing can be read from the beginning again. Both versions together hold whoever moved.
            self._store.keep_former(former)
            self._add_former(former)
        self._store.put(page)
        self.totals.add(page)
        self._sink.add(page)

    def _add_former(self, page: Page) -> None:
        """Hand on a page's former version, beside the page."""
        self.totals.surplus += page.record_count
        self._sink.add(replace(page, number=page.number + FORMER))

    def _take_stored(self) -> None:
        waiting: Page | None = None
        is_next_to_gap = has_gap = False
        end = 0
        for page in self._store:
            is_behind_gap = page.number > end + 1
            if is_behind_gap and self.extent.numbering is Numbering.CHAIN:
                break  # the pages behind a gap are requested again, in their turn
            if is_behind_gap and page.record_count == 0:
                continue  # the listing ended before it, then
            if waiting is not None:
                self._take(waiting, is_doubted=is_next_to_gap or is_behind_gap)
            waiting, is_next_to_gap, has_gap = page, is_behind_gap, has_gap or is_behind_gap
            end = max(end, page.number + self._width(page) - 1)
            self.extent.observe(page)
        if waiting is None:
            return
        self.is_complete = not has_gap and end >= self.extent.last
        is_doubted = is_next_to_gap or end < self.extent.last
        self._take(waiting, is_doubted=is_doubted and self.extent.numbering is not Numbering.CHAIN)

    def _take(self, page: Page, *, is_doubted: bool) -> None:
        if is_doubted:
            # Until it has come again it is not stored, either: pages of another time could otherwise close the gap.
            self._doubted[page.number] = page
            self._store.forget(page)
            return
        self.ranges.add_range(page.number, page.number + self._width(page) - 1)
        self.totals.add(page)
        self._sink.add(page)

    def _width(self, page: Page) -> int:
        """How many numbers a page covers."""
        return page.record_count if self.extent.numbering is Numbering.RECORDS else 1
