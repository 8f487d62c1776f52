"""Both kinds of transport run the same crawl: one script gives the same actions on threads and on asyncio."""

import asyncio
import queue
from collections.abc import Callable
from math import isinf
from typing import Any

import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import Action
from customer_assets.api.http.base import Callback, HttpRequest, RawResponse, TransportError
from customer_assets.api.http.event_loop import EventLoop
from customer_assets.api.http.worker_pool import WorkerPool
from customer_assets.core.errors import IncompleteCrawlError
from customer_assets.core.metrics import FailureCause
from customer_assets_tests.harness.apis.scripted_server import FakeClock, body, http_json

KEY = "canary-key-c0ffee"
Script = Callable[[int, int], RawResponse | TransportError]


def answer(page: int, attempt: int) -> RawResponse | TransportError:
    """Fail in every way there is; what becomes of a page depends on nothing but the page and the attempt."""
    if attempt <= (page * 7) % 5:
        kind = (page + attempt) % 5
        if kind == 0:
            return TransportError(FailureCause.TIMEOUT, "no whole answer within 30 s")
        if kind == 1:
            return RawResponse(429, {"retry-after": "2"}, b"", 0.01)
        return RawResponse((200, 500, 503)[kind - 2], {}, b"<html>", 0.01)
    return RawResponse(200, {}, http_json(body(page, total=240)), 0.01)


def page_of(request: HttpRequest) -> int:
    """The page that a request asks for."""
    return int(request.url.rpartition("=")[2])


class OnThreads:
    """A transport that answers by script, on threads."""

    def __init__(self, script: Script) -> None:
        self._script, self._attempts = script, dict[int, int]()
        self._threads = WorkerPool(4)

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Answer from another thread."""
        page = page_of(request)
        attempt = self._attempts[page] = self._attempts.get(page, 0) + 1
        self._threads.start(lambda: self._answer(page, attempt), callback)

    def close(self) -> None:
        """End the threads."""
        self._threads.close()

    def _answer(self, page: int, attempt: int) -> RawResponse:
        outcome = self._script(page, attempt)
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome


class OnAsyncio(OnThreads):
    """The same in tasks."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self._loop = EventLoop()

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Answer from the loop."""
        page = page_of(request)
        attempt = self._attempts[page] = self._attempts.get(page, 0) + 1
        self._loop.start(self._task(page, attempt), callback)

    def close(self) -> None:
        """End the loop."""
        super().close()
        self._loop.close(asyncio.sleep(0))

    async def _task(self, page: int, attempt: int) -> RawResponse:
        await asyncio.sleep(0)
        return self._answer(page, attempt)


class OneByOne(FakeClock):
    """For one request at a time: whoever waits for an instant has none in flight."""

    def take(self, answers: "queue.SimpleQueue[Any]", wait_s: float) -> Any | None:
        """Let the time pass at once, or take the answer; each takes a moment."""
        if isinf(wait_s):
            self.now_s += 0.001
            return answers.get(timeout=10)
        self.now_s += wait_s
        return None


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch) -> list[Action]:
    """Every action that crawls decide on."""
    seen: list[Action] = []
    decide = Crawl.next_action

    def noted(crawl: Crawl, now_s: float) -> Action:
        action = decide(crawl, now_s)
        seen.append(action)
        return action

    monkeypatch.setattr(Crawl, "next_action", noted)
    return seen


def crawled(transport: OnThreads) -> list[int]:
    """Crawl by the transport, one request at a time; return the customers' ids."""
    with CustomerAPIClient("https://x.org", KEY, transport=transport, max_concurrency=1, clock=OneByOne()) as client:
        return [customer["id"] for customer in client.fetch_all_customers()]


def test_both_drivers_emit_the_same_actions(actions: list[Action]) -> None:
    """For 40 pages that fail in every way there is."""
    assert crawled(OnThreads(answer)) == list(range(1, 241))
    on_threads = tuple(actions)
    actions.clear()
    assert crawled(OnAsyncio(answer)) == list(range(1, 241))
    assert tuple(actions) == on_threads
    assert len(on_threads) > 100


@pytest.mark.parametrize("kind", [OnThreads, OnAsyncio])
def test_both_drivers_end_alike(kind: type[OnThreads]) -> None:
    """With the pages that stayed unreadable."""

    def broken(page: int, _attempt: int) -> RawResponse | TransportError:
        return answer(page, 9) if page != 7 else TransportError(FailureCause.CONNECTION, "reset")

    with pytest.raises(IncompleteCrawlError) as caught:
        crawled(kind(broken))
    assert caught.value.missing_pages == (7,)


@pytest.mark.parametrize("kind", [OnThreads, OnAsyncio])
def test_a_bug_in_a_transport_is_raised_where_the_crawl_was_called(kind: type[OnThreads]) -> None:
    """It is no failed request."""

    def buggy(_page: int, _attempt: int) -> RawResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crawled(kind(buggy))


@pytest.mark.parametrize("kind", [OnThreads, OnAsyncio])
def test_what_is_in_flight_does_not_keep_a_transport_open(kind: type[OnThreads]) -> None:
    """Closing ends at once."""
    held: queue.SimpleQueue[None] = queue.SimpleQueue()

    def slow(_page: int, _attempt: int) -> RawResponse:
        held.get(timeout=5)
        raise TransportError(FailureCause.TIMEOUT, "late")

    transport = kind(slow)
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    transport.send(HttpRequest("https://x.org/users?page=1"), arrived.put)
    held.put(None)
    transport.close()
