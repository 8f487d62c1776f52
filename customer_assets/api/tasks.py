"""The driver on asyncio: does what a crawl says, one request a task. It waits and sends; it decides nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from math import isinf

from customer_assets.api.actions import Done, FetchPage, GiveUp, Outcome, WaitUntil
from customer_assets.api.clock import Clock
from customer_assets.api.crawl import Crawl
from customer_assets.api.threads import Told, decision

AsyncFetch = Callable[[FetchPage], Awaitable[Outcome]]


async def drive(crawl: Crawl, fetch: AsyncFetch, told: Told, *, clock: Clock) -> Done | GiveUp:
    """Run a crawl to its end.

    Args:
        crawl: Decides.
        fetch: Sends one request.
        told: Hears of every answer and what was decided of it.
        clock: Tells the time.
    """
    tasks: set[asyncio.Future[Outcome]] = set()
    try:
        while True:
            action = crawl.next_action(clock.monotonic_s())
            if isinstance(action, FetchPage):
                tasks.add(asyncio.ensure_future(fetch(action)))
            elif isinstance(action, WaitUntil):
                for outcome in await _answers(tasks, action.instant_s - clock.monotonic_s()):
                    told(outcome, decision(crawl, outcome, clock.monotonic_s()))
            else:
                return action
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answers(tasks: set[asyncio.Future[Outcome]], wait_s: float) -> list[Outcome]:
    """Wait for the next answers, so many seconds at most; what has come in is taken out of the set."""
    timeout_s = None if isinf(wait_s) else max(0.0, wait_s)
    if not tasks:
        await asyncio.sleep(timeout_s or 0.0)
        return []
    done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    tasks -= done
    return [task.result() for task in done]
