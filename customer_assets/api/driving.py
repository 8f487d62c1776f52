"""Drives a crawl: sends what it says, waits as long as it says, tells it what came. It decides nothing.

One loop for every transport, on the caller's thread: the requests are under way elsewhere, on threads or on asyncio.
"""

import queue
from collections.abc import Callable
from math import isinf
from typing import Protocol

from customer_assets.api.actions import Arrived, Decision, Done, FetchPage, GiveUp, Outcome, WaitUntil
from customer_assets.api.clock import Clock
from customer_assets.api.crawl import Crawl

Judged = Outcome | BaseException
Send = Callable[[int, Callable[[Judged], None]], None]
"""Sends the request for a page; what came of it is handed over on whatever thread."""


class Listener(Protocol):
    """Hears how a crawl gets on; on the caller's thread."""

    def told(self, outcome: Outcome, decision: Decision) -> None:
        """Hear of an answer and what was decided of it."""
        ...

    def passed(self, now_s: float) -> float:
        """Hear that time passed; return how many seconds of mere waiting may pass until the next time."""
        ...


def drive(crawl: Crawl, send: Send, listener: Listener, clock: Clock) -> Done | GiveUp:
    """Run a crawl to its end."""
    answers: queue.SimpleQueue[Judged] = queue.SimpleQueue()
    while True:
        now_s = clock.monotonic_s()
        patience_s = listener.passed(now_s)
        action = crawl.next_action(now_s)
        if isinstance(action, FetchPage):
            send(action.page, answers.put)
        elif isinstance(action, WaitUntil):
            wait_s = action.instant_s - now_s
            outcome = clock.take(answers, wait_s if isinf(wait_s) else min(wait_s, patience_s))
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is not None:
                listener.told(outcome, _decision(crawl, outcome, clock.monotonic_s()))
        else:
            return action


def _decision(crawl: Crawl, outcome: Outcome, now_s: float) -> Decision:
    return crawl.arrived(outcome, now_s) if isinstance(outcome, Arrived) else crawl.failed(outcome, now_s)
