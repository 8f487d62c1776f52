"""Calls that can hang."""

import threading

import pytest

from customer_assets.monitoring.timeouts import call_with_timeout


def test_a_call_in_time_is_waited_for() -> None:
    """Its effect is there afterwards."""
    done: list[int] = []
    call_with_timeout(10.0, lambda: done.append(1))
    assert done == [1]


def test_a_call_that_hangs_is_abandoned() -> None:
    """Its thread goes on by itself."""
    release = threading.Event()
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        call_with_timeout(0.01, release.wait)
    release.set()


def test_what_the_call_raises_is_raised() -> None:
    """In the caller's thread."""
    with pytest.raises(ZeroDivisionError):
        call_with_timeout(10.0, lambda: 1 / 0)
