"""Two runs on one data directory at once: nobody meant it, and nothing breaks."""

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from customer_assets.core.errors import QualityGateError, SupersededError
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.export.verify import read_export
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer
from customer_assets_tests.harness.job_runs import export_of, failure_of, run
from customer_assets_tests.harness.machines.command_line import log_lines, published_document, run_sync, start_sync
from customer_assets_tests.harness.machines.warm_programs import WarmPrograms
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.plain_sync import PlainSync, exported_ids, leftovers

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

CUSTOMERS = 3_000
SEEDS = (1, 2)
INTERLEAVINGS = int(os.environ.get("INTERLEAVINGS", "4"))
"""By hand: `INTERLEAVINGS=250 pytest customer_assets_tests/scenarios/test_overlapping_runs.py -k turns`."""

pytestmark = pytest.mark.timeout(900)


@pytest.mark.service
def test_two_runs_at_once_leave_one_whole_export(sync_environ: dict[str, str], warm_programs: WarmPrograms) -> None:
    """Of either run, never of both; each run ends, neither takes away what the other stages, and the next is good."""
    environ = {**sync_environ, "CUSTOMER_SIMULATOR_CUSTOMERS": str(CUSTOMERS), "CUSTOMER_EXECUTOR": "in_process"}
    data = Path(environ["CUSTOMER_DATA_DIR"])
    whole = []
    for seed in SEEDS:
        run_sync(environ, seed, warm_programs)
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
    run_sync(environ, SEEDS[0], warm_programs)
    assert published_document(data) == whole[0]
    assert leftovers(DataDirectory(path=str(data))) == []
    assert list((data / "lake" / ".staging").iterdir()) == []


def test_two_syncs_overlap_in_one_process(serve_api: Serve, resources: Resources) -> None:
    """A notebook, say, or two runs of a code server. The same source: both succeed, and the export is whole."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made, start = resources(api), Barrier(2)

    def sync(_: int) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            start.wait()
            return run(made, instance)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(sync, range(2)))
    assert [failure_of(result) for result in results] == ["", ""]
    assert exported_ids(made["data_directory"]) == [f"cust_00{number}" for number in range(1, 8)]
    assert leftovers(made["data_directory"]) == []
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, instance).success
    assert export_of(made).stat().st_size > 0


def test_two_threads_load_an_asset_at_once(serve_api: Serve, resources: Resources) -> None:
    """Both are given all rows, and the published files keep theirs."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api)
    directory: DataDirectory = made["data_directory"]
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, instance).success
    start = Barrier(4)

    def load(number: int) -> int:
        sync = PlainSync(directory, [])
        start.wait()
        for _ in range(5):
            sync.load()
        return len(sync.frames[("raw_customers", "clean_customers")[number % 2]].collect())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load, range(4))) == [7] * 4
    for name in ("raw_customers", "clean_customers"):
        assert pq.read_table(directory.layout.local_lake / f"{name}.parquet").num_rows == 7


@pytest.mark.parametrize(
    ("store", "seed"),
    [
        (store, seed)
        for store in ("directory", "memory", "processes")
        for seed in range(INTERLEAVINGS if store != "processes" else max(INTERLEAVINGS // 5, 2))
    ],
)
def test_runs_take_turns_at_every_operation(
    tmp_path: Path,
    store_operations: None,  # noqa: ARG001 - it reports the store's operations
    store: str,
    seed: int,
) -> None:
    """As the dice fall: whatever anybody reads at any instant is one run's, and so is what is left in the end."""
    lake = f"memory://lake-{time.monotonic_ns()}" if store == "memory" else ""
    directory = DataDirectory(path=str(tmp_path / "data"), lake_url=lake)
    worlds = [(1, 2, 3), (1, 2, 4, 5), (6,)]
    expected = [sorted(f"cust_{number:03}" for number in ids) for ids in worlds]
    syncs = [PlainSync(directory, [customer(number) for number in ids]) for ids in worlds]
    syncs[2].run()
    seen = set()

    def look() -> None:
        ids = exported_ids(directory)
        assert ids in expected
        seen.add(tuple(ids))

    def work(number: int) -> None:  # DuckDB's threads do not survive a fork
        with closing(PlainSync(directory, syncs[number].records)) as own:
            own.run()

    works, dice = [partial(work, 0), partial(work, 1)], random.Random(seed)
    if store == "processes":
        names = file_operations.interleave_processes(tmp_path, works, dice, look)
        assert set(names) <= {None, "SupersededError", "QualityGateError"}
    else:
        for error in file_operations.interleave(tmp_path, works, dice, look):
            assert error is None or isinstance(error, SupersededError | QualityGateError), error
    look()
    assert len(seen) > 1
    for table, facts in ((directory.raw, "landed"), (directory.clean, "records")):
        version, file = table.fetch()
        assert pq.read_metadata(file).num_rows == getattr(version.facts, facts)
        file.unlink()
    for sync in syncs:
        sync.close()
    last = PlainSync(directory, [customer(9)])
    last.run()
    last.close()
    assert exported_ids(directory) == ["cust_009"]
    assert leftovers(directory) == []
