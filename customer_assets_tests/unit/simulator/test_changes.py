"""When simulated customers change: against a list of all changes."""

from datetime import datetime, timedelta

import pytest

from customer_assets.simulator.changes import EPOCH, Changes


@pytest.mark.parametrize("per_hour", [60, 7.5, 3600])
@pytest.mark.parametrize("customers", [1, 3, 12])
@pytest.mark.parametrize("age_s", [0, 1, 59.9, 60, 3_601])
def test_the_latest_changes_are_found(customers: int, per_hour: float, age_s: float) -> None:
    changes, now = Changes(customers, per_hour), EPOCH + timedelta(days=1, seconds=age_s)
    known: dict[int, int] = {}
    for number in range(changes.latest(now) + 1):
        known[number % customers] = number
    assert changes.instant(changes.latest(now)) <= now < changes.instant(changes.latest(now) + 1)
    assert {index: changes.latest_of(index, now) for index in range(customers)} == known
    for since in (EPOCH, now - timedelta(hours=1), now - timedelta(minutes=1), now, now + timedelta(hours=9)):
        expected = sorted(number for number in known.values() if changes.instant(number) >= since)
        assert [*changes.since(since, now)] == expected


def test_changes_before_the_first_one_are_numbered_on() -> None:
    """A clock that is set wrong must not break the simulator."""
    changes, now = Changes(12, 60), datetime(2020, 1, 1, tzinfo=EPOCH.tzinfo)
    assert {changes.latest_of(index, now) % 12 for index in range(12)} == set(range(12))
    assert len(changes.since(now - timedelta(minutes=5), now)) == 6
