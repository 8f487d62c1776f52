"""Settings of the whole suite: working signals, patience, a quick Spark, how many workers, which tests go first.

Fixtures belong to a conftest.py further down, beside the tests that use them.
"""

import os
import signal

import hypothesis
import pytest

from customer_assets_tests.harness.storage.file_operations import unflushed

__all__ = ["unflushed"]

# A machine that does much else can take a second for what takes a millisecond. That is no finding.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# A shell that starts a command in the background makes it ignore Ctrl-C, and so do its children. Dagster's services
# handle SIGTERM as SIGINT, so a test could not stop them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest-xdist keeps all processors busy, so Polars need not divide what little a test gives it.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

# Tests run many small queries. Without its second compiler and its parallel collector, a local Spark takes less than
# half the processor time for them: 16 s in place of 35 s for its start and six cleanings.
os.environ.setdefault(
    "PYSPARK_SUBMIT_ARGS", "--driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that start services first: they mostly wait, and the others fill the gaps."""
    waiting = {item.path for item in items if item.get_closest_marker("service")}
    items.sort(key=lambda item: item.path not in waiting)


def pytest_xdist_auto_num_workers() -> int:
    """Use one worker more than there are processors, since some tests mostly wait."""
    return (os.cpu_count() or 1) + 1
