"""Which pages still have to be requested, and in which order: a cursor over the new ones, queues for the failed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain, count, islice
from math import inf

from customer_assets.api.crawl.extent import UNBOUNDED
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.core.errors import MAX_PAGES_KEPT


@dataclass(slots=True)
class Attempt:
    """A page's history while it is in flight or waits after a failure.

    Attributes:
        number: The number, from 1, of the current or next request within the round.
        round: From 1.
        accepted_before: Pages that the crawl had accepted when this round began; 0 for the first round.
        was_short: The page came once with too few records.
        span: How many numbers the page was requested for: where numbers count records, its page size.
    """

    number: int = 1
    round: int = 1
    accepted_before: int = 0
    was_short: bool = False
    span: int = 1


class DelayQueue:
    """Pages by the instant at which they become due; equal instants in order of arrival."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, int]] = []
        self._order = count()

    def push(self, page: int, due_s: float) -> None:
        """Add a page."""
        heappush(self._entries, (due_s, next(self._order), page))

    def pop_due(self, now_s: float) -> int | None:
        """Remove and return the first page that is due, if any."""
        return heappop(self._entries)[2] if self._entries and self._entries[0][0] <= now_s else None

    def pop_beyond(self, last: int) -> tuple[int, float] | None:
        """Remove and return the first page with its instant if it lies beyond the last page."""
        if not self._entries or self._entries[0][2] <= last:
            return None
        due_s, _, page = heappop(self._entries)
        return page, due_s

    @property
    def earliest_s(self) -> float:
        """When the first page is due; `inf` if there is none."""
        return self._entries[0][0] if self._entries else inf

    def __len__(self) -> int:
        """How many pages are waiting."""
        return len(self._entries)


class PageQueue:
    """The pages of one crawl that have not arrived: due retries first, then new pages, then those for another round.

    Pages beyond the last page, because the API has shrunk, are parked: they count again if it grows.

    Args:
        held: Pages that need no request.
        first: The first page that can be requested.
        last: The last one, as far as known.

    Attributes:
        step: How far the next new page's number lies from the one before.
        attempts: Pages in flight, and pages that failed and are not abandoned.
    """

    def __init__(self, held: PageRanges, first: int, last: int) -> None:
        self._held = held
        self._next_new = first
        self._last = last
        self._retries, self._rounds = DelayQueue(), DelayQueue()
        self._parked: list[tuple[int, float]] = []
        self._abandoned: set[int] = set()
        self.step = 1
        self.attempts: dict[int, Attempt] = {}

    @property
    def last(self) -> int:
        """The last page, as far as known."""
        return self._last

    @property
    def waiting(self) -> int:
        """Pages that failed and wait for their next request."""
        return len(self._retries) + len(self._rounds)

    def set_last_page(self, last: int) -> None:
        """Follow the API's latest number of pages."""
        self._last = last
        parked, self._parked = self._parked, []
        for page, due_s in parked:
            self._retries.push(page, due_s)

    def earliest_s(self) -> float:
        """When the next page can be requested: `-inf` at once, `inf` if there is none."""
        for queue in (self._retries, self._rounds):
            while (parked := queue.pop_beyond(self._last)) is not None:
                self._parked.append(parked)
        if self._next_new <= self._last:
            return -inf
        return min(self._retries.earliest_s, self._rounds.earliest_s)

    def pop(self, now_s: float, *, new_first: bool = False) -> int:
        """Remove and return the next page; call it only when `earliest_s` says that there is one.

        Args:
            now_s: The current instant.
            new_first: Prefer a page that has not failed yet.
        """
        order: list[Callable[[float], int | None]] = [self._retries.pop_due, self._new, self._rounds.pop_due]
        for source in (self._new, *order) if new_first else order:
            page = source(now_s)
            if page is not None:
                return page
        raise LookupError("No page is due.")

    def add(self, page: int, span: int, due_s: float) -> None:
        """Request a page that no cursor over new pages would reach: it fills the gap that a shorter one left."""
        self.attempts[page] = Attempt(span=span)
        self._retries.push(page, due_s)

    def skip_to(self, page: int) -> None:
        """Leave out new pages below this one: an earlier page brought what they hold."""
        self._next_new = max(self._next_new, self._held.first_absent(page))

    def remove(self, page: int) -> None:
        """Remove a page that arrived."""
        del self.attempts[page]

    def retry(self, page: int, due_s: float) -> None:
        """Request the page again from that instant on, before any new page."""
        self._retries.push(page, due_s)

    def requeue(self, page: int, due_s: float) -> None:
        """Request the page again when no new page is left, not before that instant."""
        self._rounds.push(page, due_s)

    def abandon(self, page: int) -> None:
        """Never request the page again; it counts as missing."""
        del self.attempts[page]
        self._abandoned.add(page)

    def missing(self) -> tuple[int, ...]:
        """The pages that exist, as far as known, but have not arrived; ascending, and no more than are kept."""
        failed = sorted(page for page in self._abandoned | self.attempts.keys() if page <= self._last)
        return tuple(islice(chain(failed, self._new_pages()), MAX_PAGES_KEPT))

    def _new(self, _now_s: float) -> int | None:
        page = self._next_new
        if page > self._last:
            return None
        self._next_new = self._held.first_absent(page + self.step)
        self.attempts[page] = Attempt(span=self.step)
        return page

    def _new_pages(self) -> Iterator[int]:
        page = self._next_new
        while page <= self._last:
            yield page
            if self._last >= UNBOUNDED:
                return
            page = self._held.first_absent(page + self.step)
