"""Runs jobs on asyncio. Decides nothing.

The event loop has a thread of its own, so plain calls work anywhere, even where a notebook's loop is running.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from customer_assets.api.http.base import Callback, RawResponse

Job = Coroutine[Any, Any, RawResponse]
CLOSE_TIMEOUT_S = 5.0


class EventLoop:
    """An event loop that takes jobs from other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="customer-api", daemon=True)
        self._thread.start()

    def start(self, job: Job, callback: Callback) -> None:
        """Run the job in a task, then hand its outcome to the callback."""
        self._loop.call_soon_threadsafe(self._create_task, job, callback)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel what is running, run one last job and stop."""
        asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result(CLOSE_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._loop.close()

    def _create_task(self, job: Job, callback: Callback) -> None:
        task = self._loop.create_task(_run(job, callback))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await last


async def _run(job: Job, callback: Callback) -> None:
    try:
        response = await job
    except Exception as error:  # noqa: BLE001 - the callback gets it instead of a response
        callback(error)
    else:
        callback(response)
