"""The simulated API: an ASGI application that serves pages and counts what it served.

What goes wrong is decided in `faults.py`, what the records hold in `population.py`.
"""

import asyncio
import json
import math
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from customer_assets.simulator.faults import TokenBucket, failure_status
from customer_assets.simulator.population import Population
from customer_assets.simulator.settings import SimulatorSettings

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON_TYPE: tuple[bytes, bytes] = (b"content-type", b"application/json")
LARGEST_PAGE = 10**9
OK, TOO_MANY_REQUESTS = 200, 429

BAD_QUERY = b'{"error": "page and per_page must be positive whole numbers, updated_since an ISO 8601 instant"}'


class CustomerAPI:
    """Serves `GET /api/users` and `GET /stats`.

    Args:
        settings: How it behaves.
        clock: Returns seconds, for the rate limit.
        now: Returns the present instant, which decides who has changed.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings, self._clock, self._now = settings, clock, now
        self._population = Population(settings.customers, settings.dirty_rate, settings.seed, settings.changes_per_hour)
        self._bucket = TokenBucket(settings.rate_limit, settings.burst)
        self._statuses: Counter[int] = Counter()
        self._requests_of_page: Counter[int] = Counter()
        self._opening = deque(settings.opening_statuses)
        self._in_flight = self._max_in_flight = 0
        self._shut_until_s = -math.inf
        self._within_retry_after = 0

    def stats(self) -> dict[str, Any]:
        """Return what was served so far, as counts."""
        return {
            "requests": sum(self._statuses.values()),
            "by_status": {str(status): count for status, count in sorted(self._statuses.items())},
            "max_in_flight": self._max_in_flight,
            "within_retry_after": self._within_retry_after,
        }

    async def __call__(self, scope: Message, _receive: object, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == "/stats":
            await _respond(send, 200, json.dumps(self.stats()).encode(), [JSON_TYPE])
        elif scope["path"] != "/api/users" or scope["method"] != "GET":
            await _respond(send, 404, b'{"error": "not found"}', [JSON_TYPE])
        else:
            await self._serve_users(scope, send)

    async def _serve_users(self, scope: Message, send: Send) -> None:
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        try:
            status, body, headers = self._users_response(dict(scope["headers"]), scope["query_string"])
            self._statuses[status] += 1
            if self.settings.latency_ms:
                await asyncio.sleep(self.settings.latency_ms / 1000)
            await _respond(send, status, body, [JSON_TYPE, *headers])
        finally:
            self._in_flight -= 1

    def _users_response(self, headers: dict[bytes, bytes], query_string: bytes) -> tuple[int, bytes, Headers]:
        if not headers.get(b"x-api-key"):
            return 401, b'{"error": "Missing API key"}', []
        try:
            page, per_page, since = self._parse_query(query_string)
        except (ValueError, OverflowError):
            return 400, BAD_QUERY, []
        opening = self._opening.popleft() if self._opening else None
        retry_after_s = self._retry_after_s(is_refused=opening == TOO_MANY_REQUESTS)
        if retry_after_s is not None:
            return TOO_MANY_REQUESTS, b'{"error": "Too many requests"}', [(b"retry-after", b"%d" % retry_after_s)]
        self._requests_of_page[page] += 1
        fault = failure_status(self.settings.seed, self.settings.failure_rate, page, self._requests_of_page[page])
        if opening not in (None, OK):
            fault = opening
        if fault is not None:
            return fault, b'{"error": "Simulated failure"}', []
        if self.settings.changes_per_hour:
            return 200, self._population.page_of_changes(page, per_page, self._now(), since), []
        return 200, self._population.page(page, per_page), []

    def _parse_query(self, query_string: bytes) -> tuple[int, int, datetime | None]:
        query = parse_qs(query_string.decode("latin-1"))
        page, per_page = int(query.get("page", ["1"])[0]), int(query.get("per_page", [str(self.settings.page_size)])[0])
        if not 1 <= page <= LARGEST_PAGE or not per_page >= 1:
            raise ValueError
        since = datetime.fromisoformat(query["updated_since"][0]) if "updated_since" in query else None
        return page, min(per_page, 100_000), since if since is None or since.tzinfo else since.replace(tzinfo=UTC)

    def _retry_after_s(self, *, is_refused: bool = False) -> int | None:
        """Return the whole seconds to wait, or None if the request is let through. A refused one never is."""
        now_s = self._clock()
        self._within_retry_after += now_s < self._shut_until_s
        wait_s = self._bucket.wait_s(now_s)
        if wait_s is None and not is_refused:
            return None
        whole_s = max(1, math.ceil(wait_s or 0))
        self._shut_until_s = max(self._shut_until_s, now_s + whole_s)
        return whole_s


async def _respond(send: Send, status: int, body: bytes, headers: Headers) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
