"""Sets of page numbers as ranges: O(gaps) memory, never O(pages)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class PageRanges:
    """A set of page numbers that grows: what a store holds, say.

    Kept as disjoint, sorted, inclusive ranges: a million pages with one gap are two ranges.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, pages: Iterable[int] = ()) -> None:
        """Take pages in any order; ascending is fastest."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for page in pages:
            self.add(page)

    def add(self, page: int) -> None:
        """Add a page; one that is there already changes nothing."""
        before = bisect_right(self._firsts, page) - 1
        if before >= 0 and page <= self._lasts[before]:
            return
        joins_before = before >= 0 and self._lasts[before] == page - 1
        joins_after = before + 1 < len(self._firsts) and self._firsts[before + 1] == page + 1
        if joins_before and joins_after:
            self._lasts[before] = self._lasts.pop(before + 1)
            del self._firsts[before + 1]
        elif joins_before:
            self._lasts[before] = page
        elif joins_after:
            self._firsts[before + 1] = page
        else:
            self._firsts.insert(before + 1, page)
            self._lasts.insert(before + 1, page)

    def add_range(self, first: int, last: int) -> None:
        """Add all pages from `first` to `last`; none if `last` is smaller."""
        if last < first:
            return
        at = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        if at < end:
            first, last = min(first, self._firsts[at]), max(last, self._lasts[end - 1])
        self._firsts[at:end], self._lasts[at:end] = [first], [last]

    def first_absent(self, page: int) -> int:
        """The smallest number from `page` on that is not in the set."""
        at = bisect_right(self._firsts, page) - 1
        return self._lasts[at] + 1 if at >= 0 and page <= self._lasts[at] else page

    def count_up_to(self, last: int) -> int:
        """How many pages of the set are at most `last`."""
        return sum(min(end, last) - first + 1 for first, end in self.ranges() if first <= last)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """First and last page of each range, ascending."""
        return zip(self._firsts, self._lasts, strict=True)

    def __contains__(self, page: object) -> bool:
        """Whether the page is in the set."""
        return isinstance(page, int) and self.first_absent(page) != page

    def __iter__(self) -> Iterator[int]:
        """Every page, ascending."""
        for first, last in self.ranges():
            yield from range(first, last + 1)

    def __len__(self) -> int:
        """How many pages there are."""
        return sum(last - first + 1 for first, last in self.ranges())

    def __repr__(self) -> str:
        """Show the ranges, `PageRanges(1-3, 7)`."""
        shown = (str(first) if first == last else f"{first}-{last}" for first, last in self.ranges())
        return f"PageRanges({', '.join(shown)})"
