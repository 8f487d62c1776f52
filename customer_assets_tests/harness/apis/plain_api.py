"""A plain customer API on loopback, and the resources that point the assets at it.

Use it to run the assets. For hostile HTTP, use `scripted_server`; for another shape of API, `acme`.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest

from customer_assets.defs.io_managers import build_io_manager
from customer_assets.defs.settings import build_resources
from customer_assets.defs.sync import DEFAULT_SYNC
from customer_assets_tests.harness.machines.services import respond, serving

KEY = "canary-key-c0ffee"


@dataclass
class PlainAPI:
    """A customer API whose records and failures a test sets.

    Attributes:
        records: All records, in order.
        per_page: Records per page.
        statuses: The statuses of its first responses, in order; all others are 200.
        asked: The page number of each request.
        url: Where it is served.
    """

    records: list[Any]
    per_page: int = 3
    statuses: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    url: str = ""

    def page(self, number: int) -> dict[str, Any]:
        """Return one page."""
        start = (number - 1) * self.per_page
        return {
            "page": number,
            "per_page": self.per_page,
            "total": len(self.records),
            "total_pages": -(-len(self.records) // self.per_page),
            "data": self.records[start : start + self.per_page],
        }

    def answer(self, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return the body of a successful response to a request with this query."""
        return self.page(int(query.get("page", ["1"])[0]))

    def refusal(self) -> dict[str, Any]:
        """Return the body of a response whose status is not 200."""
        return {"error": "no"}


def customer(number: int, **fields: Any) -> dict[str, Any]:
    """Make a flawless record in the shape of reqres.in; `fields` adds to it or replaces its values."""
    return {
        "id": number,
        "email": f"person{number}@example.org",
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        "avatar": f"https://example.org/{number}.jpg",
        **fields,
    }


@pytest.fixture
def serve_api() -> Iterator[Callable[[PlainAPI], PlainAPI]]:
    """Serve an API on loopback until the test ends."""
    with ExitStack() as servers:
        yield lambda api: servers.enter_context(serving_api(api))


API = TypeVar("API", bound=PlainAPI)


@contextmanager
def serving_api(api: API) -> Iterator[API]:
    """Serve an API on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            api.asked.append(int(query.get("page", ["1"])[0]))
            status = api.statuses.pop(0) if api.statuses else 200
            body = json.dumps(api.answer(query) if status == 200 else api.refusal()).encode()
            known = self.headers.get("x-api-key") == KEY
            respond(self, status if known else 401, body, Content_Type="application/json")

    with serving(Handler) as address:
        api.url = f"{address}/api"
        yield api


@pytest.fixture
def resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """A function that builds resources for an API, with data of the test's own. Takes settings by variable name.

    The engine is the one that cleans a few customers in the least time, a third of DuckDB's, unless the test sets it.
    """
    monkeypatch.setenv("CUSTOMER_API_KEY", KEY)

    def make(api: PlainAPI, **environ: str) -> dict[str, Any]:
        made = build_resources(
            {
                "CUSTOMER_API_BASE_URL": api.url,
                "CUSTOMER_API_KEY": KEY,
                "CUSTOMER_DATA_DIR": str(tmp_path / "data"),
                "CUSTOMER_ENGINE": "polars",
                **environ,
            }
        )
        quick = with_fields(made["customer_api"], retry_waits_s=[0.001, 0.002, 0.004])
        return {**made, "customer_api": quick, DEFAULT_SYNC.io_manager: build_io_manager(DEFAULT_SYNC)}

    return make


def with_fields(resource: Any, **fields: Any) -> Any:
    """Build the resource again with other fields. A copy fails: Dagster re-creates resources from their config."""
    own = {name: getattr(resource, name) for name in type(resource).model_fields}
    return type(resource)(**{**own, **fields})


def read_dagster_home(home: Path) -> Iterator[tuple[str, bytes]]:
    """Yield everything in a Dagster home: each file, and the job snapshots that the run storage compresses."""
    for path in home.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
        if path.name == "runs.db":
            with closing(sqlite3.connect(path)) as runs:
                for (body,) in runs.execute("SELECT snapshot_body FROM snapshots").fetchall():
                    yield f"{path}, a snapshot", zlib.decompress(body)


def in_memory(resources: dict[str, Any]) -> dict[str, Any]:
    """Leave out IO managers: `materialize_to_memory` brings its own and refuses others."""
    return {name: resource for name, resource in resources.items() if not isinstance(resource, dg.IOManagerDefinition)}
