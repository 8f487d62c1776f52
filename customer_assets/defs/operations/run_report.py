"""Reads a run from Dagster's event log as a plain `RunReport`. Translation only.

What is made of the report belongs in `monitoring/`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from customer_assets.core import errors
from customer_assets.defs.operations.run_status import FINISHED
from customer_assets.monitoring.run_report import AssetReport, CheckReport, FailedStep, Outcome, RunReport

ALERT_TAG = "customer_assets/alert"
"""On a run: what was sent to the webhook about it."""
ALERT_SENT, RECOVERY_SENT = "sent", "recovered"

REPORTED_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
}

PUBLIC_ERRORS = {
    name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)
}
"""Errors whose messages hold no key and no customer's data. Of any other error only the class is reported."""

EXPORT = "customer_export"

RUNS_LOOKED_BACK = 30
"""How far to look for the last success. A job that failed more often in a row has had its alerts."""


def build_run_report(
    instance: dg.DagsterInstance, run: dg.DagsterRun, outcome: Outcome, started_at_s: float, ended_at_s: float
) -> RunReport:
    """Report a run from what the instance recorded of it."""
    log = instance.all_logs(run.run_id, of_type=REPORTED_EVENTS)
    events = [(entry.dagster_event, entry.timestamp) for entry in log if entry.dagster_event is not None]
    return RunReport(
        job=run.job_name,
        run_id=run.run_id,
        outcome=outcome,
        ended_at_s=ended_at_s,
        duration_s=max(0.0, ended_at_s - started_at_s),
        assets=_assets(events),
        checks=tuple({(check.asset, check.name): check for check in _checks(events)}.values()),
        failed_steps=tuple(
            explain_failure(event) for event, _ in events if event.event_type is dg.DagsterEventType.STEP_FAILURE
        ),
        last_export_at_s=_last_export_at_s(instance, events),
        alert_is_open=_alert_is_open(instance, run),
    )


def with_reason(report: RunReport, reason: str) -> RunReport:
    """Give a failed run without a failed step its reason, such as the class of an error."""
    if report.outcome is not Outcome.FAILED or report.failed_steps or not reason:
        return report
    return replace(report, failed_steps=(FailedStep("run", reason, ""),))


def _assets(events: Iterable[tuple[dg.DagsterEvent, float]]) -> dict[str, AssetReport]:
    """Report each asset with its latest figures, which a failed attempt logs as an observation."""
    assets: dict[str, AssetReport] = {}
    for event, at_s in events:
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
            observation = event.asset_observation_data.asset_observation
            assets[observation.asset_key.to_user_string()] = AssetReport(_numbers(observation.metadata))
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            made = event.step_materialization_data.materialization
            entry = made.metadata.get("page") or made.metadata.get("file")
            file = str(entry.value) if isinstance(entry, dg.PathMetadataValue) else None
            assets[made.asset_key.to_user_string()] = AssetReport(_numbers(made.metadata), at_s, file)
    return assets


def _checks(events: Iterable[tuple[dg.DagsterEvent, float]]) -> Iterator[CheckReport]:
    for event, _ in events:
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            yield CheckReport(
                asset=evaluation.asset_key.to_user_string(),
                name=evaluation.check_name,
                passed=evaluation.passed,
                level="ERROR" if evaluation.severity is dg.AssetCheckSeverity.ERROR else "WARNING",
                description=evaluation.description or "",
                figures=_numbers(evaluation.metadata),
            )


def explain_failure(event: dg.DagsterEvent) -> FailedStep:
    """Report which step failed, and why if the error is one of ours."""
    step, data = event.step_key or "", event.step_failure_data
    cause, error = "unknown", data.error
    while error is not None:
        cause = error.cls_name or cause
        if cause in PUBLIC_ERRORS:  # Dagster prefixes the message with the class: `customer_assets.core.errors.…: `
            head, _, message = error.message.strip().partition(": ")
            return FailedStep(step, cause, message if head.endswith(cause) else "")
        error = error.cause
    if data.user_failure_data is not None:  # a `dg.Failure`, which only our own code raises
        return FailedStep(step, "Failure", data.user_failure_data.description or "")
    return FailedStep(step, cause, "")


def _last_export_at_s(instance: dg.DagsterInstance, events: Iterable[tuple[dg.DagsterEvent, float]]) -> float | None:
    """Find when the export of the run's sync was last published, in this run or before."""
    keys = [event.asset_key for event, _ in events if event.asset_key is not None]
    if not keys:
        return None
    latest = instance.get_latest_materialization_event(dg.AssetKey([*keys[0].path[:-1], EXPORT]))
    return None if latest is None else latest.timestamp


def _alert_is_open(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether an alert was sent about this job, with the same selection, since it last succeeded."""
    earlier = instance.get_runs(dg.RunsFilter(job_name=run.job_name, statuses=[*FINISHED]), limit=RUNS_LOOKED_BACK)
    for other in earlier:  # the latest first
        if other.run_id == run.run_id or other.asset_selection != run.asset_selection:
            continue
        if other.tags.get(ALERT_TAG) == ALERT_SENT:
            return True
        if other.is_success:
            return False
    return False


def _numbers(metadata: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: entry.value
        for name, entry in metadata.items()
        if isinstance(entry, dg.IntMetadataValue | dg.FloatMetadataValue) and entry.value is not None
    }
