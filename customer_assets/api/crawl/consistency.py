"""Whether a pass read everything, or has to be repeated. Decides only; no I/O.

Customers come and go while pages are read: records shift from page to page, so some are read twice and some never.
Totals that change show it; so does a number of distinct customers that differs from the total. The latter is also true
of an unchanging API that holds duplicates: pages that are read again and have not changed prove that it does.
"""

from collections.abc import Iterator
from enum import Enum
from math import ceil
from typing import Literal, Protocol

from customer_assets.api.crawl.extent import REMEMBERED, Numbering
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.core.models import Page

MAX_PASSES = 3
"""The first, and two more to catch what moved."""


MOST_TOTALS = 200_000
"""Pages whose totals are remembered while customers join; beyond that the whole listing is read again instead."""


PAGE_SIZES_DIVIDE_BY = 5
"""Usual page sizes do: 10, 25, 50, 100. A first page of another size is hardly full."""


def looks_full(records: int) -> bool:
    """Whether a listing's only page can be a full one."""
    return records > 1 and records % PAGE_SIZES_DIVIDE_BY == 0


class PageSink(Protocol):
    """Receives a crawl's pages.

    A sink can have one more method, `repetition(most: int) -> Repetition`, called after `unique_ids`. Without
    it, duplicates at the source cost a second pass.
    """

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
        surplus: Further records that the sink received: from pages read again, and from pages beyond the end.
        total: Customers in all, by the largest answer; None: there is nothing to compare with.
        totals_stable: Whether every page named the same totals.
        departures: Customers who left while pages were read, as far as totals show.
        first: The first page; None before it was read.
        last: The highest-numbered page with records; None if there is none.
    """

    def __init__(self, numbering: Numbering = Numbering.PAGES, total_is: TotalIs = "exact") -> None:
        self.numbering, self.total_is = numbering, total_is
        self.pages = self.received = self.records = self.surplus = self.departures = 0
        self.total: int | None = None
        self.totals_stable = True
        self.first: Page | None = None
        self.last: Page | None = None
        self._totals: tuple[int | None, int | None] | None = None
        self._covered = PageRanges()
        self._highest: dict[int, int] = {}
        self._largest_page = self._empty_page = 0
        self._first_total = self._smallest_total = 0
        self._later_totals: dict[int, tuple[int, int]] = {}

    @property
    def positions(self) -> int:
        """Records, without those that overlapping pages brought twice."""
        return len(self._covered) if self.numbering is Numbering.RECORDS else self.records

    def includes(self, found: int) -> bool:
        """Whether `found` lies between the smallest and the largest total that the pass saw."""
        return self.total is not None and self._smallest_total <= found <= self.total

    @property
    def has_grown(self) -> bool:
        """Whether totals changed, and customers only joined."""
        return not self.totals_stable and not self.departures

    @property
    def ends_full(self) -> bool:
        """Whether the last page is full, so that more could follow it, whatever the total says."""
        page = self.last
        is_known = page is None or page.has_more is False or self._empty_page > page.number
        if page is None or is_known or self.numbering is Numbering.CHAIN:
            return False
        return page.record_count >= (page.per_page or self._largest_page)

    @property
    def ends_at_once(self) -> bool:
        """Whether a chain ended with its first page, which looks full and does not say that it is the last.

        That is how a listing looks, too, if the settings name a wrong place for the way to its next page.
        """
        page = self.first
        if self.numbering is not Numbering.CHAIN or self.received != 1 or page is None or page.has_more is False:
            return False
        return looks_full(page.record_count)

    def add(self, page: Page) -> None:
        """Count a page."""
        totals = (page.total, page.total_pages)
        if totals != (None, None):
            self.totals_stable = self.totals_stable and self._totals in (None, totals)
            self._totals = totals
        if page.total is not None and self.total_is != "none":
            self._note_total(page, page.total)
        self.pages += page.record_count > 0 or page.number == 1
        self.received += 1
        self.records += page.record_count
        self._largest_page = max(self._largest_page, page.record_count)
        self.first = page if page.number == 1 else self.first
        self._empty_page = max(self._empty_page, 0 if page.record_count else page.number)
        if page.record_count and (self.last is None or page.number >= self.last.number):
            self.last = page
        if self.numbering is Numbering.RECORDS:
            self._covered.add_range(page.number, page.number + page.record_count - 1)
        elif totals == (None, None):
            self._highest[page.number] = page.record_count
            if len(self._highest) > REMEMBERED:
                del self._highest[min(self._highest)]

    def read_too_early(self) -> Iterator[int]:
        """Pages that were read before a customer joined, while the page in front of them was read after that.

        If customers join in front of the others, these pages hold some by now who were on neither.
        """
        largest, last = self.total or 0, 0 if self.last is None else self.last.number
        front = [(0, largest, 1)] if self._first_total else []
        later = [(number, total, width) for number, (total, width) in self._later_totals.items()]
        for number, total, width in (*front, *later):
            behind = number + width
            behind_total = self._later_totals.get(behind, (self._first_total, 0))[0]
            step = self._largest_page if self.numbering is Numbering.RECORDS else 1
            pages = ceil(max(total - behind_total, 0) / max(self._largest_page, 1))
            yield from (each for each in range(behind, behind + pages * step, step) if each <= last)

    def read_again(self, page: Page) -> None:
        """Note a page that was read again, in addition to what was read before."""
        self.surplus += page.record_count
        if page.total is not None:
            self.departures = max(self.departures, (self.total or 0) - page.total)
            self._note_total(page, page.total)

    def missing(self, difference: int, *, is_paused: bool) -> int:
        """How many customers a pass misses that did not settle.

        Args:
            difference: Customers that the total counts and the pass did not bring.
            is_paused: Whether a quota spread the pass over hours or days: then as many as moved are no error.
        """
        if is_paused and self.total is not None:
            moved = self.total - self._smallest_total + self._largest_page
            return difference if difference > moved else 0
        if self.total_is == "at_least":
            return max(difference, 0)
        # Counts that changed can agree by chance: a customer who left can hide one who was missed.
        return difference if self.totals_stable else max(difference, self.departures, 1)

    def leave_out_beyond(self, last: int) -> None:
        """Leave out pages beyond the last one: some servers repeat it there, and that was only known later."""
        for number in [number for number in self._highest if number > last]:
            left_out = self._highest.pop(number)
            self.records, self.surplus = self.records - left_out, self.surplus + left_out

    def set_total(self, total: int | None) -> None:
        """Compare with a total that had a request of its own: what pages say does not count."""
        self.total, self._smallest_total = total, total or 0

    def forget_total(self) -> None:
        """Compare nothing: the total turned out to count only a page."""
        self.total, self.total_is, self.totals_stable = None, "none", True

    def _note_total(self, page: Page, total: int) -> None:
        if self.total is None:
            self._first_total = self._smallest_total = total
        self._smallest_total = min(total, self._smallest_total)
        self.total = max(total, self.total or 0)
        width = page.record_count if self.numbering is Numbering.RECORDS else 1
        is_later = total != self._first_total or page.number in self._later_totals
        if is_later and len(self._later_totals) < MOST_TOTALS:
            self._later_totals[page.number] = (total, width)


def assess(  # noqa: PLR0911 - a table
    totals: PassTotals, unique_ids: int, rejected: int, *, is_repeatable: bool, verify: bool = False
) -> Consistency:
    """Assess a pass.

    Args:
        totals: What it read.
        unique_ids: Distinct customers.
        rejected: Records without a usable id.
        is_repeatable: Whether pages that were read again had not changed.
        verify: Whether to require a second, identical pass where there is no total to compare with.
    """
    found = unique_ids + rejected
    repeated = Consistency.SOURCE_DUPLICATES if is_repeatable else Consistency.SHIFTED
    if totals.total is None:
        # A chain does not shift. Where records do, some are read twice and others never.
        if verify and totals.numbering is not Numbering.CHAIN and totals.received > 1 and not is_repeatable:
            return Consistency.UNVERIFIED
        return Consistency.COMPLETE if totals.numbering is Numbering.CHAIN or found == totals.records else repeated
    if totals.total_is == "at_least":
        return Consistency.COMPLETE if found >= totals.total else Consistency.SHIFTED
    if totals.numbering is Numbering.CHAIN and totals.includes(found):
        return Consistency.COMPLETE
    if totals.has_grown and not rejected and found == totals.total:
        return Consistency.COMPLETE  # whoever was missed would be missing from the count
    if totals.totals_stable and found == totals.positions > totals.total:
        return Consistency.COMPLETE  # nobody came twice, so nobody moved: the API counts too few
    if (not totals.totals_stable and totals.numbering is not Numbering.CHAIN) or totals.positions != totals.total:
        return Consistency.SHIFTED
    return Consistency.COMPLETE if found == totals.total else repeated
