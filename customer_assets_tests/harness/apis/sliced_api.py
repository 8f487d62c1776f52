"""Listings that can be restricted to a range of creation times or ids, in virtual time: any way of paging, any window.

For tests of slices. `SlicedAPI` stands where `vendors.virtual.VirtualTransport` expects an API: a function from request
to response. The ways of paging are those of `paged_api`.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from customer_assets.api import CustomerAPIClient
from customer_assets_tests.harness.apis.paged_api import WAYS, Answered, Asked, Records
from customer_assets_tests.harness.vendors.base import Faults, Request, Response, TokenBucket, reply
from customer_assets_tests.harness.vendors.virtual import VirtualTime, VirtualTransport

KEY = "canary-key-c0ffee"
BORN = datetime(2020, 1, 1, tzinfo=UTC)
SLICES = {
    "over": "created_at",
    "parameters": {"from": "created_from", "to": "created_to"},
    "start": "2020-01-01",
    "step": "30d",
}
IDS = {"over": "id", "parameters": {"from": "id_from", "to": "id_to"}, "format": "number", "start": 0}


def customer(number: int, created: datetime) -> dict[str, Any]:
    """Make a record."""
    return {
        "id": number,
        "email": f"person{number}@example.org",
        "created_at": f"{created:%Y-%m-%dT%H:%M:%S.%f}Z",
    }


def spread(count: int, every: timedelta = timedelta(hours=9)) -> Records:
    """Customers who joined one after the other; 9 hours and 523 of them are half a year."""
    return [customer(number, BORN + number * every) for number in range(1, count + 1)]


@cache
def read_instant(text: str) -> datetime:
    """Read an instant; the same ones are asked for again and again."""
    return datetime.fromisoformat(text)


@dataclass
class SlicedAPI:
    """A listing that can be restricted to a range.

    Attributes:
        way: The name of its way of paging, in `paged_api.WAYS`.
        records: Its customers, oldest first.
        window: The most that one listing shows; it refuses a page beyond. None: any number.
        includes_end: Whether a range's end belongs to it.
        is_deaf: Whether it ignores the range.
        faults: Which requests fail.
        on_request: Called with the number of each request, from 1.
        requests: What was asked.
    """

    way: str
    records: Records
    window: int | None = None
    includes_end: bool = False
    is_deaf: bool = False
    faults: Faults | None = None
    limiter: TokenBucket | None = None
    on_request: Callable[[int], None] = lambda _: None
    requests: list[Request] = field(default_factory=list)
    base_url: str = "https://sliced.example"

    def restrict(self, records: Records, asked: Asked) -> Records:
        """Return the customers of the range that is asked for."""
        given = {**asked.query, **asked.body}
        found = self._between(records, "id", given.get("id_from"), given.get("id_to"), int)
        return self._between(found, "created_at", given.get("created_from"), given.get("created_to"), read_instant)

    def _between(self, records: Records, key: str, low: Any, high: Any, read: Callable[[Any], Any]) -> Records:
        first = None if low is None else read(low)
        end = None if high is None else read(high)
        return [
            each
            for each in records
            if (first is None or read(each[key]) >= first)
            and (end is None or (read(each[key]) <= end if self.includes_end else read(each[key]) < end))
        ]

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        self.requests.append(request)
        self.on_request(len(self.requests))
        if self.limiter is not None and not self.limiter.admits():
            return reply({"error": "too many requests"}, 429, Retry_After=str(max(1, round(self.limiter.wait_s()))))
        status = self.faults.status() if self.faults else None
        if status is not None:
            return reply({"error": "server error"}, status)
        asked = Asked(request.path, dict(request.query), request.json(), urlsplit(self.base_url).netloc)
        found = self.records if self.is_deaf else self.restrict(self.records, asked)
        if self.window is not None and self._start(asked) >= self.window:
            return reply({"error": f"no listing goes beyond {self.window}"}, 400)
        answered = WAYS[self.way][0](asked, found)
        ranged = {name: value for name, value in asked.query.items() if name.endswith(("_from", "_to"))}
        return _with_range(answered, ranged)

    def _start(self, asked: Asked) -> int:
        """The position of the first record that is asked for."""
        size = min(asked.number("per_page", 0), 100)
        by_page = (asked.number("page", 1) - 1) * size
        return max(asked.number("offset", 0), asked.number("after", 0), asked.number("o", 0), by_page)


def _with_range(answered: Answered, ranged: dict[str, str]) -> Response:
    """The next address carries the range on."""
    text, headers = json.dumps(answered.content), dict(answered.headers)
    if ranged:
        text = text.replace("?o=", f"?{urlencode(ranged)}&o=")
        headers = {name: value.replace("?o=", f"?{urlencode(ranged)}&o=") for name, value in headers.items()}
    return Response(answered.status, text.encode(), {"Content-Type": "application/json", **headers})


@contextmanager
def open_sliced_client(
    api: SlicedAPI, *, seed: int = 0, time: VirtualTime | None = None, **options: Any
) -> Iterator[CustomerAPIClient]:
    """Open a client for the API, in virtual time.

    Args:
        api: The API.
        seed: Chooses the latencies, and so the order of the responses.
        time: The clock, where several clients have the same.
        **options: Override the settings of its way of paging, key by key where that is `pages`.
    """
    settings = dict(WAYS[api.way][1])
    settings["pages"] = {**settings["pages"], **options.pop("pages", {})}
    clock = time or VirtualTime()
    transport = VirtualTransport(api, clock, seed)
    with CustomerAPIClient(api.base_url, KEY, transport=transport, clock=clock, **{**settings, **options}) as client:
        yield client
