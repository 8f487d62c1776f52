"""A crawl that ends before its end: killed, interrupted, without its store."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from customer_assets.api import CrawlStats, CustomerAPIClient
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.core.errors import RequestRefusedError
from customer_assets.core.models import Page
from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets_tests.harness.apis.scripted_server import ScriptedServer, body, http

KEY = "canary-key-c0ffee"
SHORT = (0.001, 0.002, 0.004)
Serve = Callable[..., ScriptedServer]

PAGES, IN_FLIGHT = 150, 4
CRAWL = f"""
import sys
from customer_assets.api import CustomerAPIClient
url, store = sys.argv[1:]
waits = (0.01, 0.02, 0.04)
options = dict(max_concurrency={IN_FLIGHT}, retry_waits_s=waits, cache_ttl_s=600)  # a kill may come after the end
with CustomerAPIClient(url, "key", page_store=store, **options) as client:
    assert [customer["id"] for customer in client.fetch_all_customers()] == list(range(1, {PAGES * 10} + 1))
"""


def test_a_crawl_killed_again_and_again_becomes_whole(tmp_path: Path) -> None:
    """Fetched twice are at most the pages that were in flight when it was killed, and the two beside each of them."""
    dice = random.Random(7)
    settings = SimulatorSettings(customers=PAGES * 10, page_size=10, failure_rate=0.1, latency_ms=20, seed=3)
    kills = 0
    with running_simulator(settings) as simulator:
        command = [sys.executable, "-c", CRAWL, simulator.base_url, f"sqlite:///{tmp_path}/pages.sqlite"]
        while True:
            killed_at = simulator.stats()["requests"] + dice.randrange(5, 40)
            with subprocess.Popen(command) as process:
                while process.poll() is None and simulator.stats()["requests"] < killed_at:
                    time.sleep(0.002)
                if process.poll() is not None:
                    break
                process.kill()
                kills += 1
        assert process.returncode == 0
        fetched = simulator.stats()["by_status"]["200"]
    assert kills >= 3
    assert PAGES <= fetched <= PAGES + 3 * IN_FLIGHT * kills + 1


class Interrupted(BaseException):
    """What a person's Ctrl-C is."""


class Sink(CustomerCollector):
    """Holds what it takes, and may be interrupted."""

    def __init__(self, interrupted_at: int | None = None) -> None:
        super().__init__()
        self._left = interrupted_at
        self.pages: list[int] = []

    def start_pass(self) -> None:
        """Forget everything so far."""
        super().start_pass()
        self.pages = []

    def add(self, page: Page) -> None:
        """Take one page."""
        self.pages.append(page.number)
        if self._left is not None and len(self.pages) >= self._left:
            raise Interrupted
        super().add(page)


@pytest.mark.parametrize("transport", ["requests", "aiohttp"])
@pytest.mark.smoke
def test_an_interrupted_crawl_resumes(tmp_path: Path, transport: str) -> None:
    """The page that was being handed on is stored already; the client can be used again at once."""
    settings = SimulatorSettings(customers=400, page_size=10, latency_ms=2)
    store = f"sqlite:///{tmp_path}/pages.sqlite"
    with (
        running_simulator(settings) as simulator,
        CustomerAPIClient(simulator.base_url, KEY, page_store=store, transport=transport) as client,
    ):
        with pytest.raises(Interrupted):
            client.crawl(Sink(interrupted_at=20))
        sink = Sink()
        figures = client.crawl(sink)
    assert 20 - 2 * 8 <= figures.pages_from_store < 20, "those beside a gap are read again: have customers moved?"
    assert figures.requests == 40 - figures.pages_from_store + 1, "one more makes sure that nothing follows"
    assert sorted(sink.pages) == list(range(1, 41))
    assert sink.unique_ids() == figures.unique_ids == figures.total == 400


def test_a_store_that_fails_midway_is_left(
    serve_script: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning; the crawl is whole."""
    directory = tmp_path / "store"

    class Vandal(Sink):
        def add(self, page: Page) -> None:
            if page.number == 2:
                for file in directory.iterdir():
                    file.unlink()
                directory.rmdir()
            super().add(page)

    server = serve_script(otherwise=lambda page: http(200, body(page, total=60)))
    with CustomerAPIClient(server.url, KEY, page_store=f"sqlite:///{directory}/pages.sqlite") as client:
        assert client.crawl(Vandal()).unique_ids == 60
    assert len([record for record in caplog.records if "goes on without it" in record.getMessage()]) == 1


def test_a_sink_gets_each_page_once_a_pass(serve_script: Serve) -> None:
    """Resumed ones included; a second pass begins anew."""
    total = [32]

    def shrinking(page: int) -> bytes:
        answer = http(200, body(page, total=total[0]))
        total[0] = 31
        return answer

    sink = Sink()
    with CustomerAPIClient(serve_script(otherwise=shrinking).url, KEY) as client:
        figures = client.crawl(sink)
    assert figures.passes == 2
    assert sorted(sink.pages) == [1, 2, 3, 4, 5, 6]
    assert (figures.unique_ids, figures.missing_customers) == (31, 0)


@pytest.mark.parametrize(
    ("answer", "passes", "missing", "duplicates"),
    [
        pytest.param(lambda page: body(page, total=12), 1, 0, 0, id="whole"),
        pytest.param(
            lambda _: body(1, total=6, data=[{"id": n} for n in (1, 1, 2, 2, 3, 3)]), 1, 0, 3, id="duplicates"
        ),
        pytest.param(
            lambda page: body(page, total=12, data=[{"id": page}] * 5 if page <= 2 else []),
            *(2, 10, 0),
            id="fewer than it counts",
        ),
        pytest.param(lambda _: body(1, total=6, data=[{"id": 1}, {"no": "id"}, 3, 4, 5, 6]), 1, 0, 0, id="without ids"),
    ],
)
def test_what_does_not_add_up_is_counted(
    serve_script: Serve, answer: Callable[[int], dict[str, Any]], passes: int, missing: int, duplicates: int
) -> None:
    """Duplicates on one page came at one time; two passes that read the same prove that a third would, too."""
    server = serve_script(otherwise=lambda page: http(200, answer(page)))
    with CustomerAPIClient(server.url, KEY, retry_waits_s=SHORT) as client:
        figures = client.crawl(CustomerCollector())
    assert (figures.passes, figures.missing_customers, figures.source_duplicates) == (passes, missing, duplicates)


@pytest.mark.parametrize(
    ("total", "warning"),
    [
        (14, "The API counts 2 customers more than it handed over."),
        (11, "The API handed over 1 customers more than it counts."),
    ],
)
def test_a_total_that_is_wrong_is_told_in_its_own_direction(
    serve_script: Serve, caplog: pytest.LogCaptureFixture, total: int, warning: str
) -> None:
    """Too high or too low."""
    server = serve_script(otherwise=lambda page: http(200, {**body(page), "total": total}))
    with CustomerAPIClient(server.url, KEY, retry_waits_s=SHORT) as client:
        client.crawl(CustomerCollector())
    assert warning in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("kept", [True, False], ids=["sqlite", "memory"])
def test_what_a_closed_client_leaves_behind(serve_script: Serve, tmp_path: Path, *, kept: bool) -> None:
    """A store of files has its pages for the next client; one in memory is gone with it."""
    server = serve_script(otherwise=lambda page: http(200 if page < 3 else 403, body(page, total=15)))
    store = f"sqlite:///{tmp_path / 'pages.sqlite'}" if kept else "memory://"
    for _ in range(2):
        client = CustomerAPIClient(server.url, KEY, page_store=store, retry_waits_s=SHORT)
        with client, pytest.raises(RequestRefusedError):
            client.crawl(CustomerCollector())
    assert server.pages.count(1) == (1 if kept else 2)


def test_what_is_read_while_it_moves_without_end_is_not_kept(serve_script: Serve) -> None:
    """Three passes, then the difference is told; nothing of it answers in the API's place later."""
    calls = [100]

    def moving(page: int) -> bytes:
        calls[0] += 1
        return http(200, body(page, total=calls[0] % 3 + 10, data=[{"id": page}] * 5))

    server = serve_script(otherwise=moving)
    with CustomerAPIClient(server.url, KEY, cache_ttl_s=60.0, max_concurrency=1, retry_waits_s=SHORT) as client:
        figures: CrawlStats = client.crawl(CustomerCollector())
        assert figures.passes == 3
        assert figures.missing_customers != 0
        asked = len(server.requests)
        client.crawl(CustomerCollector())
    assert len(server.requests) > asked


def test_a_crawl_of_a_thousand_pages_starts_no_thread_more_than_allowed() -> None:
    """Threads are used again."""
    before = time.monotonic()
    with (
        running_simulator(SimulatorSettings(customers=1000, page_size=1)) as simulator,
        CustomerAPIClient(simulator.base_url, KEY, max_concurrency=3) as client,
    ):
        assert client.crawl(CustomerCollector()).unique_ids == 1000
        assert simulator.stats()["max_in_flight"] <= 3
    assert time.monotonic() - before < 60
