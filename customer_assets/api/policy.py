"""How hard a crawl tries: numbers and their reasons, nothing else."""

from dataclasses import dataclass, field

from customer_assets.api.backoff import BackoffPolicy
from customer_assets.api.breaker import BreakerPolicy


@dataclass(frozen=True, slots=True)
class CrawlPolicy:
    """How hard a crawl tries.

    Attributes:
        max_concurrency: Requests in flight at most.
        backoff: The waits between a page's requests within one round.
        rounds: How often a page may spend all its retries before it is abandoned.
        max_pause_s: The longest `Retry-After` that a crawl waits; a longer one ends it.
        max_throttled_s: How long a crawl bears nothing but 429s.
        max_pages: More pages than this end the crawl.
        max_growth: So many times the pages known first, and 100 more, end a crawl whose API grows for ever.
        max_repeats: So many pages in a row of the very same records end the crawl.
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
