"""What Dagster's daemon watches for: failed runs of which nobody has been told."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.events import JobFailureData
from dagster._core.storage.tags import WILL_RETRY_TAG

from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.operations.retention import JOB as DELETION_JOB
from customer_assets.defs.operations.run_report import build_run_report, with_reason
from customer_assets.monitoring.run_report import Outcome

Jobs: TypeAlias = Sequence[dg.JobDefinition | UnresolvedAssetJobDefinition]


def failed_run_sensor(name: str, listeners: Notifier, jobs: Jobs | None = None) -> dg.SensorDefinition:
    """Define the sensor. It is on from the start where somebody listens, and can be switched in the UI.

    Args:
        name: Its name.
        listeners: Are told.
        jobs: The jobs whose runs it watches; None: all.
    """
    listens = bool(listeners.pushgateway_url or listeners.webhook_url)

    @dg.run_failure_sensor(
        name=name,
        description="Sends an alert, and pushes metrics, for failed runs that could not do so themselves: killed ones, "
        "or ones that never started. Name a webhook, a Pushgateway or both.",
        default_status=dg.DefaultSensorStatus.RUNNING if listens else dg.DefaultSensorStatus.STOPPED,
        monitored_jobs=None if jobs is None else list(jobs),
    )
    def notify_failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason:
        return _told(context, listeners)

    return notify_failed_runs


def _told(context: dg.RunFailureSensorContext, listeners: Notifier) -> dg.SkipReason:
    """Tell of a failed run.

    Raises:
        Failure: Some could not be reached; the tick shows it.
    """
    run = context.dagster_run
    if run.tags.get(WILL_RETRY_TAG) == "true":
        return dg.SkipReason(f"Run {run.run_id} is tried again; its last attempt counts.")
    record = context.instance.get_run_record_by_id(run.run_id)
    started_at_s = (record.start_time if record else None) or 0.0
    ended_at_s = (record.end_time if record else None) or started_at_s
    story = build_run_report(context.instance, run, Outcome.FAILED, started_at_s or ended_at_s, ended_at_s)
    if run.job_name == DELETION_JOB:  # it is an alarm, but no sync: the metrics are a sync's
        listeners = replace(listeners, pushgateway_url="")
    missed = listeners.notify(with_reason(story, _reason(context.failure_event)), context.instance, run.tags)
    if missed:
        raise dg.Failure(f"Of run {run.run_id} could not be told: {', '.join(missed)}.")
    return dg.SkipReason(f"Of run {run.run_id} everybody has been told.")


def _reason(event: dg.DagsterEvent) -> str:
    """Why a run failed none of whose steps did, as Dagster classes it."""
    data = event.event_specific_data
    reason = data.failure_reason if isinstance(data, JobFailureData) else None
    return "unknown" if reason is None else reason.value.lower()
