"""What Dagster's daemon watches for: failed runs that could not report themselves."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import dagster as dg

from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.operations.retention import JOB as DELETION_JOB
from customer_assets.defs.operations.run_report import build_run_report, with_reason
from customer_assets.defs.operations.run_status import is_retried
from customer_assets.monitoring.run_report import Outcome

Job: TypeAlias = Any
"""What `dg.job` or `dg.define_asset_job` returns; the type of the second has no public name."""


def failed_run_sensor(name: str, notifier: Notifier, jobs: Sequence[Job] | None = None) -> dg.SensorDefinition:
    """Build the sensor. It runs from the start if there is somebody to notify, and can be switched in the UI.

    Args:
        name: Its name.
        notifier: Receives the reports.
        jobs: The jobs whose runs it watches; None: all.
    """
    has_receiver = bool(notifier.pushgateway_url or notifier.webhook_url)

    @dg.run_failure_sensor(
        name=name,
        description="Sends an alert and pushes metrics for failed runs that could not do so themselves, because they "
        "were killed or never started. Set a webhook, a Pushgateway or both.",
        default_status=dg.DefaultSensorStatus.RUNNING if has_receiver else dg.DefaultSensorStatus.STOPPED,
        monitored_jobs=None if jobs is None else list(jobs),
    )
    def notify_failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason:
        run = context.dagster_run
        if is_retried(run):
            return dg.SkipReason(f"Run {run.run_id} is retried; only its last attempt is reported.")
        record = context.instance.get_run_record_by_id(run.run_id)
        started_at_s = (record.start_time if record else None) or 0.0
        ended_at_s = (record.end_time if record else None) or started_at_s
        report = build_run_report(context.instance, run, Outcome.FAILED, started_at_s or ended_at_s, ended_at_s)
        # Dagster's class of a failure without a failed step, such as `start_timeout`.
        reason = getattr(context.failure_event.event_specific_data, "failure_reason", None)
        report = with_reason(report, "unknown" if reason is None else str(reason.value).lower())
        # A failed deletion of old runs deserves an alert, but the metrics are about syncs.
        receiver = replace(notifier, pushgateway_url="") if run.job_name == DELETION_JOB else notifier
        delivery = receiver.notify(report, already_sent=run.tags)
        if delivery.tags:
            context.instance.add_run_tags(run.run_id, delivery.tags)
        if delivery.failed:
            raise dg.Failure(f"Run {run.run_id}: could not send {', '.join(delivery.failed)}.")
        return dg.SkipReason(f"Run {run.run_id}: all notifications {'are' if delivery.tags else 'were already'} sent.")

    return notify_failed_runs
