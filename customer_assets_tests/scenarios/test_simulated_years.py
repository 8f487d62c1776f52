"""Years of daily runs in virtual time: whatever goes wrong, the table equals the source but for unseen deletions.

The decision, the merge and the commit are the real ones; the API is a model, so that no run needs a socket.
"""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import CrawlPlan, Incremental
from customer_assets.api.options import ApiSettings
from customer_assets.core.models import CrawlSummary, Page
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.processing.landing.staged import StoredCustomers
from customer_assets.processing.landing.upsert import hash_content
from customer_assets_tests.harness.apis.changing_api import ChangingCustomers
from customer_assets_tests.harness.storage import file_operations

DAY, LATEST = timedelta(days=1), timedelta(minutes=9)
PAGE_SIZE = 7
SOURCE = "https://api.example.com"
DAYS = int(os.environ.get("CUSTOMER_TEST_DAYS", "20"))
"""Runs of each simulated year; 400 take minutes."""

KILLS = int(os.environ.get("CUSTOMER_TEST_KILLS", "6"))
"""At random instants, on this disk and in an object store each."""

PARTS = 2
"""Tests that share the file operations to be killed at."""

pytestmark = pytest.mark.timeout(900)


class DailySync:
    """A sync of changing customers into a data directory of its own."""

    def __init__(
        self, folder: Path, seed: int, *, is_dated: bool = True, latest: timedelta = LATEST, lake_url: str = ""
    ) -> None:
        self.dice = random.Random(seed)
        self.world = ChangingCustomers(self.dice, latest, is_strict=seed % 2 == 1)
        self.directory = DataDirectory(path=str(folder), lake_url=lake_url)
        how = Incremental(
            parameter="updated_since",
            field="updated_at" if is_dated else None,
            lookback=LATEST + timedelta(minutes=1),
            full_every=7 * DAY,
        )
        self.settings = ApiSettings(incremental=how)
        self.kinds: list[str] = []

    def plan(self) -> tuple[CrawlPlan, StoredCustomers | None]:
        return self.directory.plan_crawl(self.settings, SOURCE, now=self.world.now)

    def land(self, *, fails: bool = False, delay: timedelta = timedelta()) -> CrawlSummary:
        """Run the crawl's asset.

        Args:
            fails: Whether the crawl fails half-way.
            delay: How long ago an attempt failed that had read all pages; they come from the page store now.
        """
        plan, stored = self.plan()
        since = self.settings.updated_since(plan.since).params.get("updated_since")
        assert not isinstance(since, list)
        records, self.asked_at = self.world.listing(since), deepcopy((self.world.shown, self.world.left))
        if delay:
            self.world.live(delay, 5)
        with self.directory.landing(self.settings.mapping, SOURCE) as landing:
            landing.writer.start_pass()
            pages = range(0, max(len(records), 1), PAGE_SIZE)
            for number, start in enumerate(pages, 1):
                part = records[start : start + PAGE_SIZE]
                landing.writer.add(
                    Page(number, PAGE_SIZE, len(records), len(pages), len(part), json.dumps(part).encode())
                )
                if fails and number > len(pages) // 2:
                    raise ConnectionError
            figures = CrawlStats(
                pages=len(pages),
                pages_from_store=len(pages) if delay else 0,
                records=len(records),
                total=len(records),
                unique_ids=landing.writer.unique_ids(),
                began_at=self.world.now,
            )
            facts = self.directory.commit_landing(landing, figures, plan, stored)
            landing.raw_file.unlink()
        self.kinds.append("full" if plan.since is None else "incremental")
        return facts

    def check(self) -> None:
        """Hold what is true after each run that succeeded."""
        version, file = self.directory.raw.fetch()
        table = pq.read_table(file, columns=["id", "first_name"])
        rows = dict(zip(table["id"].to_pylist(), table["first_name"].to_pylist(), strict=True))
        content = hash_content(file)
        file.unlink()
        shown, left = self.asked_at
        expected = {number: record["first_name"] for number, record in shown.items()}
        if self.kinds[-1] == "full":
            self.world.left -= left
            assert rows == expected
        else:
            assert {number: name for number, name in rows.items() if number not in left} == expected
        facts, sync = version.facts, version.facts.sync
        assert sync is not None
        assert (facts.landed, sync.customers, sync.content) == (table.num_rows, len(rows), str(content))
        assert table.num_rows == len(rows)
        if sync.upsert is not None:
            assert sync.upsert.adds_up
            assert sync.upsert.after == table.num_rows


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("is_dated", [True, False], ids=["dated", "undated"])
def test_a_year_of_joins_leaves_updates_late_commits_failures_and_pauses(
    tmp_path: Path, seed: int, *, is_dated: bool
) -> None:
    sync = DailySync(tmp_path, seed, is_dated=is_dated)
    before = None
    for _ in range(DAYS):
        sync.world.live(DAY * sync.dice.choice([0.001, 1, 1, 1, 3]), sync.dice.choice([0, 1, 5, 30]))
        what = sync.dice.random()
        if what < 0.15:
            before = pointer(sync.directory)
            with pytest.raises(ConnectionError):
                sync.land(fails=True)
            assert pointer(sync.directory) == before
        else:
            sync.land(delay=timedelta(hours=5) if what < 0.25 else timedelta())
            sync.check()
    assert {"full", "incremental"} <= set(sync.kinds)
    assert 3 * sync.kinds.count("full") < len(sync.kinds)


def test_an_object_store_keeps_the_table_and_the_watermark(tmp_path: Path) -> None:
    sync = DailySync(tmp_path, 1, lake_url=f"memory://{tmp_path.name}")
    for _ in range(9):
        sync.world.live(DAY, 10)
        sync.land()
        sync.check()
    assert sync.kinds == ["full", *["incremental"] * 6, "full", "incremental"]


def pointer(directory: DataDirectory) -> bytes | None:
    """The document that says which customers are committed."""
    path = directory.layout.local_lake / "raw_customers.json"
    return path.read_bytes() if path.exists() else None


def test_nothing_new_keeps_the_data_version(tmp_path: Path) -> None:
    """Also in the full crawl after a week of incremental ones, whose pages are others."""
    sync = DailySync(tmp_path, 4, latest=timedelta())
    sync.world.live(DAY, 30)
    first = sync.land()
    sync.world.left.clear()
    sync.world.live(DAY, 5)
    assert not sync.world.left
    versions = []
    for _ in range(8):
        versions.append(sync.land().fingerprint)
        sync.world.live(DAY, 0)
    assert sync.kinds == ["full", *["incremental"] * 6, "full", "incremental"]
    assert set(versions) == {versions[0]}
    assert versions[0] != first.fingerprint


def committed_content(sync: DailySync) -> tuple[str, datetime]:
    """The rows and the watermark that belong together."""
    facts = sync.directory.raw.current().facts
    assert facts.sync is not None
    return facts.sync.content, facts.sync.watermark


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_is_killed_at_any_file_operation_changes_nothing_or_all(tmp_path: Path, part: int) -> None:
    """And the next run is right."""
    sync = DailySync(tmp_path, 2)
    sync.world.live(DAY, 40)
    sync.land()
    operation, survived = part, False
    while not survived:
        sync.world.live(timedelta(hours=1), 5)
        before = committed_content(sync)
        survived = not file_operations.kill_at(tmp_path, operation, sync.land)
        after = committed_content(sync)
        if survived or after != before:  # the killed process cannot say what it asked for
            assert after[1] > before[1]
        sync.land()
        sync.check()
        operation += PARTS if os.environ.get(file_operations.EVERY) else 12
    assert operation > 20


@pytest.mark.parametrize("place", ["disk", "store"])
def test_a_run_that_is_killed_at_any_instant_changes_nothing_or_all(
    tmp_path: Path, place: str, process_store: str
) -> None:
    """As the system kills it: also while DuckDB writes. Some kills come before the commit, some after it."""
    sync = DailySync(tmp_path, 3, lake_url=process_store if place == "store" else "")
    sync.world.live(DAY, 200)
    first = sync.land()
    aim_s, committed = run_in_a_child(sync.land), 0
    assert sync.directory.raw.current().facts.number != first.number
    for _ in range(KILLS):
        sync.world.live(timedelta(hours=1), 20)
        before = committed_content(sync)
        run_in_a_child(sync.land, kill_after_s=sync.dice.uniform(0, 1.2 * aim_s))
        rows, file = sync.directory.raw.fetch()
        assert rows.facts.sync is not None
        assert str(hash_content(file)) == rows.facts.sync.content
        file.unlink()
        after = committed_content(sync)
        assert after == before or after[1] > before[1]
        committed += after != before
        aim_s *= 1.2 if after == before else 0.9  # the machine is slow at times
        sync.land()
        sync.check()
    assert 0 < committed < KILLS


def run_in_a_child(work: Callable[[], object], kill_after_s: float | None = None) -> float:
    """Do the work in a process of its own, and kill that after a while, if given; return how long it lived."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return time.monotonic() - started
