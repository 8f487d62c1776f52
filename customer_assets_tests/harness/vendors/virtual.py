"""Runs a client against an imitated API in virtual time: no socket, no thread, and nobody waits.

Only OAuth2 tokens are fetched over a real socket, since Authlib brings its own HTTP client.
"""

import heapq
import queue
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from itertools import count
from math import isinf
from pathlib import Path
from typing import Any

from customer_assets.api import CustomerAPIClient
from customer_assets.api.http.base import GOOD_STATUSES, Callback, HttpRequest, RawResponse
from customer_assets.api.runner.clock import Clock
from customer_assets.apis import load_preset, open_client
from customer_assets.core.paths import follow
from customer_assets.core.record_mapping import RecordMapping
from customer_assets_tests.harness.apis.scripted_server import EPOCH
from customer_assets_tests.harness.vendors.base import ENVIRON, AnyAPI, Request, TokenBucket, VendorAPI
from customer_assets_tests.harness.vendors.serve import serve_vendor

LATENCY_S = (0.02, 0.08)


class VirtualTime(Clock):
    """A clock that jumps to the next response, or to the end of a wait."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.due: list[tuple[float, int, Callback, RawResponse]] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def epoch_s(self) -> float:
        return EPOCH.timestamp() + self.now_s

    def utc(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now_s)

    def take(self, outcomes: "queue.SimpleQueue[Any]", wait_s: float) -> Any | None:
        end_s = self.now_s + max(wait_s, 0.0)
        if self.due and self.due[0][0] <= end_s:
            due_s, _, callback, response = heapq.heappop(self.due)
            self.now_s = max(self.now_s, due_s)
            callback(response)
            return outcomes.get_nowait()
        assert not isinf(wait_s), "the crawl waits for a response that nobody sends"
        self.now_s = end_s
        return None


class VirtualTransport:
    """Hands requests to an imitated API, and its responses to the clock.

    Args:
        api: The API.
        time: The clock.
        seed: Chooses the latencies, and so the order of the responses.
    """

    def __init__(self, api: AnyAPI, time: VirtualTime, seed: int) -> None:
        self._api, self._time, self._random, self._order = api, time, random.Random(seed), count()

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Answer at once, deliver later."""
        assert request.url.startswith(f"{self._api.base_url}/"), "the key stays with its API"
        response = self._api(Request.parse(request.method, request.url, request.headers, request.body or b""))
        latency_s = self._random.uniform(*LATENCY_S)
        raw = RawResponse(
            response.status,
            {name.lower(): value for name, value in response.headers.items()},
            response.body if response.status in GOOD_STATUSES else b"",
            latency_s,
        )
        heapq.heappush(self._time.due, (self._time.now_s + latency_s, next(self._order), callback, raw))

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def open_vendor_client(
    name: str,
    api: VendorAPI,
    *,
    limit: tuple[float, int] | None = None,
    seed: int = 0,
    tmp: Path,
    **options: Any,
) -> Iterator[tuple[CustomerAPIClient, VirtualTime]]:
    """Open the client of a preset for its imitation, in virtual time.

    Args:
        name: The preset.
        api: The imitation.
        limit: The rate and burst of its limiter; None: it has none.
        seed: Chooses the latencies.
        tmp: Where rotated tokens are kept.
        **options: Override the preset.
    """
    time = VirtualTime()
    api.now = time.utc
    if limit is not None:
        api.limiter = TokenBucket(*limit, now_s=time.monotonic_s)
    with (
        serve_vendor(api) if api.token_path else nullcontext(api.base_url) as base_url,
        open_client(
            name,
            base_url=base_url,
            environ={**ENVIRON, "XDG_STATE_HOME": str(tmp)},
            transport=VirtualTransport(api, time, seed),
            clock=time,
            **preset_overrides(name, api, options),
        ) as client,
    ):
        yield client, time


def read_changes(client: CustomerAPIClient, api: VendorAPI, since: datetime, tmp: Path) -> list[dict[str, Any]]:
    """Request what changed since an instant, with the settings of a client for everything."""
    time = VirtualTime()
    settings = {**dict(client.options.updated_since(since)), "transport": VirtualTransport(api, time, 0)}
    environ = {**ENVIRON, "XDG_STATE_HOME": str(tmp)}
    with CustomerAPIClient(api_key="", clock=time, environ=environ, **settings) as changes:
        return changes.fetch_all_customers()


def preset_overrides(name: str, api: VendorAPI, options: dict[str, Any]) -> dict[str, Any]:
    """What a user sets beside the base URL; tokens are issued by the imitation, too."""
    preset = load_preset(name)
    overrides: dict[str, Any] = {
        "values": {value: f"your-{value.replace('_', '-')}" for value in preset.about.values},
        **options,
    }
    if api.token_path:
        overrides["auth"] = {**preset.api["auth"], "token_url": api.token_path}
    return overrides


def ids_of(records: list[dict[str, Any]], mapping: RecordMapping) -> list[Any]:
    """The ids, as the imitation's `key` gives them: whole numbers where the preset says so."""
    found = [follow(record, mapping.id_path) for record in records]
    return [int(str(each)) for each in found] if mapping.id_type == "integer" else found
