"""The driver on threads: does what a crawl says, one request a thread. It waits and sends; it decides nothing."""

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from customer_assets.api.actions import Arrived, Decision, Done, FetchPage, GiveUp, Outcome, WaitUntil
from customer_assets.api.clock import Clock
from customer_assets.api.crawl import Crawl

Fetch = Callable[[FetchPage], Outcome]
Told = Callable[[Outcome, Decision], None]


def drive(crawl: Crawl, fetch: Fetch, told: Told, *, threads: int, clock: Clock) -> Done | GiveUp:
    """Run a crawl to its end.

    Args:
        crawl: Decides.
        fetch: Sends one request; called on a thread of its own.
        told: Hears of every answer and what was decided of it; called on this thread only.
        threads: Requests in flight at most.
        clock: Tells the time and waits.
    """
    answers: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()

    def answer(action: FetchPage) -> None:
        try:
            answers.put(fetch(action))
        except BaseException as error:  # noqa: BLE001 - raised again on the driver's thread
            answers.put(error)

    pool = ThreadPoolExecutor(threads, thread_name_prefix="customer-api")
    try:
        while True:
            action = crawl.next_action(clock.monotonic_s())
            if isinstance(action, FetchPage):
                pool.submit(answer, action)
            elif isinstance(action, WaitUntil):
                outcome = clock.take(answers, action.instant_s - clock.monotonic_s())
                if isinstance(outcome, BaseException):
                    raise outcome
                if outcome is not None:
                    told(outcome, decision(crawl, outcome, clock.monotonic_s()))
            else:
                return action
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def decision(crawl: Crawl, outcome: Outcome, now_s: float) -> Decision:
    """Tell a crawl what came back."""
    return crawl.arrived(outcome, now_s) if isinstance(outcome, Arrived) else crawl.failed(outcome, now_s)
