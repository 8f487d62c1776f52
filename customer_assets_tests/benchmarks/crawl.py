"""Compares crawlers, each in its own process, against its own simulator on loopback.

    python -m customer_assets_tests.benchmarks.crawl unknown-limit | given-limit | short-waits | no-limit | to-parquet

The first run installs dlt into a virtual environment of its own. A contender that takes longer than five minutes is
stopped and reported as "stopped".
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from customer_assets_tests.benchmarks import crawler_baselines
from customer_assets_tests.harness.machines.services import free_port

BASELINES = Path(crawler_baselines.__file__).parent
LONGEST_S = 300.0
FAULTS, LATENCY_MS, RATE, BURST = 0.2, 50, 100, 20
SHORT_WAITS_S = tuple(min(0.05 * 2**retry, 30.0) for retry in range(10))


@dataclass(frozen=True)
class Contender:
    """A module of `crawler_baselines` and its options."""

    script: str
    options: Mapping[str, Any] = field(default_factory=dict)
    to_parquet: bool = False


@dataclass(frozen=True)
class Scenario:
    """A simulator's settings, and who crawls it."""

    pages: int
    contenders: Mapping[str, Contender]
    page_size: int = 100
    failure_rate: float = FAULTS
    rate_limit: int = 0
    latency_ms: int = LATENCY_MS

    @property
    def floor_s(self) -> float:
        """The seconds that the rate limit alone costs, with the requests that fail; 0 without a limit."""
        return self.pages / ((1 - self.failure_rate) * self.rate_limit) if self.rate_limit else 0.0


def scenarios(pages: int | None) -> dict[str, Scenario]:
    """Return all scenarios by name."""
    short = {"retry_waits_s": SHORT_WAITS_S}
    tuned = {"backoff_factor": 0.05, "attempts": 12}
    sequential = {
        "dlt rest_api": Contender("with_dlt"),
        "dlt rest_api, tuned": Contender("with_dlt", tuned),
        "requests, in sequence": Contender("by_hand"),
    }
    return {
        "unknown-limit": Scenario(pages or 4000, {"ours": Contender("ours")}, rate_limit=RATE),
        "given-limit": Scenario(
            pages or 4000, {"ours": Contender("ours", {"client": {"requests_per_second": RATE}})}, rate_limit=RATE
        ),
        "short-waits": Scenario(
            pages or 400,
            {
                "ours": Contender("ours", {"client": short}),
                "dlt, fan-out by hand": Contender("with_dlt", {"fan_out": True, "workers": 10, **tuned}),
            },
            rate_limit=RATE,
        ),
        "no-limit": Scenario(
            pages or 400, {"ours": Contender("ours", {"client": {"max_concurrency": 32}}), **sequential}
        ),
        "no-limit-short-waits": Scenario(
            pages or 400, {"ours": Contender("ours", {"client": {"max_concurrency": 32, **short}}), **sequential}
        ),
        "to-parquet": Scenario(
            pages or 1000,
            {
                "ours": Contender("ours", to_parquet=True),
                "fetch and parse": Contender("by_hand", {"threads": 1}),
                "fetch and parse, 8 threads": Contender("by_hand", {"threads": 8}),
                "dlt rest_api": Contender("with_dlt", to_parquet=True),
            },
            page_size=1000,
            failure_rate=0.0,
            latency_ms=0,
        ),
    }


def interpreter(script: str) -> str:
    """Return the interpreter that runs a script; a rival's is created if it does not exist."""
    requirements = BASELINES / f"{script}.txt"
    if not requirements.exists():
        return sys.executable
    home = Path.home() / ".cache" / "customer_assets_benchmarks" / script.removeprefix("with_")
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
    return str(python)


@contextmanager
def simulator(scenario: Scenario, seed: int) -> Iterator[str]:
    """Serve a scenario; yield its base URL."""
    port = free_port()
    arguments = {
        "port": port,
        "customers": scenario.pages * scenario.page_size,
        "page-size": scenario.page_size,
        "failure-rate": scenario.failure_rate,
        "latency-ms": scenario.latency_ms,
        "seed": seed,
        **({"rate-limit": scenario.rate_limit, "burst": BURST} if scenario.rate_limit else {}),
    }
    command = [sys.executable, "-m", "customer_assets.simulator"]
    command += [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_until_served(url)
            yield url
        finally:
            server.terminate()


def _wait_until_served(url: str) -> None:
    for _ in range(200):
        try:
            requests.get(f"{url}/stats", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("The simulator did not start.")


def run(contender: Contender, scenario: Scenario, seed: int) -> dict[str, Any]:
    """Let one contender crawl a scenario; return its own measurement and the server's counts."""
    with simulator(scenario, seed) as url, tempfile.TemporaryDirectory() as folder:
        options = {**contender.options, "base_url": f"{url}/api", "pages": scenario.pages}
        options |= {"folder": folder} if contender.to_parquet else {}
        module = f"{crawler_baselines.__name__}.{contender.script}"
        command = [interpreter(contender.script), "-m", module, json.dumps(options)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=_clean_environ()
            )
            measured = json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            measured = {"seconds": LONGEST_S, "customers": 0, "problem": "stopped", "idle_mb": 0, "peak_mb": 0}
        except (IndexError, ValueError):
            raise SystemExit(f"{contender.script} printed no result: {done.stderr[-2000:]}") from None
        seen = requests.get(f"{url}/stats", timeout=5).json()
    return {**measured, "requests": seen["requests"], "throttled": seen["by_status"].get("429", 0)}


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMER_")}


def line(name: str, scenario: Scenario, runs: list[dict[str, Any]], ours_s: float) -> str:
    """Summarise a contender's runs: medians, and the largest loss."""
    seconds, requests_sent, throttled, grown, peak = (
        statistics.median(values)
        for values in zip(
            *(
                (run["seconds"], run["requests"], run["throttled"], run["peak_mb"] - run["idle_mb"], run["peak_mb"])
                for run in runs
            ),
            strict=True,
        )
    )
    lost = scenario.pages * scenario.page_size - min(run["customers"] for run in runs)
    problems = {run["problem"] for run in runs} - {""}
    outcome = "complete" if not lost else f"lost {lost:,}" + (f" ({', '.join(sorted(problems))})" if problems else "")
    floor = f" {seconds / scenario.floor_s:5.2f} x floor" if scenario.floor_s else ""
    return (
        f"{name:28} {seconds:7.2f} s{floor}  {seconds / ours_s:6.2f} x ours  {requests_sent:6.0f} requests, "
        f"{throttled:3.0f} x 429 ({throttled / max(requests_sent, 1):.2%})  {peak:5.0f} MB (+{grown:.0f})  {outcome}"
    )


def main() -> None:
    """Run a scenario; its contenders take turns."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("scenario", choices=list(scenarios(None)))
    command.add_argument("--pages", type=int, help="pages to crawl instead of the scenario's own number")
    command.add_argument("--repeat", type=int, default=3, help="number of runs, each with other faults")
    command.add_argument("--only", help="run only contenders whose names begin like this")
    args = command.parse_args()
    scenario = scenarios(args.pages)[args.scenario]
    chosen = {name: each for name, each in scenario.contenders.items() if name.startswith(args.only or "")}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    seeds = [random.Random(number).randrange(1000) for number in range(args.repeat)]
    for seed in seeds:
        for name, contender in chosen.items():
            runs[name].append(run(contender, scenario, seed))
    ours_s = statistics.median(each["seconds"] for each in next(iter(runs.values())))
    print(f"{args.scenario}: {scenario.pages} pages of {scenario.page_size}, {args.repeat} runs, medians")
    for name, found in runs.items():
        print(line(name, scenario, found, ours_s))


if __name__ == "__main__":
    main()
