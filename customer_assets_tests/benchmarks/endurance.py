"""Crawls that must not fail: the asset on hundreds of seeds, and one crawl that is killed again and again.

    python -m customer_assets_tests.benchmarks.endurance seeds [--times 200]
    python -m customer_assets_tests.benchmarks.endurance kills [--times 20]

Waits are short: the benchmark tries many faults, not long waits.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg

from customer_assets.defs.assets import ASSETS
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.resources import CustomerAPIResource, ProcessingResource
from customer_assets.simulator import SimulatorSettings, running_simulator

RAW = ASSETS[0]
PAGES, PAGE_SIZE, IN_FLIGHT = 400, 100, 8
SHORT_WAITS_S = [0.01, 0.02, 0.04]
CRAWL = """
import sys
from customer_assets.api import CustomerAPIClient
url, store, in_flight = sys.argv[1:]
options = dict(max_concurrency=int(in_flight), retry_waits_s=(0.01, 0.02, 0.04), cache_ttl_s=600, show_progress=False)
with CustomerAPIClient(url, "any", page_store=store, **options) as client:
    print("begun", flush=True)
    print(len(client.fetch_all_customers()))
"""
"""Keeps its pages when it ends, so that a kill that comes too late loses nothing."""


def seeds(times: int) -> None:
    """Materialise `raw_customers` against one API per seed; count the outcomes."""
    ends: Counter[str] = Counter()
    retried, started_s = 0, time.perf_counter()
    for seed in range(times):
        complete, attempts = _materialise(seed)
        ends["complete" if complete else f"seed {seed} incomplete"] += 1
        retried += attempts > 1
    print(f"{times} seeds, {PAGES} pages at 20 % faults: {dict(ends)}, {retried} needed the asset's own retry", end="")
    print(f", {time.perf_counter() - started_s:.0f} s")


def _materialise(seed: int) -> tuple[bool, int]:
    settings = SimulatorSettings(customers=PAGES * PAGE_SIZE, page_size=PAGE_SIZE, failure_rate=0.2, seed=seed)
    with (
        running_simulator(settings) as simulator,
        tempfile.TemporaryDirectory() as folder,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        resources: dict[str, Any] = {
            "customer_api": CustomerAPIResource(
                base_url=simulator.base_url, api_key="any", retry_waits_s=SHORT_WAITS_S
            ),
            "data_directory": DataDirectory(path=folder),
            "processing": ProcessingResource(),
        }
        result = dg.materialize_to_memory([RAW], resources=resources, instance=instance, raise_on_error=False)
        if not result.success:
            return False, 0
        ids = result.output_for_node("raw_customers").collect()["id"].to_list()
        attempts = 1 + len([event for event in result.all_events if event.is_step_up_for_retry])
        return sorted(ids) == list(range(1, PAGES * PAGE_SIZE + 1)), attempts


def kills(times: int) -> None:
    """Kill a crawl at a random instant and start it again, `times` times; then let it end."""
    dice = random.Random(7)
    settings = SimulatorSettings(
        customers=PAGES * times * PAGE_SIZE, page_size=PAGE_SIZE, failure_rate=0.2, latency_ms=20, seed=3
    )
    with running_simulator(settings) as simulator, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CRAWL, simulator.base_url, f"sqlite:///{Path(folder)}/pages.sqlite"]
        during = 0
        for _ in range(times):
            with subprocess.Popen([*command, str(IN_FLIGHT)], stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(dice.uniform(0.05, 1.5))
                during += process.poll() is None
                process.kill()
        done = subprocess.run([*command, str(IN_FLIGHT)], stdout=subprocess.PIPE, text=True, check=True)
        fetched = simulator.stats()["by_status"]["200"]
    customers, pages = int(done.stdout.split()[-1]), PAGES * times
    print(f"{during} kills during a crawl of {pages} pages: {customers} of {pages * PAGE_SIZE} customers,", end=" ")
    print(f"{fetched - pages} pages fetched twice, at most {IN_FLIGHT * during} were in flight")


def main() -> None:
    """Run the chosen benchmark."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("what", choices=["seeds", "kills"])
    command.add_argument("--times", type=int)
    args = command.parse_args()
    if args.what == "seeds":
        seeds(args.times or 200)
    else:
        kills(args.times or 20)


if __name__ == "__main__":
    main()
