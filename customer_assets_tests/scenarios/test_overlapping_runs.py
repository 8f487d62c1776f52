"""Two runs on one data directory at once: nobody meant it, and nothing breaks."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from customer_assets.export.verify import read_export
from customer_assets_tests.harness.command_line import log_lines, published_document, run_sync, start_sync

CUSTOMERS = 3_000
SEEDS = (1, 2)


pytestmark = [pytest.mark.service, pytest.mark.timeout(400)]


def test_two_runs_at_once_leave_one_whole_export(sync_environ: dict[str, str]) -> None:
    """Of either run, never of both; each run ends, neither takes away what the other stages, and the next is good."""
    environ = {**sync_environ, "CUSTOMER_SIMULATOR_CUSTOMERS": str(CUSTOMERS), "CUSTOMER_EXECUTOR": "in_process"}
    data = Path(environ["CUSTOMER_DATA_DIR"])
    whole = []
    for seed in SEEDS:
        run_sync(environ, seed)
        whole.append(published_document(data))
    assert whole[0] != whole[1]
    with (
        start_sync(environ, SEEDS[0]) as first,
        start_sync(environ, SEEDS[1]) as second,
        ThreadPoolExecutor(2) as readers,
    ):
        logs = list(readers.map(lambda process: "".join(log_lines(process)), (first, second)))
    for process, log in zip((first, second), logs, strict=True):
        assert process.returncode == 0, log[-3000:]
    assert published_document(data) in whole
    read_export(data / "export" / "customers.json")
    for name in ("raw_customers", "clean_customers"):
        assert pq.read_table(data / "lake" / f"{name}.parquet").num_rows == CUSTOMERS
    run_sync(environ, SEEDS[0])
    assert published_document(data) == whole[0]
    assert [path.name for path in data.rglob("*") if path.name.endswith(".tmp")] == []
    assert list((data / "lake" / ".staging").iterdir()) == []
