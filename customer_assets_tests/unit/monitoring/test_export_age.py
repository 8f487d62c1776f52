"""When an export is overdue, and what is said about it."""

from datetime import UTC, datetime, timedelta

import pytest

from customer_assets.monitoring.export_age import Event, ExportAge, Watch, message, next_event

PUBLISHED = datetime(2026, 11, 25, 3, 0, 7, tzinfo=UTC)
DUE = datetime(2026, 11, 26, 3, tzinfo=UTC)
QUIET, ALERTED = Watch(since_s=0.0), Watch(since_s=0.0, alert_is_open=True)
DAILY = ExportAge(PUBLISHED, DUE, DUE + timedelta(days=1))


@pytest.mark.parametrize(
    ("period", "grace"),
    [
        pytest.param(timedelta(minutes=5), timedelta(minutes=5), id="every five minutes"),
        pytest.param(timedelta(hours=1), timedelta(hours=1), id="hourly"),
        pytest.param(timedelta(days=1), timedelta(hours=12), id="daily"),
        pytest.param(timedelta(days=7), timedelta(hours=12), id="weekly"),
    ],
)
def test_an_export_is_overdue_a_period_after_it_was_due_or_twelve_hours(period: timedelta, grace: timedelta) -> None:
    """A run needs some time, and whoever syncs once a week need not wait a week for the alert."""
    age = ExportAge(PUBLISHED, DUE, DUE + period)
    assert not age.is_overdue(DUE + grace)
    assert age.is_overdue(DUE + grace + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("now", "watch", "event"),
    [
        (DUE, QUIET, None),
        (DUE + timedelta(hours=13), QUIET, Event.STALE),
        (DUE + timedelta(hours=99), ALERTED, None),
        (DUE, ALERTED, Event.RECOVERED),
    ],
)
def test_people_hear_of_each_change_once(now: datetime, watch: Watch, event: Event | None) -> None:
    """Neither every five minutes nor never again."""
    assert next_event(watch, DAILY, now) is event


def test_an_overdue_export_is_described_for_people_and_machines() -> None:
    """When it was published, when the next one was due, and where to look."""
    found = message(
        Event.STALE,
        DAILY,
        job="customer_sync_job",
        asset="customer_export",
        environment="production",
        dagster_url="https://user:canary@dagster.example.org/",
    )
    assert found == {
        "text": "[production] customer_export is overdue: it was last published on 25 November 2026, 03:00 UTC.\n"
        "A new one was due on 26 November 2026, 03:00 UTC. Either no run starts, or the runs fail.\n"
        "Asset: https://dagster.example.org/assets/customer_export\n"
        "What to do: deploy/OPERATING.md#when-the-export-is-overdue",
        "event": "customer_export_stale",
        "environment": "production",
        "job": "customer_sync_job",
        "asset": "customer_export",
        "asset_url": "https://dagster.example.org/assets/customer_export",
        "runbook": "deploy/OPERATING.md#when-the-export-is-overdue",
        "last_export_at": "2026-11-25T03:00:07Z",
        "due_at": "2026-11-26T03:00:00Z",
    }


def test_an_export_that_never_was_is_overdue_too() -> None:
    """A sync that was set up and never started."""
    found = message(Event.STALE, ExportAge(None, DUE, DUE), job="acme_job", asset="acme/customer_export")
    assert found["text"].startswith("acme/customer_export was never published.\nIt was due on 26 November")
    assert (found["last_export_at"], found["asset_url"]) == (None, "")


def test_a_recovery_says_from_when_the_export_is() -> None:
    """There is nothing to do about it."""
    found = message(Event.RECOVERED, DAILY, job="customer_sync_job", asset="customer_export")
    assert (found["event"], found["runbook"]) == ("customer_export_recovered", "")
    assert found["text"] == "customer_sync_job publishes again: customer_export is from 25 November 2026, 03:00 UTC."
