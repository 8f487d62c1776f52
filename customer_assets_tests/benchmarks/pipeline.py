"""Compares the whole main job, from an API on loopback to the published export, with scripts people usually write.

    python -m customer_assets_tests.benchmarks.pipeline --customers 1000000 [--memory-limit 900MB] [--beside plain]

Each contender is a process, timed from start to end. The simulator runs in another one beside it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

PORT = 18765
BASE_URL = f"http://127.0.0.1:{PORT}/api"
BIN = Path(sys.executable).parent
BY_HAND = ("checked", "plain")
"""The script with Pydantic models, and the one without."""


@contextmanager
def simulator(customers: int) -> Iterator[None]:
    """Serve customers without faults, a thousand per page."""
    command = [sys.executable, "-m", "customer_assets.simulator", "--port", str(PORT)]
    command += ["--customers", str(customers), "--page-size", "1000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            _wait_until_served()
            yield
        finally:
            server.terminate()


def _wait_until_served() -> None:
    for _ in range(200):
        try:
            requests.get(f"{BASE_URL}/users", headers={"x-api-key": "any"}, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("The simulator did not start.")


def measure(command: Sequence[str | Path], environ: Mapping[str, str]) -> tuple[float, int]:
    """Run a command; return its seconds and its peak resident memory in megabytes (2^20)."""
    started_s = time.perf_counter()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed with {process.returncode}.")
    return time.perf_counter() - started_s, usage.ru_maxrss // 1024


def run_ours(folder: Path, memory_limit: str) -> tuple[float, int]:
    """Run the main job in an empty data directory."""
    environ = {
        **os.environ,
        "CUSTOMER_API_BASE_URL": BASE_URL,
        "CUSTOMER_API_KEY": "any",
        "CUSTOMER_DATA_DIR": str(folder / "data"),
        "CUSTOMER_ENGINE_MEMORY_LIMIT": memory_limit,
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    return measure([BIN / "dagster", "asset", "materialize", "-m", "customer_assets", "--select", "*"], environ)


def run_by_hand(folder: Path, how: str) -> tuple[float, int]:
    """Run the script that people usually write."""
    script = Path(__file__).parent / "cleaning_baselines" / "hand_written_sync.py"
    return measure([sys.executable, script, BASE_URL, str(folder / "customers.json"), how], os.environ)


def main() -> None:
    """Run all in turn; print medians."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--customers", type=int, default=1_000_000)
    command.add_argument("--memory-limit", default="900MB", help="DuckDB's memory limit")
    command.add_argument("--repeat", type=int, default=3)
    command.add_argument("--beside", nargs="*", choices=BY_HAND, default=BY_HAND, help="the scripts to compare with")
    args = command.parse_args()
    results: dict[str, list[tuple[float, int]]] = {"ours": [], **{f"by hand, {how}": [] for how in args.beside}}
    with simulator(args.customers):
        for _ in range(args.repeat):
            with tempfile.TemporaryDirectory() as folder:
                results["ours"].append(run_ours(Path(folder), args.memory_limit))
            for how in args.beside:
                with tempfile.TemporaryDirectory() as folder:
                    results[f"by hand, {how}"].append(run_by_hand(Path(folder), how))
    for name, runs in results.items():
        seconds, peak_mb = statistics.median(run[0] for run in runs), max(run[1] for run in runs)
        print(f"{name:16} {seconds:7.2f} s {args.customers / seconds:10,.0f} customers/s {peak_mb:6,} MB")


if __name__ == "__main__":
    main()
