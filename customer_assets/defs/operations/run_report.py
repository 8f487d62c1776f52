"""How Dagster's record of a run becomes a plain story. Translation only; what is made of it stands in `monitoring`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData
from dagster_shared.error import SerializableErrorInfo

from customer_assets import errors
from customer_assets.monitoring.run_report import AssetReport, CheckReport, FailedStep, Outcome, RunReport

REPORTED_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
}
"""The events that a story is made of."""

PUBLIC_ERRORS = {
    name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)
}
"""No message of theirs holds a key or a customer's data; of others nobody knows, so their class alone is told."""


def build_run_report(
    instance: dg.DagsterInstance, run: dg.DagsterRun, outcome: Outcome, started_at_s: float, ended_at_s: float
) -> RunReport:
    """Tell a run by what the instance has on record of it."""
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
        failed_steps=tuple(_failed_steps(events)),
    )


def with_reason(story: RunReport, reason: str) -> RunReport:
    """Name the reason for which a run failed none of whose steps did; the class of an error, say."""
    if story.outcome is not Outcome.FAILED or story.failed_steps or not reason:
        return story
    return replace(story, failed_steps=(FailedStep("run", reason, ""),))


def _assets(events: Iterable[tuple[dg.DagsterEvent, float]]) -> dict[str, AssetReport]:
    """Sum up each asset: its figures as told last, observations of an attempt that failed included."""
    found: dict[str, AssetReport] = {}
    for event, at_s in events:
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
            observation = event.asset_observation_data.asset_observation
            name = observation.asset_key.to_user_string()
            found[name] = AssetReport(_numbers(observation.metadata))
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            made = event.step_materialization_data.materialization
            found[made.asset_key.to_user_string()] = AssetReport(_numbers(made.metadata), at_s, _file(made.metadata))
    return found


def _checks(events: Iterable[tuple[dg.DagsterEvent, float]]) -> Iterator[CheckReport]:
    for event, _ in events:
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            made = event.asset_check_evaluation_data
            yield CheckReport(
                asset=made.asset_key.to_user_string(),
                name=made.check_name,
                passed=made.passed,
                is_error=made.severity is dg.AssetCheckSeverity.ERROR,
                description=made.description or "",
                figures=_numbers(made.metadata),
            )


def _failed_steps(events: Iterable[tuple[dg.DagsterEvent, float]]) -> Iterator[FailedStep]:
    for event, _ in events:
        if event.event_type is dg.DagsterEventType.STEP_FAILURE:
            yield failed_step(event.step_key or "", event.step_failure_data)


def failed_step(step: str, data: StepFailureData) -> FailedStep:
    """Say which step failed, and why if that is ours to say."""
    chain = list(_chain(data.error))
    for error in chain:
        if error.cls_name in PUBLIC_ERRORS:
            return FailedStep(step, error.cls_name or "", _without_class(error))
    if data.user_failure_data is not None:  # a `Failure`, which only our own code raises
        return FailedStep(step, "Failure", data.user_failure_data.description or "")
    return FailedStep(step, (chain[-1].cls_name if chain else None) or "unknown", "")


def _chain(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error is not None:
        yield error
        error = error.cause


def _without_class(error: SerializableErrorInfo) -> str:
    """Drop what Python puts before a message: `customer_assets.errors.PublishError: no room` → `no room`."""
    head, _, message = error.message.strip().partition(": ")
    return message if error.cls_name and head.endswith(error.cls_name) else ""


def _numbers(metadata: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: entry.value
        for name, entry in metadata.items()
        if isinstance(entry, dg.IntMetadataValue | dg.FloatMetadataValue) and entry.value is not None
    }


def _file(metadata: Mapping[str, Any]) -> str | None:
    entry = metadata.get("page") or metadata.get("file")
    return str(entry.value) if isinstance(entry, dg.PathMetadataValue) else None
