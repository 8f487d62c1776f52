"""How much can be asked of an API at once."""

import pytest

from customer_assets.api.crawl.pace.circuit_breaker import BreakerPolicy, CircuitBreaker
from customer_assets.api.crawl.pace.health import ApiHealth
from customer_assets.api.crawl.pace.policy import CrawlPolicy

POLICY = CrawlPolicy(max_concurrency=8, max_bytes_in_flight=1_000)


@pytest.mark.parametrize(("largest", "most"), [(1, 8), (125, 8), (126, 7), (400, 2), (1_000, 1), (5_000, 1)])
def test_huge_pages_are_requested_a_few_at_a_time(largest: int, most: int) -> None:
    """As many as fit, but always one."""
    assert ApiHealth(is_proven=True, largest_bytes=largest).max_in_flight(POLICY) == most


def test_an_api_that_has_not_answered_gets_one_request_at_a_time() -> None:
    """Nor does one that is failing get more."""
    assert ApiHealth().max_in_flight(POLICY) == 1
    breaker = CircuitBreaker(BreakerPolicy(failures_in_a_row=1))
    assert breaker.record_failure(0.0)
    assert ApiHealth(breaker, is_proven=True).max_in_flight(POLICY) == 1
