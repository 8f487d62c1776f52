"""What all tests stand on: signals that end programs as they usually do, how many run at once and which first."""

import os
import signal

import pytest

# A shell that starts a command in the background has it ignore Ctrl-C, and all that it starts: Dagster's services,
# which treat SIGTERM as they treat SIGINT, would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that start services first: they wait more than they compute, and the others fill their waits."""
    waiting = {item.path for item in items if item.get_closest_marker("service")}
    items.sort(key=lambda item: item.path not in waiting)


def pytest_xdist_auto_num_workers() -> int:
    """Tell how many tests run at once: one more than there are processors, as some mostly wait."""
    return (os.cpu_count() or 1) + 1
