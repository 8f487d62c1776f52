"""Runs that are killed outright, at random instants of every step."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from customer_assets.export.verify import read_export

CUSTOMERS = 40_000
STEPS = ("raw_customers", "clean_customers", "customer_export")
KILLS_A_STEP = 3
LONGEST_DELAY_S = {"raw_customers": 1.2, "clean_customers": 0.2, "customer_export": 0.2}

pytestmark = [pytest.mark.service, pytest.mark.timeout(240)]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A data directory of the test's own, and customers enough for a kill to hit the middle of something."""
    return {
        **os.environ,
        "CUSTOMER_DATA_DIR": str(tmp_path / "data"),
        "CUSTOMER_SIMULATOR_CUSTOMERS": str(CUSTOMERS),
        "CUSTOMER_SIMULATOR_PAGE_SIZE": "500",
        "CUSTOMER_SIMULATOR_FAILURE_RATE": "0",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }


def started(environ: dict[str, str], seed: int) -> subprocess.Popen[str]:
    """Start the main job; another seed gives another export."""
    command = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize"]
    return subprocess.Popen(
        [*command, "-m", "customer_assets", "--select", "*"],
        env={**environ, "CUSTOMER_GENERATION_SEED": str(seed)},
        cwd=Path(environ["CUSTOMER_DATA_DIR"]).parent,  # where Dagster keeps what it forgets when it is killed
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """What a run logs."""
    assert process.stderr is not None
    yield from process.stderr


def completed(environ: dict[str, str], seed: int) -> None:
    """Run the main job to its end."""
    with started(environ, seed) as process:
        log = list(lines_of(process))
    assert process.returncode == 0, "".join(log[-20:])


def killed_in(environ: dict[str, str], seed: int, step: str, delay_s: float) -> None:
    """Run the main job, and kill it a moment after a step began."""
    with started(environ, seed) as process:
        for line in lines_of(process):
            if "STEP_START" in line and f" {step} " in line:
                break
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)


def exported(data: Path) -> dict[str, Any]:
    """Read the export by a parser that is not ours, without its timestamp."""
    document = json.loads((data / "export" / "customers.json").read_bytes())
    del document["metadata"]["export_timestamp"]
    return dict(document)


def test_whatever_is_killed_the_published_files_are_whole(environ: dict[str, str]) -> None:
    """The export is the one before or the new one; the next run succeeds, and leaves nothing of the killed ones."""
    data, dice = Path(environ["CUSTOMER_DATA_DIR"]), random.Random(7)
    whole = []
    for seed in (1, 2):
        completed(environ, seed)
        whole.append(exported(data))
    assert whole[0] != whole[1]
    for step in STEPS:
        for _ in range(KILLS_A_STEP):
            killed_in(environ, 1, step, dice.uniform(0.0, LONGEST_DELAY_S[step]))
            assert exported(data) in whole
            read_export(data / "export" / "customers.json")
            for name in ("raw_customers", "clean_customers"):
                assert pq.read_table(data / "lake" / f"{name}.parquet").num_rows == CUSTOMERS
            assert pq.read_table(data / "quarantine" / "rejected_customers.parquet").num_rows == 0
    completed(environ, 1)
    assert exported(data) == whole[0]
    hidden = [path for path in data.rglob("*") if path.name.endswith(".tmp")]
    assert hidden == []
    assert list((data / "lake" / ".staging").iterdir()) == []
