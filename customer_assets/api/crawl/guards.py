"""Ends a crawl that an API would keep busy for ever, because it grows without end or repeats itself."""

from customer_assets.models import Page

GROWTH_ALLOWANCE = 100
"""Pages allowed on top of the share, so that a small source can grow while it is read."""


class GrowthGuard:
    """How much there is by the API's latest answer, and whether to believe it.

    Args:
        max_pages: More pages than this are not believed.
        max_growth: Neither is growth beyond this many times the first answer's pages, plus `GROWTH_ALLOWANCE`.
    """

    def __init__(self, max_pages: int, max_growth: float) -> None:
        self._max_pages, self._max_growth = max_pages, max_growth
        self._first_pages: int | None = None
        self.records: int | None = None
        """Customers in all; None before the first answer."""
        self.pages: int | None = None
        """Pages in all; None before the first answer."""

    def observe(self, page: Page) -> str | None:
        """Note what a page says; return why it is not to be believed, or None."""
        self.records, self.pages = page.total, page.total_pages
        if self._first_pages is None:
            self._first_pages = page.total_pages
        if page.total_pages > self._max_pages:
            return f"the API claims {page.total_pages} pages, more than the {self._max_pages} that a crawl reads"
        if page.total_pages > self._first_pages * self._max_growth + GROWTH_ALLOWANCE:
            return f"the API grew from {self._first_pages} to {page.total_pages} pages while it was read"
        return None


class RepetitionGuard:
    """Notices a server that answers every page with the same records.

    Args:
        limit: How many identical pages in a row cannot be a coincidence.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._latest = b""
        self._in_a_row = 0

    def observe(self, page: Page) -> str | None:
        """Note a page; return why the server is not to be believed, or None."""
        if page.record_count == 0:
            return None
        self._in_a_row = self._in_a_row + 1 if page.data == self._latest else 1
        self._latest = page.data
        if self._in_a_row >= self._limit:
            return f"the API answered {self._in_a_row} pages in a row with the very same records"
        return None
