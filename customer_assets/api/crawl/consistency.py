"""Whether a pass read everything, or has to be repeated. Decides only; no I/O.

Customers come and go while pages are read: records shift from page to page, so some are read twice and some never.
Totals that change show it; so does a number of distinct customers that differs from the total. The latter is also true
of an unchanging API that holds duplicates: two passes that read exactly the same pages prove that it does.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from customer_assets.models import Page

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


@dataclass(slots=True)
class PassTotals:
    """What a pass has read so far.

    Attributes:
        pages: Pages.
        records: Records on them.
        total: Customers in all, by the latest answer.
        totals_stable: Whether every page named the same totals.
    """

    pages: int = 0
    records: int = 0
    total: int = 0
    totals_stable: bool = True
    _totals: tuple[int, int] | None = field(default=None)

    def add(self, page: Page) -> None:
        """Count a page."""
        totals = (page.total, page.total_pages)
        self.totals_stable = self.totals_stable and self._totals in (None, totals)
        self._totals, self.total = totals, page.total
        self.pages += 1
        self.records += page.record_count


def assess(totals: PassTotals, unique_ids: int, rejected: int, *, same_as_before: bool) -> Consistency:
    """Assess a pass.

    Args:
        totals: What it read.
        unique_ids: Distinct customers.
        rejected: Records without a usable id.
        same_as_before: Whether the pass before read the very same pages.
    """
    if not totals.totals_stable or totals.records != totals.total:
        return Consistency.SHIFTED
    if unique_ids + rejected == totals.total:
        return Consistency.COMPLETE
    return Consistency.SOURCE_DUPLICATES if same_as_before else Consistency.SHIFTED
