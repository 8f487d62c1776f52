"""Whether a pass read everything, in each kind of listing."""

import pytest

from customer_assets.api.crawl.consistency import Consistency, PassTotals, TotalIs, assess
from customer_assets.api.crawl.extent import Numbering
from customer_assets.core.models import Page

PAGES, RECORDS, CHAIN = Numbering.PAGES, Numbering.RECORDS, Numbering.CHAIN
COMPLETE, SHIFTED, DUPLICATES = Consistency.COMPLETE, Consistency.SHIFTED, Consistency.SOURCE_DUPLICATES


def totals_of(
    numbering: Numbering, pages: list[tuple[int, int, int | None]], total_is: TotalIs = "exact"
) -> PassTotals:
    """What pages amount to, each by number, records and total."""
    totals = PassTotals(numbering, total_is)
    for number, records, total in pages:
        totals.add(Page(number, None, total, None, records, b"[]"))
    return totals


@pytest.mark.parametrize(
    ("numbering", "pages", "unique", "first", "again"),
    [
        pytest.param(PAGES, [(1, 10, 15), (2, 5, 15)], 15, COMPLETE, COMPLETE, id="everyone"),
        pytest.param(PAGES, [(1, 10, 15), (2, 5, 16)], 15, SHIFTED, SHIFTED, id="the total changed"),
        pytest.param(PAGES, [(1, 10, 15), (2, 4, 15)], 14, SHIFTED, SHIFTED, id="one is missing"),
        pytest.param(PAGES, [(1, 10, 15), (2, 5, 15)], 14, SHIFTED, DUPLICATES, id="one came twice"),
        pytest.param(PAGES, [(1, 10, 15), (2, 5, None)], 15, COMPLETE, COMPLETE, id="the total was told once"),
        pytest.param(PAGES, [(1, 10, None), (2, 5, None)], 15, COMPLETE, COMPLETE, id="no total"),
        pytest.param(PAGES, [(1, 10, None), (2, 5, None)], 14, SHIFTED, DUPLICATES, id="no total, one came twice"),
        pytest.param(RECORDS, [(1, 10, 15), (6, 10, 15)], 15, COMPLETE, COMPLETE, id="pages that overlap"),
        pytest.param(RECORDS, [(1, 10, 15), (12, 4, 15)], 14, SHIFTED, SHIFTED, id="a gap between pages"),
        pytest.param(CHAIN, [(1, 10, 15), (2, 5, 16), (3, 1, 16)], 16, COMPLETE, COMPLETE, id="one joined a chain"),
        pytest.param(CHAIN, [(1, 10, None), (2, 5, None)], 14, COMPLETE, COMPLETE, id="a chain does not shift"),
        pytest.param(CHAIN, [(1, 10, 15), (2, 5, 15)], 14, SHIFTED, DUPLICATES, id="a chain, one came twice"),
        pytest.param(CHAIN, [(1, 10, 15), (2, 4, 15)], 14, SHIFTED, SHIFTED, id="a chain, one is missing"),
    ],
)
def test_a_pass_is_assessed(
    numbering: Numbering,
    pages: list[tuple[int, int, int | None]],
    unique: int,
    first: Consistency,
    again: Consistency,
) -> None:
    """Once, and after a second pass that read the very same."""
    totals = totals_of(numbering, pages)
    assert assess(totals, unique, 0, is_repeatable=False) is first
    assert assess(totals, unique, 0, is_repeatable=True) is again
    assert assess(totals, unique - 1, 1, is_repeatable=False) is first, "a rejected record is one, too"


def test_a_total_that_is_at_least_right_is_reached() -> None:
    """More than that is no contradiction; fewer is."""
    totals = totals_of(PAGES, [(1, 10, 12), (2, 10, 12)], "at_least")
    assert assess(totals, 20, 0, is_repeatable=False) is COMPLETE
    assert assess(totals, 11, 0, is_repeatable=False) is SHIFTED


def test_an_estimate_is_not_compared() -> None:
    """Nor is a total that turned out to count a page."""
    assert totals_of(PAGES, [(1, 10, 99)], "none").total is None
    totals = totals_of(PAGES, [(1, 10, 10), (2, 3, 3)])
    totals.forget_total()
    assert assess(totals, 13, 0, is_repeatable=False) is COMPLETE


def test_pages_that_repeat_beyond_the_end_are_left_out() -> None:
    """They were handed on before that was known; empty pages are not counted."""
    totals = totals_of(PAGES, [(1, 10, None), (2, 5, None), (4, 5, None), (3, 5, None), (9, 0, None)])
    assert totals.pages == 4
    totals.leave_out_beyond(2)
    assert totals.records == 15
    assert assess(totals, 15, 0, is_repeatable=False) is COMPLETE


@pytest.mark.parametrize("numbering", [PAGES, RECORDS])
def test_without_a_total_only_a_second_pass_proves_that_nobody_moved(numbering: Numbering) -> None:
    """If it is asked to, and there is more than one page, an empty one included: somebody may have left its place."""
    two, one = totals_of(numbering, [(1, 10, None), (11, 0, None)]), totals_of(numbering, [(1, 10, None)])
    assert assess(two, 10, 0, is_repeatable=False, verify=True) is Consistency.UNVERIFIED
    assert assess(two, 10, 0, is_repeatable=True, verify=True) is COMPLETE
    assert assess(two, 10, 0, is_repeatable=False) is COMPLETE
    assert assess(one, 10, 0, is_repeatable=False, verify=True) is COMPLETE
    counted = totals_of(numbering, [(1, 10, 10), (11, 0, 10)])
    assert assess(counted, 10, 0, is_repeatable=False, verify=True) is COMPLETE
