"""What ends a crawl that an API would keep running for ever."""

import pytest

from customer_assets.api.crawl.guards import MAX_EMPTY_PAGES, CursorGuard, GrowthGuard, RepetitionGuard
from customer_assets.core.models import Page


def holding(data: bytes, records: int = 10) -> Page:
    """Make a page of these records."""
    return Page(1, 10, 100, 10, records, data)


def test_pages_are_unknown_at_first() -> None:
    """Then they are the latest answer's."""
    growth = GrowthGuard(1_000, 2.0)
    assert growth.pages is None
    assert growth.observe(5) is None
    assert growth.pages == 5
    assert growth.observe(4) is None
    assert growth.pages == 4


def test_too_many_pages_are_not_believed() -> None:
    """As many as allowed are, one more is not; the figure is kept all the same."""
    growth = GrowthGuard(1_000, 2.0)
    assert growth.observe(1_000) is None
    assert growth.observe(1_001) == "the API claims 1001 pages, more than the 1000 that a crawl reads"
    assert growth.pages == 1_001


@pytest.mark.parametrize(("first", "most"), [(0, 100), (1, 102), (50, 200), (1_000, 2_100)])
def test_twice_the_first_pages_and_a_hundred_is_the_most_growth(first: int, most: int) -> None:
    """That many are believed, one more is not."""
    growth = GrowthGuard(10**6, 2.0)
    assert growth.observe(first) is None
    assert growth.observe(most) is None
    reason = f"the API grew from {first} to {most + 1} pages while it was read"
    assert growth.observe(most + 1) == reason


def test_growth_is_measured_from_the_first_answer() -> None:
    """Neither step by step nor from the smallest."""
    growth = GrowthGuard(10**6, 3.0)
    assert [growth.observe(pages) for pages in (100, 1, 250, 400)] == [None] * 4
    assert growth.observe(401) == "the API grew from 100 to 401 pages while it was read"


def test_the_same_records_so_many_times_in_a_row_are_no_coincidence() -> None:
    """Not one time fewer."""
    repeats = RepetitionGuard(3)
    assert repeats.observe(holding(b"a")) is None
    assert repeats.observe(holding(b"a")) is None
    assert repeats.observe(holding(b"a")) == "the API answered 3 pages in a row with the very same records"


def test_other_records_in_between_begin_anew() -> None:
    """Only an unbroken row counts, and the other page is the first of the next."""
    repeats = RepetitionGuard(3)
    assert [repeats.observe(holding(data)) for data in (b"a", b"a", b"b", b"a", b"a", b"b", b"b")] == [None] * 7
    assert repeats.observe(holding(b"b")) == "the API answered 3 pages in a row with the very same records"


def test_empty_pages_are_all_alike() -> None:
    """They neither count nor break a row."""
    repeats = RepetitionGuard(2)
    assert [repeats.observe(holding(b"[]", records=0)) for _ in range(5)] == [None] * 5
    assert repeats.observe(holding(b"a")) is None
    assert repeats.observe(holding(b"[]", records=0)) is None
    assert repeats.observe(holding(b"a", records=1)) is not None


def test_one_page_is_no_row() -> None:
    """The first page counts once, even if it holds nothing but an empty text."""
    assert RepetitionGuard(2).observe(holding(b"")) is None
    assert RepetitionGuard(1).observe(holding(b"a")) is not None


def linked(number: int, cursor: str | None, records: int = 10) -> Page:
    """Make a page of a chain."""
    return Page(number, None, None, None, records, b"[]", next_cursor=cursor)


def test_a_cursor_that_was_there_before_ends_a_chain() -> None:
    """However long ago; the last page has none."""
    chain = CursorGuard()
    assert [chain.observe(linked(number, f"c{number}")) for number in range(1, 100)] == [None] * 99
    assert chain.observe(linked(101, None)) is None
    problem = (
        "page 100 hands out a cursor that an earlier page handed out: the pages would never end; "
        "check the settings of paging, such as parameter and has_more"
    )
    assert chain.observe(linked(100, "c7")) == problem


def test_empty_pages_lead_on_but_not_for_ever() -> None:
    """A filter can leave many empty, and a page with records begins the count anew."""
    chain = CursorGuard()
    for number in range(1, MAX_EMPTY_PAGES):
        assert chain.observe(linked(number, f"a{number}", records=0)) is None
    assert chain.observe(linked(500, "b", records=1)) is None
    for number in range(1, MAX_EMPTY_PAGES):
        assert chain.observe(linked(number, f"c{number}", records=0)) is None
    assert chain.observe(linked(999, None, records=0)) is None, "the end is no cursor"
    problem = chain.observe(linked(999, "d", records=0))
    assert problem is not None
    assert "empty pages in a row" in problem
