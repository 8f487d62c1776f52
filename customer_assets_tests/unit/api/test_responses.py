"""Which answers hold a page."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_assets.api.crawl.events import PageReceived, RequestFailed
from customer_assets.api.http.base import RawResponse
from customer_assets.api.responses import PageParser, parse_response, records
from customer_assets.field_mapping import EnvelopeFields, FieldMapping
from customer_assets.metrics import FailureCause
from customer_assets.models import Page
from customer_assets_tests.harness.scripted_server import body

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def judge(status: int, content: bytes, page: int = 1, **headers: str) -> PageReceived | RequestFailed:
    """Judge an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return parse_response(RawResponse(status, named, content, 0.1), page, NOW)


@pytest.mark.smoke
def test_a_page_is_taken_as_it_came() -> None:
    """Its records byte for byte, its counts as numbers; what else is there is left alone."""
    data = b'[{"id": 1, "x": "\\ud83d\\ude00"},  null,3 ]'
    content = b'{"support": {}, "page": 2, "per_page": 3, "total": 9, "total_pages": 3, "data": ' + data + b"}"
    outcome = judge(200, content, page=2)
    assert isinstance(outcome, PageReceived)
    assert outcome.page == Page(2, 3, 9, 3, 3, data)


@pytest.mark.parametrize(
    ("status", "content", "cause"),
    [
        pytest.param(500, b"", FailureCause.SERVER_ERROR, id="500"),
        pytest.param(503, b"", FailureCause.SERVER_ERROR, id="503"),
        pytest.param(599, b"", FailureCause.SERVER_ERROR, id="599"),
        pytest.param(408, b"", FailureCause.SERVER_ERROR, id="408"),
        pytest.param(429, b"", FailureCause.THROTTLED, id="429"),
        pytest.param(401, b"", FailureCause.REFUSED, id="401"),
        pytest.param(404, b"", FailureCause.REFUSED, id="404"),
        pytest.param(418, b"", FailureCause.REFUSED, id="418"),
        pytest.param(302, b"", FailureCause.REFUSED, id="a redirect"),
        pytest.param(204, b"", FailureCause.BAD_BODY, id="204"),
        pytest.param(206, b"{}", FailureCause.BAD_BODY, id="206"),
        pytest.param(200, b"", FailureCause.BAD_BODY, id="empty"),
        pytest.param(200, b"<html></html>", FailureCause.BAD_BODY, id="HTML"),
        pytest.param(200, b'{"error": "quota"}', FailureCause.BAD_BODY, id="an error in a 200"),
        pytest.param(200, b"[]", FailureCause.BAD_BODY, id="a list"),
        pytest.param(200, b"\xff\xfe{", FailureCause.BAD_BODY, id="no UTF-8"),
        pytest.param(200, b"[" * 100_000, FailureCause.BAD_BODY, id="nested 100,000 deep"),
        pytest.param(200, json.dumps(body(1)).encode() + b"x", FailureCause.BAD_BODY, id="something behind it"),
        pytest.param(200, json.dumps(body(2)).encode(), FailureCause.BAD_BODY, id="another page"),
        pytest.param(200, json.dumps({**body(1), "page": "1"}).encode(), FailureCause.BAD_BODY, id="a page in words"),
        pytest.param(200, json.dumps(body(1, data=None)).encode(), FailureCause.BAD_BODY, id="no list"),
        pytest.param(200, json.dumps(body(1, data={})).encode(), FailureCause.BAD_BODY, id="an object of records"),
        pytest.param(200, json.dumps(body(1, total=-1)).encode(), FailureCause.BAD_BODY, id="a negative total"),
        pytest.param(200, json.dumps(body(1, total_pages=10**18)).encode(), FailureCause.BAD_BODY, id="10^18 pages"),
        pytest.param(200, json.dumps(body(1, total_pages=1.5)).encode(), FailureCause.BAD_BODY, id="half a page"),
        pytest.param(
            200, json.dumps({**body(1), "per_page": 5}).encode(), FailureCause.BAD_BODY, id="too many records"
        ),
    ],
)
def test_what_holds_no_page_is_a_failure(status: int, content: bytes, cause: FailureCause) -> None:
    """Of a kind that says what to do."""
    outcome = judge(status, content)
    assert isinstance(outcome, RequestFailed)
    assert outcome.cause is cause


def with_data(data: bytes) -> bytes:
    """Make an answer around records as bytes."""
    return b'{"page": 1, "per_page": 6, "total": 12, "total_pages": 2, "data": %s}' % data


@pytest.mark.parametrize(
    ("status", "content", "cause"),
    [
        pytest.param(304, b"", FailureCause.BAD_BODY, id="304"),
        pytest.param(300, b"", FailureCause.BAD_BODY, id="300"),
        pytest.param(103, b"", FailureCause.BAD_BODY, id="103"),
        pytest.param(999, b"", FailureCause.SERVER_ERROR, id="999"),
        pytest.param(308, b"", FailureCause.REFUSED, id="308"),
        pytest.param(200, with_data(b'[{"id": "\xff"}]'), FailureCause.BAD_BODY, id="a text that is no UTF-8"),
        pytest.param(200, with_data(b"[]").decode().encode("utf-16"), FailureCause.BAD_BODY, id="UTF-16"),
        pytest.param(
            200, with_data(b'[{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]"), FailureCause.BAD_BODY, id="deep"
        ),
        pytest.param(
            200, with_data(b'[{"a": NaN, "b": ' + b"[" * 100_000 + b"}]"), FailureCause.BAD_BODY, id="NaN, then deep"
        ),
        pytest.param(200, with_data(b'["a\nb"]'), FailureCause.BAD_BODY, id="a line break in a text"),
        pytest.param(200, with_data(b"[1,]"), FailureCause.BAD_BODY, id="a comma too many"),
        pytest.param(
            200, with_data(b"[]").replace(b"12", b"9" * 10_000), FailureCause.BAD_BODY, id="a total of 10,000 digits"
        ),
        pytest.param(200, json.dumps(body(1, total=True)).encode(), FailureCause.BAD_BODY, id="a total that is true"),
        pytest.param(
            200, json.dumps(body(1) | {"total": 12.0}).encode(), FailureCause.BAD_BODY, id="a total with a point"
        ),
        pytest.param(
            200, json.dumps(body(1, total_pages=13)).encode(), FailureCause.BAD_BODY, id="more pages than customers"
        ),
        pytest.param(
            200, json.dumps(body(1, total_pages=0)).encode(), FailureCause.BAD_BODY, id="customers on no page"
        ),
        pytest.param(200, json.dumps(body(1, total_pages=-1)).encode(), FailureCause.BAD_BODY, id="-1 pages"),
        pytest.param(
            200, json.dumps(body(1) | {"per_page": 0}).encode(), FailureCause.BAD_BODY, id="no records a page"
        ),
    ],
)
def test_what_is_stranger_is_a_failure_too(status: int, content: bytes, cause: FailureCause) -> None:
    """Hostile or broken, it costs its own retries."""
    outcome = judge(status, content)
    assert isinstance(outcome, RequestFailed)
    assert outcome.cause is cause


@pytest.mark.parametrize(
    ("content", "data"),
    [
        pytest.param(b"\xef\xbb\xbf" + with_data(b'["a"]'), b'["a"]', id="a byte order mark"),
        pytest.param(with_data(b'[{"id": 1, "s": NaN}]'), b'[{"id": 1, "s": null}]', id="NaN"),
        pytest.param(with_data(b"[-Infinity, Infinity]"), b"[null, null]", id="infinities"),
        pytest.param(with_data(b'["a\\ud800z", NaN]'), '["a\ufffdz", null]'.encode(), id="half a pair"),
        pytest.param(with_data(b'["\\udc00\\ud800"]'), '["\ufffd\ufffd"]'.encode(), id="a pair the wrong way round"),
        pytest.param(with_data(b'["\\ud83d\\ude00", NaN]'), '["\U0001f600", null]'.encode(), id="a whole pair"),
        pytest.param(with_data(b"[1e999, NaN]"), b"[null, null]", id="too large for a float"),
        pytest.param(with_data(b"[NaN, " + b"9" * 9_999 + b"]"), b'[null, "' + b"9" * 9_999 + b'"]', id="9,999 digits"),
        pytest.param(with_data(b"[" + b"9" * 9_999 + b"]"), b"[" + b"9" * 9_999 + b"]", id="the same, JSON otherwise"),
        pytest.param(with_data(b'[{"a": 1, "a": 2}]'), b'[{"a": 1, "a": 2}]', id="a key twice"),
    ],
)
def test_what_other_programs_take_for_json_is_mended(content: bytes, data: bytes) -> None:
    """So that one odd record does not make its page unreadable for ever; what is JSON stays as it came."""
    outcome = judge(200, content)
    assert isinstance(outcome, PageReceived), outcome
    assert outcome.page.data == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b'[{"id": 1}, 2, null]', [{"id": 1}, 2, None], id="whatever they are"),
        pytest.param(b"[1e999]", [None], id="too large for a float"),
        pytest.param(b"[" + b"9" * 9_999 + b", 7]", ["9" * 9_999, 7], id="9,999 digits"),
        pytest.param(b"[123456789012345678901234567890, 1]", [123456789012345678901234567890, 1], id="30 digits"),
        pytest.param(b"[" + b"[" * 5_000 + b"]" * 5_000 + b", 7]", [None, None], id="nested too deep"),
    ],
)
def test_records_are_read_one_by_one_where_they_must(data: bytes, expected: list[Any]) -> None:
    """One that cannot be read is None; there are as many as the page has."""
    assert records(Page(1, 6, 12, 2, len(expected), data)) == expected


def test_one_record_that_cannot_be_read_costs_no_other() -> None:
    """Even if it only just passed when the page came."""
    deep = b"[" * 970 + b"]" * 970
    read = records(Page(1, 6, 12, 2, 3, b"[1, " + deep + b", 1e999]"))
    assert len(read) == 3
    assert read[2] is None


@pytest.mark.parametrize("name", ["retry-after", "x-ratelimit-reset"])
@pytest.mark.parametrize("date", [None, "no date", "Thu, 01 Jan 2026 00:00:00"])
def test_dates_are_read_by_the_servers_clock(name: str, date: str | None) -> None:
    """Its `Date` says what it takes for now; ours may be minutes off."""
    headers = {name: "Thu, 01 Jan 2026 00:00:30 GMT"} | ({} if date is None else {"date": date})
    outcome = parse_response(RawResponse(429, headers, b"", 0.1), 1, NOW)
    assert outcome.advice.retry_after_s == (30 if name == "retry-after" else None)
    ahead = {"retry-after": "Thu, 01 Jan 2026 01:00:30 GMT", "date": "Thu, 01 Jan 2026 01:00:00 GMT"}
    assert parse_response(RawResponse(503, ahead, b"", 0.1), 1, NOW).advice.retry_after_s == 30


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_a_failure(content: bytes) -> None:
    """Never anything else."""
    assert isinstance(judge(200, content), RequestFailed)


@given(st.dictionaries(st.sampled_from(["page", "per_page", "total", "total_pages", "data"]), st.from_type(object)))
def test_any_object_is_a_page_or_a_failure(fields: dict[str, Any]) -> None:
    """Whatever its values are."""
    content = json.dumps(body(1) | fields, default=repr).encode()
    assert isinstance(judge(200, content), PageReceived | RequestFailed)


def test_what_the_headers_say_goes_along() -> None:
    """The crawl decides what to make of it."""
    outcome = judge(429, b"", retry_after="7")
    assert outcome.advice.retry_after_s == 7


SPRING = EnvelopeFields("number", "size", "totalElements", "totalPages", "content")


@pytest.mark.parametrize(
    ("shape", "page_size", "content"),
    [
        pytest.param(
            FieldMapping(answer=SPRING, first_page=0),
            None,
            b'{"content": [{"n": 1}], "number": 1, "size": 3, "totalElements": 4, "totalPages": 2, "last": true}',
            id="flat, counted from 0",
        ),
        pytest.param(
            FieldMapping(answer=EnvelopeFields("meta.at", "meta.of.size", "meta.of.all", "meta.pages", "result.items")),
            None,
            b'{"result": {"items": [{"n": 1}]}, "meta": {"at": 2, "of": {"size": 3, "all": 4}, "pages": 2}}',
            id="nested",
        ),
        pytest.param(
            FieldMapping(answer=EnvelopeFields(None, None, "count", None, "odd key \u00e9")),
            3,
            '{"count": 4, "odd key \u00e9": [{"n": 1}]}'.encode(),
            id="nothing told but the total",
        ),
    ],
)
def test_other_names_tell_the_same_page(shape: FieldMapping, page_size: int | None, content: bytes) -> None:
    """What is not told follows from the total, the page asked for and the size asked for."""
    assert PageParser(shape, page_size).page(content, 2) == Page(2, 3, 4, 2, 1, b'[{"n": 1}]')


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            b'{"content": [], "number": 7, "size": 3, "totalElements": 0, "totalPages": 0}', id="another page"
        ),
        pytest.param(b'{"content": [], "number": "0", "size": 3, "totalElements": 0, "totalPages": 0}', id="in words"),
        pytest.param(b'{"content": [], "number": 0, "size": 3, "totalPages": 0}', id="no total"),
        pytest.param(b'{"page": 1, "per_page": 3, "total": 0, "total_pages": 0, "data": []}', id="our names"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{", id="no JSON"),
    ],
)
def test_other_names_are_held_to_as_much(content: bytes) -> None:
    """What does not add up is no page."""
    assert isinstance(PageParser(FieldMapping(answer=SPRING, first_page=0)).page(content, 1), str)


def test_other_names_are_mended_too() -> None:
    """NaN in a record is null."""
    content = b'{"content": [NaN], "number": 0, "size": 3, "totalElements": 1, "totalPages": 1}'
    found = PageParser(FieldMapping(answer=SPRING, first_page=0)).page(content, 1)
    assert isinstance(found, Page)
    assert found.data == b"[null]"
