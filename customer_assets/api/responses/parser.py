"""Turns a response into a page or a failure. Pure: status, headers and bytes in, an outcome out."""

import codecs
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from customer_assets.api.crawl.events import FetchPage, Outcome, PageReceived, RateLimitHints, RequestFailed
from customer_assets.api.http.base import GOOD_STATUSES, REDIRECTS, RawResponse
from customer_assets.api.paging import PageNumber, Paging
from customer_assets.api.paging.base import HEADER, Answer, Following, PagingError
from customer_assets.api.responses.answer import (
    LARGEST_COUNT,
    AnswerFields,
    Body,
    BodyDecoder,
    MissingPartError,
    NotJSONError,
    missing_part,
    parse_count,
)
from customer_assets.api.responses.charsets import is_utf8, to_utf8
from customer_assets.api.responses.diagnosis import Diagnosis
from customer_assets.api.responses.rate_limit_headers import is_throttled, parse_rate_limit_headers
from customer_assets.core.json_values import read_json
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page
from customer_assets.core.paths import ABSENT, follow, parse_path

THROTTLE_WORDS = ("throttled", "rate limit", "rate_limit", "ratelimit", "too many requests")
"""How an error inside a response with HTTP 200 says that there were too many requests."""
LONGEST_ERROR = 10_000

LONGEST_START = 1_000
"""What of a body that is not JSON is looked at."""

BLOCKED = (401, 403, 406, 407, 451)
"""What firewalls answer."""
HTML_PAGE = "it is an HTML page, as firewalls and log-in pages send it"
BLOCKED_NOTE = f"{HTML_PAGE}, not the API's own answer. A firewall may let another User-Agent in (setting headers)"

TO_HTTP_NOTE = (
    ", where no key is sent. Servers behind a proxy that ends TLS do so: choose a path that needs no redirect"
)

COUNTED_ONCE = ("total", "total_pages")
"""What some APIs count on the first page only."""

_split = msgspec.json.Decoder(list[msgspec.Raw])
_any_records = msgspec.json.Decoder(list[Any])
_DECODE_ERRORS = (ValueError, RecursionError, msgspec.DecodeError)

NO_PAGE = "not a page of records"


class _BadPageError(Exception):
    """A response with a good status does not hold the page."""

    def __init__(
        self, detail: str, diagnosis: Diagnosis | None = None, cause: FailureCause = FailureCause.BAD_BODY
    ) -> None:
        self.detail, self.diagnosis, self.cause = detail, diagnosis, cause
        super().__init__(detail)


class PageParser:
    """Reads responses as the pages that were requested.

    Args:
        fields: What a response calls its parts.
        paging: How pages follow each other.
    """

    def __init__(self, fields: AnswerFields | None = None, paging: Paging | None = None) -> None:
        self._fields, self._paging = fields, paging = fields or AnswerFields(), paging or PageNumber()
        self._first = paging.first if isinstance(paging, PageNumber) else 1
        self._counts = fields.counts
        sources = [*self._counts.values(), *paging.sources(), *([fields.error] if fields.error else [])]
        self._decoder = BodyDecoder(fields, sources)
        total = fields.total
        is_header = isinstance(total, str) and total.startswith(HEADER)
        self._total_header = total.removeprefix(HEADER).strip().lower() if is_header else None  # type: ignore[union-attr]

    def parse(self, response: RawResponse, fetch: FetchPage, url: str, now_utc: datetime) -> Outcome:
        """Decide what the response to a request means."""
        hints = parse_rate_limit_headers(response.headers, now_utc)
        status = response.status
        if status == HTTPStatus.NO_CONTENT and "page" not in self._counts:
            page = Page(fetch.page, None, None, None, 0, b"[]")
            return PageReceived(page, response.latency_s, hints)
        if status not in GOOD_STATUSES:
            cause = _cause(status, hints)
            return RequestFailed(fetch.page, cause, response.latency_s, status, hints, _detail(response, url))
        try:
            page = self._page(response, fetch, url)
        except _BadPageError as failure:
            prefix = "" if response.status == HTTPStatus.OK else f"HTTP {response.status}: "
            return RequestFailed(
                fetch.page,
                failure.cause,
                response.latency_s,
                response.status,
                hints,
                f"{prefix}{failure.detail}",
                failure.diagnosis,
            )
        return PageReceived(page, response.latency_s, hints)

    def _page(self, response: RawResponse, fetch: FetchPage, url: str) -> Page:
        content = to_utf8(response.body, response.headers.get("content-type", "")).removeprefix(codecs.BOM_UTF8)
        try:
            body = self._decoder.decode(content)
        except NotJSONError:
            raise _BadPageError(_not_json(content)) from None
        except MissingPartError as error:
            self._check_error(error.values)  # a response that holds an error often holds nothing else
            raise _BadPageError(f"{NO_PAGE}: {error.diagnosis.problem}", error.diagnosis) from None
        self._check_error(body.values)
        counts = self._read_counts(body, response, content, fetch)
        last = counts.get("total_pages", 0)
        if 1 <= last < fetch.page and counts.get("page") == last - 1 + self._first:
            # Once customers have left, some APIs answer with their last page in place of one behind it.
            return Page(
                fetch.page, counts.get("per_page") or None, counts.get("total"), counts["total_pages"], 0, b"[]"
            )
        self._check_counts(counts, body, fetch)
        following = self._follow(body, response, fetch, url, counts.get("total_pages"))
        return Page(
            fetch.page,
            counts.get("per_page") or None,
            None if self._fields.total_is == "of_this_page" else counts.get("total"),
            following.total_pages if counts.get("total_pages") is None else counts["total_pages"],
            body.record_count,
            body.records,
            following.next_cursor,
            following.has_more,
        )

    def _check_error(self, values: Mapping[str, object]) -> None:
        error = values.get(self._fields.error) if self._fields.error else None
        if not error:
            return
        text = msgspec.json.encode(error)[:LONGEST_ERROR].decode(errors="replace").lower()
        if any(word in text for word in THROTTLE_WORDS):
            raise _BadPageError("throttled, in a response with HTTP 200", cause=FailureCause.THROTTLED)
        raise _BadPageError(f"the response holds an error ({self._fields.error})")

    def _read_counts(self, body: Body, response: RawResponse, content: bytes, fetch: FetchPage) -> dict[str, int]:
        """Read what the response says of how much there is.

        Page one must say all that the settings name. Later pages can leave out how much there is in all, or have null,
        0 or -1 there: counting again costs an API time.
        """
        counts: dict[str, int] = {}
        for name, path in self._counts.items():
            value = body.value(path)
            count = parse_count(value)
            if fetch.page > 1 and name in COUNTED_ONCE and body.record_count and count in (0, -1):
                continue
            if count is not None:
                counts[name] = count
            elif self._is_missing(name, value, body, fetch):
                diagnosis = missing_part(f"answer.{name}", path, content)
                raise _BadPageError(f"{NO_PAGE}: {diagnosis.problem}", diagnosis)
        if self._total_header is not None:
            is_needed = fetch.page == 1 and body.record_count > 0
            counts |= self._read_total_header(self._total_header, response.headers, is_needed=is_needed)
        return counts

    def _is_missing(self, name: str, value: object, body: Body, fetch: FetchPage) -> bool:
        """Whether a page lacks a count that it must hold."""
        if value not in (ABSENT, None):
            return True  # something else is there: text, say
        is_numbered = "page" in self._counts  # such an envelope says all that it knows
        if fetch.page > 1 and (name in COUNTED_ONCE or not is_numbered):
            return False
        if is_numbered:
            return (name, value) != ("per_page", None)
        return value is ABSENT and not body.is_null

    def _read_total_header(self, name: str, headers: Mapping[str, str], *, is_needed: bool) -> dict[str, int]:
        value = headers.get(name)
        count = parse_count(value)
        if count is None and is_needed and self._fields.total_is == "exact":
            problem = (
                f"the response has no header {name}" if value is None else f"the header {name} is not a whole number"
            )
            remedy = "Name it as the API does, or set total to null, or total_is: at_least if it comes only sometimes."
            raise _BadPageError(f"{NO_PAGE}: {problem}", Diagnosis("answer.total", problem, remedy))
        return {} if count is None else {"total": count}

    def _check_counts(self, counts: dict[str, int], body: Body, fetch: FetchPage) -> None:
        if "page" in counts and counts["page"] != fetch.page - 1 + self._first:
            raise _BadPageError("another page than asked for")
        if not all(0 <= count <= LARGEST_COUNT for count in counts.values()):
            raise _BadPageError("counts out of range")
        total, total_pages = counts.get("total"), counts.get("total_pages")
        window = self._paging.window
        if window is not None and total is not None and total > window:
            problem = f"there are {total} customers, and the API lists no more than {window} of them"
            remedy = "Set slices, where the API can be asked for a range of creation dates or ids, or narrow params."
            raise _BadPageError(problem, Diagnosis("pages.window", problem, remedy, is_certain=True))
        if total is None or self._fields.total_is != "exact":
            return
        if body.record_count > total:
            raise _BadPageError("more records than the page says")
        if total_pages is not None and not min(1, total) <= total_pages <= max(1, total):
            raise _BadPageError("counts that contradict each other")
        if body.is_null and total and fetch.page <= (total_pages or 1):
            raise _BadPageError(f"{NO_PAGE}: {self._fields.records} is empty, although there are {total} customers")

    def _follow(
        self, body: Body, response: RawResponse, fetch: FetchPage, url: str, total_pages: int | None
    ) -> Following:
        def last_record() -> object:
            return read_json(bytes(_split.decode(body.records)[-1]).decode()) if body.record_count else ABSENT

        answer = Answer(fetch.page, body.record_count, url, response.headers, body.value, last_record, total_pages)
        try:
            return self._paging.follow(answer)
        except PagingError as error:
            raise _BadPageError(error.problem, Diagnosis("pages", error.problem, error.remedy)) from None


class CountParser:
    """Reads the response to a request of its own that returns the total: as one page without records.

    Args:
        at: Where the total is: a path, or `header:` and a header's name.
    """

    def __init__(self, at: str) -> None:
        self._at = at

    def parse(self, response: RawResponse, fetch: FetchPage, url: str, now_utc: datetime) -> Outcome:  # noqa: ARG002
        """Decide what the response to the request means."""
        hints, status = parse_rate_limit_headers(response.headers, now_utc), response.status
        if status not in GOOD_STATUSES:
            return RequestFailed(fetch.page, _cause(status, hints), response.latency_s, status, hints, f"HTTP {status}")
        value = response.headers.get(self._at.removeprefix(HEADER).strip().lower(), ABSENT)
        if not self._at.startswith(HEADER):
            with suppress(*_DECODE_ERRORS):
                value = follow(msgspec.json.decode(response.body), parse_path(self._at))
        total = parse_count(value)
        if total is None or not 0 <= total <= LARGEST_COUNT:
            diagnosis = missing_part("answer.total.at", self._at.removeprefix(HEADER), response.body)
            detail = f"no total: {diagnosis.problem}"
            return RequestFailed(
                fetch.page, FailureCause.BAD_BODY, response.latency_s, status, hints, detail, diagnosis
            )
        return PageReceived(Page(fetch.page, None, total, 1, 0, b"[]"), response.latency_s, hints)


def records(page: Page) -> list[Any]:
    """Read a page's records. One that cannot be read (nested too deep, say) is None."""
    try:
        return _any_records.decode(page.data)
    except _DECODE_ERRORS:
        pass
    try:
        return [_record(bytes(record)) for record in _split.decode(page.data)]
    except _DECODE_ERRORS:
        return [None] * page.record_count


def _record(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return read_json(data.decode(), keep_numerals=True)
    except _DECODE_ERRORS:
        return None


def _detail(response: RawResponse, url: str) -> str:
    """The status, and what the headers add to it: where a redirect leads, or that no API answers."""
    status, headers = response.status, response.headers
    if status in REDIRECTS:
        with suppress(ValueError):
            here, there = urlsplit(url), urlsplit(headers.get("location", ""))
            if there.hostname == here.hostname and {here.scheme, there.scheme} == {"http", "https"}:
                note = TO_HTTP_NOTE if there.scheme == "http" else ""
                return f"HTTP {status}: it redirects to {there.scheme} on the same host{note}"
            return f"HTTP {status}: it redirects to {there.hostname}" if there.hostname else f"HTTP {status}"
    if headers.get("content-type", "").lower().startswith("text/html") and status in BLOCKED:
        return f"HTTP {status}: {BLOCKED_NOTE}"
    return f"HTTP {status}"


def _not_json(content: bytes) -> str:
    """What came in place of JSON, by its first bytes."""
    start = content[:LONGEST_START].lstrip().lower()
    if not start:
        return "not JSON: the body is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return f"not JSON: {HTML_PAGE}"
    if start.startswith(b"<"):
        return "not JSON: it is XML; headers or params can often ask for JSON"
    return "not JSON" if is_utf8(content) else "not JSON: it is not UTF-8, and no header states another encoding"


def _cause(status: int, hints: RateLimitHints) -> FailureCause:
    if is_throttled(status, hints):
        return FailureCause.THROTTLED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return FailureCause.SERVER_ERROR
    return FailureCause.REFUSED if status in REDIRECTS or status >= HTTPStatus.BAD_REQUEST else FailureCause.BAD_BODY
