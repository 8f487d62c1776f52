"""One slice of a listing, and the sink that counts its pages apart from the others'.

When a slice is read, and how often again, is decided in `sliced.py`.
"""

from dataclasses import dataclass, field, replace

from customer_assets.api.crawl.consistency import PageSink
from customer_assets.api.crawl.extent import Numbering
from customer_assets.api.page_store.best_effort import BestEffortStore
from customer_assets.api.paging.slices import Range, Slices
from customer_assets.api.responses.parser import records
from customer_assets.api.runner.collector import IdCounter, page_ids
from customer_assets.api.runner.passes import Listing
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.models import Page, Repetition

SLICE_PAGES = 10**10
"""Added to the numbers of the second slice's pages, twice to the third's: a sink wants different ones."""


class WindowReachedError(Exception):
    """A slice holds as many customers as the API lists at once, so there can be more."""


@dataclass(eq=False)
class Slice:
    """One slice, as far as it has been read.

    Attributes:
        index: Its lane.
        range: What it covers.
        store: Its stored pages.
        figures: What its last pass amounts to.
        passes: How often it was read.
        fingerprint: What its last pass read, if customers moved meanwhile.
        must_repeat: Whether it has to be read again.
    """

    index: int
    range: Range
    store: BestEffortStore
    figures: CrawlStats = field(default_factory=CrawlStats)
    passes: int = 0
    fingerprint: str | None = None
    must_repeat: bool = True


class SliceSink:
    """Hands the pages of a slice on, and counts them apart from the others'.

    Args:
        sink: Receives the pages, under numbers of their own.
        part: The slice.
        listing: What a record looks like.
        slices: Which records belong into a range.
        window: Customers that the API lists at once.

    Attributes:
        is_dirty: Whether the sink holds pages that no longer count.
        total: Customers in this slice, by the latest answer.
    """

    def __init__(self, sink: PageSink, part: Slice, listing: Listing, slices: Slices, window: int | None) -> None:
        self._sink, self._part, self._listing, self._slices, self._window = sink, part, listing, slices, window
        self._is_counted = listing.paging.numbering is not Numbering.CHAIN or listing.total_is != "none"
        self._added = self._records = self._largest = 0
        self._ids = IdCounter()
        self.is_dirty = False
        self.total: int | None = None

    def start_pass(self) -> None:
        """Forget this slice's pages; the sink cannot."""
        self.is_dirty = self.is_dirty or self._added > 0
        self._records, self._ids = 0, IdCounter()

    def add(self, page: Page) -> None:
        """Take one page.

        Raises:
            WindowReachedError: The slice holds as many customers as the API lists at once.
            ConfigurationError: The API ignores the range that it is asked for.
        """
        self._records += page.record_count
        self._largest = max(self._largest, page.record_count)
        self.total = page.total
        if self._reaches_window(page):
            self.is_dirty = self._added > 0
            raise WindowReachedError
        if page.number == 1 and self._slices.is_ignored(self._part.range, records(page)):
            raise ConfigurationError(
                "slices.parameters",
                f"the API returns customers outside of the range that it is asked for ({self._slices.over})",
                "Name the parameters that restrict the listing, and how they are written, or leave slices out.",
            )
        if self._is_counted:
            self._ids.add(page, page_ids(page, self._listing.record))
        self._sink.add(replace(page, number=page.number + self._part.index * SLICE_PAGES))
        self._added += 1

    def is_beyond_window(self, number: int) -> bool:
        """Whether a page that was refused reaches beyond the window."""
        size = max(self._largest, self._listing.paging.size or 0)
        position = number - 1 if self._listing.paging.numbering is Numbering.RECORDS else (number - 1) * size
        return self._window is not None and position + size > self._window

    def unique_ids(self) -> int:
        """Distinct customers of this slice."""
        return self._ids.unique_ids()

    def rejected_records(self) -> int:
        """Records without a usable id."""
        return self._ids.rejected_records()

    def fingerprint(self) -> str:
        """A hash of the pages that does not depend on their order."""
        return self._ids.fingerprint()

    def repetition(self, most: int) -> Repetition:
        """How customers repeat over the pages."""
        return self._ids.repetition(most)

    def _reaches_window(self, page: Page) -> bool:
        if self._window is None:
            return False
        if page.total is not None and self._listing.total_is != "none":
            return page.total >= self._window
        is_chain = self._listing.paging.numbering is Numbering.CHAIN
        is_end = page.next_cursor is None if is_chain else page.has_more is False
        return self._records >= self._window and not is_end
