"""What Dagster keeps of its runs, read in pages and deleted. Which runs may go is decided elsewhere."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

PAGE = 100
"""TableVersions held at a time: each has its run's configuration and tags with it."""


@dataclass
class Tally:
    """What became of the runs that were looked at.

    Attributes:
        deleted: Are gone.
        kept: May not go.
        failed: Should be gone, and are not.
        logs_left: Are gone, but for what they printed.
    """

    deleted: int = 0
    kept: int = 0
    failed: int = 0
    logs_left: int = 0


def runs_in_use(instance: dg.DagsterInstance) -> set[str]:
    """Find the runs that Dagster itself still asks for, whatever their age.

    Those that an asset was materialised by last, or was to be: staleness, data versions and freshness are judged by
    them. Those that a check was evaluated in last. Those that have not ended, or are about to be run again. And those
    that one of these goes back to: Dagster finds no retry whose first run is gone.
    """
    in_use = {*_of_assets(instance), *_of_checks(instance)} - {""}
    runs = (
        [*instance.get_runs(dg.RunsFilter(run_ids=[*in_use])), *_not_over(instance)] if in_use else _not_over(instance)
    )
    return in_use | {run_id for run in runs for run_id in (run.run_id, run.root_run_id, run.parent_run_id) if run_id}


def _of_assets(instance: dg.DagsterInstance) -> Iterator[str]:
    for record in instance.get_asset_records():
        last = record.asset_entry.last_materialization_record
        yield from () if last is None else (last.event_log_entry.run_id,)
        yield record.asset_entry.last_run_id or ""


def _of_checks(instance: dg.DagsterInstance) -> Iterator[str]:
    """Ask the table: the instance tells of a check only to those who know its name."""
    import sqlalchemy as sa  # noqa: PLC0415 - only this job needs it
    from dagster._core.storage.event_log import SqlEventLogStorage  # noqa: PLC0415
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable  # noqa: PLC0415

    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        row = AssetCheckExecutionsTable.c
        evaluated = sa.select(sa.func.max(row.id)).where(row.evaluation_event_storage_id.is_not(None))
        latest = evaluated.group_by(row.asset_key, row.check_name)
        with storage.index_connection() as connection:
            yield from connection.execute(sa.select(row.run_id).where(row.id.in_(latest))).scalars().all()


def _not_over(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    going_on = [status for status in dg.DagsterRunStatus if status not in ENDED]
    marked = instance.get_runs(dg.RunsFilter(statuses=ENDED, tags={WILL_RETRY_TAG: "true"}))
    waiting = [run for run in marked if run.is_complete_and_waiting_to_retry]
    return [*instance.get_runs(dg.RunsFilter(statuses=going_on)), *waiting]


def delete_runs(
    instance: dg.DagsterInstance,
    created_before: datetime,
    is_deletable: Callable[[dg.RunRecord], bool],
    log: logging.Logger,
) -> Tally:
    """Delete the runs that ended and may go, the first first, with all that Dagster keeps of them.

    One that cannot be deleted is named in the log, and the others are gone on with.

    Args:
        instance: Keeps them.
        created_before: Later ones are not looked at.
        is_deletable: Decides.
        log: Is told.
    """
    tally, after = Tally(), None
    while page := _ended_runs(instance, created_before, after):
        for record in page:
            run_id = record.dagster_run.run_id
            if not is_deletable(record):
                tally.kept += 1
            elif _is_deleted(instance, run_id, tally, log):
                continue
            after = run_id  # it is still there: a page can begin after it
    if tally.logs_left:
        log.warning(
            "What %d of them printed stays where it is: %s cannot delete it.",
            tally.logs_left,
            type(instance.compute_log_manager).__name__,
        )
    return tally


def _ended_runs(instance: dg.DagsterInstance, created_before: datetime, after: str | None) -> Sequence[dg.RunRecord]:
    ended = dg.RunsFilter(statuses=ENDED, created_before=created_before)
    return instance.get_run_records(ended, limit=PAGE, ascending=True, cursor=after)


def _is_deleted(instance: dg.DagsterInstance, run_id: str, tally: Tally, log: logging.Logger) -> bool:
    """Delete a run; tell whether its record is gone, even if not all of the rest is."""
    try:
        tally.logs_left += not _logs_are_deleted(instance, run_id)
        _delete(instance, run_id)
    except Exception as error:  # noqa: BLE001 - whatever ails one run, the others can go
        tally.failed += 1
        log.warning("Run %s could not be deleted: %s: %s", run_id, type(error).__name__, error)
        return not instance.has_run(run_id)
    tally.deleted += 1
    return True


def _logs_are_deleted(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Delete what a run printed, which `delete_run` leaves; tell if the manager of such logs knows no way to."""
    try:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    except NotImplementedError:
        return False
    return True


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete the rest, the record itself last: what is killed half-way is found and deleted the next time."""
    from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage  # noqa: PLC0415
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable  # noqa: PLC0415

    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        own = AssetCheckExecutionsTable.c.run_id == run_id  # `delete_run` leaves these
        with storage.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(own))
    storage.delete_events(run_id)
    instance.delete_run(run_id)
    if isinstance(storage, SqliteEventLogStorage):  # a file a run, which is empty by now
        file = Path(storage.path_for_shard(run_id))
        for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            path.unlink(missing_ok=True)
