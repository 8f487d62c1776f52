"""Which pages are still to be asked for, and in which order."""

import tracemalloc
from collections.abc import Iterable
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.api.crawl.page_queue import Attempt, DelayQueue, PageQueue
from customer_assets.api.crawl.page_ranges import PageRanges
from customer_assets.core.errors import MAX_PAGES_KEPT, IncompleteCrawlError


def agenda(last: int, held: Iterable[int] = (), first: int = 1) -> PageQueue:
    """Make one."""
    return PageQueue(PageRanges(held), first, last)


def take_all(pages: PageQueue, now_s: float = 0.0) -> list[int]:
    """Take whatever may be asked for now, in order."""
    taken = []
    while pages.earliest_s() <= now_s:
        taken.append(pages.pop(now_s))
    return taken


def test_a_lie_about_the_number_of_pages_costs_no_memory() -> None:
    """Ten million pages that nobody has seen are not listed one by one."""
    tracemalloc.start()
    try:
        missing = agenda(10_000_000).missing()
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
    assert (missing[0], len(missing)) == (1, MAX_PAGES_KEPT)
    error = IncompleteCrawlError(missing, 10_000_000, "any")
    assert str(error).startswith("At least 100000 of 10000000 pages are missing")


# --- pages by the instant they are due ---------------------------------------------------------------------


def test_an_empty_queue_is_never_due() -> None:
    """Nothing to take, at no instant."""
    queue = DelayQueue()
    assert (len(queue), queue.earliest_s) == (0, inf)
    assert queue.pop_due(inf) is None
    assert queue.pop_beyond(0) is None


def test_a_page_is_due_from_its_instant_on() -> None:
    """Not a moment earlier, at the instant itself already."""
    queue = DelayQueue()
    queue.push(7, 2.0)
    assert (len(queue), queue.earliest_s) == (1, 2.0)
    assert queue.pop_due(1.999) is None
    assert queue.pop_due(2.0) == 7
    assert len(queue) == 0


def test_equal_instants_keep_their_order() -> None:
    """First come, first served, whatever the page's number."""
    queue = DelayQueue()
    for page in (9, 3, 6):
        queue.push(page, 1.0)
    queue.push(8, 0.5)
    assert [queue.pop_due(1.0) for _ in range(5)] == [8, 9, 3, 6, None]


def test_a_page_behind_the_last_is_taken_with_its_instant() -> None:
    """Only the first in line is looked at; the last page itself lies not behind."""
    queue = DelayQueue()
    queue.push(5, 2.0)
    queue.push(9, 3.0)
    assert queue.pop_beyond(5) is None
    assert queue.pop_beyond(4) == (5, 2.0)
    assert queue.pop_beyond(4) == (9, 3.0)
    assert queue.pop_beyond(4) is None


# --- order -------------------------------------------------------------------------------------------------


def test_new_pages_come_in_order_without_the_held() -> None:
    """Held pages are stepped over, at the start of the rest as well as at its end."""
    assert take_all(agenda(9, held=(2, 3, 6, 9))) == [1, 4, 5, 7, 8]


def test_a_new_page_may_be_asked_for_at_once() -> None:
    """Without any wait, and with none left there is no instant at all."""
    pages = agenda(1)
    assert pages.earliest_s() == -inf
    assert pages.pop(0.0) == 1
    assert pages.earliest_s() == inf
    with pytest.raises(LookupError, match=r"^No page is due\.$"):
        pages.pop(0.0)


def test_a_taken_page_is_on_trial_from_its_first_attempt() -> None:
    """First attempt, first round, never short."""
    pages = agenda(1)
    pages.pop(0.0)
    assert pages.attempts == {1: Attempt(number=1, round=1, accepted_before=0, was_short=False)}
    pages.remove(1)
    assert pages.attempts == {}


def test_due_retries_come_before_new_pages_and_those_before_rounds() -> None:
    """A retry that is not due yet lets new pages pass."""
    pages = agenda(5)
    assert [pages.pop(0.0) for _ in range(3)] == [1, 2, 3]
    pages.requeue(1, 0.0)
    pages.retry(2, 0.0)
    pages.retry(3, 5.0)
    assert pages.waiting == 3
    assert take_all(pages, 1.0) == [2, 4, 5, 1]
    assert pages.earliest_s() == 5.0
    assert pages.pop(5.0) == 3
    assert pages.waiting == 0


def test_new_pages_may_go_first() -> None:
    """Then a page that failed waits until there is no new one."""
    pages = agenda(2)
    assert pages.pop(0.0, new_first=True) == 1
    pages.retry(1, 0.0)
    assert pages.pop(0.0, new_first=True) == 2
    assert pages.pop(0.0, new_first=True) == 1


def test_the_earliest_of_retries_and_rounds_counts() -> None:
    """Whichever is due first."""
    pages = agenda(2)
    assert take_all(pages) == [1, 2]
    pages.requeue(1, 3.0)
    assert pages.earliest_s() == 3.0
    pages.retry(2, 4.0)
    assert pages.earliest_s() == 3.0
    pages.retry(1, 2.0)
    assert pages.earliest_s() == 2.0


# --- what is missing ---------------------------------------------------------------------------------------


def test_missing_are_pages_abandoned_on_trial_and_not_asked_for() -> None:
    """Ascending, and neither the held nor the arrived."""
    pages = agenda(9, held=(3, 8))
    assert [pages.pop(0.0) for _ in range(4)] == [1, 2, 4, 5]
    pages.remove(2)
    pages.abandon(4)
    pages.retry(1, 9.0)
    assert pages.missing() == (1, 4, 5, 6, 7, 9)
    assert pages.attempts.keys() == {1, 5}


def test_an_abandoned_page_is_never_taken_again() -> None:
    """It only counts as missing."""
    pages = agenda(1)
    pages.abandon(pages.pop(0.0))
    assert pages.earliest_s() == inf
    assert pages.missing() == (1,)


# --- the API grows and shrinks -----------------------------------------------------------------------------


def test_growth_brings_new_pages() -> None:
    """From the first that was not asked for on."""
    pages = agenda(1)
    assert take_all(pages) == [1]
    pages.set_last_page(3)
    assert pages.last == 3
    assert take_all(pages) == [2, 3]


def test_a_page_behind_the_last_is_parked_until_the_api_grows_back() -> None:
    """It is neither due nor waiting nor missing; then it comes at its own instant, before new pages."""
    pages = agenda(4)
    assert take_all(pages) == [1, 2, 3, 4]
    pages.retry(2, 1.0)
    pages.retry(3, 2.0)
    pages.requeue(4, 3.0)
    pages.set_last_page(2)
    assert pages.earliest_s() == 1.0
    assert pages.pop(1.0) == 2
    assert pages.earliest_s() == inf
    assert pages.waiting == 0
    assert pages.missing() == (1, 2)
    pages.set_last_page(5)
    assert pages.waiting == 2
    assert pages.missing() == (1, 2, 3, 4, 5)
    assert take_all(pages, 2.0) == [3, 5]
    assert pages.earliest_s() == 3.0
    assert pages.pop(3.0) == 4


def test_pages_parked_twice_come_back_once() -> None:
    """Growth takes what was parked out of the parking place."""
    pages = agenda(2)
    assert take_all(pages) == [1, 2]
    pages.retry(2, 0.0)
    for _ in range(3):
        pages.set_last_page(1)
        assert pages.earliest_s() == inf
        pages.set_last_page(2)
    assert take_all(pages) == [2]
    assert pages.waiting == 0


def test_abandoned_pages_behind_the_last_do_not_exist() -> None:
    """They are missing again when the API grows back."""
    pages = agenda(2)
    for page in take_all(pages):
        pages.abandon(page)
    pages.set_last_page(1)
    assert pages.missing() == (1,)
    pages.set_last_page(2)
    assert pages.missing() == (1, 2)


@settings(deadline=None)
@given(st.sets(st.integers(1, 40)), st.integers(0, 40))
def test_taken_and_held_make_up_every_page(held: set[int], last: int) -> None:
    """Each page is taken once or held, and missing is what is not held."""
    ranges = PageRanges(held)
    pages = PageQueue(ranges, ranges.first_absent(1), last)
    wanted = [page for page in range(1, last + 1) if page not in held]
    assert list(pages.missing()) == wanted
    assert take_all(pages) == wanted
    assert list(pages.missing()) == wanted
