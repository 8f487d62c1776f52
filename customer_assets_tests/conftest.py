"""Settings of the whole suite: working signals, patience, quick engines, how many workers, which tests go first.

Fixtures belong to a conftest.py further down, beside the tests that use them.
"""

import atexit
import gc
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from customer_assets_tests.harness.storage.file_operations import unflushed

__all__ = ["unflushed"]

# A machine that does much else can take a second for what takes a millisecond. That is no finding.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def is_compiled(package: str) -> bool:
    """Whether the package's bytecode was kept when it was installed or first imported."""
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.cached is not None and Path(spec.cached).exists()


# A shell that starts a command in the background makes it ignore Ctrl-C, and so do its children. Dagster's services
# handle SIGTERM as SIGINT, so a test could not stop them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where neither pip nor Python may keep bytecode, as in many containers, each program that a test starts would compile
# Dagster again: four seconds of processor time. They keep it in a directory of this run instead.
if sys.dont_write_bytecode and not is_compiled("dagster"):
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="bytecode")
    atexit.register(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True)

# pytest-xdist keeps all processors busy, so Polars need not divide what little a test gives it.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

# Tests run many small queries. Without its second compiler and its parallel collector, a local Spark takes less than
# half the processor time for them: 16 s in place of 35 s for its start and six cleanings.
os.environ.setdefault(
    "PYSPARK_SUBMIT_ARGS", "--driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell"
)


USUAL_TIMEOUT_S = 300
"""Tests that set a shorter one are not quick for that: they wait for something that could hang."""


def scope_of(node_id: str) -> str:
    """Name the tests that one worker runs in a row: those of a file, but all that need Spark together.

    A Spark takes ten seconds of processor time to start, and each of its first queries some more.
    """
    return "Spark" if "pyspark" in node_id else node_id.partition("::")[0]


class OneSpark(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """`--dist loadfile`, but a single worker starts Spark."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Bring the tests that need Spark together when files are distributed."""
    return OneSpark(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep modules and tests out of the garbage collector's sight: they stay to the end, and are a million objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Let everything be collected at the end: extension modules report what is not."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first, so that no worker is left with it at the end.

    That is what is allowed most time, then what starts services, then the other scenarios.
    """
    allowed, services = defaultdict[str, float](float), Counter[str]()
    for item in items:
        scope, timeout = scope_of(item.nodeid), item.get_closest_marker("timeout")
        allowed[scope] = max(allowed[scope], timeout.args[0] if timeout else 0, USUAL_TIMEOUT_S)
        services[scope] += item.get_closest_marker("service") is not None

    def place(item: pytest.Item) -> tuple[float, int, bool]:
        scope = scope_of(item.nodeid)
        return -allowed[scope], -services[scope], "scenarios" not in item.path.parts

    items.sort(key=place)


def pytest_xdist_auto_num_workers() -> int:
    """Use two workers more than there are processors, since many tests mostly wait."""
    return (os.cpu_count() or 1) + 2
