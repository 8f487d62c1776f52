"""A loopback API that pages in any way: for tests of paging over real sockets.

A `Way` is how one API pages, clamps and ends; `PagedAPI` serves it and counts what is asked. An API's vendor-specific
habits belong in `vendors/`; virtual time belongs in `simulated_apis.py`.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from customer_assets_tests.harness.machines.services import respond, serving

Records = list[dict[str, Any]]


@dataclass
class Asked:
    """One request, as a way of paging sees it."""

    path: str
    query: dict[str, str]
    body: dict[str, Any]
    host: str

    def number(self, name: str, otherwise: int) -> int:
        """A whole number of the query."""
        return int(self.query.get(name) or otherwise)


@dataclass
class Answered:
    """What is answered."""

    content: Any
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


Way = Callable[[Asked, Records], Answered]


@dataclass
class PagedAPI:
    """Customers behind a way of paging.

    Attributes:
        way: How pages are cut.
        customers: How many there are.
        fault_share: The share of requests that fail with 500 or 503.
        latency_s: Seconds that each answer takes.
        asked: How often each page was asked for, by its query and body.
        served: How often each was answered well.
        key: The header that every request must carry, by name; None: none.
    """

    way: Way
    customers: int = 523
    fault_share: float = 0.0
    latency_s: float = 0.0
    seed: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    heads: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.dice, self.lock = random.Random(self.seed), threading.Lock()

    @property
    def records(self) -> Records:
        """All customers, in order."""
        return [{"id": number, "email": f"person{number}@example.org"} for number in range(1, self.customers + 1)]

    @property
    def requests(self) -> int:
        """Requests in all."""
        return self.asked.total()

    def respond(self, asked: Asked, headers: dict[str, str]) -> Answered:
        """Answer a request, or fail."""
        name = f"{asked.path}?{sorted(asked.query.items())}{asked.body}"
        with self.lock:
            self.asked[name] += 1
            self.heads.append(headers)
            fails = self.dice.random() < self.fault_share
        if self.latency_s:
            time.sleep(self.latency_s)
        if fails:
            return Answered({"error": "try again"}, status=self.dice.choice((500, 503)))
        answered = self.way(asked, self.records)
        with self.lock:
            self.served[name] += answered.status == 200
        return answered


@contextmanager
def paged(api: PagedAPI) -> Iterator[PagedAPI]:
    """Serve an API on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            asked = Asked(parts.path, query, body, self.headers.get("Host", ""))
            answered = api.respond(asked, {name.lower(): value for name, value in self.headers.items()})
            content = b"" if answered.status == 204 else json.dumps(answered.content).encode()
            named = {name.replace("-", "_"): value for name, value in answered.headers.items()}
            respond(self, answered.status, content, Content_Type="application/json", **named)

        do_POST = do_GET  # noqa: N815 - the names that http.server looks for

    with serving(Handler) as address:
        api.url = address
        yield api


def cut(records: Records, start: int, size: int, clamp: int = 100) -> Records:
    """Some records, as many as were asked for, but no more than the API gives."""
    return records[start : start + min(size, clamp)]


# --- ways of paging ------------------------------------------------------------------------------------------


def by_offset(asked: Asked, records: Records) -> Answered:
    """`offset` and `limit`, with a total."""
    return Answered(
        {"items": cut(records, asked.number("offset", 0), asked.number("limit", 20)), "total": len(records)}
    )


def by_offset_without_total(asked: Asked, records: Records) -> Answered:
    """`limit=offset,size`; the answer is the list."""
    start, size = asked.query["limit"].split(",")
    return Answered(cut(records, int(start), int(size)))


def by_page_without_total(asked: Asked, records: Records) -> Answered:
    """`page` and `per_page`; the answer is the list."""
    size = asked.number("per_page", 20)
    return Answered(cut(records, (asked.number("page", 1) - 1) * min(size, 100), size))


def by_page_with_header(asked: Asked, records: Records) -> Answered:
    """The same, with the total in a header."""
    return Answered(by_page_without_total(asked, records).content, {"X-WP-Total": str(len(records))})


def by_page_with_404(asked: Asked, records: Records) -> Answered:
    """The same; a page beyond the end does not exist."""
    answered = by_page_without_total(asked, records)
    is_beyond = not answered.content and asked.number("page", 1) > 1
    return Answered({"detail": "Invalid page."}, status=404) if is_beyond else answered


def by_page_that_repeats(asked: Asked, records: Records) -> Answered:
    """The same; beyond the end the last page comes again."""
    size = min(asked.number("per_page", 20), 100)
    last = max(-(-len(records) // size), 1)
    start = (min(asked.number("page", 1), last) - 1) * size
    return Answered({"items": records[start : start + size], "total_count": len(records)})


def by_cursor(asked: Asked, records: Records) -> Answered:
    """`after`; on the last page the way on is not there at all."""
    start, size = asked.number("after", 0), asked.number("limit", 10)
    page = cut(records, start, size)
    content: dict[str, Any] = {"results": page}
    if start + len(page) < len(records):
        content["paging"] = {"next": {"after": str(start + len(page))}}
    return Answered(content)


def by_last_id(asked: Asked, records: Records) -> Answered:
    """`starting_after` and `has_more`."""
    after, size = asked.number("starting_after", 0), asked.number("limit", 10)
    rest = [record for record in records if record["id"] > after]
    page = cut(rest, 0, size)
    return Answered({"data": page, "has_more": len(page) < len(rest)})


def by_next_url(asked: Asked, records: Records) -> Answered:
    """The next page's address in the body."""
    start, size = asked.number("o", 0), asked.number("limit", 20)
    page = cut(records, start, size)
    is_last = start + len(page) >= len(records)
    url = f"http://{asked.host}{asked.path}?o={start + len(page)}&limit={size}"
    return Answered({"data": page, "links": {"next": None if is_last else url}})


def by_link_header(asked: Asked, records: Records) -> Answered:
    """The same in a header; the answer is the list."""
    content = by_next_url(asked, records).content
    url = content["links"]["next"]
    links = [f'<http://{asked.host}{asked.path}?limit=20>; rel="first"', *([f'<{url}>; rel="next"'] if url else [])]
    return Answered(content["data"], {"Link": ", ".join(links)})


def by_graphql(asked: Asked, records: Records) -> Answered:
    """A cursor in the body's variables."""
    variables = asked.body["variables"]
    start = int(variables.get("after") or 0)
    page = cut(records, start, variables["first"])
    info = {"hasNextPage": start + len(page) < len(records), "endCursor": str(start + len(page)) if page else None}
    return Answered({"data": {"customers": {"nodes": page, "pageInfo": info}}})


def by_page_in_the_body(asked: Asked, records: Records) -> Answered:
    """Page and size in the body; the total counts the page only."""
    size = min(asked.body["limit"], 100)
    page = cut(records, (asked.body["page"] - 1) * size, size)
    return Answered({"data": page, "total": len(page)})


def all_at_once(asked: Asked, records: Records) -> Answered:
    """One page, wrapped one by one."""
    del asked
    return Answered({"list": [{"customer": record, "card": {}} for record in records]})


CURSOR = {"type": "cursor", "from": "paging.next.after", "parameter": "after", "size_parameter": "limit", "size": 100}
LIST = {"records": ""}

WAYS: dict[str, tuple[Way, dict[str, Any]]] = {
    "offset": (
        by_offset,
        {
            "pages": {"type": "offset", "size_parameter": "limit", "size": 500},
            "answer": {"records": "items", "total": "total"},
        },
    ),
    "offset without a total": (
        by_offset_without_total,
        {
            "pages": {"type": "offset", "parameter": "limit", "format": "{offset},{size}", "size": 50},
            "answer": LIST,
        },
    ),
    "page number without a total": (
        by_page_without_total,
        {"pages": {"type": "page_number", "size": 500}, "answer": LIST},
    ),
    "page number, total in a header": (
        by_page_with_header,
        {"pages": {"type": "page_number", "size": 50}, "answer": {"records": "", "total": "header:X-WP-Total"}},
    ),
    "page number, 404 beyond the end": (
        by_page_with_404,
        {"pages": {"type": "page_number", "size": 50}, "answer": LIST},
    ),
    "page number, the last page comes again": (
        by_page_that_repeats,
        {"pages": {"type": "page_number", "size": 100}, "answer": {"records": "items", "total": "total_count"}},
    ),
    "page number in the body, total of the page": (
        by_page_in_the_body,
        {
            "method": "POST",
            "pages": {"type": "page_number", "size_parameter": "limit", "size": 500, "send_in": "body"},
            "answer": {"records": "data", "total": "total"},
        },
    ),
    "cursor": (by_cursor, {"pages": CURSOR, "answer": {"records": "results"}}),
    "last id": (
        by_last_id,
        {
            "pages": {
                "type": "last_id",
                "parameter": "starting_after",
                "has_more": "has_more",
                "size_parameter": "limit",
                "size": 100,
            },
            "answer": {"records": "data"},
        },
    ),
    "next address": (
        by_next_url,
        {
            "pages": {"type": "next_url", "from": "links.next", "size_parameter": "limit", "size": 100},
            "answer": {"records": "data"},
        },
    ),
    "link header": (
        by_link_header,
        {"pages": {"type": "link_header", "size_parameter": "limit", "size": 100}, "answer": LIST},
    ),
    "cursor in the body": (
        by_graphql,
        {
            "method": "POST",
            "body": {"query": "query customers {}", "variables": {}},
            "pages": {
                "type": "cursor",
                "from": "data.customers.pageInfo.endCursor",
                "has_more": "data.customers.pageInfo.hasNextPage",
                "parameter": "after",
                "size_parameter": "first",
                "size": 100,
                "send_in": "body.variables",
            },
            "answer": {"records": "data.customers.nodes", "error": "errors"},
        },
    ),
    "single page": (
        all_at_once,
        {"pages": {"type": "single"}, "answer": {"records": "list[*].customer"}, "record": {"id": "id"}},
    ),
}
"""Each way with the settings that read it; most ask for more than the API gives."""
