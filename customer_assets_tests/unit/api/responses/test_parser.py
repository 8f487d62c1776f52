"""Which answers hold a page."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_assets.api.crawl.events import FetchPage, Outcome, PageReceived, RequestFailed
from customer_assets.api.http.base import RawResponse
from customer_assets.api.paging import PageNumber
from customer_assets.api.responses.answer import AnswerFields
from customer_assets.api.responses.parser import CountParser, PageParser, records
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page
from customer_assets_tests.harness.apis.scripted_server import body

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def judge(status: int, content: bytes, page: int = 1, **headers: str) -> PageReceived | RequestFailed:
    """Judge an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return parsed(RawResponse(status, named, content, 0.1), page)


def parsed(
    response: RawResponse, page: int = 1, answer: AnswerFields | None = None, paging: PageNumber | None = None
) -> Outcome:
    """What a parser makes of the response to the request for a page."""
    return PageParser(answer, paging).parse(response, FetchPage(page, 1, 1), "https://x.org/users", NOW)


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
        pytest.param(200, json.dumps(body(1, data=None)).encode(), FailureCause.BAD_BODY, id="no list"),
        pytest.param(200, json.dumps(body(1, data={})).encode(), FailureCause.BAD_BODY, id="an object of records"),
        pytest.param(200, json.dumps(body(1, total=-1)).encode(), FailureCause.BAD_BODY, id="a negative total"),
        pytest.param(200, json.dumps(body(1, total_pages=10**18)).encode(), FailureCause.BAD_BODY, id="10^18 pages"),
        pytest.param(200, json.dumps(body(1, total_pages=1.5)).encode(), FailureCause.BAD_BODY, id="half a page"),
        pytest.param(200, json.dumps(body(1) | {"total": 5}).encode(), FailureCause.BAD_BODY, id="too many records"),
        pytest.param(
            200, json.dumps(body(1) | {"total": "12e3"}).encode(), FailureCause.BAD_BODY, id="a total in words"
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
        pytest.param(200, with_data(b"[]").decode().encode("cp500"), FailureCause.BAD_BODY, id="EBCDIC"),
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
        pytest.param(200, json.dumps(body(1) | {"total": 12.5}).encode(), FailureCause.BAD_BODY, id="half a customer"),
        pytest.param(
            200, json.dumps(body(1, total_pages=13)).encode(), FailureCause.BAD_BODY, id="more pages than customers"
        ),
        pytest.param(
            200, json.dumps(body(1, total_pages=0)).encode(), FailureCause.BAD_BODY, id="customers on no page"
        ),
        pytest.param(200, json.dumps(body(1, total_pages=-1)).encode(), FailureCause.BAD_BODY, id="-1 pages"),
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
    outcome = parsed(RawResponse(429, headers, b"", 0.1))
    assert outcome.advice.retry_after_s == (30 if name == "retry-after" else None)
    ahead = {"retry-after": "Thu, 01 Jan 2026 01:00:30 GMT", "date": "Thu, 01 Jan 2026 01:00:00 GMT"}
    assert parsed(RawResponse(503, ahead, b"", 0.1)).advice.retry_after_s == 30


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


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"page": "1", "per_page": " 6 ", "total": "12", "total_pages": "2"}, id="as text"),
        pytest.param({"page": 1.0, "per_page": 6.0, "total": 12.0, "total_pages": 2.0}, id="as floats"),
        pytest.param({"page": "1.0", "per_page": "6.00", "total": "12.0", "total_pages": "2.0"}, id="both"),
    ],
)
def test_counts_come_in_many_spellings(counts: dict[str, Any]) -> None:
    """Digits in a text, and floats without a fraction."""
    outcome = judge(200, json.dumps(body(1) | counts).encode())
    assert isinstance(outcome, PageReceived)
    assert outcome.page == Page(1, 6, 12, 2, 6, json.dumps(body(1)["data"], separators=(", ", ": ")).encode())


def test_more_records_than_a_page_should_hold_are_taken() -> None:
    """`per_page` can be what was asked for, or nonsense; records are what counts."""
    outcome = judge(200, json.dumps(body(1) | {"per_page": 5}).encode())
    assert isinstance(outcome, PageReceived)
    assert outcome.page.record_count == 6


SPRING = AnswerFields(
    page="number", per_page="size", total="totalElements", total_pages="totalPages", records="content"
)
FROM_0 = PageNumber(first=0)


def received(answer: AnswerFields, content: bytes, page: int = 2, paging: PageNumber | None = None) -> Page:
    """The page that a response holds."""
    outcome = parsed(RawResponse(200, {}, content, 0.1), page, answer, paging)
    assert isinstance(outcome, PageReceived), outcome
    return outcome.page


@pytest.mark.parametrize(
    ("answer", "paging", "content"),
    [
        pytest.param(
            SPRING,
            FROM_0,
            b'{"content": [{"n": 1}], "number": 1, "size": 3, "totalElements": 4, "totalPages": 2, "last": true}',
            id="flat, counted from 0",
        ),
        pytest.param(
            AnswerFields(
                page="meta.at",
                per_page="meta.of.size",
                total="meta.of.all",
                total_pages="meta.pages",
                records="result.items",
            ),
            PageNumber(),
            b'{"result": {"items": [{"n": 1}]}, "meta": {"at": 2, "of": {"size": 3, "all": 4}, "pages": 2}}',
            id="nested",
        ),
        pytest.param(
            AnswerFields(
                records="a.b",
                per_page="a.b[1].n",
                total='["x.y"].of["z.z"][0]',
                total_pages="a.c",
                page=None,
            ),
            PageNumber(),
            b'{"a": {"c": 2, "b": [{"n": 1}]}, "x.y": {"of": {"z.z": [4]}}}',
            id="through lists and keys with dots",
        ),
    ],
)
def test_other_names_tell_the_same_page(answer: AnswerFields, paging: PageNumber, content: bytes) -> None:
    """Whatever they are called, and wherever they are."""
    page = received(answer, content, paging=paging)
    assert (page.number, page.total, page.total_pages, page.record_count) == (2, 4, 2, 1)
    assert json.loads(page.data) == [{"n": 1}]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            b'{"content": [], "number": 7, "size": 3, "totalElements": 0, "totalPages": 0}', id="another page"
        ),
        pytest.param(b'{"content": [], "number": "x", "size": 3, "totalElements": 0, "totalPages": 0}', id="in words"),
        pytest.param(b'{"content": [], "number": 0, "size": 3, "totalPages": 0}', id="no total"),
        pytest.param(b'{"page": 1, "per_page": 3, "total": 0, "total_pages": 0, "data": []}', id="our names"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"[1]", id="a list of something"),
        pytest.param(b"{", id="no JSON"),
    ],
)
def test_other_names_are_held_to_as_much(content: bytes) -> None:
    """What does not add up is no page."""
    assert isinstance(parsed(RawResponse(200, {}, content, 0.1), 1, SPRING, FROM_0), RequestFailed)


def test_other_names_are_mended_too() -> None:
    """NaN in a record is null."""
    content = b'{"content": [NaN], "number": 0, "size": 3, "totalElements": 1, "totalPages": 1}'
    assert received(SPRING, content, 1, FROM_0).data == b"[null]"


LIST = AnswerFields(records="")
VALUES = AnswerFields(records="customers[*]")
WRAPPED = AnswerFields(records="list[*].customer")
NAMED = AnswerFields(records="customers")
COUNTED = AnswerFields(records="customers", total="count")


@pytest.mark.parametrize(
    ("answer", "content", "data"),
    [
        pytest.param(LIST, b' [{"id": 1}, 2] ', b'[{"id": 1}, 2]', id="the answer is the list"),
        pytest.param(AnswerFields(records="$"), b"[1]", b"[1]", id="the same, spelt otherwise"),
        pytest.param(LIST, b"[]", b"[]", id="an empty list"),
        pytest.param(LIST, b"null", b"[]", id="null"),
        pytest.param(LIST, b'[NaN, "\\ud800"]', '[null, "\ufffd"]'.encode(), id="mended"),
        pytest.param(WRAPPED, b'{"list": [{"customer": {"id": 1}, "card": {}}]}', b'[{"id":1}]', id="wrapped"),
        pytest.param(WRAPPED, b'{"list": [{"card": 1}, 2]}', b"[null,null]", id="wrapped, some without"),
        pytest.param(NAMED, b'{"customers": [1]}', b"[1]", id="named"),
        pytest.param(NAMED, b'{"customers": null}', b"[]", id="null in its place"),
        pytest.param(NAMED, b"{}", b"[]", id="an empty object"),
        pytest.param(NAMED, b"[]", b"[]", id="an empty list in place of an object"),
        pytest.param(NAMED, b'{"customers": {"1": "b", "0": "a", "10": "c"}}', b'["a","b","c"]', id="by index"),
        pytest.param(NAMED, b'{"customers": {}}', b"[]", id="none, by index"),
        pytest.param(VALUES, b'{"customers": {"-Nb": {"a": 1}, "-Na": 2}}', b'[{"a":1},2]', id="an object's values"),
        pytest.param(VALUES, b'{"customers": [1]}', b"[1]", id="a list's elements"),
    ],
)
def test_records_are_found(answer: AnswerFields, content: bytes, data: bytes) -> None:
    """Wherever an API puts them; the absence of any is an empty page."""
    for number in (1, 2):
        page = received(answer, content, number)
        assert (page.data, page.record_count) == (data, len(json.loads(data)))
        assert (page.total, page.total_pages) == (None, None)


@pytest.mark.parametrize(
    ("answer", "content", "setting", "problem"),
    [
        (NAMED, b'{"customer": [], "count": 1}', "answer.records", "there is no customers; there are customer, count"),
        (NAMED, b'{"customers": "none"}', "answer.records", "customers is text, not a list"),
        (NAMED, b'{"customers": {"a": 1}}', "answer.records", "customers is an object, not a list"),
        (NAMED, b"[1]", "answer.records", "there is no customers; the response is a list"),
        (LIST, b'{"data": []}', "answer.records", "the body is an object, not a list"),
        (
            AnswerFields(records="data.items"),
            b'{"data": {"rows": [], "x@y.org": 1}}',
            "answer.records",
            "there is no data.items; there are rows",
        ),
        (
            AnswerFields(records="data", total="meta.totl"),
            b'{"data": [], "meta": {"total": 1, "pages": 2}}',
            "answer.total",
            "there is no meta.totl; there are total, pages",
        ),
        (
            AnswerFields(records="data", total="meta"),
            b'{"data": [], "meta": {"total": 1}}',
            "answer.total",
            "meta is an object, not a whole number",
        ),
    ],
)
def test_what_a_mapping_names_and_is_not_there_is_reported(
    answer: AnswerFields, content: bytes, setting: str, problem: str
) -> None:
    """Which path is missing, and which keys are there instead: names only, and none that could be a person's."""
    outcome = parsed(RawResponse(200, {}, content, 0.1), 1, answer)
    assert isinstance(outcome, RequestFailed)
    assert outcome.diagnosis is not None
    assert (outcome.diagnosis.setting, outcome.diagnosis.problem) == (setting, problem)


def test_a_total_can_be_told_on_the_first_page_only() -> None:
    """From the second page on it is not expected, and what stands for "not counted" is no count."""
    answer = AnswerFields(records="data", total="meta.total")
    assert received(answer, b'{"data": [1], "meta": {"total": "7"}}', 1).total == 7
    assert received(answer, b'{"data": [1]}', 2).total is None
    assert received(answer, b'{"data": [1], "meta": {"total": null}}', 1).total is None
    for value in (b"null", b"0", b"-1", b'"0"', b"0.0"):
        assert received(answer, b'{"data": [1], "meta": {"total": ' + value + b"}}", 2).total is None
        assert received(AnswerFields(), body_with(value), 2).total is None
        assert isinstance(parsed(RawResponse(200, {}, body_with(value, page=1), 0.1), 1, AnswerFields()), RequestFailed)


def body_with(total: bytes, page: int = 2) -> bytes:
    """A page of an envelope, with any value as its total."""
    return json.dumps(body(page) | {"total": "@"}).encode().replace(b'"@"', total)


@pytest.mark.parametrize(
    "data", [b'"data": null', b'"data": []', b'"data": {}', b'"data": ""', b'"data": false', b'"x": 1']
)
def test_where_nobody_is_counted_nobody_needs_to_be_listed(data: bytes) -> None:
    """Programs that leave empty lists out, or write them as their language does."""
    page = received(AnswerFields(), b'{"page": 1, "per_page": 6, "total": 0, "total_pages": 0, %s}' % data, 1)
    assert (page.record_count, page.data, page.total) == (0, b"[]", 0)
    named = AnswerFields(records="result.customers", total="result.count")
    assert received(named, b'{"result": {"count": "0"}}', 1).record_count == 0


@pytest.mark.parametrize(
    "content", [b'{"data": 7, "total": 0}', b'{"data": "x", "total": 0}', b'{"x": [], "total": 7}']
)
def test_something_else_in_the_lists_place_is_no_empty_page(content: bytes) -> None:
    answer = AnswerFields(records="data", total="total")
    assert isinstance(parsed(RawResponse(200, {}, content, 0.1), 1, answer), RequestFailed)


def test_a_total_in_a_header() -> None:
    """Absent, it is not known, if the settings say so: GitLab leaves it out beyond 10,000."""
    answer = AnswerFields(records="", total="header:X-WP-Total", total_is="at_least")
    for headers, total in (({"x-wp-total": "523"}, 523), ({}, None), ({"x-wp-total": "many"}, None)):
        outcome = parsed(RawResponse(200, headers, b"[1]", 0.1), 1, answer)
        assert isinstance(outcome, PageReceived)
        assert outcome.page.total == total


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"x-total": "523"}, "the response has no header x-wp-total"),
        ({"x-wp-total": "many"}, "the header x-wp-total is not a whole number"),
        ({"x-wp-total": "items 0-24/*"}, "the header x-wp-total is not a whole number"),
    ],
)
def test_a_header_without_the_total_is_reported(headers: dict[str, str], problem: str) -> None:
    """Without it nothing would be compared; later pages, and one without records, need not have it."""
    answer = AnswerFields(records="", total="header:X-WP-Total")
    outcome = parsed(RawResponse(200, headers, b"[1]", 0.1), 1, answer)
    assert isinstance(outcome, RequestFailed)
    assert outcome.diagnosis is not None
    assert (outcome.diagnosis.setting, outcome.diagnosis.problem) == ("answer.total", problem)
    assert isinstance(parsed(RawResponse(200, headers, b"[1]", 0.1), 2, answer), PageReceived)
    assert isinstance(parsed(RawResponse(200, headers, b"[]", 0.1), 1, answer), PageReceived)


@pytest.mark.parametrize(
    ("text", "total"),
    [("1,053", 1_053), ("1,000,000", 1_000_000), (" 7 ", 7), ("items 0-24/1053", 1_053), ("0-24/1,053", 1_053)],
)
def test_totals_in_other_forms(text: str, total: int) -> None:
    """Commas between thousands, and Content-Range."""
    answer = AnswerFields(records="", total="header:Content-Range")
    outcome = parsed(RawResponse(206, {"content-range": text}, b"[1]", 0.1), 1, answer)
    assert isinstance(outcome, PageReceived)
    assert outcome.page.total == total
    assert received(AnswerFields(records="d", total="n"), json.dumps({"d": [1], "n": text}).encode()).total == total


@pytest.mark.parametrize("text", ["1,05", ",105", "1,0530", "1.053", "10/53/", "-7", "1e3"])
def test_what_is_no_total(text: str) -> None:
    """A point can be a decimal one."""
    answer = AnswerFields(records="d", total="n")
    assert isinstance(
        parsed(RawResponse(200, {}, json.dumps({"d": [1], "n": text}).encode(), 0.1), 1, answer), RequestFailed
    )


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "not JSON: the body is empty"),
        (b" \n", "not JSON: the body is empty"),
        (
            b"\n<!DOCTYPE html><title>Log in</title>",
            "not JSON: it is an HTML page, as firewalls and log-in pages send it",
        ),
        (b"<html>", "not JSON: it is an HTML page, as firewalls and log-in pages send it"),
        (b"<?xml version='1.0'?><a/>", "not JSON: it is XML; headers or params can often ask for JSON"),
        (b"OK", "not JSON"),
        ('["José"]'.encode("latin-1"), "not JSON: it is not UTF-8, and no header states another encoding"),
    ],
)
def test_what_came_in_place_of_json_is_described(content: bytes, detail: str) -> None:
    """By its first bytes; none of it is shown."""
    outcome = parsed(RawResponse(200, {}, content, 0.1), 1, LIST)
    assert isinstance(outcome, RequestFailed)
    assert outcome.detail == detail


def test_a_total_of_the_page_alone_is_none() -> None:
    """`total_is: of_this_page` says so."""
    answer = AnswerFields(records="data", total="total", total_is="of_this_page")
    assert received(answer, b'{"data": [1], "total": 1}').total is None


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ([{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], FailureCause.THROTTLED),
        ({"code": "REQUEST_LIMIT", "text": "Rate limit exceeded"}, FailureCause.THROTTLED),
        ([{"message": "Internal error"}], FailureCause.BAD_BODY),
        ("quota of canary@example.org", FailureCause.BAD_BODY),
    ],
)
def test_an_error_inside_a_200_is_a_failed_request(error: Any, cause: FailureCause) -> None:
    """Even beside data, or instead of it; its text is not shown."""
    answer = AnswerFields(records="data", error="errors")
    contents: list[dict[str, Any]] = [{"data": []}, {"data": None}, {"data": {}}, {}]
    for content in contents:
        body = json.dumps({**content, "errors": error}).encode()
        outcome = parsed(RawResponse(200, {}, body, 0.1), 1, answer)
        assert isinstance(outcome, RequestFailed)
        assert outcome.cause is cause
        assert "canary" not in outcome.detail
        assert outcome.diagnosis is None
    nothings: list[Any] = [None, [], {}, "", False]
    for nothing in nothings:
        body = json.dumps({"data": [1], "errors": nothing}).encode()
        assert received(answer, body).record_count == 1


@pytest.mark.parametrize(("status", "answer"), [(204, NAMED), (204, LIST), (204, COUNTED), (206, LIST), (203, LIST)])
def test_other_good_statuses(status: int, answer: AnswerFields) -> None:
    """A 204 is an empty page, except where each page has a number; a 206 is a page."""
    content = b"" if status == 204 else b"[1, 2]"
    outcome = parsed(RawResponse(status, {}, content, 0.1), 3, answer)
    assert isinstance(outcome, PageReceived)
    assert outcome.page.record_count == (0 if status == 204 else 2)


@pytest.mark.parametrize(
    ("at", "headers", "content", "total"),
    [
        ("count", {}, b'{"count": 523}', 523),
        ("meta.count", {}, b'{"meta": {"count": "523"}}', 523),
        ("header:Recurly-Total-Records", {"recurly-total-records": "7"}, b"", 7),
        ("count", {}, b'{"cnt": 523}', None),
        ("count", {}, b"oops", None),
        ("count", {}, b'{"count": -1}', None),
    ],
)
def test_a_total_of_a_request_of_its_own(at: str, headers: dict[str, str], content: bytes, total: int | None) -> None:
    """A page without records; what lacks the total is a failure that names the path."""
    outcome = CountParser(at).parse(RawResponse(200, headers, content, 0.1), FetchPage(1, 1, 1), "", NOW)
    if total is None:
        assert isinstance(outcome, RequestFailed)
        assert outcome.diagnosis is not None
        assert outcome.diagnosis.setting == "answer.total.at"
    else:
        assert isinstance(outcome, PageReceived)
        assert outcome.page == Page(1, None, total, 1, 0, b"[]")


@pytest.mark.parametrize(
    ("status", "headers", "cause"),
    [
        (403, {"retry_after": "7"}, FailureCause.THROTTLED),
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "60"}, FailureCause.THROTTLED),
        (403, {"sforce_limit_info": "api-usage=9/9"}, FailureCause.THROTTLED),
        (403, {"x_ratelimit_remaining": "4"}, FailureCause.REFUSED),
        (425, {"retry_after": "1"}, FailureCause.THROTTLED),
        (503, {"retry_after": "7"}, FailureCause.SERVER_ERROR),
    ],
)
def test_a_limit_in_other_words_is_a_limit(status: int, headers: dict[str, str], cause: FailureCause) -> None:
    """A 403 can mean "too many requests": its headers say so."""
    outcome = judge(status, b"", 1, **headers)
    assert isinstance(outcome, RequestFailed)
    assert outcome.cause is cause
