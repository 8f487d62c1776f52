"""Whether a run is worth an alarm, and what it says: to people in chat and to machines. Pure."""

from typing import Any

from customer_assets.monitoring.run_report import CheckReport, FailedStep, Outcome, RunReport

NAMED_AT_MOST = 20
"""Further checks and steps are counted; the run itself names them."""
LONGEST = 500
"""Characters of one step's message."""


def alert(story: RunReport) -> dict[str, Any] | None:
    """Compose the alarm for a run that failed, or that published in spite of a failed check; None if all is well.

    `text` is what Slack and its like show; the other fields say the same to machines.
    """
    if story.outcome is Outcome.CANCELED or (story.outcome is Outcome.SUCCEEDED and not story.failed_checks):
        return None
    return {
        "text": _text(story),
        "event": "customer_sync_failed" if story.outcome is Outcome.FAILED else "customer_sync_check_failed",
        "job": story.job,
        "run_id": story.run_id,
        "outcome": story.outcome.value,
        "duration_seconds": round(story.duration_s, 3),
        "failed_checks": [_check(check) for check in story.failed_checks[:NAMED_AT_MOST]],
        "failed_checks_count": len(story.failed_checks),
        "failed_steps": [
            {"step": failed.step, "error": failed.error, "message": _shortened(failed.message)}
            for failed in story.failed_steps[:NAMED_AT_MOST]
        ],
        "failed_steps_count": len(story.failed_steps),
    }


def _check(check: CheckReport) -> dict[str, Any]:
    figures = {name: check.figures[name] for name in ("score", "threshold") if name in check.figures}
    return {"asset": check.asset, "check": check.name, "description": check.description, **figures}


def _text(story: RunReport) -> str:
    failed = story.outcome is Outcome.FAILED
    head = f"{story.job} {'failed' if failed else 'ended with failed checks'} (run {story.run_id})."
    checks = [f"• check {check.name} on {check.asset}: {check.description}" for check in story.failed_checks]
    steps = [f"• step {step.step}: {_said(step)}" for step in story.failed_steps]
    return _escaped("\n".join([head, *_named(checks), *_named(steps)]))


def _said(step: FailedStep) -> str:
    return _shortened(step.message) or step.error


def _named(lines: list[str]) -> list[str]:
    more = len(lines) - NAMED_AT_MOST
    return lines if more <= 0 else [*lines[:NAMED_AT_MOST], f"• and {more} more"]


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"


def _escaped(text: str) -> str:
    """Escape what Slack takes for its own: https://api.slack.com/reference/surfaces/formatting#escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
