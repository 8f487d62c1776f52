"""Deletes runs with everything that Dagster stores about them, and finds the runs that are still needed.

Which runs are old enough to go is decided in `retention.py`.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg

from customer_assets.defs.operations.run_status import FINISHED, WILL_RETRY_TAG

PAGE = 100
"""Runs in memory at a time: each carries its configuration and tags."""


@dataclass
class DeletionSummary:
    """What became of the runs that were looked at.

    Attributes:
        deleted: Runs removed.
        kept: Runs that are still needed, too young or not ours.
        failed: Runs whose deletion raised an error.
        logs_left: Runs removed whose compute logs remain.
    """

    deleted: int = 0
    kept: int = 0
    failed: int = 0
    logs_left: int = 0


def runs_in_use(instance: dg.DagsterInstance) -> set[str]:
    """Find the runs that Dagster still refers to, whatever their age.

    These are the runs in which an asset was last materialised, or was last meant to be: staleness, data versions and
    freshness follow from them. The runs in which a check was last evaluated. The runs that have not finished, or are
    about to be retried. And the root and the parent of each of these: without its root, Dagster cannot find a retry.
    """
    latest = {*_latest_runs_of_assets(instance), *_latest_runs_of_checks(instance)} - {""}
    unfinished = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    retried = instance.get_runs(dg.RunsFilter(statuses=[*FINISHED], tags={WILL_RETRY_TAG: "true"}))
    runs = [
        *(instance.get_runs(dg.RunsFilter(run_ids=[*latest])) if latest else ()),
        *instance.get_runs(dg.RunsFilter(statuses=unfinished)),
        *(run for run in retried if run.is_complete_and_waiting_to_retry),
    ]
    return latest | {run_id for run in runs for run_id in (run.run_id, run.root_run_id, run.parent_run_id) if run_id}


def _latest_runs_of_assets(instance: dg.DagsterInstance) -> Iterator[str]:
    for record in instance.get_asset_records():
        latest = record.asset_entry.last_materialization_record
        if latest is not None:
            yield latest.event_log_entry.run_id
        yield record.asset_entry.last_run_id or ""


def _latest_runs_of_checks(instance: dg.DagsterInstance) -> Iterator[str]:
    import sqlalchemy as sa  # noqa: PLC0415 - only this job needs it

    # Private: the instance looks up a check's evaluations only by the check's name, and other projects' checks count,
    # too. Waits for a public list of all checks on an instance.
    from dagster._core.storage.event_log import SqlEventLogStorage  # noqa: PLC0415
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable  # noqa: PLC0415

    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        row = AssetCheckExecutionsTable.c
        evaluated = sa.select(sa.func.max(row.id)).where(row.evaluation_event_storage_id.is_not(None))
        latest = evaluated.group_by(row.asset_key, row.check_name)
        with storage.index_connection() as connection:
            yield from connection.execute(sa.select(row.run_id).where(row.id.in_(latest))).scalars().all()


def delete_runs(
    instance: dg.DagsterInstance,
    created_before: datetime,
    is_deletable: Callable[[dg.RunRecord], bool],
    log: logging.Logger,
) -> DeletionSummary:
    """Delete finished runs, the oldest first, with everything that Dagster stores about them.

    A run that cannot be deleted is named in the log, and the others are still deleted.

    Args:
        instance: Stores the runs.
        created_before: Later runs are not looked at.
        is_deletable: Decides about each run.
        log: Receives warnings.
    """
    summary, after = DeletionSummary(), None
    finished = dg.RunsFilter(statuses=[*FINISHED], created_before=created_before)
    while page := instance.get_run_records(finished, limit=PAGE, ascending=True, cursor=after):
        for record in page:
            run_id = record.dagster_run.run_id
            if not is_deletable(record):
                summary.kept += 1
            elif _try_delete(instance, run_id, summary, log):
                continue
            after = run_id  # it still exists, so the next page can start after it
    if summary.logs_left:
        log.warning(
            "The compute logs of %d deleted runs remain: %s cannot delete logs.",
            summary.logs_left,
            type(instance.compute_log_manager).__name__,
        )
    return summary


def _try_delete(instance: dg.DagsterInstance, run_id: str, summary: DeletionSummary, log: logging.Logger) -> bool:
    """Delete a run and return whether its record is gone, even if something else of it remains."""
    try:
        summary.logs_left += not _delete_logs(instance, run_id)
        _delete_run(instance, run_id)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one run, the others can go
        summary.failed += 1
        log.warning("Run %s could not be deleted: %s: %s", run_id, type(error).__name__, error)
        return not instance.has_run(run_id)
    summary.deleted += 1
    return True


def _delete_logs(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Delete a run's compute logs, which `delete_run` leaves; return False if their manager cannot delete any."""
    try:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    except NotImplementedError:
        return False
    return True


def _delete_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run's check results and events, then its record: a deletion that is killed is found and completed."""
    # Private: `DagsterInstance.delete_run` leaves the check results and, on SQLite, an empty file for each run. Waits
    # for a `delete_run` that removes both.
    from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage  # noqa: PLC0415
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable  # noqa: PLC0415

    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        of_this_run = AssetCheckExecutionsTable.c.run_id == run_id
        with storage.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(of_this_run))
    storage.delete_events(run_id)
    instance.delete_run(run_id)
    if isinstance(storage, SqliteEventLogStorage):
        file = Path(storage.path_for_shard(run_id))
        for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            path.unlink(missing_ok=True)
