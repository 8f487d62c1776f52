"""How long Dagster's own record of runs is kept: which runs may go, the job that deletes them, and when it runs."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from customer_assets.defs.jobs import CONSOLE_LOGGING
from customer_assets.defs.operations.run_deletion import Tally, delete_runs, runs_in_use
from customer_assets.defs.settings import checked_days

JOB, SCHEDULE = "delete_old_runs", "daily_run_deletion"

DAILY_AT_FOUR = "0 4 * * *"
"""An hour after the sync, if no setting says otherwise."""

LOCATION = "customer_assets"
"""What the code location is called, if whoever started the run did not say: as in `workspace.yaml`."""


def is_deletable(
    record: dg.RunRecord, *, ended_before: datetime, in_use: Collection[str] = (), location: str = LOCATION
) -> bool:
    """Decide whether a run may be deleted: ours, ended long ago, and nobody asks for it.

    Args:
        record: Is judged.
        ended_before: Later ones stay.
        in_use: The ids of runs that are still asked for.
        location: The runs of other code locations are not ours to delete.
    """
    run = record.dagster_run
    ended_at_s = record.end_time or record.update_timestamp.timestamp()
    return (
        run.is_finished
        and ended_at_s < ended_before.timestamp()
        and run.run_id not in in_use
        and not run.is_complete_and_waiting_to_retry
        and _location_of(run, location) == location
    )


def _location_of(run: dg.DagsterRun, otherwise: str) -> str:
    """Tell whose run it is; one from the command line does not say."""
    origin = run.remote_job_origin
    return otherwise if origin is None else origin.location_name


def build_deletion_job(keep_days: float) -> dg.JobDefinition:
    """Build the job that deletes old runs. It takes no slot of a pool, and pushes no metrics: it is no sync.

    Args:
        keep_days: Age in days up to which a run is kept; 0: nothing is deleted.
    """

    @dg.op(
        description="Deletes runs that ended long ago, with their events, check results and logs. The run that an "
        "asset was materialised by last, or a check evaluated in, is kept.",
        config_schema={
            "keep_days": dg.Field(
                float,
                default_value=keep_days,
                description="Runs that ended more days ago are deleted; 0: none is. CUSTOMER_KEEP_RUNS_DAYS.",
            )
        },
        out=dg.Out(dg.Nothing),
    )
    def delete_runs_that_may_go(context: dg.OpExecutionContext) -> None:
        days = checked_days("keep_days", float(context.op_config["keep_days"]))
        if not days:
            context.log.info("CUSTOMER_KEEP_RUNS_DAYS is not set: every run is kept.")
            return
        _report(context, _delete(context, datetime.now(UTC) - timedelta(days=days)))

    @dg.job(
        name=JOB,
        description="Delete what Dagster keeps of runs that ended long ago. CUSTOMER_KEEP_RUNS_DAYS says how long.",
        executor_def=dg.in_process_executor,
        config=CONSOLE_LOGGING,
    )
    def delete_old_runs() -> None:
        delete_runs_that_may_go()

    return delete_old_runs


def _delete(context: dg.OpExecutionContext, ended_before: datetime) -> Tally:
    in_use, location = runs_in_use(context.instance), _location_of(context.run, LOCATION)
    decide = partial(is_deletable, ended_before=ended_before, in_use=in_use, location=location)
    return delete_runs(context.instance, ended_before, decide, context.log)


def _report(context: dg.OpExecutionContext, tally: Tally) -> None:
    """Say what was done.

    Raises:
        Failure: Some runs could not be deleted.
    """
    figures = {"deleted": tally.deleted, "kept": tally.kept, "failed": tally.failed, "logs_left": tally.logs_left}
    context.log.info("Deleted %d old runs; %d are kept, as they are still asked for.", tally.deleted, tally.kept)
    if tally.failed:
        raise dg.Failure(
            f"{tally.failed} of {tally.failed + tally.deleted} old runs could not be deleted, the log says why. "
            "The next run of this job tries again.",
            metadata=figures,
            allow_retries=False,
        )
    context.add_output_metadata(figures)


def build_deletion_schedule(job: dg.JobDefinition, keep_days: float, execution_timezone: str) -> dg.ScheduleDefinition:
    """Build the schedule of that job. It is on from the start where runs are not to be kept for ever."""
    return dg.ScheduleDefinition(
        name=SCHEDULE,
        job=job,
        cron_schedule=DAILY_AT_FOUR,
        execution_timezone=execution_timezone,
        description=f"At {DAILY_AT_FOUR} ({execution_timezone}), if CUSTOMER_KEEP_RUNS_DAYS is set.",
        default_status=dg.DefaultScheduleStatus.RUNNING if keep_days else dg.DefaultScheduleStatus.STOPPED,
    )
