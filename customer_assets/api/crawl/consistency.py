"""Whether a pass read everything, or has to be repeated. Decides only; no I/O.

Customers come and go while pages are read: records shift from page to page, so some are read twice and some never.
Totals that change show it; so does a number of distinct customers that differs from the total. The latter is also true
of an unchanging API that holds duplicates: two passes that read exactly the same pages prove that it does.
"""

from enum import Enum
from typing import Literal, Protocol

from customer_assets.api.crawl.extent import REMEMBERED, Numbering
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.core.models import Page

MAX_PASSES = 3
"""The first, and two more to catch what moved."""


class PageSink(Protocol):
    """Receives a crawl's pages."""

    def start_pass(self) -> None:
        """Forget everything so far: the pages of a new pass follow."""
        ...

    def add(self, page: Page) -> None:
        """Take one page. Pages come in any order, each once per pass."""
        ...

    def unique_ids(self) -> int:
        """Distinct customers of this pass; called after its last page."""
        ...

    def rejected_records(self) -> int:
        """Records of this pass without a usable id."""
        ...

    def fingerprint(self) -> str:
        """A hash of this pass's pages that does not depend on their order."""
        ...


class Consistency(Enum):
    """What a pass read."""

    COMPLETE = "complete"
    SOURCE_DUPLICATES = "the source holds duplicates"
    SHIFTED = "customers moved while pages were read"
    UNVERIFIED = "nothing shows whether customers moved while pages were read"

    @property
    def is_final(self) -> bool:
        """Whether another pass could not show more."""
        return self in (Consistency.COMPLETE, Consistency.SOURCE_DUPLICATES)


TotalIs = Literal["exact", "at_least", "none"]
"""What a total says: how many customers there are, or at least; or nothing that could be compared."""


class PassTotals:
    """What a pass has read so far.

    Args:
        numbering: What a page's number means.
        total_is: What the totals that pages name say.

    Attributes:
        pages: Pages with records, and the first one.
        received: All pages, empty ones included.
        records: Records on them.
        total: Customers in all, by the latest answer; None: there is nothing to compare with.
        totals_stable: Whether every page named the same totals.
    """

    def __init__(self, numbering: Numbering = Numbering.PAGES, total_is: TotalIs = "exact") -> None:
        self.numbering, self.total_is = numbering, total_is
        self.pages = self.received = self.records = 0
        self.total: int | None = None
        self.totals_stable = True
        self._totals: tuple[int | None, int | None] | None = None
        self._covered = PageRanges()
        self._highest: dict[int, int] = {}

    @property
    def positions(self) -> int:
        """Records, without those that overlapping pages brought twice."""
        return len(self._covered) if self.numbering is Numbering.RECORDS else self.records

    def add(self, page: Page) -> None:
        """Count a page."""
        totals = (page.total, page.total_pages)
        if totals != (None, None):
            self.totals_stable = self.totals_stable and self._totals in (None, totals)
            self._totals = totals
        if page.total is not None and self.total_is != "none":
            self.total = page.total
        self.pages += page.record_count > 0 or page.number == 1
        self.received += 1
        self.records += page.record_count
        if self.numbering is Numbering.RECORDS:
            self._covered.add_range(page.number, page.number + page.record_count - 1)
        elif totals == (None, None):
            self._highest[page.number] = page.record_count
            if len(self._highest) > REMEMBERED:
                del self._highest[min(self._highest)]

    def leave_out_beyond(self, last: int) -> None:
        """Leave out pages beyond the last one: some servers repeat it there, and that was only known later."""
        for number in [number for number in self._highest if number > last]:
            self.records -= self._highest.pop(number)

    def forget_total(self) -> None:
        """Compare nothing: the total turned out to count only a page."""
        self.total, self.total_is, self.totals_stable = None, "none", True


def assess(
    totals: PassTotals, unique_ids: int, rejected: int, *, same_as_before: bool, verify: bool = False
) -> Consistency:
    """Assess a pass.

    Args:
        totals: What it read.
        unique_ids: Distinct customers.
        rejected: Records without a usable id.
        same_as_before: Whether the pass before read the very same pages.
        verify: Whether only a second pass proves that nobody moved, where there is no total to compare with.
    """
    found = unique_ids + rejected
    repeated = Consistency.SOURCE_DUPLICATES if same_as_before else Consistency.SHIFTED
    if totals.total is None:
        # A chain does not shift. Where records do, some are read twice and others never.
        if verify and totals.numbering is not Numbering.CHAIN and totals.received > 1 and not same_as_before:
            return Consistency.UNVERIFIED
        return Consistency.COMPLETE if totals.numbering is Numbering.CHAIN or found == totals.records else repeated
    if totals.total_is == "at_least":
        return Consistency.COMPLETE if found >= totals.total else Consistency.SHIFTED
    if totals.numbering is Numbering.CHAIN and found == totals.total:
        return Consistency.COMPLETE
    if (not totals.totals_stable and totals.numbering is not Numbering.CHAIN) or totals.positions != totals.total:
        return Consistency.SHIFTED
    return Consistency.COMPLETE if found == totals.total else repeated
