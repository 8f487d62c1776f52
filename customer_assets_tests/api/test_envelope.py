"""Which answers hold a page."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_assets.api.actions import Arrived, Failed
from customer_assets.api.envelope import Answer, judged
from customer_assets.metrics import Cause
from customer_assets.models import Page
from customer_assets_tests.api.conftest import body

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def judge(status: int, content: bytes, page: int = 1, **headers: str) -> Arrived | Failed:
    """Judge an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judged(Answer(status, named, content, 0.1), page, NOW)


def test_a_page_is_taken_as_it_came() -> None:
    """Its records byte for byte, its counts as numbers; what else is there is left alone."""
    data = b'[{"id": 1, "x": "\\ud83d\\ude00"},  null,3 ]'
    content = b'{"support": {}, "page": 2, "per_page": 3, "total": 9, "total_pages": 3, "data": ' + data + b"}"
    outcome = judge(200, content, page=2)
    assert isinstance(outcome, Arrived)
    assert outcome.page == Page(2, 3, 9, 3, 3, data)


@pytest.mark.parametrize(
    ("status", "content", "cause"),
    [
        pytest.param(500, b"", Cause.SERVER_ERROR, id="500"),
        pytest.param(503, b"", Cause.SERVER_ERROR, id="503"),
        pytest.param(599, b"", Cause.SERVER_ERROR, id="599"),
        pytest.param(408, b"", Cause.SERVER_ERROR, id="408"),
        pytest.param(429, b"", Cause.THROTTLED, id="429"),
        pytest.param(401, b"", Cause.REFUSED, id="401"),
        pytest.param(404, b"", Cause.REFUSED, id="404"),
        pytest.param(418, b"", Cause.REFUSED, id="418"),
        pytest.param(302, b"", Cause.REFUSED, id="a redirect"),
        pytest.param(204, b"", Cause.BAD_BODY, id="204"),
        pytest.param(206, b"{}", Cause.BAD_BODY, id="206"),
        pytest.param(200, b"", Cause.BAD_BODY, id="empty"),
        pytest.param(200, b"<html></html>", Cause.BAD_BODY, id="HTML"),
        pytest.param(200, b'{"error": "quota"}', Cause.BAD_BODY, id="an error in a 200"),
        pytest.param(200, b"[]", Cause.BAD_BODY, id="a list"),
        pytest.param(200, b"\xff\xfe{", Cause.BAD_BODY, id="no UTF-8"),
        pytest.param(200, b"[" * 100_000, Cause.BAD_BODY, id="nested 100,000 deep"),
        pytest.param(200, json.dumps(body(1)).encode() + b"x", Cause.BAD_BODY, id="something behind it"),
        pytest.param(200, json.dumps(body(2)).encode(), Cause.BAD_BODY, id="another page"),
        pytest.param(200, json.dumps({**body(1), "page": "1"}).encode(), Cause.BAD_BODY, id="a page in words"),
        pytest.param(200, json.dumps(body(1, data=None)).encode(), Cause.BAD_BODY, id="no list"),
        pytest.param(200, json.dumps(body(1, data={})).encode(), Cause.BAD_BODY, id="an object of records"),
        pytest.param(200, json.dumps(body(1, total=-1)).encode(), Cause.BAD_BODY, id="a negative total"),
        pytest.param(200, json.dumps(body(1, total_pages=10**18)).encode(), Cause.BAD_BODY, id="10^18 pages"),
        pytest.param(200, json.dumps(body(1, total_pages=1.5)).encode(), Cause.BAD_BODY, id="half a page"),
        pytest.param(200, json.dumps({**body(1), "per_page": 5}).encode(), Cause.BAD_BODY, id="too many records"),
    ],
)
def test_what_holds_no_page_is_a_failure(status: int, content: bytes, cause: Cause) -> None:
    """Of a kind that says what to do."""
    outcome = judge(status, content)
    assert isinstance(outcome, Failed)
    assert outcome.cause is cause


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_a_failure(content: bytes) -> None:
    """Never anything else."""
    assert isinstance(judge(200, content), Failed)


@given(st.dictionaries(st.sampled_from(["page", "per_page", "total", "total_pages", "data"]), st.from_type(object)))
def test_any_object_is_a_page_or_a_failure(fields: dict[str, Any]) -> None:
    """Whatever its values are."""
    content = json.dumps(body(1) | fields, default=repr).encode()
    assert isinstance(judge(200, content), Arrived | Failed)


def test_what_the_headers_say_goes_along() -> None:
    """The crawl decides what to make of it."""
    outcome = judge(429, b"", retry_after="7")
    assert outcome.advice.retry_after_s == 7
