"""What is sent for each page: address, parameters, headers and body."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from customer_assets.api.crawl.events import FetchPage, PageReceived
from customer_assets.api.http.base import RawResponse
from customer_assets.api.paging import Pages
from customer_assets.api.responses.answer import AnswerFields
from customer_assets.api.runner.endpoint import Endpoint

PAGES: TypeAdapter[Any] = TypeAdapter(Pages)
URL = "https://api.example/v1/customers"


def endpoint(pages: dict[str, Any], **options: Any) -> Endpoint:
    """Make one."""
    return Endpoint(URL, PAGES.validate_python(pages), **options)


@pytest.mark.parametrize(
    ("pages", "fetch", "url"),
    [
        ({"type": "page_number", "size": 50}, FetchPage(3, 1, 1), f"{URL}?a=b&page=3&per_page=50"),
        ({"type": "page_number", "parameter": "page[number]"}, FetchPage(1, 1, 1), f"{URL}?a=b&page%5Bnumber%5D=1"),
        ({"type": "offset", "format": "{offset},{size}", "size": 50}, FetchPage(51, 1, 1), f"{URL}?a=b&offset=50%2C50"),
        ({"type": "cursor", "from": "next", "parameter": "after"}, FetchPage(1, 1, 1), f"{URL}?a=b"),
        (
            {"type": "cursor", "from": "next", "parameter": "after"},
            FetchPage(2, 1, 1, 'a/b&c="d"'),
            f"{URL}?a=b&after=a%2Fb%26c%3D%22d%22",
        ),
        (
            {"type": "cursor", "from": "next", "parameter": "after", "first_only": True},
            FetchPage(2, 1, 1, "x"),
            f"{URL}?after=x",
        ),
        ({"type": "next_url", "from": "next"}, FetchPage(2, 1, 1, "/v2/c?x=1"), "https://api.example/v2/c?x=1"),
        ({"type": "single"}, FetchPage(1, 1, 1), f"{URL}?a=b"),
    ],
)
def test_fixed_parameters_go_with_those_of_the_page(pages: dict[str, Any], fetch: FetchPage, url: str) -> None:
    """But not with an address that the API made itself."""
    request = endpoint(pages, params={"a": "b"}).request(fetch)
    assert (request.url, request.method, request.body) == (url, "GET", None)


@pytest.mark.parametrize(
    ("send_in", "body"),
    [
        ("query", {"filter": {"x": 1}, "variables": {"k": 1}}),
        ("body", {"filter": {"x": 1}, "variables": {"k": 1}, "after": "abc", "first": 5}),
        ("body.variables", {"filter": {"x": 1}, "variables": {"k": 1, "after": "abc", "first": 5}}),
        ("body.variables.after", {"filter": {"x": 1}, "variables": {"k": 1, "after": "abc", "first": 5}}),
        (
            "body.page.cursor",
            {"filter": {"x": 1}, "variables": {"k": 1}, "page": {"cursor": {"after": "abc", "first": 5}}},
        ),
    ],
)
def test_parameters_can_go_into_the_body(send_in: str, body: dict[str, Any]) -> None:
    """Into it, or an object in it; the fixed body stays as it was for the next request."""
    given = {"filter": {"x": 1}, "variables": {"k": 1}}
    pages = {"type": "cursor", "from": "n", "parameter": "after", "size_parameter": "first", "size": 5}
    made = endpoint({**pages, "send_in": send_in}, method="POST", body=given)
    for _ in range(2):
        request = made.request(FetchPage(2, 1, 1, "abc"))
        assert request.url == (f"{URL}?after=abc&first=5" if send_in == "query" else URL)
        assert json.loads(request.body or b"") == body
        assert request.headers["Content-Type"] == "application/json"
    assert given == {"filter": {"x": 1}, "variables": {"k": 1}}


def test_fixed_headers_replace_our_own() -> None:
    """Whatever their case; each once."""
    headers = (
        endpoint({"type": "single"}, headers={"accept": "application/vnd.api+json", "X-V": "1"})
        .request(FetchPage(1, 1, 1))
        .headers
    )
    assert headers == {
        "accept": "application/vnd.api+json",
        "X-V": "1",
        "Accept-Encoding": "gzip",
        "User-Agent": "customer_assets",
    }


@pytest.mark.parametrize(
    ("headers", "is_page"), [({"If-Modified-Since": "2026-11-26T01:50:06Z"}, True), ({}, False)], ids=["asked", "not"]
)
def test_not_modified_is_an_empty_page_where_that_was_asked(headers: dict[str, str], *, is_page: bool) -> None:
    """304 without `If-Modified-Since` is a cache's mistake, and no listing without customers."""
    asked = endpoint({"type": "page_number"}, headers=headers, answer=AnswerFields(records="data", total=None))
    response = RawResponse(304, {}, b"", 0.1)
    outcome = asked.parse(response, FetchPage(1, 1, 1), datetime(2026, 11, 26, tzinfo=UTC))
    assert isinstance(outcome, PageReceived) is is_page


@pytest.mark.parametrize(
    ("address", "following"),
    [("/v1/pages/2", "/v1/pages/3"), ("/v1/pages/2?k=1", "/v1/pages/3"), (None, "/v1/3")],
)
def test_a_relative_address_leads_on_from_its_own_page(address: str | None, following: str) -> None:
    """As RFC 3986 has it: not from the first page."""
    response = RawResponse(200, {}, b'{"data": [1], "next": "3"}', 0.1)
    made = endpoint({"type": "next_url", "from": "next"}, answer=AnswerFields(records="data"))
    outcome = made.parse(response, FetchPage(2, 1, 1, address), datetime(2026, 1, 1, tzinfo=UTC))
    assert isinstance(outcome, PageReceived)
    assert outcome.page.next_cursor == following


def test_a_list_repeats_its_parameter() -> None:
    """As HTML forms send it: fields[]=a&fields[]=b."""
    request = endpoint({"type": "single"}, params={"fields[]": ["a", "b"], "q": ""}).request(FetchPage(1, 1, 1))
    assert request.url == f"{URL}?fields%5B%5D=a&fields%5B%5D=b&q="
