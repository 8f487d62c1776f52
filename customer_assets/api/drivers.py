"""A driver and its transport, put together: the same crawl on threads with `requests`, or on asyncio with `aiohttp`."""

import asyncio
import threading
from concurrent.futures import Future
from importlib import import_module
from typing import Any, Protocol

from customer_assets.api import tasks, threads
from customer_assets.api.actions import Done, Failed, FetchPage, GiveUp, Outcome
from customer_assets.api.clock import Clock
from customer_assets.api.crawl import Crawl
from customer_assets.api.envelope import judged
from customer_assets.api.threads import Told
from customer_assets.api.transports import Target, Transport, TransportError
from customer_assets.errors import EngineNotInstalledError


class Driver(Protocol):
    """Runs crawls to their end."""

    def run(self, crawl: Crawl, told: Told) -> Done | GiveUp:
        """Do what the crawl says until it ends; tell of every answer."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


def open_driver(transport: str, target: Target, connections: int, clock: Clock) -> Driver:
    """Choose a driver by its HTTP library; nothing is opened before the first crawl.

    Raises:
        EngineNotInstalledError: The library is not installed.
    """
    if transport == "requests":
        return ThreadDriver(target, connections, clock)
    try:
        module = import_module("customer_assets.api.transports.aiohttp")
    except ImportError as error:
        raise EngineNotInstalledError("transport", "aiohttp", "pip install 'customer_assets[async]'") from error
    return TaskDriver(module.AiohttpTransport, target, connections, clock)


class ThreadDriver:
    """`requests` on threads; connections stay open between crawls."""

    def __init__(self, target: Target, connections: int, clock: Clock) -> None:
        self._target, self._connections, self._clock = target, connections, clock
        self._transport: Transport | None = None

    def run(self, crawl: Crawl, told: Told) -> Done | GiveUp:
        """Run a crawl on this thread, its requests on others."""
        if self._transport is None:
            module = import_module("customer_assets.api.transports.requests")
            self._transport = module.RequestsTransport(self._target, self._connections)
        return threads.drive(crawl, self._fetch, told, threads=self._connections, clock=self._clock)

    def close(self) -> None:
        """Close connections."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _fetch(self, action: FetchPage) -> Outcome:
        started_s = self._clock.monotonic_s()
        try:
            assert self._transport is not None  # noqa: S101 - `run` opened it
            return judged(self._transport.fetch(action.page), action.page, self._clock.utc())
        except TransportError as error:
            return Failed(action.page, error.cause, self._clock.monotonic_s() - started_s, detail=error.detail)


class TaskDriver:
    """`aiohttp` on an event loop of its own, in a thread of its own: a notebook's loop may be running."""

    def __init__(self, transport: Any, target: Target, connections: int, clock: Clock) -> None:  # noqa: ANN401
        self._open, self._target, self._connections, self._clock = transport, target, connections, clock

    def run(self, crawl: Crawl, told: Told) -> Done | GiveUp:
        """Run a crawl on a loop of its own; this thread waits."""
        end: Future[Done | GiveUp] = Future()

        def on_a_loop_of_its_own() -> None:
            try:
                end.set_result(asyncio.run(self._run(crawl, told)))
            except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
                end.set_exception(error)

        threading.Thread(target=on_a_loop_of_its_own, name="customer-api", daemon=True).start()
        return end.result()

    def close(self) -> None:
        """Nothing stays open between crawls."""

    async def _run(self, crawl: Crawl, told: Told) -> Done | GiveUp:
        transport = self._open(self._target, self._connections)

        async def fetch(action: FetchPage) -> Outcome:
            started_s = self._clock.monotonic_s()
            try:
                return judged(await transport.fetch(action.page), action.page, self._clock.utc())
            except TransportError as error:
                return Failed(action.page, error.cause, self._clock.monotonic_s() - started_s, detail=error.detail)

        try:
            return await tasks.drive(crawl, fetch, told, clock=self._clock)
        finally:
            await transport.close()
