"""Runs that are killed at any instant: readers see whole versions, and the next run is right."""

import random
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from customer_assets.defs.data_directory import DataDirectory
from customer_assets.export.verify import read_export
from customer_assets_tests.harness.machines.command_line import (
    SYNCED_CUSTOMERS,
    log_lines,
    published_document,
    run_sync,
    start_sync,
)
from customer_assets_tests.harness.machines.warm_programs import WarmPrograms
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.interrupted_sync import NEW, NEW_IDS, OLD_IDS, Site
from customer_assets_tests.harness.storage.plain_sync import exported_ids, leftovers

STEPS = ("raw_customers", "clean_customers", "customer_export")
KILLS_A_STEP = 2
LONGEST_DELAY_S = {"raw_customers": 1.2, "clean_customers": 0.2, "customer_export": 0.2}

pytestmark = pytest.mark.timeout(file_operations.LONGEST_S)


def kill_sync(sync_environ: dict[str, str], seed: int, step: str, delay_s: float) -> None:
    """Run the main job, and kill it a moment after a step began."""
    with start_sync(sync_environ, seed) as process:
        for line in log_lines(process):
            if "STEP_START" in line and f" {step} " in line:
                break
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)


@pytest.mark.service
def test_whatever_is_killed_the_published_files_are_whole(
    sync_environ: dict[str, str], warm_programs: WarmPrograms
) -> None:
    """The export is the old one or the new one; the next run succeeds, and leaves nothing of the killed ones."""
    data, dice = Path(sync_environ["CUSTOMER_DATA_DIR"]), random.Random(7)
    whole = []
    for seed in (1, 2):
        run_sync(sync_environ, seed, warm_programs)
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
    run_sync(sync_environ, 1, warm_programs)
    assert published_document(data) == whole[0]
    assert leftovers(DataDirectory(path=str(data))) == []
    assert list((data / "lake" / ".staging").iterdir()) == []


def test_a_sync_killed_before_any_file_operation_leaves_whole_files(site: Site) -> None:
    """By a real end of its process. Polars cannot be used in a forked one, so the sync that dies uses DuckDB."""

    def work() -> None:
        site.run(NEW, "duckdb")

    operations = file_operations.trace_of_process(site.root, work)
    site.check_next_run()
    assert len(operations) > 150
    seen = set()
    for number in file_operations.after_each_change(operations):
        assert file_operations.kill_at(site.root, number, work), number
        site.check_readers()
        seen.add(tuple(exported_ids(site.directory)))
        site.check_next_run()
    assert seen == {tuple(OLD_IDS), tuple(NEW_IDS)}


class Killed(BaseException):
    """What no handler of errors sees, as if the process had ended."""


def test_a_sync_killed_before_any_operation_of_a_store_leaves_whole_objects(store_site: Site) -> None:
    """And the next run removes what it had uploaded."""
    operations = file_operations.trace(store_site.root, lambda: store_site.run(NEW))
    store_site.check_next_run()
    points = [
        number
        for number in file_operations.first_of_each_kind(operations)
        if operations[number].event in file_operations.STORE_OPERATIONS
    ]
    assert len(points) * file_operations.ONE_IN > 20
    for point in points:

        def act(reached: int, _: str, point: int = point) -> None:
            if reached == point:
                raise Killed

        with pytest.raises(Killed), file_operations.watched(store_site.root, act):
            store_site.run(NEW)
        store_site.end_process()
        store_site.check_readers()
        store_site.check_next_run()
