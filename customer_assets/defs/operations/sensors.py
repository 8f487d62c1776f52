"""What Dagster's daemon watches for: failed runs that could not report themselves, and an export that is overdue."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import dagster as dg

from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.operations.retention import JOB as DELETION_JOB
from customer_assets.defs.operations.run_report import ALERT_TAG, EXPORT, RECOVERY_SENT, build_run_report, with_reason
from customer_assets.defs.operations.run_status import FINISHED, is_retried
from customer_assets.defs.sync import Sync
from customer_assets.monitoring.export_age import Event, ExportAge, Watch, message, next_event
from customer_assets.monitoring.run_report import Outcome

Job: TypeAlias = Any
"""What `dg.job` or `dg.define_asset_job` returns; the type of the second has no public name."""

LOOKS_EVERY_S = 300
"""How often the daemon looks at the export's age: often beside any schedule, seldom beside what a look costs."""


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


def overdue_export_sensor(
    sync: Sync, notifier: Notifier, clock: Callable[[], float] = time.time
) -> dg.SensorDefinition:
    """Build the sensor that notices when no run publishes any more, also because none starts.

    It runs from the start if there is a webhook, and can be switched in the UI.

    Args:
        sync: Its export is watched, by its schedule.
        notifier: Its webhook receives the messages.
        clock: Returns the time, in seconds since 1970.
    """
    export = sync.key(EXPORT)

    @dg.sensor(
        name=sync.age_sensor,
        description="Sends an alert when the export is overdue by the schedule's own times, whether runs fail or none "
        "starts, and one message when it is current again. Set a webhook.",
        default_status=dg.DefaultSensorStatus.RUNNING if notifier.webhook_url else dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=LOOKS_EVERY_S,
    )
    def notify_overdue_export(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now_s = clock()
        watch = Watch.model_validate_json(context.cursor) if context.cursor else Watch(since_s=now_s)
        latest = context.instance.get_latest_materialization_event(export)
        published_at = None if latest is None else datetime.fromtimestamp(latest.timestamp, UTC)
        due = sync.timing.next_ticks(published_at or datetime.fromtimestamp(watch.since_s, UTC))
        age = ExportAge(published_at, *due)
        event = next_event(watch, age, datetime.fromtimestamp(now_s, UTC))
        if event is None:
            reason = (
                "The alert was sent; the export is still overdue." if watch.alert_is_open else "No export is overdue."
            )
            return dg.SensorResult(skip_reason=reason, cursor=watch.model_dump_json())
        run = None if latest is None else context.instance.get_run_by_id(latest.run_id)
        if event is Event.RECOVERED and run is not None:
            if run.status not in FINISHED:
                return dg.SensorResult(skip_reason="The run that published it is still at work.", cursor=context.cursor)
            if run.tags.get(ALERT_TAG) == RECOVERY_SENT:
                return _remember(watch, event, "The run itself sent that it recovered.")
        sent = notifier.send(
            message(
                event,
                age,
                job=sync.job,
                asset=export.to_user_string(),
                environment=notifier.environment,
                dagster_url=notifier.dagster_url,
            )
        )
        if not sent:
            raise dg.Failure(f"Could not send {event.value}; the next tick tries again.")
        return _remember(watch, event, f"Sent {event.value}.")

    return notify_overdue_export


def _remember(watch: Watch, event: Event, reason: str) -> dg.SensorResult:
    after = watch.model_copy(update={"alert_is_open": event is Event.STALE})
    return dg.SensorResult(skip_reason=reason, cursor=after.model_dump_json())
