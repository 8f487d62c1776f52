"""Turns a response into a page or a failure. Pure: status, headers and bytes in, an outcome out."""

import codecs
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from operator import attrgetter
from typing import Any

import msgspec

from customer_assets.api.crawl.events import Outcome, PageReceived, RequestFailed
from customer_assets.api.http.base import REDIRECTS, RawResponse
from customer_assets.api.rate_limit_headers import parse_rate_limit_headers
from customer_assets.field_mapping import DEFAULT_MAPPING, FieldMapping, Path, parse_paths
from customer_assets.json_values import read_json, sanitize_json
from customer_assets.metrics import FailureCause
from customer_assets.models import Page

LARGEST_COUNT = 10**15
"""No API has more customers: a larger number is wrong."""


class _Envelope(msgspec.Struct, gc=False):
    page: int
    per_page: int
    total: int
    total_pages: int
    data: msgspec.Raw


_split = msgspec.json.Decoder(list[msgspec.Raw])
_any_records = msgspec.json.Decoder(list[Any])
_DECODE_ERRORS = (ValueError, RecursionError, msgspec.DecodeError)


class PageParser:
    """Reads a body as the page that was asked for, by the names that its API gives the parts.

    Args:
        shape: Those names; ours, unless told otherwise.
        page_size: What was asked for; stands in where an API does not tell the size of its pages.
    """

    def __init__(self, shape: FieldMapping = DEFAULT_MAPPING, page_size: int | None = None) -> None:
        self._shift, self._page_size = 1 - shape.first_page, page_size
        self._paths = {field: path for field, path in parse_paths(shape.answer).items() if path is not None}
        self._is_ours = shape.answer == DEFAULT_MAPPING.answer
        self._decode = msgspec.json.Decoder(_Envelope if self._is_ours else _struct(self._paths)).decode

    def page(self, body: bytes, number: int) -> Page | str:
        """Return the page, or in a few words what is wrong with it."""
        body = body.removeprefix(codecs.BOM_UTF8)
        try:
            if not body.isascii():
                body.decode()
            envelope = self._envelope(body, number)
            record_count = len(_split.decode(envelope.data))
        except msgspec.ValidationError:
            return "not a page of records"
        except _DECODE_ERRORS:
            return "not JSON"
        counts = (envelope.per_page, envelope.total, envelope.total_pages)
        problem = _problem(envelope, number, record_count)
        return problem or Page(envelope.page, *counts, record_count, bytes(envelope.data))

    def _envelope(self, body: bytes, number: int) -> _Envelope:
        try:
            found = self._decode(body)
        except msgspec.ValidationError:
            raise
        except _DECODE_ERRORS:
            found = self._decode(sanitize_json(body))
        return found if self._is_ours else self._translated(found, number)  # type: ignore[return-value] # the decoder's type

    def _translated(self, found: object, number: int) -> _Envelope:
        """Take what an answer tells by other names; what it does not tell follows from the rest."""
        told = {field: attrgetter(".".join(map(_attribute, path)))(found) for field, path in self._paths.items()}
        page = told["page"] + self._shift if "page" in told else number
        per_page = told.get("per_page", self._page_size or 0)
        total_pages = told.get("total_pages", -(-told["total"] // max(per_page, 1)))
        return _Envelope(page, per_page, told["total"], total_pages, told["data"])


_OURS = PageParser()


def parse_response(answer: RawResponse, page: int, now_utc: datetime, reader: PageParser = _OURS) -> Outcome:
    """Judge the answer to the request for a page."""
    advice = parse_rate_limit_headers(answer.headers, now_utc)
    if answer.status != HTTPStatus.OK:
        return RequestFailed(
            page, _cause(answer.status), answer.latency_s, answer.status, advice, f"HTTP {answer.status}"
        )
    found = reader.page(answer.body, page)
    if isinstance(found, Page):
        return PageReceived(found, answer.latency_s, advice)
    return RequestFailed(page, FailureCause.BAD_BODY, answer.latency_s, answer.status, advice, found)


def records(page: Page) -> list[Any]:
    """Read a page's records. One that cannot be read (nested too deep, say) is None."""
    try:
        return _any_records.decode(page.data)
    except _DECODE_ERRORS:
        return _parse_leniently(page)


def _cause(status: int) -> FailureCause:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return FailureCause.THROTTLED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return FailureCause.SERVER_ERROR
    return FailureCause.REFUSED if status in REDIRECTS or status >= HTTPStatus.BAD_REQUEST else FailureCause.BAD_BODY


def _struct(paths: Mapping[str, Path]) -> type[msgspec.Struct]:
    """Make the type of an answer in which each path leads to a whole number, and that of the data to anything."""
    fields: dict[str, Any] = {}
    below: dict[str, dict[str, Path]] = {}
    for part, (step, *rest) in paths.items():
        if rest:
            below.setdefault(step, {})[part] = tuple(rest)
        else:
            fields[step] = msgspec.Raw if part == "data" else int
    fields |= {step: _struct(inner) for step, inner in below.items()}
    named = {_attribute(step): step for step in fields}
    types = [(attribute, fields[step]) for attribute, step in named.items()]
    return msgspec.defstruct("Answer", types, rename=named, gc=False)


def _attribute(step: str) -> str:
    """A name that Python takes, whatever an API's key is called."""
    return f"at_{step.encode().hex()}"


def _parse_leniently(page: Page) -> list[Any]:
    try:
        return [_record(bytes(record)) for record in _split.decode(page.data)]
    except _DECODE_ERRORS:
        return [None] * page.record_count


def _record(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return read_json(data.decode(), keep_numerals=True)
    except _DECODE_ERRORS:
        return None


def _problem(envelope: _Envelope, page: int, record_count: int) -> str:
    counts = (envelope.per_page, envelope.total, envelope.total_pages)
    if envelope.page != page:
        return "another page than asked for"
    if not all(0 <= count <= LARGEST_COUNT for count in counts):
        return "counts out of range"
    if record_count > envelope.per_page or record_count > envelope.total:
        return "more records than the page says"
    if envelope.total_pages > max(1, envelope.total) or envelope.total_pages < min(1, envelope.total):
        return "counts that contradict each other"
    return ""
