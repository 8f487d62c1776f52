"""Measures the export of clean customers: rows per second and peak memory. Another parser then checks the file.

python -m customer_assets_tests.benchmarks.export --rows 10000000 --memory-limit 1GB --directory /somewhere
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from customer_assets_tests.benchmarks.lake import make_lake
from customer_assets_tests.benchmarks.scale import peak_mb

OPENING_LINES = 3


def run_one(clean: Path, target: Path, memory_limit: str) -> None:
    """Export in this process; print seconds and peak memory."""
    from customer_assets.export import DataExporter  # noqa: PLC0415 - only the child needs it
    from customer_assets.processing.engines import open_engine  # noqa: PLC0415

    engine = open_engine("duckdb", memory_limit=memory_limit, spill_dir=clean.parent / "spill")
    started_s = time.perf_counter()
    figures = DataExporter(engine).export_customers(engine.scan(clean), target)
    seconds = time.perf_counter() - started_s
    print(json.dumps({"rows": figures.total_customers, "seconds": seconds, "peak_mb": peak_mb()}))


def count_parsed(path: Path) -> int:
    """Parse the document with the standard library, one customer at a time, and check its order."""
    customers, before = 0, ""
    with path.open(encoding="utf-8") as file:
        opening = "".join(next(file) for _ in range(OPENING_LINES))
        for line in file:
            if line == "]\n":
                break
            customer = json.loads(line.rstrip().removesuffix(","))
            if customer["full_name"] < before:
                raise SystemExit("The export is not in order.")
            before, customers = customer["full_name"], customers + 1
        document = json.loads(f"{opening}]{file.read()}")
    if document["metadata"]["total_customers"] != customers:
        raise SystemExit("The export's metadata does not match its number of customers.")
    return customers


def main() -> None:
    """Create the clean lake unless it exists, then export it."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--rows", type=int, default=1_000_000)
    command.add_argument("--memory-limit", default="1GB", help="DuckDB's memory limit")
    command.add_argument("--directory", type=Path, help="keep the lakes here for the next run")
    command.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    args = command.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.directory or Path(temporary)
        raw, clean = folder / f"raw_{args.rows}.parquet", folder / f"clean_{args.rows}.parquet"
        target = folder / f"export_{args.rows}.json"
        if args.only:
            run_one(clean, target, args.memory_limit)
            return
        make_lake(raw, args.rows)
        if not clean.exists():
            from customer_assets_tests.benchmarks.cleaning_baselines import ours  # noqa: PLC0415

            ours.clean(raw, clean, "duckdb", args.memory_limit)
        again = [sys.executable, "-m", "customer_assets_tests.benchmarks.export", "--only", "--rows", str(args.rows)]
        again += ["--memory-limit", args.memory_limit, "--directory", str(folder)]
        measured = json.loads(subprocess.run(again, capture_output=True, check=True, text=True).stdout.splitlines()[-1])
        parsed = count_parsed(target)
        target.unlink()
    if parsed != measured["rows"]:
        raise SystemExit(f"{measured['rows']} customers were exported, {parsed} can be read.")
    speed = measured["rows"] / measured["seconds"]
    print(
        f"{parsed:,} customers in {measured['seconds']:.2f} s: {speed:,.0f} rows/s, "
        f"{measured['peak_mb']:,} MB; all parsed"
    )


if __name__ == "__main__":
    main()
