"""Decides whether a run deserves a message, and composes it for people in a chat and for machines. Pure.

Sending it belongs in `webhook.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from customer_assets.monitoring.run_report import Outcome, RunReport

MAX_LISTED = 20
"""Further checks and steps are only counted; the run's page lists them all."""

MAX_MESSAGE_LENGTH = 500
"""Characters of one step's message."""

RECOVERED = "customer_sync_recovered"
FAILED = "customer_sync_failed"
CHECK_FAILED = "customer_sync_check_failed"

RUNBOOKS = {FAILED: "deploy/OPERATING.md#when-a-run-fails", CHECK_FAILED: "deploy/OPERATING.md#when-a-check-is-red"}
"""Where the next step is described, by event; paths in the project's repository."""


def alert(report: RunReport, *, environment: str = "", dagster_url: str = "") -> dict[str, Any] | None:
    """Compose the message about a run; None if there is nothing to say.

    A run that failed, or that published although a check failed, is an alert. The first success after an alert is a
    recovery. `text` is what Slack and the like show; the other fields carry the same facts for machines.

    Args:
        report: What happened.
        environment: The installation's name, such as `production`; "" if it has none.
        dagster_url: The webserver's URL, to link the run; "" if people cannot reach one.
    """
    event = _event(report)
    if event is None:
        return None
    run_url = dagster_link(dagster_url, f"runs/{report.run_id}")
    last_export_at = None if report.last_export_at_s is None else datetime.fromtimestamp(report.last_export_at_s, UTC)
    return {
        "text": _text(report, event, environment, run_url, last_export_at),
        "event": event,
        "environment": environment,
        "job": report.job,
        "run_id": report.run_id,
        "run_url": run_url,
        "runbook": RUNBOOKS.get(event, ""),
        "outcome": report.outcome.value,
        "duration_seconds": round(report.duration_s, 3),
        "last_export_at": None if last_export_at is None else iso_instant(last_export_at),
        "failed_checks": [
            {
                "asset": check.asset,
                "check": check.name,
                "description": check.description,
                **{name: check.figures[name] for name in ("score", "threshold") if name in check.figures},
            }
            for check in report.failed_checks[:MAX_LISTED]
        ],
        "failed_checks_count": len(report.failed_checks),
        "failed_steps": [
            {"step": failed.step, "error": failed.error, "message": _shorten(failed.message)}
            for failed in report.failed_steps[:MAX_LISTED]
        ],
        "failed_steps_count": len(report.failed_steps),
    }


def _event(report: RunReport) -> str | None:
    if report.outcome is Outcome.FAILED:
        return FAILED
    if report.outcome is Outcome.SUCCEEDED and report.failed_checks:
        return CHECK_FAILED
    return RECOVERED if report.outcome is Outcome.SUCCEEDED and report.alert_is_open else None


def _text(report: RunReport, event: str, environment: str, run_url: str, last_export_at: datetime | None) -> str:
    verb = {FAILED: "failed", CHECK_FAILED: "ended with failed checks", RECOVERED: "has recovered"}[event]
    lines = [f"{report.job} {verb} (run {report.run_id})."]
    lines += _list([f"• check {check.name} on {check.asset}: {check.description}" for check in report.failed_checks])
    lines += _list([f"• step {step.step}: {_shorten(step.message) or step.error}" for step in report.failed_steps])
    if event == FAILED and last_export_at is not None:
        lines.append(f"The export of {format_instant(last_export_at)} stays in place.")
    return compose_text(lines, environment, {"Run": run_url, "What to do": RUNBOOKS.get(event, "")})


def compose_text(lines: Sequence[str], environment: str, links: Mapping[str, str]) -> str:
    """Put a message together: the environment, what happened, and the links that there are."""
    head = f"[{environment}] " if environment else ""
    text = head + "\n".join([*lines, *(f"{label}: {target}" for label, target in links.items() if target)])
    # Slack's control characters: https://api.slack.com/reference/surfaces/formatting#escaping
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def dagster_link(dagster_url: str, path: str) -> str:
    """Link a page of the webserver, without the user and password that the setting can hold; "" without a webserver."""
    parts = urlsplit(dagster_url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}/{path}" if dagster_url else ""


def format_instant(when: datetime) -> str:
    """Write an instant for people: `25 November 2026, 03:00 UTC`."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def iso_instant(when: datetime) -> str:
    """Write an instant for machines: `2026-11-25T03:00:07Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _list(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MAX_LISTED
    return [*lines[:MAX_LISTED], *([f"• and {more} more"] if more > 0 else [])]


def _shorten(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE_LENGTH else f"{message[: MAX_MESSAGE_LENGTH - 1]}…"
