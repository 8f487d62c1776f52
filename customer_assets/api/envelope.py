"""Where an answer becomes a page or a failure. Pure: status, headers and bytes in, an outcome out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import msgspec

from customer_assets.api.actions import Arrived, Failed, Outcome
from customer_assets.api.backoff import rate_advice
from customer_assets.metrics import Cause
from customer_assets.models import Page

LARGEST_COUNT = 10**15
"""No API has more customers; a larger number is a lie."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over the wire.

    Attributes:
        status: The HTTP status.
        headers: Their names in lower case.
        body: Decompressed.
        latency_s: Seconds from sending to the last byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency_s: float


class _Envelope(msgspec.Struct):
    page: int
    per_page: int
    total: int
    total_pages: int
    data: msgspec.Raw


_envelopes = msgspec.json.Decoder(_Envelope)
_records = msgspec.json.Decoder(list[msgspec.Raw])


def judged(answer: Answer, page: int, now_utc: datetime) -> Outcome:
    """Judge the answer to the request for a page."""
    if answer.status == HTTPStatus.OK:
        return _page(answer, page, now_utc)
    advice = rate_advice(answer.headers, now_utc)
    return Failed(page, _cause(answer.status), answer.latency_s, answer.status, advice, f"HTTP {answer.status}")


def _cause(status: int) -> Cause:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Cause.THROTTLED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Cause.SERVER_ERROR
    return Cause.REFUSED if status >= HTTPStatus.MULTIPLE_CHOICES else Cause.BAD_BODY


def _page(answer: Answer, page: int, now_utc: datetime) -> Outcome:
    try:
        envelope = _envelopes.decode(answer.body)
        record_count = len(_records.decode(envelope.data))
        problem = _problem(envelope, page, record_count)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = "not JSON" if type(error) is not msgspec.ValidationError else "not a page of records"
    if problem:
        return Failed(page, Cause.BAD_BODY, answer.latency_s, answer.status, detail=problem)
    found = Page(
        envelope.page,
        envelope.per_page,
        envelope.total,
        envelope.total_pages,
        record_count,
        bytes(envelope.data),
    )
    return Arrived(found, answer.latency_s, rate_advice(answer.headers, now_utc))


def _problem(envelope: _Envelope, page: int, record_count: int) -> str:
    counts = (envelope.per_page, envelope.total, envelope.total_pages)
    if envelope.page != page:
        return "another page than asked"
    if not all(0 <= count <= LARGEST_COUNT for count in counts):
        return "counts out of range"
    if record_count > envelope.per_page:
        return "more records than the page says"
    return ""
