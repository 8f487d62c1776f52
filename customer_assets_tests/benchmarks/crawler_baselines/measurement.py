"""Measures a contender and prints one line of JSON. Standard library only: dlt's interpreter runs it too."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def resident_mb(name: str) -> int:
    """Return `VmRSS` (resident now) or `VmHWM` (its peak so far) in megabytes (2^20)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{name}:")[2].split()[0]) // 1024


def measure(crawl: Callable[[dict[str, Any]], Iterable[int] | int]) -> None:
    """Run a crawl with the options on the command line; print seconds, distinct customers and memory.

    The crawl returns the ids it received, or the number of distinct ones.
    """
    options = json.loads(sys.argv[1])
    idle_mb, started_s = resident_mb("VmRSS"), time.perf_counter()
    try:
        got = crawl(options)
        problem = ""
    except Exception as error:  # noqa: BLE001 - whatever stops a contender is its result
        got, problem = 0, type(error).__name__
    seconds = time.perf_counter() - started_s
    customers = got if isinstance(got, int) else len(set(got))
    result = {"seconds": seconds, "customers": customers, "problem": problem}
    print(json.dumps({**result, "idle_mb": idle_mb, "peak_mb": resident_mb("VmHWM")}))
