"""The driver on asyncio: starts one job a task, on an event loop of its own. It decides nothing.

The loop has a thread of its own, so that plain calls work wherever they are made: a notebook's loop may be running.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from customer_assets.api.http.base import Callback
from customer_assets.api.responses import RawResponse

Job = Coroutine[Any, Any, RawResponse]
CLOSED_WITHIN_S = 5.0


class EventLoop:
    """An event loop that takes jobs from other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="customer-api", daemon=True)
        self._thread.start()

    def start(self, job: Job, deliver: Callback) -> None:
        """Do the job in a task, then deliver what came of it."""
        self._loop.call_soon_threadsafe(self._begin, job, deliver)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel what is running, do a last thing and end."""
        asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result(CLOSED_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSED_WITHIN_S)
        self._loop.close()

    def _begin(self, job: Job, deliver: Callback) -> None:
        task = self._loop.create_task(_done(job, deliver))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await last


async def _done(job: Job, deliver: Callback) -> None:
    try:
        outcome: RawResponse | BaseException = await job
    except Exception as error:  # noqa: BLE001 - whoever waits for the answer gets it instead
        outcome = error
    deliver(outcome)
