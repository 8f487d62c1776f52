"""Faults on purpose, and the rate limit."""

import pytest

from customer_assets.simulator.faults import TokenBucket, failure_status


def test_a_fault_follows_from_seed_page_and_request() -> None:
    """A crawl meets the same faults in whatever order it requests the pages."""
    assert [failure_status(1, 0.5, page, 1) for page in range(50)] == [
        failure_status(1, 0.5, page, 1) for page in range(50)
    ]
    assert [failure_status(1, 0.5, page, 1) for page in range(50)] != [
        failure_status(2, 0.5, page, 1) for page in range(50)
    ]


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 0), (0.2, 1800, 2200), (1.0, 10_000, 10_000)])
def test_faults_come_at_their_rate(rate: float, least: int, most: int) -> None:
    """500 and 503."""
    statuses = [failure_status(0, rate, page, 1) for page in range(10_000)]
    assert least <= sum(status is not None for status in statuses) <= most
    assert {status for status in statuses if status} <= {500, 503}


def test_a_bucket_lets_its_burst_through_then_its_rate() -> None:
    """Three at once, then one every half second."""
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.wait_s(0.0) for _ in range(4)] == [None, None, None, 0.5]
    assert bucket.wait_s(0.25) == 0.25
    assert bucket.wait_s(0.5) is None


def test_a_bucket_holds_no_more_than_its_burst() -> None:
    """However long it was idle."""
    bucket = TokenBucket(rate=2, burst=3)
    bucket.wait_s(0.0)
    assert [bucket.wait_s(1000.0) for _ in range(4)] == [None, None, None, 0.5]


def test_no_rate_is_no_limit() -> None:
    """The default."""
    bucket = TokenBucket(rate=0, burst=1)
    assert [bucket.wait_s(0.0) for _ in range(100)] == [None] * 100
