"""What is known of how an API answers, and so how much can be asked of it at once. Pure."""

from dataclasses import dataclass, field

from customer_assets.api.crawl.pace.circuit_breaker import BreakerPolicy, CircuitBreaker
from customer_assets.api.crawl.pace.policy import CrawlPolicy


@dataclass(slots=True)
class ApiHealth:
    """What is known of how an API answers: one for all crawls that run side by side.

    Attributes:
        breaker: Notices an outage.
        is_proven: Whether a page has arrived. Until then requests go one at a time.
        accepted: Pages that were accepted: as long as there are more, pages that failed are tried again.
        largest_bytes: The size of the largest page.
    """

    breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(BreakerPolicy()))
    is_proven: bool = False
    accepted: int = 0
    largest_bytes: int = 1

    def max_in_flight(self, policy: CrawlPolicy) -> int:
        """How many requests can be in flight: one until a page has arrived, one in an outage, fewer for huge pages."""
        if not self.is_proven or self.breaker.is_open:
            return 1
        return max(min(policy.max_concurrency, policy.max_bytes_in_flight // self.largest_bytes), 1)
