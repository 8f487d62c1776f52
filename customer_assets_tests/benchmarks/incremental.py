"""Measures an incremental sync beside a full one of the same customers: requests, seconds, peak memory.

    python -m customer_assets_tests.benchmarks.incremental --customers 200000 --changes 2000

From the first page to the published export, without a network and without Dagster: pages are made as they are needed,
which takes part of the time of either. Each sync runs in a process of its own. With dlt installed, its merge of the
same changes into DuckDB is measured, too: extracting and loading only, since dlt neither cleans nor exports.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import Incremental
from customer_assets.api.options import ApiSettings
from customer_assets.core.models import CrawlSummary, Page
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.processing.engines import open_engine
from customer_assets_tests.benchmarks.scale import peak_mb
from customer_assets_tests.harness.storage.plain_sync import PlainSync

PAGE_SIZE = 100
SETTINGS = ApiSettings(incremental=Incremental(parameter="since", field="updated_at"))
SOURCE = "https://api.example.com"
SYNCS = ("full", "incremental", "dlt")


def record(number: int, version: int) -> str:
    """Write a customer as JSON."""
    return (
        f'{{"id":{number},"email":"person{number}@example{number % 97}.org","first_name":"First{number % 9973}",'
        f'"last_name":"Last{version}","avatar":"https://example.org/img/faces/{number}.jpg",'
        f'"updated_at":"2026-11-{20 + version:02}T02:00:00Z"}}'
    )


def pages(numbers: Sequence[int], version: int) -> Iterator[Page]:
    """Make the pages that an API would answer with."""
    count = max(1, -(-len(numbers) // PAGE_SIZE))
    for page in range(count):
        part = numbers[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
        data = f"[{','.join(record(number, version) for number in part)}]".encode()
        yield Page(page + 1, PAGE_SIZE, len(numbers), count, len(part), data)


def changed(customers: int, changes: int) -> Sequence[int]:
    """Choose who changed: nine tenths are known, one tenth is new."""
    known = random.Random(1).sample(range(1, customers + 1), changes - changes // 10)
    return [*sorted(known), *range(customers + 1, customers + 1 + changes // 10)]


class Sync(PlainSync):
    """One run whose crawl brings some customers.

    Attributes:
        requests: The pages that it took.
        steps: Seconds by step.
    """

    def __init__(self, folder: Path, numbers: Sequence[int], version: int, memory_limit: str | None) -> None:
        super().__init__(DataDirectory(path=str(folder)), [], open_engine("duckdb", memory_limit=memory_limit))
        self.numbers, self.version, self.requests = numbers, version, 0
        self.steps: dict[str, float] = {}

    def crawl(self) -> CrawlSummary:
        plan, stored = self.directory.plan_crawl(SETTINGS, SOURCE)
        with self.directory.landing(SETTINGS.mapping, SOURCE) as landing:
            landing.writer.start_pass()
            for page in pages(self.numbers, self.version):
                landing.writer.add(page)
                self.requests += 1
            records = len(self.numbers)
            figures = CrawlStats(
                pages=self.requests,
                records=records,
                total=records,
                unique_ids=landing.writer.unique_ids(),
                began_at=datetime.now(UTC),
            )
            facts = self.directory.commit_landing(landing, figures, plan, stored)
            landing.raw_file.unlink()
        return facts

    def measure(self) -> dict[str, float]:
        """Run all steps; return what they took."""
        for step in (self.crawl, self.clean, self.export):
            started = time.perf_counter()
            step()
            self.steps[step.__name__] = time.perf_counter() - started
        return {"requests": self.requests, **self.steps, "seconds": sum(self.steps.values()), "peak_mb": peak_mb()}


def merge_with_dlt(folder: Path, customers: int, changes: int) -> dict[str, float]:
    """Let dlt merge the changes into a DuckDB table of all customers; only the merge counts."""
    import dlt  # noqa: PLC0415 - optional

    pipeline = dlt.pipeline("bench", destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")))

    def rows(numbers: Sequence[int], version: int) -> Iterator[list[dict[str, object]]]:
        for page in pages(numbers, version):
            yield json.loads(page.data)

    options = {"table_name": "customers", "primary_key": "id"}
    pipeline.run(rows(range(1, customers + 1), 1), write_disposition="replace", **options)
    started = time.perf_counter()
    numbers = changed(customers, changes)
    pipeline.run(rows(numbers, 2), write_disposition="merge", **options)
    return {
        "requests": -(-len(numbers) // PAGE_SIZE),
        "seconds": time.perf_counter() - started,
        "peak_mb": peak_mb(),
    }


def run_one(name: str, args: argparse.Namespace) -> None:
    """Run one sync in this process; print its figures."""
    folder = Path(args.directory)
    if name == "dlt":
        figures = merge_with_dlt(folder, args.customers, args.changes)
    elif name == "full":
        figures = Sync(folder, range(1, args.customers + 1), 1, args.memory_limit).measure()
    else:
        figures = Sync(folder, changed(args.customers, args.changes), 2, args.memory_limit).measure()
    print(json.dumps(figures))


def main() -> None:
    """Measure each sync, and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--changes", type=int, default=2_000)
    parser.add_argument("--memory-limit", default="1GB", help="DuckDB's, for cleaning and exporting")
    parser.add_argument("--directory", default="", help="where to work; empty: a temporary directory")
    parser.add_argument("--only", choices=SYNCS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        run_one(args.only, args)
        return
    with tempfile.TemporaryDirectory() as temporary:
        args.directory = args.directory or temporary
        for name in SYNCS:
            if name == "dlt" and find_spec("dlt") is None:
                print("dlt is left out: pip install 'dlt[duckdb]'")
                continue
            command = [sys.executable, "-m", "customer_assets_tests.benchmarks.incremental", "--only", name]
            command += [f"--{key.replace('_', '-')}={value}" for key, value in vars(args).items() if key != "only"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            written = ", ".join(
                f"{key} {value:,.2f}" for key, value in figures.items() if key not in ("requests", "peak_mb")
            )
            print(f"{name:<12}{figures['requests']:>9,} requests, {written}, {figures['peak_mb']:,} MB at most")


if __name__ == "__main__":
    main()
