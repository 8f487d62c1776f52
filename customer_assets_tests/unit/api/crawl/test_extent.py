"""How far a listing reaches, as far as its pages have said."""

import pytest

from customer_assets.api.crawl.extent import UNBOUNDED, Extent, Numbering
from customer_assets.core.models import Page

PAGES, RECORDS, CHAIN = Numbering.PAGES, Numbering.RECORDS, Numbering.CHAIN


def page(
    number: int,
    records: int = 10,
    *,
    total: int | None = None,
    pages: int | None = None,
    per_page: int | None = None,
    more: bool | None = None,
    cursor: str | None = None,
    data: bytes | None = None,
) -> Page:
    """Make a page that says no more than it is told to."""
    content = b"%d+%d" % (number, records) if data is None else data
    return Page(number, per_page, total, pages, records, content, cursor, more)


def seen(extent: Extent, *pages: Page) -> Extent:
    """Let an extent see pages that it believes."""
    assert [extent.observe(each) for each in pages] == [None] * len(pages)
    return extent


# --- pages that say how many there are ---------------------------------------------------------------------


def test_the_number_of_pages_is_the_last_page() -> None:
    """The latest answer's word holds; a page that does not say leaves it as it was."""
    extent = seen(Extent(), page(1, pages=7))
    assert (extent.last, extent.total_pages, extent.is_bounded) == (7, 7, True)
    assert seen(extent, page(2, pages=8)).last == 8
    assert seen(extent, page(3)).last == 8
    assert seen(extent, page(4, pages=0)).last == 0


@pytest.mark.parametrize(
    ("asked", "came", "last"),
    [(10, 10, 53), (500, 100, 6), (None, 100, 6), (10, 523, 1), (100, 0, 6)],
)
def test_a_total_and_the_page_size_that_came_tell_the_last_page(asked: int | None, came: int, last: int) -> None:
    """Not the size that was asked for: servers clamp it."""
    extent = seen(Extent(page_size=asked), page(1, came, total=523))
    if last > 1:
        assert extent.last == last


def test_a_first_page_that_came_short_is_corrected_by_the_others() -> None:
    """The largest page is the page size."""
    extent = seen(Extent(), page(1, 3, total=100))
    assert extent.last == 34
    assert seen(extent, page(2, 10, total=100)).last == 10


def test_an_empty_listing_has_no_page() -> None:
    """In every numbering."""
    assert seen(Extent(), page(1, 0, total=0)).last == 0
    assert seen(Extent(RECORDS), page(1, 0, total=0)).last == 0
    assert seen(Extent(), page(1, 0)).last == 0
    assert seen(Extent(RECORDS), page(1, 0)).last == 0
    assert seen(Extent(CHAIN), page(1, 0)).last == 1, "the first page is read already"


def test_a_total_without_any_page_size_is_not_trusted_yet() -> None:
    """An empty first page beside a total: the next pages will tell."""
    assert seen(Extent(), page(1, 0, total=10**6)).last == 1


# --- totals that count the page ----------------------------------------------------------------------------


@pytest.mark.parametrize(("numbering", "probe"), [(PAGES, 2), (RECORDS, 101)])
def test_a_total_that_equals_the_first_page_is_doubted_once(numbering: Numbering, probe: int) -> None:
    """One more page is requested; if it is empty, or does not exist, the total was right."""
    extent = seen(Extent(numbering, page_size=100), page(1, 100, total=100))
    assert extent.last == probe
    assert seen(extent, page(probe, 0, total=100)).last == (1 if numbering is PAGES else 100)
    assert not extent.counts_one_page
    extent = seen(Extent(numbering, page_size=100), page(1, 100, total=100))
    assert [extent.refuse(probe, status) for status in (401, 403)] == [False, False]
    assert extent.refuse(probe, 400)
    assert extent.last == (1 if numbering is PAGES else 100)


def test_a_page_beyond_the_total_means_that_it_counts_the_page() -> None:
    """Shopware's; from then on it is not looked at."""
    extent = seen(Extent(page_size=100), page(1, 100, total=100), page(2, 100, total=100))
    assert extent.counts_one_page
    assert (extent.is_bounded, extent.last, extent.total_pages) == (False, UNBOUNDED, None)
    assert seen(extent, page(3, 23, total=23)).last == 4
    assert seen(extent, page(4, 0, total=0)).last == 3


def test_a_page_that_repeats_the_first_is_no_page_beyond_the_total() -> None:
    """Magento sends the last page again."""
    extent = seen(Extent(page_size=100), page(1, 100, total=100, data=b"a"), page(2, 100, total=100, data=b"a"))
    assert not extent.counts_one_page
    assert extent.last == 1


@pytest.mark.parametrize(
    "first",
    [
        page(1, 100, total=100, pages=1),
        page(1, 100, total=100, more=False),
        page(1, 30, total=30, per_page=100),
        page(1, 100, total=101),
        page(1, 0, total=0),
    ],
)
def test_nothing_is_doubted_that_something_else_confirms(first: Page) -> None:
    """The number of pages, a flag, a page that is not full."""
    assert seen(Extent(page_size=100), first).last < 3
    assert seen(Extent(page_size=100, is_total_exact=False), page(1, 100, total=100)).last == UNBOUNDED


# --- listings without an end that is told -------------------------------------------------------------------


def test_pages_are_requested_ahead_until_one_is_empty() -> None:
    """An empty page in the midst of others is no end."""
    extent = seen(Extent(page_size=10), page(1))
    assert (extent.last, extent.total_pages) == (UNBOUNDED, None)
    assert seen(extent, page(5, 0)).last == 4
    assert seen(extent, page(4, 0), page(2)).last == 3
    assert seen(extent, page(7)).last == UNBOUNDED, "there is one after all"
    assert seen(extent, page(9, 0)).last == 8


@pytest.mark.parametrize(("numbering", "second"), [(PAGES, 2), (RECORDS, 101)])
def test_a_short_page_is_no_end(numbering: Numbering, second: int) -> None:
    """Only one page more is requested, until it is known that pages are simply that size."""
    extent = seen(Extent(numbering, page_size=500), page(1, 100))
    assert extent.last == second
    assert seen(extent, page(second, 100)).last == UNBOUNDED


def test_a_short_page_that_says_there_is_more_is_no_end_at_all() -> None:
    """Nor is one whose usual size nobody knows."""
    assert seen(Extent(page_size=500), page(1, 100, more=True)).last == UNBOUNDED
    assert seen(Extent(), page(1, 3)).last == UNBOUNDED


@pytest.mark.parametrize(("numbering", "number", "last"), [(PAGES, 3, 3), (RECORDS, 21, 27)])
def test_a_page_that_says_it_is_the_last_one_is(numbering: Numbering, number: int, last: int) -> None:
    """Nothing beyond it is requested."""
    assert seen(Extent(numbering, page_size=10), page(1), page(number, 7, more=False)).last == last


def test_a_page_that_repeats_the_one_before_is_beyond_the_end() -> None:
    """In whatever order they come."""
    first, last = page(1, data=b"a"), page(2, 10, data=b"b")
    again = [page(number, 10, data=b"b") for number in (3, 4)]
    assert seen(Extent(page_size=10), first, last, *again).last == 2
    assert seen(Extent(page_size=10), first, again[1], again[0], last).last == 2


@pytest.mark.parametrize("number", [1, 2, 7])
def test_one_full_page_that_repeats_the_one_before_is_not_the_end(number: int) -> None:
    """A page's worth of customers joined in front of it; the page behind it is another one."""
    extent = Extent(page_size=10)
    seen(extent, *(page(each, 10, data=b"%d" % each) for each in range(1, number + 1)))
    assert seen(extent, page(number + 1, 10, data=b"%d" % number)).last > number + 1
    assert extent.problem is None
    assert seen(extent, page(number + 2, 3, data=b"others")).last == number + 3


def test_pages_that_repeat_are_recognised_without_their_neighbours() -> None:
    """Once three in a row were the same: else the newest, whose neighbours are under way, would always look new."""
    again = [page(number, data=b"z") for number in (2, 3, 4)]
    extent = seen(Extent(page_size=10), page(1, data=b"a"), *again)
    assert extent.last == 2
    for number in range(9, 3_000, 7):
        assert seen(extent, page(number, data=b"z")).last == 2


def test_pages_that_repeat_one_before_the_last_are_beyond_the_end() -> None:
    """The listing has become shorter than it was when the last page was read: without this, it never ends."""
    extent = seen(
        Extent(page_size=10), *(page(number, 10, data=data) for number, data in enumerate([b"a", b"b", b"c"], 1))
    )
    assert seen(extent, *(page(number, 10, data=b"b") for number in (4, 5, 6))).last == 3


@pytest.mark.parametrize("asked", [10, None])
def test_an_api_that_ignores_the_page_number_is_not_believed(asked: int | None) -> None:
    """Its second and third pages are its first one, and full: more customers are likely."""
    extent = seen(Extent(page_size=asked), page(1, 10, data=b"a"), page(2, 10, data=b"a"))
    problem = extent.observe(page(3, 10, data=b"a"))
    assert problem is not None
    assert "seems to ignore the page number" in problem
    assert extent.problem == problem


def test_a_short_first_page_that_comes_again_is_the_only_one() -> None:
    """A server that repeats its last page has just that one."""
    assert seen(Extent(page_size=10), page(1, 7, data=b"a"), page(2, 7, data=b"a")).last == 1


@pytest.mark.parametrize("status", [404, 416])
def test_a_page_that_does_not_exist_is_beyond_the_end(status: int) -> None:
    """Unless there is one further on, or it is the first."""
    extent = seen(Extent(page_size=10), page(1), page(3))
    assert not extent.refuse(1, status)
    assert not extent.refuse(2, status)
    assert extent.refuse(5, status)
    assert extent.last == 4


@pytest.mark.parametrize("status", [400, 401, 403, 410, 422, None])
def test_other_refusals_are_no_end(status: int | None) -> None:
    """A 400 at the 10,000th record is a window, not the end of the customers."""
    extent = seen(Extent(RECORDS, page_size=10), page(1))
    assert not extent.refuse(101, status)
    assert extent.last == UNBOUNDED


def test_where_pages_are_counted_no_refusal_is_an_end() -> None:
    """The crawl has rules of its own there."""
    assert not seen(Extent(), page(1, pages=9)).refuse(5, 404)


def test_more_pages_than_allowed_are_not_read() -> None:
    """In any numbering."""
    for numbering, number in ((PAGES, 101), (RECORDS, 1_002)):
        extent = seen(Extent(numbering, max_pages=100, page_size=10), page(1))
        assert extent.observe(page(number)) == "the API has more than the 100 pages that a crawl reads"
    chain = seen(Extent(CHAIN, max_pages=2), page(1, cursor="a"))
    assert chain.observe(page(2, cursor="b")) == "the API has more than the 2 pages that a crawl reads"


# --- offsets -------------------------------------------------------------------------------------------------


def test_offsets_advance_by_what_came() -> None:
    """The step is the largest page; the last number is the last record's."""
    extent = seen(Extent(RECORDS, page_size=500), page(1, 100, total=523))
    assert (extent.step, extent.last, extent.total_pages) == (100, 523, 6)
    assert seen(extent, page(101, 40, total=523)).step == 100


def test_pages_that_overlap_reach_as_far_as_the_farthest() -> None:
    """Whichever begins last."""
    extent = seen(Extent(RECORDS, page_size=10), page(1, 10), page(11, 6), page(17, 10), page(21, 5))
    assert extent.last == UNBOUNDED, "record 26 was there, on a full page"


def test_only_an_empty_page_is_short_where_offsets_count() -> None:
    """What another lacks is requested by its own offset."""
    extent = seen(Extent(RECORDS), page(1, 10, total=30))
    assert extent.is_short(page(11, 0))
    assert not extent.is_short(page(11, 3))
    assert not extent.is_short(page(31, 0))


# --- chains --------------------------------------------------------------------------------------------------


def test_a_chain_knows_one_page_ahead() -> None:
    """And what its request carries."""
    extent = seen(Extent(CHAIN), page(1, cursor="a"))
    assert (extent.last, extent.total_pages, extent.cursor(1), extent.cursor(2)) == (2, None, None, "a")
    assert seen(extent, page(2, 0, cursor="b")).last == 3
    assert extent.cursor(3) == "b"
    assert seen(extent, page(3)).last == 3
    assert extent.cursor(4) is None


def test_a_total_does_not_end_a_chain() -> None:
    """Nor is any of its pages short."""
    extent = seen(Extent(CHAIN, page_size=10), page(1, 3, total=3, cursor="a"))
    assert extent.last == 2
    assert not extent.is_short(page(1, 3, total=3))
    assert not extent.refuse(2, 404)


def test_a_cursor_that_comes_again_is_not_believed() -> None:
    """The chain would never end."""
    extent = seen(Extent(CHAIN), page(1, cursor="a"), page(2, cursor="b"))
    assert extent.observe(page(3, cursor="a")) == (
        "page 3 hands out a cursor that an earlier page handed out: the pages would never end; "
        "check the settings of paging, such as parameter and has_more"
    )


def counted(number: int, records: int, total: int, pages: int, per_page: int = 100) -> Page:
    """A page that says how many customers and pages there are."""
    return Page(number, per_page, total, pages, records, b"%d" % number)


def test_pages_that_cannot_hold_the_total_are_doubted() -> None:
    """Two pages of 7 in place of 100: the five that are counted hold no 495 customers, so the sixth is tried."""
    extent = Extent()
    for number, last in ((1, 5), (2, 6), (3, 6)):
        extent.observe(counted(number, 7, 495, 5))
        assert extent.last == last
    extent.observe(counted(6, 7, 495, 5))
    assert extent.last == 71
    assert extent.problem is None


def test_a_single_page_that_cannot_hold_the_total_is_doubted() -> None:
    extent = Extent()
    extent.observe(counted(1, 7, 26, 1))
    assert extent.last == 2
    extent.observe(counted(2, 7, 26, 1))
    assert extent.last == 4


@pytest.mark.parametrize("ending", ["empty", "refused", "unreadable", "repeated", "none"])
def test_a_doubt_is_dropped_where_nothing_is_behind_the_last_page(ending: str) -> None:
    """Customers who are filtered out after paging are counted, too."""
    extent = Extent()
    extent.observe(counted(1, 7, 26, 1))
    if ending == "empty":
        extent.observe(counted(2, 0, 26, 1))
    elif ending == "repeated":
        extent.observe(Page(2, 100, 26, 1, 7, b"1"))
    elif ending == "refused":
        assert extent.refuse(2, 400)
    else:
        assert extent.drop_doubt(2 if ending == "unreadable" else None)
    assert extent.last == 1
    assert not extent.drop_doubt(2)


def test_growth_is_not_taken_for_a_size_that_was_cut() -> None:
    """The page behind the last one counts itself: there are more by now."""
    extent = Extent()
    extent.observe(counted(1, 7, 26, 1))
    extent.observe(counted(2, 7, 150, 2))
    assert extent.last == 2
    extent.observe(counted(3, 7, 10**9, 10**7))
    assert extent.problem is not None
