"""Measures the cleaning of a raw lake of any size: rows per second, peak memory, ratio to hand-written code.

    python -m customer_assets_tests.benchmarks.scale --rows 10000000 --engine duckdb --memory-limit 1GB

Contenders take turns, each in a process of its own, `--repeat` times; the median counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import duckdb

from customer_assets.processing.rules import CLEAN_COLUMNS
from customer_assets_tests.benchmarks.lake import WIDE, make_lake

ENGINES = ("duckdb", "polars", "pyspark")
BY_HAND = {"duckdb": "duckdb_by_hand", "polars": "polars_by_hand"}
USUAL = {"pandas_frames": 10_000_000, "pydantic_loop": 1_000_000}
"""What people usually write, and the most rows for which its time and memory are bearable."""
NEEDS = {"pandas_frames": "pandas"}
"""Packages that a contender imports and the tests do not need."""
WIDE_CONTENDERS = ("ours", "duckdb_by_hand")
"""Those that know text ids and extra fields."""


def peak_mb() -> int:
    """Return this process's peak resident memory so far, in megabytes (2^20)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def run_one(name: str, args: argparse.Namespace, lake: Path) -> None:
    """Run one contender in this process; print its seconds, without its imports, and peak memory."""
    import_module(f"customer_assets.processing.engines.{args.engine}")
    clean = import_module(f"customer_assets_tests.benchmarks.cleaning_baselines.{name}").clean
    started = time.perf_counter()
    wide = {"wide": True} if args.wide else {}
    clean(lake, target(lake, name), args.engine, args.memory_limit, **wide)
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_mb": peak_mb()}))


def target(lake: Path, name: str) -> Path:
    """Return the path of the file that a contender writes."""
    return lake.with_name(f"{lake.stem}_{name}.parquet")


def digest_of(path: Path, *, wide: bool) -> tuple[int, int]:
    """Count and hash a contender's rows in any order. All contenders must agree."""
    with duckdb.connect() as connection:
        names = (*CLEAN_COLUMNS, *WIDE.fields) if wide else CLEAN_COLUMNS
        columns = ", ".join(f"CAST({name} AS VARCHAR)" for name in names)
        query = f"SELECT count(*), sum(hash({columns}) % 1000003) FROM read_parquet(?)"  # noqa: S608 - our own names
        row = connection.execute(query, [str(path)]).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def measure(name: str, args: argparse.Namespace, lake: Path) -> dict[str, float]:
    """Run one contender in a fresh process."""
    command = [sys.executable, "-m", "customer_assets_tests.benchmarks.scale", "--rows", str(args.rows)]
    command += ["--engine", args.engine, "--directory", str(lake.parent), "--only", name]
    command += ["--memory-limit", args.memory_limit] if args.memory_limit else []
    command += ["--wide"] if args.wide else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def is_installed(name: str) -> bool:
    """Return whether a contender can run; print what it lacks if not."""
    package = NEEDS.get(name)
    if package is None or find_spec(package) is not None:
        return True
    print(f"{name} is left out: pip install {package}")
    return False


def report(args: argparse.Namespace, lake: Path) -> None:
    """Run all contenders that can bear this many rows; print a line for each."""
    names = ["ours", *filter(None, [BY_HAND.get(args.engine)])]
    if args.wide:
        names = [name for name in names if name in WIDE_CONTENDERS]
    elif not args.quick:
        names += [name for name, most in USUAL.items() if args.rows <= most and is_installed(name)]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(args.repeat):
        for name in names:
            runs[name].append(measure(name, args, lake))
    if len({digest_of(target(lake, name), wide=args.wide) for name in names}) != 1:
        raise SystemExit("The contenders did not write the same customers.")
    ours_s = statistics.median(run["seconds"] for run in runs["ours"])
    kind = "wide rows" if args.wide else "rows"
    print(f"{args.rows:,} {kind} on {args.engine}, memory limit {args.memory_limit or 'none'}")
    for name in names:
        seconds = statistics.median(run["seconds"] for run in runs[name])
        peak = max(run["peak_mb"] for run in runs[name])
        ratio = f"ours takes {ours_s / seconds:.2f} of its time"
        print(f"{name:15} {seconds:8.2f} s {args.rows / seconds:12,.0f} rows/s {peak:7,.0f} MB   {ratio}")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=ENGINES, default="duckdb")
    parser.add_argument("--memory-limit", help="DuckDB's memory limit, such as 1GB")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="leave out the scripts that people usually write")
    parser.add_argument("--directory", type=Path, help="keep the lake here for the next run")
    parser.add_argument("--wide", action="store_true", help="text ids and three extra fields, beside SQL by hand")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Make the lake if need be, then measure."""
    args = parse_arguments(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        lake = (args.directory or Path(temporary)) / f"raw_{'wide_' if args.wide else ''}{args.rows}.parquet"
        if args.only:
            run_one(args.only, args, lake)
            return
        make_lake(lake, args.rows, wide=args.wide)
        report(args, lake)


if __name__ == "__main__":
    main(sys.argv[1:])
