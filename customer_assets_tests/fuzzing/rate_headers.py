"""Fuzzes the reading of `Retry-After`, `RateLimit` and their like: a plausible wait and pace, or none."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from customer_assets.api.crawl.events import FetchPage, RateLimitHints, RequestFailed
from customer_assets.api.crawl.pace.policy import PacePolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.api.http.base import RawResponse
from customer_assets.api.responses.parser import PageParser
from customer_assets.api.responses.rate_limit_headers import LONGEST_WAIT_S, parse_http_date, parse_retry_after
from customer_assets.core.metrics import FailureCause
from customer_assets_tests.fuzzing.running import fuzz

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def check(data: bytes) -> None:
    """Any headers, a line each, are advice that a pacer can follow, and so is any value on its own."""
    text = data.decode("latin-1")
    _is_wait(parse_retry_after(text, NOW))
    date = parse_http_date(text)
    assert date is None or date.tzinfo is UTC
    outcome = PageParser().parse(RawResponse(429, _headers(text), b"", 0.1), FetchPage(1, 1, 1), "https://x.org", NOW)
    assert isinstance(outcome, RequestFailed)
    assert outcome.cause is FailureCause.THROTTLED
    _is_plausible(outcome.advice)
    pacer = RateLimiter()
    pacer.on_send(0.0)
    pacer.on_outcome(outcome, 0.1)
    assert 0.1 <= pacer.next_send_s(0.1) <= 0.1 + LONGEST_WAIT_S + PacePolicy().longest_pause_s


def _headers(text: str) -> Mapping[str, str]:
    lines = [line.partition(":") for line in text.split("\n")]
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _is_plausible(advice: RateLimitHints) -> None:
    _is_wait(advice.retry_after_s)
    _is_wait(advice.reset_after_s)
    assert advice.remaining is None or advice.remaining >= 0
    pace = advice.requests_per_second
    assert pace is None or (pace > 0 and math.isfinite(pace))


def _is_wait(wait_s: float | None) -> None:
    assert wait_s is None or 0 <= wait_s <= LONGEST_WAIT_S


if __name__ == "__main__":
    fuzz(check)
