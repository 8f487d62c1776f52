"""How far a listing reaches, as far as its pages have said. Bookkeeping only: no requests, no retries.

Three kinds of listing differ in what a page's number means (`Numbering`). Where pages say how much there is, the end is
known from the first one. Where they do not, it is where the records end: at an empty page, at a page that says so, or
where pages repeat the one before them. A short page is not an end: servers clamp page sizes and filter after paging.
"""

from dataclasses import dataclass
from enum import Enum
from math import ceil

from customer_assets.api.crawl.guards import CursorGuard, GrowthGuard, content_digest
from customer_assets.core.models import Page

UNBOUNDED = 10**18
"""The last page while nobody knows how many there are."""

BEYOND_THE_END = (404, 416)
"""What servers answer for a page that does not exist. Other refusals (400, 422) can mean that the API lists no
further although there is more, so they never count as the end."""

NOTHING_FOLLOWS = (400, 404, 410, 416, 422)
"""What they answer for a page that was only requested to make sure that nothing follows."""

REMEMBERED = 256
"""Pages whose neighbours are compared; far more than are in flight near the end."""

SAME_BY_CHANCE = 2
"""Full pages with the same records that prove nothing. If as many customers join at the front as a page holds, the page
that is read next holds what the one before it held, but the page behind it is another one."""


class Numbering(Enum):
    """What a page's number means."""

    PAGES = "pages"
    """Number 7 is the seventh page."""
    RECORDS = "records"
    """Number 701 is the page that begins with the 701st record."""
    CHAIN = "chain"
    """Number 7 is the seventh page, and only the sixth says how to request it."""


class Extent:
    """A listing's end, its totals and its page size, as far as known.

    Args:
        numbering: What a page's number means.
        page_size: The page size that requests ask for; None: the API's own.
        is_total_exact: Whether totals are exact, so that the last page follows from them.
        is_count_believed: Whether the number of pages says which one is the last; a count can be capped.
        max_pages: More pages than this are not believed.
        max_growth: Neither is growth beyond this many times the first answer's pages.

    Attributes:
        last: The last page that can be requested.
        total: Customers in all, by the latest answer that said so.
        counts_one_page: Whether the total turned out to count the records of a page, not of the listing.
        is_begun: Whether a page has been observed.
        problem: Why the API is not to be believed; None: nothing speaks against it.
    """

    def __init__(
        self,
        numbering: Numbering = Numbering.PAGES,
        *,
        page_size: int | None = None,
        is_total_exact: bool = True,
        is_count_believed: bool = True,
        max_pages: int = 10_000_000,
        max_growth: float = 2.0,
    ) -> None:
        self.numbering, self._page_size, self._is_total_exact = numbering, page_size, is_total_exact
        self._is_count_believed = is_count_believed
        self._max_pages, self._growth = max_pages, GrowthGuard(max_pages, max_growth)
        self._cursors = CursorGuard()
        self._open = _OpenEnd(numbering, page_size)
        self.last = 0
        self.total: int | None = None
        self.counts_one_page = self.is_begun = False
        self.problem: str | None = None
        self._total_pages: int | None = None
        self._per_page: int | None = None
        self._largest_at, self._is_size_echoed = 0, False
        self._largest = 0
        self._probe: int | None = None
        self._has_probed = False
        self._first_data = b""
        self._cursor: tuple[int, str | None] = (1, None)

    @property
    def step(self) -> int:
        """How far the next page's number lies from this one's."""
        return (self._largest or self._page_size or 1) if self.numbering is Numbering.RECORDS else 1

    @property
    def is_bounded(self) -> bool:
        """Whether pages say how much there is."""
        return self._total_pages is not None or (self._is_total_exact and self.total is not None)

    @property
    def says_where_it_ends(self) -> bool:
        """Whether a page of a listing without a total says that it is the last."""
        return not self.is_bounded and self._open.says_where_it_ends

    @property
    def total_pages(self) -> int | None:
        """Pages in all; None while nobody knows."""
        return self._growth.pages

    def cursor(self, number: int) -> str | None:
        """What the request for a page of a chain carries."""
        known, cursor = self._cursor
        return cursor if known == number else None

    def observe(self, page: Page) -> str | None:
        """Note what a page says; return why the API is not to be believed, or None."""
        self.is_begun = True
        self.problem = self._observe(page)
        return self.problem

    def _observe(self, page: Page) -> str | None:
        self.total = self.total if page.total is None else page.total
        if page.total_pages is not None and self._is_count_believed:
            self._total_pages = page.total_pages
        self._per_page = page.per_page or self._per_page
        if page.record_count > self._largest:
            self._largest, self._largest_at = page.record_count, page.number
        elif page.record_count == self._largest and page.number != self._largest_at:
            self._is_size_echoed = True  # two pages have this size and none has more, whatever `per_page` says
        if self.numbering is Numbering.CHAIN:
            return self._observe_chain(page)
        self._observe_doubt(page)
        if self.is_bounded:
            return self._observe_bounded(page)
        self._open.observe(page)
        self.last = self._open.last()
        if page.number > self._max_pages * self.step:
            return f"the API has more than the {self._max_pages} pages that a crawl reads"
        return self._open.problem()

    def is_short(self, page: Page) -> bool:
        """Whether a page holds fewer records than it should, so that another request could bring the rest."""
        if self.numbering is Numbering.CHAIN or not self.is_bounded or self._probe is not None:
            return False
        if self.numbering is Numbering.RECORDS:
            return page.record_count == 0 and page.number <= self.last  # other gaps are requested by their own offset
        expected = self._largest if page.per_page is None or self._is_size_echoed else page.per_page
        return page.record_count < expected and page.number < self.last

    def refuse(self, number: int, status: int | None) -> bool:
        """Note that the API refused a page; return whether that only means that the listing ends before it."""
        if number == self._probe and status in NOTHING_FOLLOWS:
            self._probe = None
            self.last = self._bounded_last(number)
            return True
        if self.is_bounded or self.numbering is Numbering.CHAIN or status not in BEYOND_THE_END:
            return False
        is_beyond = self._open.refuse(number)
        self.last = self._open.last()
        return is_beyond

    def drop_doubt(self, number: int | None = None) -> bool:
        """Believe the number of pages after all, if the page behind the last one cannot be read.

        Whether customers are missing shows when they are counted.

        Args:
            number: The page that could not be read; None: whichever it is.

        Returns:
            True if that page was in doubt. It then no longer belongs to the listing.
        """
        if self._probe is None or self._total_pages is None or number not in (None, self._probe):
            return False
        self._probe, self.last = None, self._total_pages
        return True

    def _observe_chain(self, page: Page) -> str | None:
        problem = self._cursors.observe(page)
        self._cursor = (page.number + 1, page.next_cursor)
        self.last = page.number if page.next_cursor is None else page.number + 1
        if self.last > self._max_pages:
            return f"the API has more than the {self._max_pages} pages that a crawl reads"
        return problem

    def _observe_bounded(self, page: Page) -> str | None:
        last = self._bounded_last(page.number)
        pages = ceil(last / self.step)
        problem = self._growth.observe(pages)
        if pages <= self._max_pages:
            self.last = max(last, self._probe or 0)
        return problem

    def _bounded_last(self, number: int) -> int:
        if self.numbering is Numbering.RECORDS and self.total is not None:
            return self.total
        if self._total_pages is not None:
            return self._total_pages
        if not self.total:
            return 0
        size = self._largest or self._per_page or self._page_size
        return ceil(self.total / size) if size else number

    def _observe_doubt(self, page: Page) -> None:
        """Doubt counts, and have the page behind the last one requested to make sure.

        Some APIs count a page's records, not the listing's, as their total. Others cut the page size, but count as many
        pages as there would be of the size that was asked for.
        """
        if page.number == self._probe:
            self._probe = None
            if page.record_count and page.data != self._first_data:
                self._disbelieve(page.number)
        elif not self._has_probed and page.has_more is None and self._is_doubtful(page):
            self._has_probed, self._first_data = True, page.data if page.number == 1 else b""
            records = page.record_count if self.numbering is Numbering.RECORDS else 1
            self._probe = 1 + (records if self._total_pages is None else self._total_pages)

    def _disbelieve(self, number: int) -> None:
        """Note that there are customers on a page that was not counted."""
        if self._total_pages is None:
            self.counts_one_page, self._is_total_exact = True, False
            self._growth.restart()
        elif self._total_pages < number:  # else there are more pages by now
            self._is_count_believed, self._total_pages = False, None
            self._growth.restart()

    def _is_doubtful(self, page: Page) -> bool:
        if not self._is_total_exact or not self.total:
            return False
        if self._total_pages is None:
            is_full = page.per_page is None or page.record_count >= page.per_page
            return page.number == 1 and is_full and page.record_count == self.total
        is_size_known = self._is_size_echoed or self._total_pages == 1
        return is_size_known and page.number <= self._total_pages and 0 < self._total_pages * self._largest < self.total


@dataclass(frozen=True, slots=True)
class _Seen:
    count: int
    has_more: bool | None
    digest: bytes


class _OpenEnd:
    """Where a listing ends whose pages do not say how much there is."""

    def __init__(self, numbering: Numbering, page_size: int | None) -> None:
        self._is_by_record, self._page_size = numbering is Numbering.RECORDS, page_size
        self._seen: dict[int, _Seen] = {}
        self._repeated: dict[bytes, int] = {}
        self._ends: set[bytes] = set()
        self._largest = self._with_records = 0

    @property
    def says_where_it_ends(self) -> bool:
        """Whether a page says that it is the last."""
        return any(seen.has_more is False for seen in self._seen.values())

    def observe(self, page: Page) -> None:
        """Note a page."""
        digest = b"" if self._is_by_record else content_digest(page.data)
        if page.record_count and page.number not in self._seen:
            self._with_records += 1
        self._seen[page.number] = _Seen(page.record_count, page.has_more, digest)
        if page.record_count and digest:
            # Beyond the end some servers repeat a page (Magento, json-server). Once two neighbours are the same, every
            # page with these records is known to lie beyond the first of them, in whatever order they come.
            neighbours = (self._seen.get(page.number - 1), self._seen.get(page.number + 1))
            if digest in self._repeated or any(seen is not None and seen.digest == digest for seen in neighbours):
                same = [number for number, seen in self._seen.items() if seen.digest == digest]
                self._repeated[digest] = min(*same, self._repeated.get(digest, page.number))
                if len(same) > SAME_BY_CHANCE or page.record_count < max(self._largest, self._page_size or 0):
                    self._ends.add(digest)
        self._largest = max(self._largest, page.record_count)
        if len(self._seen) > REMEMBERED:
            del self._seen[min(self._seen)]

    def refuse(self, number: int) -> bool:
        """Note that a page does not exist; return False if there must be one."""
        if number == 1 or any(seen.count and known >= number for known, seen in self._seen.items()):
            return False
        self._seen[number] = _Seen(0, None, b"")
        return True

    def last(self) -> int:
        """The last page that can be requested."""
        end, latest, bounds = 0, None, []
        for number, seen in sorted(self._seen.items()):
            if seen.count == 0:
                bounds.append(number - 1)
                continue
            if seen.digest in self._ends and number > self._repeated[seen.digest]:
                bounds.append(max(self._repeated[seen.digest], end))  # the listing was longer when `end` was read
                continue
            page_end = number + (seen.count if self._is_by_record else 1) - 1
            if page_end >= end:  # where offsets count, pages can overlap
                end, latest = page_end, seen
            if seen.has_more is False:
                bounds.append(page_end)
        bounds = [bound for bound in bounds if bound >= end]
        if bounds:
            return min(bounds)
        # A page shorter than the others is probably the last; one more request makes sure.
        usual = self._largest if self._with_records > 1 else self._page_size
        if latest is not None and latest.has_more is not True and usual is not None and latest.count < usual:
            return end + 1
        return UNBOUNDED

    def problem(self) -> str | None:
        """Why the API is not to be believed: its second page is its first, and the first is not its only one."""
        first = self._seen.get(1)
        if first is None or first.digest not in self._ends or self._repeated[first.digest] != 1:
            return None
        is_full = self._page_size is None or first.count >= self._page_size
        if (is_full and first.has_more is None) or first.has_more:
            return (
                "page 2 holds exactly the records of page 1, so the API seems to ignore the page number it is asked for"
            )
        return None
