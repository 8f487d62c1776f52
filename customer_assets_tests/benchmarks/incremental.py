"""Measures an incremental sync beside a full one of the same customers: requests, seconds, CPU seconds, peak memory.

    python -m customer_assets_tests.benchmarks.incremental --customers 1000000 --changes 1000 10000

From the first page to the published export, without a network and without Dagster. Making the pages is left out of the
figures. `first` fills an empty directory; then there is an incremental sync for each number of changes, and `refresh`
reads everything again. Each sync runs in a process of its own, so that its peak memory is its own.

With dlt installed (`pip install 'dlt[duckdb]'`), its `rest_api` source requests the first number of changes over
loopback and merges them into a DuckDB table of all customers. It neither cleans nor exports.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import Incremental
from customer_assets.api.options import ApiSettings
from customer_assets.core.models import CrawlSummary, Page
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.processing.engines import open_engine
from customer_assets_tests.benchmarks.scale import peak_mb
from customer_assets_tests.harness.machines.services import respond, serving
from customer_assets_tests.harness.storage.plain_sync import PlainSync

PAGE_SIZE = 100
SETTINGS = ApiSettings(incremental=Incremental(parameter="since", field="updated_at"))
SOURCE = "https://api.example.com"
SYNCS = ("first", "incremental", "refresh", "dlt")
STEPS = ("crawl", "clean", "export", "report")
LAST_DATE = "2099-01-01T00:00:{:02}Z"
"""Later than any watermark, so that no change looks as if nobody had asked for it."""

Figures = dict[str, float]


class Source:
    """Customers who changed several times.

    Args:
        customers: How many there were at first.
        changes: How many changed each time: nine tenths of them known, one tenth new.
    """

    def __init__(self, customers: int, changes: Sequence[int]) -> None:
        self.customers = customers
        self._versions: dict[int, int] = {}
        self.changed: list[list[int]] = []
        for version, count in enumerate(changes, 2):
            known = random.Random(version).sample(range(1, customers + 1), count - count // 10)
            joined = range(self.newest + 1, self.newest + 1 + count // 10)
            self.changed.append([*sorted(known), *joined])
            self._versions.update(dict.fromkeys(self.changed[-1], version))

    @property
    def newest(self) -> int:
        """The largest id."""
        return max(self.customers, max(self.changed[-1], default=0) if self.changed else 0)

    def everybody(self) -> range:
        """Return all ids."""
        return range(1, self.newest + 1)

    def record(self, number: int) -> str:
        """Write a customer as JSON."""
        version = self._versions.get(number, 1)
        return (
            f'{{"id":{number},"email":"person{number}@example{number % 97}.org","first_name":"First{number % 9973}",'
            f'"last_name":"Last{version}","avatar":"https://example.org/img/faces/{number}.jpg",'
            f'"updated_at":"{LAST_DATE.format(version)}"}}'
        )

    def page(self, numbers: Sequence[int], page: int) -> bytes:
        """Write a page of a listing, from 1."""
        part = numbers[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        return f"[{','.join(map(self.record, part))}]".encode()


def page_count(numbers: Sequence[int]) -> int:
    """Return how many pages a listing has; an empty one has one."""
    return max(1, -(-len(numbers) // PAGE_SIZE))


class Sync(PlainSync):
    """One run whose crawl brings some customers.

    Args:
        folder: The data directory.
        source: The customers.
        numbers: Which of them come.
        is_full: Whether everything is requested.
        memory_limit: DuckDB's, for cleaning and exporting.
    """

    def __init__(
        self, folder: Path, source: Source, numbers: Sequence[int], memory_limit: str, *, is_full: bool
    ) -> None:
        super().__init__(DataDirectory(path=str(folder)), [], open_engine("duckdb", memory_limit=memory_limit))
        self.source, self.numbers, self.is_full = source, numbers, is_full
        self._making_s = self._making_cpu_s = 0.0

    def crawl(self) -> CrawlSummary:
        plan, stored = self.directory.plan_crawl(SETTINGS, SOURCE, full_refresh=self.is_full)
        with self.directory.landing(SETTINGS.mapping, SOURCE) as landing:
            landing.writer.start_pass()
            for page in self._pages():
                landing.writer.add(page)
            records = len(self.numbers)
            figures = CrawlStats(
                pages=page_count(self.numbers),
                records=records,
                total=records,
                unique_ids=landing.writer.unique_ids(),
                began_at=datetime.now(UTC),
            )
            facts = self.directory.commit_landing(landing, figures, plan, stored)
            landing.raw_file.unlink()
            if stored is not None:
                stored.remove()
        return facts

    def measure(self) -> Figures:
        """Run all steps; return what they took."""
        figures: Figures = {"requests": page_count(self.numbers)}
        started, cpu_s = time.perf_counter(), processor_s()
        for step in (self.crawl, self.clean, self.export, self.report):
            step_started = time.perf_counter()
            step()
            figures[step.__name__] = time.perf_counter() - step_started
        figures["crawl"] -= self._making_s
        figures["seconds"] = time.perf_counter() - started - self._making_s
        figures["cpu"] = processor_s() - cpu_s - self._making_cpu_s
        return {**figures, "peak_mb": peak_mb()}

    def _pages(self) -> Iterator[Page]:
        """Make the pages that an API would answer with, and note how long that takes."""
        count = page_count(self.numbers)
        for number in range(1, count + 1):
            started, cpu_s = time.perf_counter(), time.thread_time()
            data = self.source.page(self.numbers, number)
            self._making_s += time.perf_counter() - started
            self._making_cpu_s += time.thread_time() - cpu_s
            records = min(PAGE_SIZE, len(self.numbers) - (number - 1) * PAGE_SIZE)
            yield Page(number, PAGE_SIZE, len(self.numbers), count, records, data)


def processor_s() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def merge_with_dlt(folder: Path, source: Source, url: str) -> Figures:
    """Let dlt merge the changes into a DuckDB table of all customers; only the merge counts."""
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID": "true",
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
        "DLT_DATA_DIR": str(folder / "dlt"),
    }
    import dlt  # noqa: PLC0415 - optional, and it reads its settings when it is imported
    import pyarrow as pa  # noqa: PLC0415
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    pipeline = dlt.pipeline("bench", destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")))

    def tables() -> Iterator[pa.Table]:
        before, step = Source(source.customers, []), 100_000
        for start in range(1, source.customers + 1, step):
            rows = [json.loads(before.record(n)) for n in range(start, min(start + step, source.customers + 1))]
            for row in rows:
                row["updated_at"] = datetime.fromisoformat(row["updated_at"])
            yield pa.Table.from_pylist(rows)

    everybody: Any = dlt.resource(tables, name="customers", primary_key="id", write_disposition="replace")
    pipeline.run(everybody)
    paginator: Any = {"type": "page_number", "base_page": 1, "total_path": "total_pages"}
    api: Any = rest_api_source(
        {
            "client": {"base_url": url, "paginator": paginator},
            "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
            "resources": [{"name": "customers", "endpoint": {"path": "customers", "data_selector": "data"}}],
        }
    )
    started, cpu_s = time.perf_counter(), processor_s()
    pipeline.run(api)
    figures = {"seconds": time.perf_counter() - started, "cpu": processor_s() - cpu_s, "peak_mb": float(peak_mb())}
    with pipeline.sql_client() as client:
        counted = client.execute_sql("SELECT count(*) FROM customers") or [(0,)]
    (rows,) = counted[0]
    if rows != source.newest:
        sys.exit(f"dlt's table has {rows} rows, not {source.newest}")
    return {"requests": page_count(source.changed[0]), **figures}


def handler(source: Source) -> type[BaseHTTPRequestHandler]:
    """Make the API that dlt requests the first changes from."""
    numbers = source.changed[0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
            head = f'{{"page":{page},"total_pages":{page_count(numbers)},"data":'.encode()
            respond(self, 200, head + source.page(numbers, page) + b"}", Content_Type="application/json")

    return Handler


def run_one(name: str, args: argparse.Namespace) -> None:
    """Run one sync in this process; print its figures."""
    folder, limit = Path(args.directory), args.memory_limit
    if name == "dlt":
        figures = merge_with_dlt(folder, Source(args.customers, args.changes[:1]), args.url)
    elif name == "incremental":
        source = Source(args.customers, args.changes)
        figures = Sync(folder, source, source.changed[-1], limit, is_full=False).measure()
    else:
        source = Source(args.customers, args.changes)
        figures = Sync(folder, source, source.everybody(), limit, is_full=True).measure()
    print(json.dumps(figures))


def measure(name: str, args: argparse.Namespace, changes: Sequence[int]) -> Figures | None:
    """Run one sync in a process of its own; None if it takes longer than its limit."""
    command = [sys.executable, "-m", "customer_assets_tests.benchmarks.incremental", "--only", name]
    command += ["--customers", str(args.customers), "--memory-limit", args.memory_limit]
    command += ["--directory", args.directory, "--changes", *map(str, changes)]
    is_dlt = name == "dlt"
    api = serving(handler(Source(args.customers, changes))) if is_dlt else nullcontext("")
    with api as url:
        command += ["--url", url]
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, check=True, timeout=args.dlt_limit_s if is_dlt else None
            )
        except subprocess.TimeoutExpired:
            return None
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(name: str, figures: Figures, refresh: Figures | None = None) -> None:
    """Print a line for a sync."""
    steps = ", ".join(
        f"{step} {figures[step]:.2f}" for step in ("crawl", "clean", "export", "report") if step in figures
    )
    line = f"{name:<22}{figures['requests']:>9,.0f}{figures['seconds']:>9.2f}{figures['cpu']:>9.2f}"
    line += f"{figures['peak_mb']:>9,.0f}   {steps}"
    if refresh is not None:
        line += (
            f"   {figures['seconds'] / refresh['seconds']:.2f} of a refresh, {figures['cpu'] / refresh['cpu']:.2f} CPU"
        )
    print(line)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--changes", type=int, nargs="*", default=[2_000], help="one incremental sync for each")
    parser.add_argument("--memory-limit", default="1GB", help="DuckDB's, for cleaning and exporting")
    parser.add_argument("--directory", default="", help="where to work; empty: a temporary directory")
    parser.add_argument("--dlt-limit-s", type=float, default=600.0, help="dlt is stopped after this time")
    parser.add_argument("--only", choices=SYNCS, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure each sync, and print a line for it."""
    args = parse_arguments()
    if args.only:
        run_one(args.only, args)
        return
    with tempfile.TemporaryDirectory() as temporary:
        args.directory = args.directory or temporary
        syncs = [("first", args.changes[:0])]
        syncs += [("incremental", args.changes[: count + 1]) for count in range(len(args.changes))]
        syncs += [("refresh", args.changes)]
        measured = [(name, changes, measure(name, args, changes)) for name, changes in syncs]
        refresh = measured[-1][2]
        print(f"{args.customers:,} customers      requests  seconds      CPU  peak MB")
        for name, changes, figures in measured:
            assert figures is not None  # only dlt has a limit
            is_incremental = name == "incremental"
            label = f"{name} {changes[-1]:,}" if is_incremental else name
            show(label, figures, refresh if is_incremental else None)
        if find_spec("dlt") is None:
            print("dlt is left out: pip install 'dlt[duckdb]'")
        elif (found := measure("dlt", args, args.changes[:1])) is None:
            print(f"dlt was stopped after {args.dlt_limit_s:g} s")
        else:
            show(f"dlt {args.changes[0]:,}", found)


if __name__ == "__main__":
    main()
