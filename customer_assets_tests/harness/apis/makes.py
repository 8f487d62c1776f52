"""Servers of different make with one limit: what a pace must be learned on, in virtual time and on loopback.

`python -m customer_assets_tests.benchmarks.pace` crawls them all. A make that needs a server of its own in
`limited_server.py` is started by its name.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from customer_assets.api.crawl.pace.policy import CrawlPolicy
from customer_assets.core.metrics import FailureCause
from customer_assets_tests.harness.simulation import limiters
from customer_assets_tests.harness.simulation.limiters import Limiter
from customer_assets_tests.harness.simulation.simulated_apis import World, visit

PAGES, FAULT_RATE, LATENCY_S, RATE, BURST = 4_000, 0.2, 0.05, 100, 20

FLOOR_S = PAGES / ((1 - FAULT_RATE) * RATE)
"""What the limit alone takes."""


@dataclass(frozen=True)
class Make:
    """A way to keep a limit.

    Attributes:
        limiter: Makes it; takes requests a second, and where in a second the crawl begins.
        retry_after: How it says how long to wait.
        refusal: The cause as which its refusals arrive.
    """

    limiter: Callable[[int, float], Limiter]
    retry_after: Callable[[float], float | None] = limiters.whole_seconds
    refusal: FailureCause = FailureCause.THROTTLED
    jitter: float = 0.6


MAKES = {
    "bucket": Make(lambda rate, _: limiters.TokenBucket(rate, rate * BURST / RATE), jitter=0.0),
    "gcra": Make(lambda rate, _: limiters.Gcra(rate, rate * BURST / RATE)),
    "gcra-decimals": Make(lambda rate, _: limiters.Gcra(rate, rate * BURST / RATE), limiters.exact),
    "sliding": Make(lambda rate, _: limiters.SlidingWindow(rate, 1.0)),
    "fixed": Make(lambda rate, phase_s: limiters.FixedWindow(rate, 1.0, phase_s)),
    "fixed-decimals": Make(lambda rate, phase_s: limiters.FixedWindow(rate, 1.0, phase_s), limiters.exact),
    "counter": Make(lambda rate, _: limiters.SlidingCounter(rate, 1.0)),
    "nginx-429": Make(lambda rate, _: limiters.NginxLimitReq(rate, rate * BURST / RATE), limiters.silent),
    "nginx-503": Make(
        lambda rate, _: limiters.NginxLimitReq(rate, rate * BURST / RATE), limiters.silent, FailureCause.SERVER_ERROR
    ),
}


def on_time(_dice: random.Random) -> float:
    """Timers that never wake up late."""
    return 0.0


def quiet(dice: random.Random) -> float:
    """Timers of a machine that has little else to do: mostly within a millisecond."""
    return min(dice.expovariate(2_500.0), 0.01)


def busy(dice: random.Random) -> float:
    """Timers of a machine with every core busy: a time slice late now and then, several at times."""
    chance = dice.random()
    if chance < 0.75:
        return dice.expovariate(2_000.0)
    return dice.uniform(0.001, 0.012) if chance < 0.995 else dice.uniform(0.02, 0.08)


def paced_world(
    make: Make,
    seed: int,
    lateness_s: Callable[[random.Random], float] = quiet,
    *,
    rate: int = RATE,
    pages: int = PAGES,
    fault_rate: float = FAULT_RATE,
) -> World:
    """A virtual server of a make, and a crawl that does not know its limit."""
    dice = random.Random(seed)
    return World(
        pages=((0.0, pages),),
        limiter=lambda: make.limiter(rate, dice.random()),
        retry_after=make.retry_after,
        refusal=make.refusal,
        latency_s=LATENCY_S / (1 + make.jitter / 2),
        jitter=make.jitter,
        fault_rate=fault_rate,
        seed=seed,
        policy=CrawlPolicy(),
        lateness_s=lateness_s,
    )


def lost_s(make: Make, seed: int, lateness_s: Callable[[random.Random], float] = quiet, *, rate: int = RATE) -> float:
    """Seconds that a crawl without faults takes beyond what the limit alone takes: what learning the pace costs.

    Faults would only add the waits of the last failed pages, some 12 % by chance, which no pace can shorten.
    """
    pages = math.ceil(PAGES / (1 - FAULT_RATE))

    return visit(paced_world(make, seed, lateness_s, rate=rate, pages=pages, fault_rate=0.0)).now_s - pages / rate
