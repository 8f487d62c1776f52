"""How long Dagster's records of runs are kept: which runs are deleted, the job that does it, and its schedule.

How a run is deleted belongs in `run_deletion.py`.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
from pydantic import Field

from customer_assets.core.configuration import Settings, configuration_errors, rename_fields
from customer_assets.defs.operations.run_deletion import DeletionSummary, delete_runs, runs_in_use
from customer_assets.defs.operations.run_status import is_ours
from customer_assets.defs.run_config import CONSOLE_LOGGING

JOB, SCHEDULE = "delete_old_runs", "daily_run_deletion"

DAILY_AT_FOUR = "0 4 * * *"
"""An hour after the sync's default time."""

LOCATION = "customer_assets"
"""The code location's name in `workspace.yaml`, for a deletion that the command line started."""


class RetentionOptions(Settings):
    """How long Dagster's records of runs are kept."""

    keep_runs_days: float = Field(
        default=0.0, ge=0, le=36_500, description="Runs that ended more days ago are deleted; 0: none."
    )


def is_deletable(
    record: dg.RunRecord, *, ended_before: datetime, in_use: Collection[str] = (), location: str = LOCATION
) -> bool:
    """Decide whether a run can be deleted: it is ours, ended long ago, and nothing refers to it.

    Args:
        record: The run.
        ended_before: Runs that ended later are kept.
        in_use: The ids of runs that are still needed.
        location: Our code location; the runs of others are not ours to delete.
    """
    run = record.dagster_run
    ended_at_s = record.end_time or record.update_timestamp.timestamp()
    return (
        run.is_finished
        and ended_at_s < ended_before.timestamp()
        and run.run_id not in in_use
        and not run.is_complete_and_waiting_to_retry
        and is_ours(run, location)
    )


def build_deletion_job(keep_days: float) -> dg.JobDefinition:
    """Build the job that deletes old runs. It takes no slot of a pool and pushes no metrics: it is not a sync.

    Args:
        keep_days: Age in days up to which a run is kept, unless the launchpad says otherwise; 0: every run is kept.
    """

    @dg.op(
        name="delete_runs",
        description="Deletes this project's runs that ended long ago, with their events, check results and logs. The "
        "runs in which an asset was last materialised or a check last evaluated are kept.",
        config_schema={
            "keep_days": dg.Field(
                float,
                default_value=keep_days,
                description="Runs that ended more days ago are deleted; 0: none. Default: CUSTOMER_KEEP_RUNS_DAYS.",
            )
        },
        out=dg.Out(dg.Nothing),
    )
    def delete_runs_op(context: dg.OpExecutionContext) -> None:
        with rename_fields(lambda _field: "keep_days"), configuration_errors(RetentionOptions):
            days = RetentionOptions(keep_runs_days=context.op_config["keep_days"]).keep_runs_days
        if not days:
            context.log.info("keep_days is 0: every run is kept.")
            return
        ended_before = datetime.now(UTC) - timedelta(days=days)
        origin = context.run.remote_job_origin
        location = LOCATION if origin is None else origin.location_name
        in_use = runs_in_use(context.instance)
        decide = partial(is_deletable, ended_before=ended_before, in_use=in_use, location=location)
        _report(context, delete_runs(context.instance, ended_before, decide, context.log))

    @dg.job(
        name=JOB,
        description="Delete Dagster's records of runs that ended more than CUSTOMER_KEEP_RUNS_DAYS days ago.",
        executor_def=dg.in_process_executor,
        config=CONSOLE_LOGGING,
    )
    def delete_old_runs() -> None:
        delete_runs_op()

    return delete_old_runs


def _report(context: dg.OpExecutionContext, summary: DeletionSummary) -> None:
    """Log what was done and attach the figures.

    Raises:
        Failure: Some runs could not be deleted.
    """
    figures = asdict(summary)
    context.log.info("Deleted %d old runs; kept %d that are still needed or not ours.", summary.deleted, summary.kept)
    if summary.failed:
        raise dg.Failure(
            f"{summary.failed} of {summary.failed + summary.deleted} old runs could not be deleted; see the log for "
            "the reasons. The next run of this job tries again.",
            metadata=figures,
            allow_retries=False,
        )
    context.add_output_metadata(figures)


def build_deletion_schedule(job: dg.JobDefinition, execution_timezone: str) -> dg.ScheduleDefinition:
    """Build the schedule of that job. It is on from the start; where runs are kept forever, it does not exist."""
    return dg.ScheduleDefinition(
        name=SCHEDULE,
        job=job,
        cron_schedule=DAILY_AT_FOUR,
        execution_timezone=execution_timezone,
        description=f"At {DAILY_AT_FOUR} ({execution_timezone}). CUSTOMER_KEEP_RUNS_DAYS says how long runs are kept.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
