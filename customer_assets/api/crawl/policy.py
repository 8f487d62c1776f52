"""How hard a crawl tries: numbers and their reasons, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from customer_assets.api.crawl.circuit_breaker import BreakerPolicy


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
    max_pages: int = 10_000_000
    max_growth: float = 2.0
    max_repeats: int = 10
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
