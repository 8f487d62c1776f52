"""What a crawl says while it runs."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from customer_assets.api.actions import Abandoned, Accepted, Decision, Requeued, RetryScheduled, Throttled
from customer_assets.api.crawl import Snapshot
from customer_assets.api.figures import Latencies
from customer_assets.api.progress import RETRIES_TOLD, Progress, line
from customer_assets.metrics import Cause

INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
SNAPSHOT = Snapshot(
    total=400,
    total_pages=40,
    pages_arrived=10,
    pages_held=2,
    requests=13,
    in_flight=1,
    waiting=1,
    retries={Cause.TIMEOUT: 2},
    throttles=3,
    waiting_s=1.0,
)


def progress(seen: list[float] | None = None) -> Progress:
    """Begin at second 100."""
    return Progress(
        lambda: INSTANT, 100.0, None if seen is None else lambda _snapshot, running_s: seen.append(running_s)
    )


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (RetryScheduled(7, 2, Cause.TIMEOUT, 2.0), "page 7, attempt 2: timeout; again in 2 s"),
        (Requeued(7, 2, Cause.CONNECTION), "page 7: connection, retries spent; again at the end, in round 2"),
        (Throttled(7, 1.5), "page 7: throttled (429); nothing is sent for 1.5 s"),
        (Abandoned(7, Cause.REFUSED), "page 7: refused; given up"),
    ],
)
def test_each_retry_is_told_with_its_instant(
    caplog: pytest.LogCaptureFixture, decision: Decision, sentence: str
) -> None:
    """Page, attempt, cause and wait."""
    progress().decided(decision)
    assert [record.message for record in caplog.records] == [f"2026-01-01T00:00:00.000+00:00 {sentence}"]


def test_a_page_that_came_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """Quiet."""
    progress().decided(Accepted(1))
    assert caplog.records == []


def test_thousands_of_retries_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The first are warnings, the others are there for who looks."""
    caplog.set_level(logging.DEBUG)
    crawl = progress()
    for _ in range(RETRIES_TOLD + 50):
        crawl.decided(RetryScheduled(1, 1, Cause.TIMEOUT, 1.0))
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == RETRIES_TOLD
    assert sum(record.levelno == logging.DEBUG for record in caplog.records) == 50


def test_a_line_comes_at_most_every_five_seconds(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is asked for."""
    caplog.set_level(logging.INFO)
    seen: list[float] = []
    crawl = progress(seen)
    for tenths in range(121):
        crawl.tick(lambda: SNAPSHOT, 100.0 + tenths / 10)
    assert seen == [5.0, 10.0]
    assert len(caplog.records) == 2


def test_a_line_says_where_the_crawl_stands() -> None:
    """Pages, rate, what is left, retries, throttles."""
    assert (
        line(SNAPSHOT, 5.0, 120) == "12 of 40 pages, 120 records, 2.0 pages a second, 14 s left, 2 retries, 3 throttled"
    )
    nothing = replace(SNAPSHOT, total_pages=None, pages_arrived=0, pages_held=0, retries={}, throttles=0)
    assert (
        line(nothing, 5.0, 0)
        == "0 of ? pages, 0 records, 0.0 pages a second, unknown time left, 0 retries, 0 throttled"
    )


def test_percentiles_need_no_list() -> None:
    """Within five per cent."""
    latencies = Latencies()
    assert latencies.percentile_s(0.5) is None
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    assert latencies.percentile_s(0.5) == pytest.approx(0.5, rel=0.05)
    assert latencies.percentile_s(0.99) == pytest.approx(0.99, rel=0.05)
