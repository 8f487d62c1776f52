"""How close a crawl comes to a limit that nobody stated, on servers of different make.

    python -m customer_assets_tests.benchmarks.pace [--makes gcra sliding] [--seeds 20] [--busy]
    python -m customer_assets_tests.benchmarks.pace --virtual --seeds 200

4,000 pages, 20 % faults, 50 ms, 100 requests a second with a burst of 20. The floor is the limit's own 50 s.
Even a crawl that knows the limit takes 1.12 times as long: the last pages that fail wait their 1, 2 and 4 s.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from customer_assets.api import CustomerAPIClient
from customer_assets_tests.benchmarks.crawler_baselines.ours import Ids
from customer_assets_tests.harness.apis.limited_server import running_make
from customer_assets_tests.harness.apis.makes import FLOOR_S, MAKES, busy, paced_world, quiet
from customer_assets_tests.harness.simulation.simulated_apis import visit

SPIN = "while True: pass"


def crawl(url: str) -> None:
    """Crawl a server in this process; print seconds, requests and answers 429 as JSON."""
    with CustomerAPIClient(url, "any", show_progress=False) as client:
        stats = client.crawl(Ids())
    print(json.dumps([stats.duration_s, stats.requests, stats.statuses[429]]))


def real(make: str, seed: int) -> tuple[float, float]:
    """Crawl a server from a process of its own; return the ratio to the floor and the share of answers 429."""
    with running_make(make, seed) as url:
        command = [sys.executable, "-m", "customer_assets_tests.benchmarks.pace", "--crawl", url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    seconds, requests, throttled = json.loads(done.stdout)
    return seconds / FLOOR_S, throttled / requests


def virtual(make: str, seed: int, *, is_busy: bool) -> tuple[float, float]:
    """The same in virtual time."""
    witness = visit(paced_world(MAKES[make], seed, busy if is_busy else quiet))
    return witness.now_s / FLOOR_S, witness.throttled / witness.requests


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy by another process."""
    with subprocess.Popen([sys.executable, "-c", SPIN]) as spinning:
        try:
            yield
        finally:
            spinning.kill()


def main() -> None:
    """Print each run, and each make's median and worst."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--makes", nargs="+", choices=list(MAKES), default=list(MAKES))
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--busy", action="store_true", help="with one core kept busy by another process")
    parser.add_argument("--virtual", action="store_true", help="in virtual time: no server, a hundred times as fast")
    parser.add_argument("--crawl", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.crawl:
        crawl(chosen.crawl)
        return
    for make in chosen.makes:
        runs = []
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            if chosen.virtual:
                runs.append(virtual(make, seed, is_busy=chosen.busy))
                continue
            with busy_core() if chosen.busy else nullcontext():
                runs.append(real(make, seed))
            print(f"{make:15} seed {seed:3}  {runs[-1][0]:.3f} x floor  {runs[-1][1]:.2%} answered 429", flush=True)
        ratios, shares = zip(*runs, strict=True)
        print(
            f"{make:15} median {statistics.median(ratios):.3f} worst {max(ratios):.3f} x floor  "
            f"median {statistics.median(shares):.2%} worst {max(shares):.2%} answered 429",
            flush=True,
        )


if __name__ == "__main__":
    main()
