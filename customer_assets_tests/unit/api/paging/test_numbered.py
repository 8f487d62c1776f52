"""Pages by their number, by offset, and all at once."""

import pytest

from customer_assets.api.paging import Offset, PageNumber, Single
from customer_assets.api.responses.answer import AnswerFields
from customer_assets_tests.harness.simulation.responses import page_of, problem_of

LINKS = '<https://api.example/u?page={next}>; rel="next", <https://api.example/u?page={last}>; rel="last"'


@pytest.mark.parametrize(
    ("first", "numbers"),
    [(1, [1, 2, 7]), (0, [0, 1, 6])],
)
def test_a_page_is_requested_by_its_number(first: int, numbers: list[int]) -> None:
    """Counted from 1 or from 0, as the API does."""
    paging = PageNumber.model_validate({"parameter": "p", "size_parameter": "n", "size": 5, "first": first})
    assert [paging.request(number, None).parameters for number in (1, 2, 7)] == [
        {"p": number, "n": 5} for number in numbers
    ]


def test_the_last_link_tells_how_many_pages_there_are() -> None:
    """GitHub's; on the last page it is gone, and what was known stays known."""
    page = page_of(PageNumber(), {"data": [1]}, link=LINKS.format(next=2, last=34))
    assert (page.total_pages, page.has_more) == (34, None)
    assert page_of(PageNumber(first=0), {"data": [1]}, link=LINKS.format(next=1, last=33)).total_pages == 34
    last = page_of(PageNumber(), {"data": [1]}, 34, link='<https://api.example/u?page=33>; rel="prev"')
    assert (last.total_pages, last.has_more) == (None, None)


def test_the_next_link_alone_tells_that_there_is_more() -> None:
    """Its absence tells nothing: other links may stand there."""
    assert page_of(PageNumber(), {"data": [1]}, link='<https://api.example/u?page=2>; rel="next"').has_more is True
    assert page_of(PageNumber(), {"data": [1]}, link="<https://api.example/s.css>; rel=preload").has_more is None


@pytest.mark.parametrize("last", ["x", "", "-3", "9" * 40, "\u0663"])
def test_a_last_link_without_a_number_tells_nothing(last: str) -> None:
    """Nor does one without our parameter."""
    assert page_of(PageNumber(), {"data": [1]}, link=LINKS.format(next=2, last=last)).total_pages is None
    link = '<https://api.example/u?p=7>; rel="last"'
    assert page_of(PageNumber(), {"data": [1]}, link=link).total_pages is None


def test_what_the_body_says_of_pages_comes_first() -> None:
    """A link to another last page is not looked at."""
    answer = AnswerFields(records="data", total_pages="pages")
    assert (
        page_of(PageNumber(), {"data": [1], "pages": 3}, 1, answer, link=LINKS.format(next=2, last=9)).total_pages == 3
    )


def test_an_offset_is_where_the_first_record_stands() -> None:
    """A page's number is the position of its first record, from 1."""
    paging = Offset(size_parameter="limit", size=100)
    assert paging.request(1, None).parameters == {"offset": 0, "limit": 100}
    assert paging.request(101, None).parameters == {"offset": 100, "limit": 100}
    assert Offset(parameter="start", first=1).request(138, None).parameters == {"start": 138}


def test_offset_and_size_in_one_parameter() -> None:
    """PrestaShop's."""
    paging = Offset(parameter="limit", format="{offset},{size}", size=50)
    assert paging.request(51, None).parameters == {"limit": "50,50"}


def test_a_single_page_is_the_only_one() -> None:
    """Whatever comes."""
    assert Single().request(1, None).parameters == {}
    assert page_of(Single(), {"data": []}).total_pages == 1


def test_a_link_to_another_page_contradicts_a_single_one() -> None:
    """What follows would be left out without a word."""
    link = '<https://api.example/u?page=2>; rel="next"'
    assert problem_of(Single(), {"data": [1]}, link=link) == "the Link header leads to another page"
