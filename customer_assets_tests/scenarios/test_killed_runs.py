"""Runs that are killed, fail or are held up at any instant: readers see whole versions, and the next run is right."""

import atexit
import json
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from customer_assets.core.errors import CustomerAssetsError, PublishError, QualityGateError, SupersededError
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.export.verify import read_export
from customer_assets.storage import staging
from customer_assets_tests.harness.apis.plain_api import customer
from customer_assets_tests.harness.machines.command_line import (
    SYNCED_CUSTOMERS,
    log_lines,
    published_document,
    run_sync,
    start_sync,
)
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.plain_sync import PlainSync, copied_ids, exported_ids, leftovers

STEPS = ("raw_customers", "clean_customers", "customer_export")
KILLS_A_STEP = 2
LONGEST_DELAY_S = {"raw_customers": 1.2, "clean_customers": 0.2, "customer_export": 0.2}

STRIDE = 4
"""The points of a run are shared out among tests, which can run side by side."""
OLD = [customer(number) for number in (1, 2, 3)] + [{"first_name": "Nobody"}]
NEW = [customer(number) for number in (1, 2, 4, 5)]
FORMATS = ["json", "ndjson", "parquet"]
OLD_IDS, NEW_IDS = ["cust_001", "cust_002", "cust_003"], ["cust_001", "cust_002", "cust_004", "cust_005"]

pytestmark = pytest.mark.timeout(900)


def kill_sync(sync_environ: dict[str, str], seed: int, step: str, delay_s: float) -> None:
    """Run the main job, and kill it a moment after a step began."""
    with start_sync(sync_environ, seed) as process:
        for line in log_lines(process):
            if "STEP_START" in line and f" {step} " in line:
                break
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)


@pytest.mark.service
def test_whatever_is_killed_the_published_files_are_whole(sync_environ: dict[str, str]) -> None:
    """The export is the old one or the new one; the next run succeeds, and leaves nothing of the killed ones."""
    data, dice = Path(sync_environ["CUSTOMER_DATA_DIR"]), random.Random(7)
    whole = []
    for seed in (1, 2):
        run_sync(sync_environ, seed)
        whole.append(published_document(data))
    assert whole[0] != whole[1]
    for step in STEPS:
        for _ in range(KILLS_A_STEP):
            kill_sync(sync_environ, 1, step, dice.uniform(0.0, LONGEST_DELAY_S[step]))
            assert published_document(data) in whole
            read_export(data / "export" / "customers.json")
            for name in ("raw_customers", "clean_customers"):
                assert pq.read_table(data / "lake" / f"{name}.parquet").num_rows == SYNCED_CUSTOMERS
            assert pq.read_table(data / "quarantine" / "rejected_customers.parquet").num_rows == 0
    run_sync(sync_environ, 1)
    assert published_document(data) == whole[0]
    assert leftovers(DataDirectory(path=str(data))) == []
    assert list((data / "lake" / ".staging").iterdir()) == []


class Site:
    """A data directory that a sync can be interrupted in.

    Attributes:
        directory: The data directory.
        root: The same, as a path.
    """

    def __init__(self, root: Path, lake_url: str = "") -> None:
        self.root = root
        self.directory = DataDirectory(path=str(root), lake_url=lake_url, keep_exports=1, export_formats=FORMATS)

    def run(self, people: list[dict[str, Any]]) -> None:
        """Run a whole sync."""
        sync = PlainSync(self.directory, people)
        try:
            sync.run()
        finally:
            sync.close()

    def check_readers(self) -> None:
        """Hold what every reader sees to be whole: old or new."""
        assert exported_ids(self.directory) in (OLD_IDS, NEW_IDS)
        for ids in copied_ids(self.directory).values():
            assert ids in (OLD_IDS, NEW_IDS)
        raw, clean = self.directory.raw.current(), self.directory.clean.current()
        rows = {(3, 1): OLD_IDS, (4, 0): NEW_IDS}
        for name, version, fetched, ids in (
            (
                "raw_customers",
                raw,
                self.directory.raw.fetch(),
                rows[raw.facts.landed - raw.facts.rejected, raw.facts.rejected],
            ),
            (
                "clean_customers",
                clean,
                self.directory.clean.fetch(),
                rows[clean.facts.records, clean.facts.crawl.rejected],
            ),
        ):
            _, file = fetched
            assert pq.read_metadata(file).num_rows == len(ids)
            file.unlink()
            assert name in version.parts
        shown = pq.read_metadata(self.root / "quarantine" / "rejected_customers.parquet").num_rows
        assert shown in (0, 1)
        if shown == 0:  # it never runs ahead of the table that it belongs to
            assert raw.facts.rejected == 0
        report = json.loads((self.root / "export" / "summary_report.json").read_bytes())
        assert report["total_customers"] in (3, 4)

    def check_next_run(self) -> None:
        """Run once more, as if nothing had been, and hold everything to be right, and nothing to be left over."""
        self.run(OLD)
        assert exported_ids(self.directory) == OLD_IDS
        assert copied_ids(self.directory) == {"ndjson": OLD_IDS, "parquet": OLD_IDS}
        assert self.directory.exported.current().facts.formats == tuple(FORMATS)
        assert json.loads((self.root / "export" / "summary_report.json").read_bytes())["total_customers"] == 3
        assert pq.read_metadata(self.root / "quarantine" / "rejected_customers.parquet").num_rows == 1
        assert leftovers(self.directory) == []
        changes = self.directory.clean.current().facts.changes
        assert changes is not None
        assert changes.added + changes.changed + changes.unchanged == 3
        kept = sorted(path.suffix for path in (self.root / "export" / "history").iterdir())
        assert kept == [".json", ".ndjson", ".parquet"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A data directory with a good export, on this disk."""
    made = Site(tmp_path / "data")
    made.run(OLD)
    return made


@pytest.fixture
def store_site(tmp_path: Path, store_operations: None) -> Site:  # noqa: ARG001 - it reports the store's operations
    """One whose lake is in an object store."""
    made = Site(tmp_path / "data", f"memory://lake-{time.monotonic_ns()}")
    made.run(OLD)
    return made


@pytest.mark.parametrize("offset", range(STRIDE))
def test_a_sync_killed_before_any_file_operation_leaves_whole_files(site: Site, offset: int) -> None:
    """By a real end of its process."""
    number, seen = offset, set()
    while file_operations.kill_at(site.root, number, lambda: site.run(NEW)):
        site.check_readers()
        seen.add(tuple(exported_ids(site.directory)))
        site.check_next_run()
        number += STRIDE
    assert number > 150
    assert seen == {tuple(OLD_IDS), tuple(NEW_IDS)}


class Killed(BaseException):
    """What no handler of errors sees, as if the process had ended."""


@pytest.mark.parametrize("offset", range(STRIDE))
def test_a_sync_killed_before_any_operation_of_a_store_leaves_whole_objects(store_site: Site, offset: int) -> None:
    """And the next run removes what it had uploaded."""
    number, killed = offset, True
    while killed:
        killed = False

        def act(reached: int, path: str, number: int = number) -> None:
            if reached == number and path.startswith("memory:"):
                raise Killed

        try:
            with file_operations.watched(store_site.root, act):
                store_site.run(NEW)
        except Killed:
            killed = True
            end_process(store_site)
        finally:
            number += STRIDE
        store_site.check_readers()
        store_site.check_next_run()
        killed = killed or number < 200


def end_process(site: Site) -> None:
    """Let go of the staging area's lock, as the end of a process does."""
    area = staging._areas.pop((os.getpid(), site.directory.layout.staging))
    atexit.unregister(area.close)
    os.close(area._lock)


@pytest.mark.parametrize("offset", range(STRIDE))
@pytest.mark.parametrize("lake", ["site", "store_site"])
def test_a_sync_that_fails_at_any_operation_says_what_is_in_place(
    request: pytest.FixtureRequest, lake: str, offset: int
) -> None:
    """With EIO, ENOSPC or EROFS: the message names a path, and is right about the export."""
    site: Site = request.getfixturevalue(lake)
    operations = file_operations.count(site.root, lambda: site.run(OLD))
    assert operations > 150
    for number in range(offset, operations, STRIDE):
        code = file_operations.ERRORS[number // STRIDE % len(file_operations.ERRORS)]
        error: Exception | None = None
        try:
            with file_operations.watched(site.root, file_operations.fail_at(number, code)):
                site.run(NEW)
        except (CustomerAssetsError, OSError) as raised:
            error = raised
        context = (number, str(error))
        if error is not None:
            assert os.strerror(code) in str(error), context
            assert str(site.root) in str(error) or "memory:" in str(error), context
        if isinstance(error, PublishError) and error.path == str(site.directory.export_file):
            assert exported_ids(site.directory) == (NEW_IDS if error.in_place else OLD_IDS), context
        site.check_readers()
        end_process(site)  # what could not be removed goes once its process is gone
        site.check_next_run()


@pytest.mark.parametrize("offset", range(STRIDE))
@pytest.mark.parametrize("lake", ["site", "store_site"])
def test_a_sync_that_is_held_up_at_any_operation_mixes_with_no_other(
    request: pytest.FixtureRequest, lake: str, offset: int
) -> None:
    """While it waits, another whole sync runs, of another state of the source: newer, as it began later."""
    site: Site = request.getfixturevalue(lake)
    operations = file_operations.count(site.root, lambda: site.run(OLD))
    for number in range(offset, operations, STRIDE):
        works: list[Callable[[], None]] = [lambda: site.run(NEW), lambda: site.run(OLD)]
        errors = file_operations.pause_at(site.root, number, works[0], works[1])
        assert all(isinstance(error, SupersededError | QualityGateError) for error in errors), (number, errors)
        site.check_readers()
        if errors:
            assert exported_ids(site.directory) == OLD_IDS, number
        with suppress(IndexError):
            assert "newer crawl" in str(errors[0]) or "earlier crawl" in str(errors[0])
        site.check_next_run()
