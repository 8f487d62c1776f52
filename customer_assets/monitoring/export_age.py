"""Decides whether the published customers are overdue, and composes the message about it. Pure.

A failed run has its own alert (`alerts.py`). This one is for the day on which no run starts, and so none can fail.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from customer_assets.monitoring.alerts import compose_text, dagster_link, format_instant, iso_instant

LONGEST_GRACE = timedelta(hours=12)
"""How long an export can be overdue before anybody is alerted; less if the schedule fires more often than that."""

RUNBOOK = "deploy/OPERATING.md#when-the-export-is-overdue"


class Event(StrEnum):
    """What the message is about."""

    STALE = "customer_export_stale"
    RECOVERED = "customer_export_recovered"


class Watch(BaseModel):
    """What is remembered from one look at the export to the next.

    Attributes:
        since_s: When the watch began: before the first export, the schedule is measured from here.
        alert_is_open: Whether an alert was sent, and no recovery since.
    """

    model_config = ConfigDict(frozen=True)

    since_s: float
    alert_is_open: bool = False


@dataclass(frozen=True, slots=True)
class ExportAge:
    """How old the export is, by its schedule.

    Attributes:
        published_at: When it was published; None if none ever was.
        due_at: When the schedule was to fire next.
        due_again_at: When it was to fire after that.
    """

    published_at: datetime | None
    due_at: datetime
    due_again_at: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Whether a new export should be there by now: a period after it was due, or `LONGEST_GRACE`."""
        return now > self.due_at + min(self.due_again_at - self.due_at, LONGEST_GRACE)


def next_event(watch: Watch, age: ExportAge, now: datetime) -> Event | None:
    """Choose the message to send; None if people know already, or if all is well."""
    is_overdue = age.is_overdue(now)
    if is_overdue == watch.alert_is_open:
        return None
    return Event.STALE if is_overdue else Event.RECOVERED


def message(
    event: Event, age: ExportAge, *, job: str, asset: str, environment: str = "", dagster_url: str = ""
) -> dict[str, Any]:
    """Compose the message: `text` for Slack and the like, the same facts as fields for machines.

    Args:
        event: What it is about.
        age: How old the export is.
        job: The job that publishes it.
        asset: The export's asset.
        environment: The installation's name; "" if it has none.
        dagster_url: The webserver's URL, to link the asset; "" if people cannot reach one.
    """
    published = "" if age.published_at is None else format_instant(age.published_at)
    asset_url = dagster_link(dagster_url, f"assets/{asset}")
    if event is Event.RECOVERED:
        lines = [f"{job} publishes again: {asset} is from {published}."]
    else:
        last = f"is overdue: it was last published on {published}" if published else "was never published"
        due = f"{'A new one' if published else 'It'} was due on {format_instant(age.due_at)}"
        lines = [f"{asset} {last}.", f"{due}. Either no run starts, or the runs fail."]
    runbook = RUNBOOK if event is Event.STALE else ""
    return {
        "text": compose_text(lines, environment, {"Asset": asset_url, "What to do": runbook}),
        "event": event.value,
        "environment": environment,
        "job": job,
        "asset": asset,
        "asset_url": asset_url,
        "runbook": runbook,
        "last_export_at": None if age.published_at is None else iso_instant(age.published_at),
        "due_at": iso_instant(age.due_at),
    }
