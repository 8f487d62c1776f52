"""An API whose customers join and leave while it is read, as a transport for the real client: no sockets, no waits.

Responses arrive in any order, chosen by a seed. What a single response looks like on the wire belongs in
`scripted_server.py`; what the crawl alone decides, in `simulated_apis.py`.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isinf
from typing import Any
from urllib.parse import parse_qs, urlsplit

from customer_assets.api import CustomerAPIClient
from customer_assets.api.http.base import Callback, HttpRequest, RawResponse
from customer_assets.api.runner.clock import Clock
from customer_assets.api.runner.collector import CustomerCollector

KEY = "canary-key-c0ffee"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

WAYS: dict[str, dict[str, Any]] = {
    "numbered": {},
    "total only": {"answer": {"records": "data", "total": "total"}, "pages": {"type": "page_number", "size": 10}},
    "no total": {"answer": {"records": "data"}, "pages": {"type": "page_number", "size": 10}},
    "offset": {
        "answer": {"records": "data", "total": "total"},
        "pages": {"type": "offset", "size_parameter": "limit", "size": 10},
    },
    "offset, no total": {
        "answer": {"records": "data"},
        "pages": {"type": "offset", "size_parameter": "limit", "size": 10},
    },
    "cursor": {
        "answer": {"records": "data", "total": "total"},
        "pages": {"type": "last_id", "parameter": "after", "has_more": "more"},
    },
}


class Interrupted(BaseException):
    """What a person's Ctrl-C is."""


@dataclass
class MovingAPI:
    """Customers behind a way of paging; a transport, and the clock of the client that uses it.

    Attributes:
        ids: The customers, in the API's order.
        way: One of `WAYS`.
        size: Customers a page.
        on_request: Called with the number of each request, from 1, before it is answered; can change `ids`.
        answer: Replaces a page's body, its status or both: gets the page's number and the body.
        interrupted_at: The request that is interrupted instead.
        asked: The page number, offset or cursor of each request.
    """

    ids: list[int]
    way: str = "numbered"
    size: int = 10
    seed: int = 0
    on_request: Callable[[int], None] = lambda _number: None
    answer: Callable[[str, dict[str, Any]], Any] = lambda _page, body: body
    interrupted_at: int | None = None
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.waiting: list[tuple[Callback, RawResponse | BaseException]] = []
        self.now_s = 0.0

    # --- as a transport

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Answer now; deliver when the client waits."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.url).query).items()}
        place = query.get("page") or query.get("offset") or query.get("after") or "0"
        self.asked.append(place)
        self.on_request(len(self.asked))
        if self.interrupted_at == len(self.asked):
            self.interrupted_at = None
            self.waiting.append((callback, Interrupted()))
            return
        answered = self.answer(place, self.page(place))
        status, headers, content = answered if isinstance(answered, tuple) else (200, {}, answered)
        self.waiting.append((callback, RawResponse(status, headers, json.dumps(content).encode(), 0.01)))

    def close(self) -> None:
        """Nothing to close."""

    def page(self, place: str) -> dict[str, Any]:
        """The page at a place, as it is now."""
        if self.way == "cursor":
            rest = [each for each in sorted(self.ids) if each > int(place)]
            found, more = rest[: self.size], len(rest) > self.size
            return {"data": [{"id": each} for each in found], "total": len(self.ids), "more": more}
        start = int(place) if self.way.startswith("offset") else (int(place) - 1) * self.size
        body: dict[str, Any] = {"data": [{"id": each} for each in self.ids[start : start + self.size]]}
        if not self.way.endswith("no total"):
            body["total"] = len(self.ids)
        if self.way == "numbered":
            body |= {"page": int(place), "per_page": self.size, "total_pages": -(-len(self.ids) // self.size)}
        return body

    # --- as a clock

    def clock(self) -> Clock:
        """A clock that passes when nothing is in flight, and delivers responses in any order."""
        api = self

        class Delivering(Clock):
            def monotonic_s(self) -> float:
                return api.now_s

            def epoch_s(self) -> float:
                return EPOCH.timestamp() + api.now_s

            def utc(self) -> datetime:
                return EPOCH + timedelta(seconds=api.now_s)

            def take(self, outcomes: Any, wait_s: float) -> Any:
                if outcomes.empty() and api.waiting:
                    callback, response = api.waiting.pop(api.dice.randrange(len(api.waiting)))
                    callback(response)
                    if isinstance(response, Interrupted):
                        api.waiting.clear()  # nobody waits for the others any more
                if outcomes.empty():
                    assert not isinf(wait_s), "nothing is in flight, and the client waits for it"
                    api.now_s += wait_s
                    return None
                return outcomes.get()

        return Delivering()

    def client(self, **options: Any) -> CustomerAPIClient:
        """A client of this API."""
        chosen = {**WAYS[self.way], "show_progress": False, **options}
        return CustomerAPIClient("http://127.0.0.1:1", KEY, clock=self.clock(), transport=self, **chosen)


def read_ids(client: CustomerAPIClient) -> set[int]:
    """Crawl; return the ids of all customers."""
    sink = CustomerCollector(client.options.record)
    client.crawl(sink)
    return {customer["id"] for customer in sink.customers()}


def is_green(client: CustomerAPIClient) -> bool:
    """Whether the latest crawl would be published without a warning."""
    return client.figures.missing_customers == 0 and client.figures.moved_s == 0
