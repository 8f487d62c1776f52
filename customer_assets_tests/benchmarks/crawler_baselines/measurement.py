"""How each rival tells what it took: one line of JSON. Standard library only, since dlt's interpreter runs it too."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def resident_mb(name: str) -> int:
    """Tell `VmRSS` (now) or `VmHWM` (the largest so far), in megabytes (2^20)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{name}:")[2].split()[0]) // 1024


def measure(crawl: Callable[[dict[str, Any]], Iterable[int] | int]) -> None:
    """Run a crawl with the options on the command line; print seconds, customers by distinct id, and memory.

    The crawl returns the ids it got, or how many distinct ones there are.
    """
    options = json.loads(sys.argv[1])
    idle_mb, started_s = resident_mb("VmRSS"), time.perf_counter()
    try:
        got = crawl(options)
        problem = ""
    except Exception as error:  # noqa: BLE001 - whatever ends a rival is what it is remembered for
        got, problem = 0, type(error).__name__
    seconds = time.perf_counter() - started_s
    customers = got if isinstance(got, int) else len(set(got))
    taken = {"seconds": seconds, "customers": customers, "problem": problem}
    print(json.dumps({**taken, "idle_mb": idle_mb, "peak_mb": resident_mb("VmHWM")}))
