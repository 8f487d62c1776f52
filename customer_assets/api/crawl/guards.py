"""Ends a crawl that an API would keep busy for ever, because it grows without end or repeats itself."""

import hashlib

import msgspec

from customer_assets.core.models import Page

GROWTH_ALLOWANCE = 100
"""Pages allowed on top of the share, so that a small source can grow while it is read."""

MAX_EMPTY_PAGES = 100
"""Filters that apply after paging leave pages empty, but hardly this many in a row."""


_split = msgspec.json.Decoder(list[msgspec.Raw])


def content_digest(data: bytes) -> bytes:
    """A digest of a page's records, whatever order they come in."""
    try:
        records = sorted(map(bytes, _split.decode(data)))
    except (msgspec.DecodeError, ValueError):
        records = [data]
    return hashlib.sha256(b"\n".join(records)).digest()


class GrowthGuard:
    """How many pages there are by the API's latest answer, and whether to believe it.

    Args:
        max_pages: More pages than this are not believed.
        max_growth: Neither is growth beyond this many times the first answer's pages, plus `GROWTH_ALLOWANCE`.

    Attributes:
        pages: Pages in all; None before the first answer.
    """

    def __init__(self, max_pages: int, max_growth: float) -> None:
        self._max_pages, self._max_growth = max_pages, max_growth
        self._first_pages: int | None = None
        self.pages: int | None = None

    def observe(self, pages: int) -> str | None:
        """Note how many pages there are; return why that is not to be believed, or None."""
        self.pages = pages
        if self._first_pages is None:
            self._first_pages = pages
        if pages > self._max_pages:
            return f"the API claims {pages} pages, more than the {self._max_pages} that a crawl reads"
        if pages > self._first_pages * self._max_growth + GROWTH_ALLOWANCE:
            return f"the API grew from {self._first_pages} to {pages} pages while it was read"
        return None

    def restart(self) -> None:
        """Forget what was said so far: it counted something else."""
        self._first_pages = self.pages = None


class RepetitionGuard:
    """Notices a server that answers every page with the same records, in whatever order.

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
        is_same = page.data == self._latest or (
            len(page.data) == len(self._latest) and content_digest(page.data) == content_digest(self._latest)
        )
        self._in_a_row = self._in_a_row + 1 if is_same else 1
        self._latest = page.data
        if self._in_a_row >= self._limit:
            return f"the API answered {self._in_a_row} pages in a row with the very same records"
        return None


class CursorGuard:
    """Notices a chain that leads back to where it was, or on and on without a record."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._empty_in_a_row = 0

    def observe(self, page: Page) -> str | None:
        """Note a page; return why the chain would not end, or None."""
        self._empty_in_a_row = 0 if page.record_count else self._empty_in_a_row + 1
        if page.next_cursor is None:
            return None
        if self._empty_in_a_row >= MAX_EMPTY_PAGES:
            return f"the API answered {self._empty_in_a_row} empty pages in a row, each with another cursor"
        digest = hashlib.blake2b(page.next_cursor.encode(errors="replace"), digest_size=8).digest()
        if digest in self._seen:
            return (
                f"page {page.number} hands out a cursor that an earlier page handed out: the pages would never end; "
                "check the settings of paging, such as parameter and has_more"
            )
        self._seen.add(digest)
        return None
