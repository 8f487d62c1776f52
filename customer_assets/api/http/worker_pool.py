"""Runs jobs on threads. Decides nothing."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from customer_assets.api.http.base import Callback, RawResponse

Job = Callable[[], RawResponse]


class WorkerPool:
    """A few threads that take one job after the other; a new one starts only when all are busy.

    They are daemons, so a program that ends does not wait for an API. (`ThreadPoolExecutor` would: it joins at exit.)

    Args:
        max_threads: How many threads there can be.
    """

    def __init__(self, max_threads: int) -> None:
        self._max_threads, self._started = max_threads, 0
        self._idle = threading.Semaphore(0)
        self._jobs: SimpleQueue[tuple[Job, Callback] | None] = SimpleQueue()

    def start(self, job: Job, callback: Callback) -> None:
        """Run the job on some thread, then hand its outcome to the callback."""
        self._jobs.put((job, callback))
        if not self._idle.acquire(blocking=False) and self._started < self._max_threads:
            self._started += 1
            threading.Thread(target=self._work, name=f"customer-api-{self._started}", daemon=True).start()

    def close(self) -> None:
        """Let each thread end after its current job."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        while (work := self._jobs.get()) is not None:
            job, callback = work
            try:
                response = job()
            except BaseException as error:  # noqa: BLE001 - the callback gets it instead of a response
                callback(error)
            else:
                callback(response)
                del response  # its body can be large, and the next job can be long in coming
            self._idle.release()
