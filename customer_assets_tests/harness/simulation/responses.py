"""Responses for tests of paging: what a strategy makes of a body and its headers."""

import json
from datetime import UTC, datetime
from typing import Any

from customer_assets.api.crawl.events import FetchPage, Outcome, PageReceived, RequestFailed
from customer_assets.api.http.base import RawResponse
from customer_assets.api.paging import Paging
from customer_assets.api.responses.answer import AnswerFields
from customer_assets.api.responses.parser import PageParser
from customer_assets.core.models import Page

URL = "https://api.example/v1/customers"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def outcome_of(
    paging: Paging, content: Any, number: int = 1, answer: AnswerFields | None = None, **headers: str
) -> Outcome:
    """What the response to the request for a page means; an underscore in a header's name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = RawResponse(200, named, json.dumps(content).encode(), 0.1)
    parser = PageParser(answer or AnswerFields(records="data"), paging)
    return parser.parse(response, FetchPage(number, 1, 1), URL, NOW)


def page_of(paging: Paging, content: Any, number: int = 1, answer: AnswerFields | None = None, **headers: str) -> Page:
    """The page that the response holds."""
    outcome = outcome_of(paging, content, number, answer, **headers)
    assert isinstance(outcome, PageReceived), outcome
    return outcome.page


def problem_of(
    paging: Paging, content: Any, number: int = 1, answer: AnswerFields | None = None, **headers: str
) -> str:
    """What the response contradicts the way of paging by."""
    outcome = outcome_of(paging, content, number, answer, **headers)
    assert isinstance(outcome, RequestFailed), outcome
    assert outcome.diagnosis is not None
    assert outcome.diagnosis.setting == "pages"
    return outcome.diagnosis.problem
