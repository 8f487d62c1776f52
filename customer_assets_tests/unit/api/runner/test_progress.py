"""What a crawl says while it runs."""

import io
import logging
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from customer_assets.api.crawl.crawl import Snapshot
from customer_assets.api.crawl.events import Abandoned, Accepted, Decision, Requeued, RetryScheduled, Throttled
from customer_assets.api.runner.progress import BAR_EVERY_S, MAX_WARNINGS, Progress, bar, find_terminal, line, summary
from customer_assets.api.runner.stats import CrawlStats, LatencyHistogram
from customer_assets.core.metrics import FailureCause

INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
SNAPSHOT = Snapshot(
    total=400,
    total_pages=40,
    pages_arrived=10,
    pages_held=2,
    requests=13,
    in_flight=1,
    waiting=1,
    retries={FailureCause.TIMEOUT: 2},
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
        (RetryScheduled(7, 2, FailureCause.TIMEOUT, 2.0), "page 7, attempt 2: timeout; again in 2 s"),
        (Requeued(7, 2, FailureCause.CONNECTION), "page 7: connection, retries spent; again at the end, in round 2"),
        (Throttled(7, 1.5), "page 7: throttled; nothing is sent for 1.5 s"),
        (Abandoned(7, FailureCause.REFUSED), "page 7: refused; given up"),
    ],
)
def test_each_retry_is_told_with_its_instant(
    caplog: pytest.LogCaptureFixture, decision: Decision, sentence: str
) -> None:
    """Page, attempt, cause and wait."""
    progress().on_decision(decision)
    assert [record.message for record in caplog.records] == [f"2026-01-01T00:00:00.000+00:00 {sentence}"]


def test_pages_of_slices_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    """Each slice counts its own."""
    progress().on_decision(Abandoned(7, FailureCause.REFUSED), "HTTP 403", lane=2)
    (record,) = caplog.records
    assert record.message.endswith("page 7 of slice 3: refused (HTTP 403); given up")


def test_a_page_that_came_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """Quiet."""
    progress().on_decision(Accepted(1))
    assert caplog.records == []


def test_thousands_of_retries_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The first are warnings, the others are there for who looks."""
    caplog.set_level(logging.DEBUG)
    crawl = progress()
    for _ in range(MAX_WARNINGS + 50):
        crawl.on_decision(RetryScheduled(1, 1, FailureCause.TIMEOUT, 1.0))
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == MAX_WARNINGS
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


class Terminal(io.StringIO):
    """What was drawn, frame by frame."""

    def frames(self) -> list[str]:
        """Each ends at the margin."""
        return self.getvalue().split("\r")


def test_on_a_terminal_there_is_a_bar(caplog: pytest.LogCaptureFixture) -> None:
    """From the first second on, four times a second, and no line in the log; wiped at the end."""
    caplog.set_level(logging.INFO)
    terminal, seen = Terminal(), list[float]()
    crawl = Progress(lambda: INSTANT, 100.0, lambda _snapshot, running_s: seen.append(running_s), terminal)
    for hundredths in range(0, 600, 5):
        assert crawl.tick(lambda: SNAPSHOT, 100.0 + hundredths / 100) == BAR_EVERY_S
    crawl.close()
    frames = terminal.frames()
    assert 19 <= len(frames) <= 23
    assert frames[0].startswith("[#########.....................] 12 of 40 pages, 0 records, 10.0 pages a second")
    assert frames[-2].strip() == ""
    assert len(frames[-2]) == len(frames[-3])
    assert seen == [5.0]
    assert caplog.records == []


def test_a_short_crawl_draws_nothing() -> None:
    """Nor wipes."""
    terminal = Terminal()
    crawl = Progress(lambda: INSTANT, 100.0, terminal=terminal)
    crawl.tick(lambda: SNAPSHOT, 100.9)
    crawl.close()
    assert terminal.getvalue() == ""


def test_a_bar_is_never_longer_than_full() -> None:
    """Whatever the API counts."""
    assert bar(replace(SNAPSHOT, total_pages=3)) == "[" + "#" * 30 + "]"
    assert bar(replace(SNAPSHOT, total_pages=None, pages_arrived=0, pages_held=0)) == "[" + "." * 30 + "]"


def test_a_summary_tells_the_numbers() -> None:
    """Requests, success, retries by cause, throttles, waiting, latency, bytes."""
    figures = CrawlStats(pages=4, pages_from_store=1, records=40, passes=1, duration_s=2.5, requests=4)
    figures.pages_received = 3
    figures.statuses.update({200: 3, 500: 1})
    figures.retries.update({FailureCause.TIMEOUT: 2, FailureCause.SERVER_ERROR: 1})
    figures.throttles, figures.waiting_s, figures.bytes = 3, 1.5, 999
    figures.latencies.add(1.0)
    assert summary(figures) == (
        "4 pages (1 from the page store), 40 records, 1 pass, 2.5 s; 4 requests, 75.0% successful; "
        "retries: 1 server_error, 2 timeout; 3 throttled, 1.5 s waiting; "
        "latency p50/p95/p99 1000/1000/1000 ms; 999 bytes"
    )
    assert "0 requests, none successful; retries: none;" in summary(CrawlStats())


def test_percentiles_need_no_list() -> None:
    """Within five per cent."""
    latencies = LatencyHistogram()
    assert latencies.percentile_s(0.5) is None
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    assert latencies.percentile_s(0.5) == pytest.approx(0.5, rel=0.05)
    assert latencies.percentile_s(0.99) == pytest.approx(0.99, rel=0.05)


@pytest.mark.parametrize(
    ("terminals", "modules", "found"),
    [("stderr", {}, "stderr"), ("", {}, "nowhere"), ("", {"ipykernel": sys}, "stdout")],
)
def test_a_bar_is_drawn_where_somebody_looks(
    terminals: str, modules: dict[str, Any], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, or below a notebook's cell; nowhere else does a carriage return overwrite a line."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminals == "stderr", raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert find_terminal() is getattr(sys, found, None)
