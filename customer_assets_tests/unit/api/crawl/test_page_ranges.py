"""Sets of page numbers, held against a plain set."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from customer_assets.api.crawl.page_ranges import PageRanges

PAGES = st.integers(1, 30)


def ranges_of(pages: Iterable[int]) -> list[tuple[int, int]]:
    """Find the ranges of a set the slow way."""
    found: list[tuple[int, int]] = []
    for page in sorted(set(pages)):
        if found and found[-1][1] == page - 1:
            found[-1] = (found[-1][0], page)
        else:
            found.append((page, page))
    return found


class PageRangesMachine(RuleBasedStateMachine):
    """Does to ranges and to a set the same things."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges, self.model = PageRanges(), set[int]()

    @rule(page=PAGES)
    def add(self, page: int) -> None:
        """One page."""
        self.ranges.add(page)
        self.model.add(page)

    @rule(page=PAGES)
    def look(self, page: int) -> None:
        """What lies at a page and from there on."""
        assert (page in self.ranges) == (page in self.model)
        absent = page
        while absent in self.model:
            absent += 1
        assert self.ranges.first_absent(page) == absent
        assert self.ranges.count_up_to(page) == len({held for held in self.model if held <= page})

    @invariant()
    def same(self) -> None:
        """The same pages, in as few ranges as can be."""
        assert list(self.ranges) == sorted(self.model)
        assert len(self.ranges) == len(self.model)
        assert list(self.ranges.ranges()) == ranges_of(self.model)


TestPageRangesMachine = PageRangesMachine.TestCase
TestPageRangesMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@settings(deadline=None)
@given(st.lists(PAGES))
def test_the_order_of_pages_does_not_matter(pages: list[int]) -> None:
    """Any order makes the same ranges as the ascending one."""
    assert list(PageRanges(pages).ranges()) == ranges_of(pages)


@pytest.mark.parametrize(
    ("pages", "ranges"),
    [
        ((), []),
        ((5,), [(5, 5)]),
        ((5, 5), [(5, 5)]),
        ((5, 6), [(5, 6)]),
        ((5, 4), [(4, 5)]),
        ((5, 7), [(5, 5), (7, 7)]),
        ((5, 3), [(3, 3), (5, 5)]),
        ((5, 7, 6), [(5, 7)]),
        ((1, 2, 8, 9, 4, 5, 3), [(1, 5), (8, 9)]),
        ((1, 2, 3, 2), [(1, 3)]),
    ],
)
def test_neighbours_join(pages: tuple[int, ...], ranges: list[tuple[int, int]]) -> None:
    """A page joins what lies right before and right after it, nothing further off."""
    assert list(PageRanges(pages).ranges()) == ranges


@pytest.mark.parametrize(("last", "count"), [(0, 0), (1, 1), (3, 3), (4, 3), (6, 3), (7, 4), (8, 5), (9, 5), (99, 5)])
def test_count_up_to_counts_the_pages_so_far(last: int, count: int) -> None:
    """A range counts as far as it reaches; the last page itself counts."""
    assert PageRanges((1, 2, 3, 7, 8)).count_up_to(last) == count


@pytest.mark.parametrize(("page", "absent"), [(1, 4), (3, 4), (4, 4), (6, 6), (7, 8), (8, 8), (99, 99), (0, 0)])
def test_first_absent_is_the_next_gap(page: int, absent: int) -> None:
    """A page that is not there is the first absent one itself."""
    assert PageRanges((1, 2, 3, 7)).first_absent(page) == absent


def test_only_numbers_are_pages() -> None:
    """Anything else is simply not in the set."""
    assert "1" not in PageRanges((1,))
    assert None not in PageRanges((1,))
    assert 1 in PageRanges((1,))


@pytest.mark.parametrize(
    ("pages", "shown"),
    [((), "PageRanges()"), ((7,), "PageRanges(7)"), ((1, 2), "PageRanges(1-2)"), ((7, 1, 2, 3), "PageRanges(1-3, 7)")],
)
def test_ranges_show_themselves(pages: tuple[int, ...], shown: str) -> None:
    """A range as `first-last`, a single page as itself."""
    assert repr(PageRanges(pages)) == shown


def test_many_pages_with_a_gap_are_two_ranges() -> None:
    """Memory follows the gaps, not the pages."""
    held = PageRanges(page for page in range(1, 100_001) if page != 50_000)
    assert list(held.ranges()) == [(1, 49_999), (50_001, 100_000)]
    assert len(held) == 99_999
    held.add(50_000)
    assert repr(held) == "PageRanges(1-100000)"
