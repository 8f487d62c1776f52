"""How fast listings are read that page by cursor, by offset, or by number without a total; beside dlt and Airbyte.

    python -m customer_assets_tests.benchmarks.chains [--pages 1000] [--latency-ms 100] [--only cursor offset number]

1,000 pages of 100 customers, 100 ms a request, 5 % answered 500, and each contender in a process of its own against a
server of its own. The floor is a request after the other, failures and the first wait of one second after each of them
included: nobody who goes from page to page can be faster. The rivals come from environments of their own, made
when they are first needed. Contenders of one listing run one after the other.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from customer_assets_tests.benchmarks.crawl import interpreter
from customer_assets_tests.harness.machines.services import free_port, respond, wait_for_port

SIZE = 100
SLICES = 8
LONGEST_S = 600.0
FIRST_WAIT_S = 1.0
CURSOR = {"type": "cursor", "from": "next", "parameter": "after", "size_parameter": "limit", "size": SIZE}
OURS: dict[str, dict[str, Any]] = {
    "cursor": {"path": "/cursor", "pages": CURSOR, "answer": {"records": "data"}},
    "offset": {
        "path": "/offset",
        "pages": {"type": "offset", "size_parameter": "limit", "size": SIZE},
        "answer": {"records": "data", "total": "total"},
    },
    "number": {"path": "/number", "pages": {"type": "page_number", "size": SIZE}, "answer": {"records": "data"}},
}


@dataclass(frozen=True)
class Load:
    """What a server does to its callers."""

    pages: int
    latency_s: float
    fault_share: float

    @property
    def floor_s(self) -> float:
        """Seconds for a request after the other."""
        failures = self.pages * self.fault_share / (1 - self.fault_share)
        return (self.pages + failures) * self.latency_s + failures * FIRST_WAIT_S


def serve(port: int, load: Load) -> None:
    """Serve the three listings until the process is ended."""
    dice, lock, count = random.Random(1), threading.Lock(), load.pages * SIZE

    def page(start: int, end: int) -> dict[str, Any]:
        records = [{"id": number, "email": f"person{number}@example.org"} for number in range(start, min(end, count))]
        return {"data": records}

    def answer(path: str, asked: dict[str, str]) -> dict[str, Any]:
        if path == "/offset":
            start = int(asked["offset"])
            return {**page(start, start + SIZE), "total": count}
        if path == "/number":
            start = (int(asked["page"]) - 1) * SIZE
            return page(start, start + SIZE)
        low, high = int(asked.get("id_from", 0)), min(int(asked.get("id_to", count)), count)
        start = int(asked.get("after", low))
        following = {"next": str(start + SIZE)} if start + SIZE < high else {}
        return {**page(start, min(start + SIZE, high)), **following}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            with lock:
                fails = dice.random() < load.fault_share
            time.sleep(load.latency_s)
            asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            content = {} if fails else answer(parts.path, asked)
            respond(self, 500 if fails else 200, json.dumps(content).encode(), Content_Type="application/json")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A contender that has ended leaves its connections open."""

    with Server(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


@contextmanager
def serving(load: Load) -> Iterator[str]:
    """Serve from a process of its own until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "customer_assets_tests.benchmarks.chains", "--serve", str(port)]
    command += ["--pages", str(load.pages), "--latency-ms", str(1000 * load.latency_s)]
    with subprocess.Popen([*command, "--faults", str(load.fault_share)]) as server:
        try:
            wait_for_port(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def run(script: str, options: dict[str, Any]) -> dict[str, Any]:
    """Run a contender in a process of its own."""
    command = [interpreter(script), "-m", f"customer_assets_tests.benchmarks.crawler_baselines.{script}"]
    done = subprocess.run(
        [*command, json.dumps(options)], capture_output=True, text=True, timeout=LONGEST_S, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def contenders(listing: str, pages: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Who reads a listing: name, script, options."""
    end, step = pages * SIZE, -(-pages * SIZE // SLICES)
    yield "ours", "ours", {"client": OURS[listing]}
    if listing == "cursor":
        ranges = {"format": "number", "start": 0, "step": step, "end": end}
        sliced = {"slices": {"parameters": {"from": "id_from", "to": "id_to"}, **ranges}}
        yield f"ours, {SLICES} slices", "ours", {"client": {**OURS[listing], **sliced}}
    yield "dlt", "with_dlt", {"listing": listing}
    yield "Airbyte", "with_airbyte", {"listing": listing}
    if listing == "cursor":
        parts = [f"{low}-{min(low + step, end)}" for low in range(0, end, step)]
        yield f"Airbyte, {SLICES} slices", "with_airbyte", {"listing": listing, "ranges": parts}


def main() -> None:
    """Print seconds, and how they compare with the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1_000)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--only", nargs="+", choices=list(OURS), default=list(OURS), help="listings")
    parser.add_argument("--without-rivals", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    load = Load(chosen.pages, chosen.latency_ms / 1_000, chosen.faults)
    if chosen.serve:
        serve(chosen.serve, load)
        return
    print(f"floor: {load.floor_s:.1f} s in sequence, {load.floor_s / 8:.1f} s in eight lanes", flush=True)
    for listing in chosen.only:
        for name, script, options in contenders(listing, chosen.pages):
            if script != "ours" and chosen.without_rivals:
                continue
            with serving(load) as url:
                found = run(script, {"base_url": url, **options})
            seconds, complete = found["seconds"], found["customers"] == chosen.pages * SIZE
            print(
                f"{listing:7} {name:17} {seconds:6.1f} s  {seconds / load.floor_s:5.2f} x floor  "
                f"{8 * seconds / load.floor_s:5.2f} x an eighth  {'complete' if complete else found}",
                flush=True,
            )


if __name__ == "__main__":
    main()
