"""The driver on threads: starts one job a thread. It decides nothing."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from customer_assets.api.http.base import Callback
from customer_assets.api.responses import RawResponse

Job = Callable[[], RawResponse]


class WorkerPool:
    """A few threads that take one job after the other; more are made when all are busy.

    They are daemons: a program that is told to end does not wait for an API.

    Args:
        at_most: How many.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most, self._started = at_most, 0
        self._idle = threading.Semaphore(0)
        self._jobs: SimpleQueue[tuple[Job, Callback] | None] = SimpleQueue()

    def start(self, job: Job, deliver: Callback) -> None:
        """Do the job on some thread, then deliver what came of it."""
        self._jobs.put((job, deliver))
        if not self._idle.acquire(blocking=False) and self._started < self._at_most:
            self._started += 1
            threading.Thread(target=self._work, name=f"customer-api-{self._started}", daemon=True).start()

    def close(self) -> None:
        """Let each thread end after its present job."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        while (work := self._jobs.get()) is not None:
            job, deliver = work
            deliver(_outcome(job))
            self._idle.release()


def _outcome(job: Job) -> RawResponse | BaseException:
    try:
        return job()
    except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets it instead
        return error
