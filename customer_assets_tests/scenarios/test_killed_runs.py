"""Runs that are killed outright, at random instants of every step."""

import random
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from customer_assets.export.verify import read_export
from customer_assets_tests.harness.command_line import (
    SYNCED_CUSTOMERS,
    log_lines,
    published_document,
    run_sync,
    start_sync,
)

STEPS = ("raw_customers", "clean_customers", "customer_export")
KILLS_A_STEP = 3
LONGEST_DELAY_S = {"raw_customers": 1.2, "clean_customers": 0.2, "customer_export": 0.2}

pytestmark = [pytest.mark.service, pytest.mark.timeout(240)]


def kill_sync(sync_environ: dict[str, str], seed: int, step: str, delay_s: float) -> None:
    """Run the main job, and kill it a moment after a step began."""
    with start_sync(sync_environ, seed) as process:
        for line in log_lines(process):
            if "STEP_START" in line and f" {step} " in line:
                break
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)


def test_whatever_is_killed_the_published_files_are_whole(sync_environ: dict[str, str]) -> None:
    """The export is the one before or the new one; the next run succeeds, and leaves nothing of the killed ones."""
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
    hidden = [path for path in data.rglob("*") if path.name.endswith(".tmp")]
    assert hidden == []
    assert list((data / "lake" / ".staging").iterdir()) == []
