"""How hard a crawl tries: numbers and their reasons, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from customer_assets.api.crawl.pace.circuit_breaker import BreakerPolicy


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """The waits between a page's requests within one round.

    Attributes:
        waits_s: Seconds to wait after the first, second, … failed attempt; as many as there are retries.
    """

    waits_s: Sequence[float] = (1.0, 2.0, 4.0)

    @classmethod
    def growing(cls, first_s: float, retries: int, *, longest_s: float = 30.0) -> "BackoffPolicy":
        """Waits that double from `first_s` up to `longest_s`: `growing(1, 3)` → 1, 2, 4."""
        waits_s, wait_s = [], first_s
        for _ in range(retries):
            waits_s.append(min(wait_s, longest_s))
            wait_s = min(wait_s * 2, longest_s)  # doubled step by step: `2**retry` overflows a float
        return cls(tuple(waits_s))

    def wait_s(self, attempt: int) -> float | None:
        """Seconds to wait after this failed attempt (from 1); None when the retries are spent."""
        return self.waits_s[attempt - 1] if attempt <= len(self.waits_s) else None


@dataclass(frozen=True, slots=True)
class CrawlPolicy:
    """How hard a crawl tries.

    Attributes:
        max_concurrency: Requests in flight at most.
        backoff: The waits between a page's requests within one round.
        rounds: How often a page may spend all its retries before it is abandoned.
        max_pause_s: The longest `Retry-After` that a crawl waits for; a longer one ends it.
        max_throttled_s: How long a crawl puts up with nothing but 429s.
        max_bytes_in_flight: Fewer requests are in flight where pages are so large that together they exceed this: each
            is in memory two or three times while it is read and parsed.
        max_pages: More pages than this end the crawl.
        max_growth: Growth beyond this many times the first answer's pages, plus 100, ends the crawl.
        max_repeats: This many pages in a row with the same records end the crawl.
        breaker: What counts as an outage.
    """

    max_concurrency: int = 8
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    rounds: int = 3
    max_pause_s: float = 60.0
    max_throttled_s: float = 300.0
    max_bytes_in_flight: int = 128 * 2**20
    max_pages: int = 10_000_000
    max_growth: float = 2.0
    max_repeats: int = 10
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)


@dataclass(frozen=True, slots=True)
class PacePolicy:
    """How the pace is learned and kept.

    The numbers were chosen in virtual time against token buckets, fixed and sliding windows, and nginx, of 3 to 100
    requests a second, with late timers (`customer_assets_tests.benchmarks.pace --virtual`). Two things pull apart: each
    refusal costs its `Retry-After`, mostly a second, and each percent below the limit costs a percent of the time.

    Attributes:
        opening_share: Share of the allowed concurrency to start with: the limit is found best from below.
        opening_growth: Growth a second before the first refusal.
        short_crawl_s: In a crawl that ends this soon a refusal costs more than a faster pace gains.
        short_crawl_growth: Growth a second in such a crawl.
        unpaced_rate: Requests a second above which no pace is kept before the first refusal: concurrency is the limit.
        used_share: Share of a learned limit that is used: room for the jitter of two clocks and a network.
        stated_share: The same of a limit that the headers state.
        usual_bursts_s: Seconds of its rate that a token bucket stores.
        rare_bursts_s: The same, seen less often: more evidence is asked for.
        usual_windows_s: Seconds in which a window counts requests.
        rare_windows_s: The same, seen less often.
        rare_handicap: How much better, relatively, a rare kind of limiter must fit.
        tolerance: Relative difference between two estimates of the same limit.
        counting_error: Requests by which an interval's count can be off: it begins and ends between two of them.
        memory: What an interval's weight is worth at the next refusal: limits change.
        new_limit: Relative difference at which the limit has changed.
        round_ratio: If the bracket is narrower than this, the limit is taken for the roundest number in it.
        round_requests: Accepted requests that the evidence must rest on for that.
        climb_s: Seconds in which the pace climbs through what the evidence leaves open.
        least_climb: Growth, through `climb_s`, at the top of that.
        retreat: What is left of the pace when nearly every request is refused.
        step_back: The same when a pace that was thought safe is refused soon after it was chosen.
        settled_s: "Soon": within this many seconds.
        probe_pauses: A higher limit is looked for once in so many times the pause that a refusal costs.
        least_probe_s: But not more often than this, however cheap refusals are: they are a nuisance to the API.
        probe_requests: With evidence from fewer requests it is looked for sooner, in proportion.
        probe_step: Relative growth in that time. It then doubles in as much time again.
        confirmed: Each time the same limit is found, the next look is taken later by this factor.
        most_confirmed: The largest such factor.
        timer_slack_s: Seconds of lateness made up for while the limit is unknown, or kept by order.
        catch_up_s: The same once it is learned: a busy machine wakes its sleepers late.
        least_catch_up_s: It is divided by `clump_penalty` when a clump is refused, down to this.
        clump_penalty: See `least_catch_up_s`.
        sure_burst_s: What a bucket stores beyond this, in seconds of its rate, can be relied on in catching up.
        idle_s: After a gap this long nothing is made up for: nobody was late.
        full_bucket_s: Wait where the headers say only that a bucket is full: Shopify's leaks two requests a second.
        busy_in_a_row: So many answers in a row with `Retry-After`, other than 429: the API is busy, not one page flaky.
        first_pause_s: Pause after a 429 that names none; it doubles while nothing is accepted in between.
        longest_pause_s: The longest such pause.
    """

    opening_share: float = 0.625
    opening_growth: float = 0.10
    short_crawl_s: float = 6.0
    short_crawl_growth: float = 0.01
    unpaced_rate: float = 500.0
    used_share: float = 0.99
    stated_share: float = 0.98
    usual_bursts_s: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.3)
    rare_bursts_s: tuple[float, ...] = (0.5, 1.0)
    usual_windows_s: tuple[float, ...] = (1.0,)
    rare_windows_s: tuple[float, ...] = (10.0, 60.0)
    rare_handicap: float = 0.03
    tolerance: float = 0.012
    counting_error: float = 1.0
    memory: float = 0.7
    new_limit: float = 0.2
    round_ratio: float = 1.35
    round_requests: int = 100
    climb_s: float = 4.0
    least_climb: float = 0.06
    retreat: float = 0.7
    step_back: float = 0.97
    settled_s: float = 15.0
    probe_pauses: float = 50.0
    least_probe_s: float = 20.0
    probe_requests: int = 500
    probe_step: float = 0.03
    confirmed: float = 1.5
    most_confirmed: float = 8.0
    timer_slack_s: float = 0.02
    catch_up_s: float = 0.2
    least_catch_up_s: float = 0.005
    clump_penalty: float = 4.0
    sure_burst_s: float = 0.1
    idle_s: float = 0.2
    full_bucket_s: float = 0.5
    busy_in_a_row: int = 3
    first_pause_s: float = 0.1
    longest_pause_s: float = 30.0
