"""Cursors, last ids, next addresses and links: where they lead, where they end, and what they must not do."""

from typing import Any

import pytest

from customer_assets.api.paging import Cursor, LastId, LinkHeader, NextUrl, Paging
from customer_assets.api.responses.answer import AnswerFields
from customer_assets_tests.harness.simulation.responses import page_of, problem_of

CURSOR = Cursor.model_validate({"from": "meta.next", "parameter": "after", "size_parameter": "limit", "size": 5})
FLAGGED = CURSOR.model_copy(update={"has_more": "meta.more"})
NEXT = NextUrl.model_validate({"from": "links.next", "size_parameter": "limit", "size": 5})
LAST_ID = LastId(parameter="starting_after", has_more="has_more")


def meta(**values: Any) -> dict[str, Any]:
    """A body with one record."""
    return {"data": [{"id": 7}], "meta": values}


def test_a_cursor_is_sent_with_the_next_request() -> None:
    """The first page has none; the size goes along with each."""
    assert CURSOR.request(1, None).parameters == {"limit": 5}
    assert CURSOR.request(2, "abc").parameters == {"after": "abc", "limit": 5}
    assert CURSOR.request(2, "abc").with_params
    alone = CURSOR.model_copy(update={"first_only": True})
    assert alone.request(1, None).with_params
    assert not alone.request(2, "abc").with_params


@pytest.mark.parametrize(("value", "cursor"), [("abc", "abc"), (12, "12"), (" x ", " x "), ("00", "00")])
def test_a_cursor_leads_on(value: Any, cursor: str) -> None:
    """As text, byte for byte; also from an empty page."""
    assert page_of(CURSOR, meta(next=value)).next_cursor == cursor
    assert page_of(CURSOR, {"data": [], "meta": {"next": value}}).next_cursor == cursor
    assert page_of(FLAGGED, meta(next=value, more=True)).next_cursor == cursor


@pytest.mark.parametrize("value", ["", "  ", None, False, 0, "0", "null", "None", "false"])
def test_a_blank_cursor_is_the_end(value: Any) -> None:
    """And so is one that is not there at all."""
    assert page_of(CURSOR, meta(next=value)).next_cursor is None
    assert page_of(CURSOR, {"data": [1]}).next_cursor is None
    assert page_of(CURSOR, {"data": [1], "meta": None}).next_cursor is None
    assert page_of(FLAGGED, meta(next=value, more=False)).next_cursor is None


def test_has_more_comes_before_the_cursor() -> None:
    """Paddle and Zendesk hand one out on the last page, too."""
    assert page_of(FLAGGED, meta(next="abc", more=False)).next_cursor is None


@pytest.mark.parametrize("value", ["", None, False])
def test_more_without_a_cursor_is_an_error(value: Any) -> None:
    """Not the first page again."""
    problem = "meta.more says that more pages follow, but meta.next does not lead to the next one"
    assert problem_of(FLAGGED, meta(next=value, more=True)) == problem
    assert problem_of(FLAGGED, {"data": [1], "meta": {"more": True}}) == problem


@pytest.mark.parametrize("value", [{"a": 1}, [1], 1.5, True])
def test_what_cannot_be_a_cursor_is_an_error(value: Any) -> None:
    """It is no end."""
    assert "not a cursor" in problem_of(CURSOR, meta(next=value))


@pytest.mark.parametrize("value", [12, "12", "abc", [1_700_000_000, "a"], {"LastEvaluatedKey": {"N": "7"}}])
@pytest.mark.parametrize("place", ["body", "body.query.after"])
def test_a_cursor_keeps_its_type_in_a_body(value: Any, place: str) -> None:
    """Strict APIs refuse the text of a number there; Elasticsearch's cursor is a list."""
    paging = CURSOR.model_copy(update={"send_in": place})
    cursor = page_of(paging, meta(next=value)).next_cursor
    assert cursor is not None
    assert paging.request(2, cursor).parameters == {"after": value, "limit": 5}
    last_id = LastId(parameter="after", send_in=place)
    cursor = page_of(last_id, {"data": [{"id": value}]}).next_cursor
    assert cursor is not None
    assert last_id.request(2, cursor).parameters == {"after": value}


def test_a_cursor_that_an_earlier_version_stored_is_sent_as_it_is() -> None:
    """It was text, not JSON."""
    paging = CURSOR.model_copy(update={"send_in": "body"})
    assert paging.request(2, "eyJpZCI6").parameters == {"after": "eyJpZCI6", "limit": 5}


def test_a_cursor_in_a_header() -> None:
    """Some put it there."""
    paging = Cursor.model_validate({"from": "header:X-Next-Cursor", "parameter": "after"})
    assert page_of(paging, {"data": [1]}, x_next_cursor="abc").next_cursor == "abc"
    assert page_of(paging, {"data": [1]}).next_cursor is None


def test_the_last_id_leads_on() -> None:
    """That of the last record, wherever it stands; an empty page is the end."""
    body = {"data": [{"id": "cus_9"}, {"id": "cus_1"}], "has_more": True}
    assert page_of(LAST_ID, body).next_cursor == "cus_1"
    assert page_of(LAST_ID, body | {"has_more": False}).next_cursor is None
    assert page_of(LAST_ID, {"data": [], "has_more": False}).next_cursor is None
    nested = LastId.model_validate({"parameter": "after", "from": "ref.no"})
    assert page_of(nested, {"data": [{"ref": {"no": 12}}]}).next_cursor == "12"
    assert page_of(nested, {"data": []}).next_cursor is None
    wrapped = AnswerFields(records="data[*].customer")
    assert page_of(nested, {"data": [{"customer": {"ref": {"no": 3}}}]}, 1, wrapped).next_cursor == "3"


@pytest.mark.parametrize(("value", "cursor"), [(0, "0"), ("0", "0"), ("null", "null"), (-1, "-1")])
def test_any_id_leads_on(value: Any, cursor: str) -> None:
    """What stands for no cursor can be a customer's id."""
    assert page_of(LAST_ID, {"data": [{"id": value}], "has_more": True}).next_cursor == cursor


def test_a_record_without_an_id_leads_nowhere() -> None:
    """Which is an error, and so is an empty page that more should follow."""
    assert problem_of(LAST_ID, {"data": [{"no": 1}], "has_more": True}).startswith("the page's last record has no id")
    assert problem_of(LAST_ID, {"data": [7], "has_more": True}).startswith("the page's last record has no id")
    assert "more pages follow" in problem_of(LAST_ID, {"data": [], "has_more": True})


@pytest.mark.parametrize(
    ("address", "cursor"),
    [
        ("https://api.example/v1/customers?cursor=a%2Fb&limit=5", "/v1/customers?cursor=a%2Fb&limit=5"),
        ("http://api.example/v1/customers?c=1", "/v1/customers?c=1"),
        ("https://api.example:443/x", "/x"),
        ("/v1/customers?c=1", "/v1/customers?c=1"),
        ("?c=1", "/v1/customers?c=1"),
        ("customers?c=1", "/v1/customers?c=1"),
        ("//api.example/x?c=1", "/x?c=1"),
        ("https://API.example/x", "/x"),
        ("/v1/customers?name=a b&c=1", "/v1/customers?name=a%20b&c=1"),
        ("/v1/kundé?q=é&c=%2B+", "/v1/kund%C3%A9?q=%C3%A9&c=%2B+"),
    ],
)
def test_the_next_address_leads_on(address: str, cursor: str) -> None:
    """Absolute or relative; only its path and query are kept, so it can lead to the API's own origin only."""
    body = {"data": [1], "links": {"next": address}}
    assert page_of(NEXT, body).next_cursor == cursor
    assert page_of(LinkHeader(), {"data": [1]}, link=f'<{address}>; rel="next"').next_cursor == cursor


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/v1/customers",
        "https://api.example.evil.example/",
        "https://api.example@evil.example/",
        "https://user@api.example/",
        "https://api.example:8443/",
        "https://evil.example\\@api.example/",
        "ftp://api.example/",
        "javascript:alert(1)",
        "https://[",
        "//evil.example/x",
        "https://api.example/a b",
    ],
)
def test_the_next_address_leads_nowhere_else(address: str) -> None:
    """The key goes to the API's own host only."""
    assert problem_of(NEXT, {"data": [1], "links": {"next": address}}) == (
        "the next page's address does not lead to the API itself"
    )


def test_an_address_is_requested_as_it_is() -> None:
    """Without the fixed parameters and the size, which it carries already."""
    assert NEXT.request(1, None).parameters == {"limit": 5}
    assert NEXT.request(2, "/x?c=1").address == "/x?c=1"
    assert NEXT.request(2, "/x?c=1").parameters == {}


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ('<https://api.example/u?after=7&limit=5>; rel="next"', "/u?after=7&limit=5"),
        ("<https://api.example/u?a=1>; rel=next", "/u?a=1"),
        ('</u?self=1>; rel="self", </u?a=1,2>; title="a, b"; rel="next"', "/u?a=1,2"),
        ('</u?a=1>; rel="prev next"', "/u?a=1"),
        ('</u?a=1>; REL="NEXT"', "/u?a=1"),
        ("</u?a=1>; rel='next'", "/u?a=1"),
        ('</u?a=1>; rel="prev"', None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_links_are_read_as_the_standard_has_them(link: str, cursor: str | None) -> None:
    """RFC 8288; several in one header, and several headers joined by commas."""
    assert page_of(LinkHeader(), {"data": [1]}, link=link).next_cursor == cursor


@pytest.mark.parametrize("paging", [CURSOR, NEXT, LAST_ID, LinkHeader()])
def test_a_total_is_read_beside_a_chain(paging: Paging) -> None:
    """It is compared at the end, and tells nothing about the last page."""
    answer = AnswerFields(records="data", total="total")
    page = page_of(paging, {"data": [{"id": 1}], "total": 9, "has_more": False}, 1, answer)
    assert (page.total, page.total_pages, page.next_cursor) == (9, None, None)
