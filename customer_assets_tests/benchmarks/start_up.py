"""Measures what the main job costs beyond Dagster itself: beside a Dagster project whose four assets do nothing.

    python -m customer_assets_tests.benchmarks.start_up [--runs 5]

Both take turns under `dagster asset materialize`, on the same executor; ours syncs twelve customers without faults.
Prints the median seconds of each and their ratio.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).parents[2]

NOTHING = """
import dagster as dg

@dg.asset
def raw() -> int: return 1

@dg.asset
def clean(raw: int) -> int: return raw

@dg.asset
def export(clean: int) -> int: return clean

@dg.asset
def report(clean: int) -> int: return clean

defs = dg.Definitions(assets=[raw, clean, export, report], executor=dg.{executor}_executor)
"""


def main() -> None:
    """Run both in turn; print medians and their ratio."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--runs", type=int, default=5)
    runs = command.parse_args().runs
    for executor in ("in_process", "multiprocess"):
        with tempfile.TemporaryDirectory() as folder:
            nothing, ours = _medians(Path(folder), executor, runs)
        print(f"{executor}: nothing {nothing:.2f} s, ours {ours:.2f} s, ratio {ours / nothing:.2f}")


def _medians(folder: Path, executor: str, runs: int) -> tuple[float, float]:
    (folder / "nothing.py").write_text(NOTHING.format(executor=executor), encoding="utf-8")
    environ = {
        **os.environ,
        "CUSTOMER_DATA_DIR": str(folder / "data"),
        "CUSTOMER_EXECUTOR": executor,
        "CUSTOMER_SIMULATOR_FAILURE_RATE": "0",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    pairs = [(_seconds("nothing", folder, environ), _seconds("customer_assets", PROJECT, environ)) for _ in range(runs)]
    nothing, ours = zip(*pairs, strict=True)
    return statistics.median(nothing), statistics.median(ours)


def _seconds(module: str, folder: Path, environ: dict[str, str]) -> float:
    started_s = time.perf_counter()
    subprocess.run(
        [BIN / "dagster", "asset", "materialize", "-m", module, "--select", "*"],
        cwd=folder,
        env=environ,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
