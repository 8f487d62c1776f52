"""Old runs are deleted with everything Dagster stores of them; young, unfinished, needed and foreign runs stay."""

import logging
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster_shared.record import copy

from customer_assets.core.errors import ConfigurationError
from customer_assets.definitions import build_definitions
from customer_assets.defs.operations import run_deletion
from customer_assets.defs.operations.notifications import METRICS_TAG, Notifier
from customer_assets.defs.operations.retention import RetentionOptions, is_deletable
from customer_assets.defs.operations.run_report import ALERT_TAG
from customer_assets.defs.operations.run_status import FINISHED
from customer_assets.defs.operations.sensors import failed_run_sensor
from customer_assets.defs.settings import from_environ
from customer_assets_tests.harness.machines.receivers import webhook

Status = dg.DagsterRunStatus

KEEP_DAYS = 90
OLD, YOUNG = timedelta(days=91), timedelta(days=89)


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Create an instance on disk."""
    with dg.DagsterInstance.local_temp(str(home)) as local:
        yield local


@dg.asset
def ledger() -> dg.MaterializeResult[None]:
    """Materialise an asset."""
    return dg.MaterializeResult(data_version=dg.DataVersion("1"))


@dg.asset_check(asset=ledger)
def ledger_is_whole() -> dg.AssetCheckResult:
    """Evaluate a check."""
    return dg.AssetCheckResult(passed=True)


def aged(instance: dg.DagsterInstance, run_id: str, age: timedelta, module: str = "customer_assets.definitions") -> str:
    """Make a run that old, as if the command line had executed it from this module; return its id."""
    then = datetime.now(UTC) - age
    stamp = then.replace(tzinfo=None)
    times: dict[str, Any] = {"create_timestamp": stamp, "update_timestamp": stamp}
    (run,) = instance.get_runs(dg.RunsFilter(run_ids=[run_id]))
    if run.is_finished:
        times["end_time"] = then.timestamp()
    if module and run.remote_job_origin is None:
        times["run_body"] = dg.serialize_value(copy(run, job_code_origin=code_origin(module)))
    assert isinstance(instance.run_storage, SqlRunStorage)
    with instance.run_storage.connect() as connection:
        connection.execute(RunsTable.update().where(RunsTable.c.run_id == run_id).values(times))
    return run_id


def code_origin(module: str, interpreter: str = sys.executable) -> JobPythonOrigin:
    """Say which code a run executed, as the command line does."""
    pointer = ModuleCodePointer(module, "defs", working_directory="/srv/project")
    repository = RepositoryPythonOrigin(interpreter, pointer, entry_point=["dagster"])
    return JobPythonOrigin("any", repository)


def materialized(instance: dg.DagsterInstance, age: timedelta = OLD) -> str:
    """Create a run of that age that materialised the asset and checked it."""
    return aged(instance, dg.materialize([ledger, ledger_is_whole], instance=instance).run_id, age)


def logged(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run's compute log exists."""
    (entry,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
    assert entry.dagster_event is not None
    key = [run_id, "compute_logs", entry.dagster_event.logs_captured_data.file_key]
    return bool(instance.compute_log_manager.get_log_data(key).stderr)


def remote_origin(location: str) -> RemoteJobOrigin:
    """Say which code location a run belongs to, as the UI and the daemon do."""
    return RemoteJobOrigin(
        RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__"), nothing.name
    )


def ended(instance: dg.DagsterInstance, status: Status = Status.SUCCESS, age: timedelta = OLD, **given: Any) -> str:
    """Create a finished run of that age that touched no asset."""
    return aged(instance, instance.create_run_for_job(nothing, status=status, **given).run_id, age)


@dg.job
def nothing() -> None:
    """Do nothing."""


def deletion(instance: dg.DagsterInstance, keep_days: float = KEEP_DAYS, **run_config: Any) -> Any:
    """Run the job that deletes old runs."""
    job = build_definitions(CUSTOMER_KEEP_RUNS_DAYS=keep_days).resolve_job_def("delete_old_runs")
    return job.execute_in_process(instance=instance, raise_on_error=False, run_config=run_config)


def figures(result: Any) -> dict[str, int]:
    """Return the job's figures, without zeros."""
    (output,) = result.get_step_success_events()
    (logged,) = (event.step_output_data for event in result.all_events if event.is_successful_output)
    assert output.step_key == "delete_runs"
    return {name: value.value for name, value in logged.metadata.items() if value.value}


def remaining(instance: dg.DagsterInstance, *but: Any) -> set[str]:
    """Return the runs that are left, without those of the deletion itself."""
    return {run.run_id for run in instance.get_runs()} - {each.run_id for each in but}


def traces(home: Path, run_id: str) -> list[str]:
    """Find a run's id in everything an instance stores: files by their path, rows by their table."""
    found = [str(path) for path in home.rglob("*") if run_id in str(path)]
    for file in home.rglob("*.db"):
        with closing(sqlite3.connect(file)) as database:
            tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
            for table in tables:
                rows = database.execute(f"select * from {table}").fetchall()  # noqa: S608 - the table's own name
                found += [f"{file.name}: {table}" for row in rows if run_id in str(row)]
    return found


def test_an_old_run_leaves_no_trace(instance: dg.DagsterInstance, home: Path) -> None:
    """No run, tag, event, check result, log or file is left."""
    first, second = materialized(instance), materialized(instance)
    assert logged(instance, first)
    tables = {trace.rpartition(" ")[2] for trace in traces(home, first)}
    assert tables >= {"runs", "event_logs", "asset_check_executions"}
    result = deletion(instance)
    assert figures(result) == {"deleted": 1, "kept": 1}
    assert remaining(instance, result) == {second}
    assert traces(home, first) == []


def test_the_run_that_last_materialised_an_asset_stays_complete(instance: dg.DagsterInstance) -> None:
    """Data version, check result and log included."""
    materialized(instance)
    last = materialized(instance)
    before = instance.get_latest_materialization_event(ledger.key)
    result = deletion(instance)
    assert instance.get_latest_materialization_event(ledger.key) == before
    assert before is not None
    assert before.run_id == last
    assert isinstance(instance.event_log_storage, SqlEventLogStorage)
    (check,) = ledger_is_whole.check_keys
    evaluated = instance.event_log_storage.get_asset_check_execution_history(check, limit=5)
    assert [each.run_id for each in evaluated] == [last]
    assert logged(instance, last)
    assert remaining(instance, result) == {last}


def test_the_run_in_which_a_check_was_last_evaluated_stays(instance: dg.DagsterInstance) -> None:
    """The asset can have been materialised again without the check."""
    checked = materialized(instance)
    made = aged(instance, dg.materialize([ledger], instance=instance).run_id, OLD)
    result = deletion(instance)
    assert remaining(instance, result) == {checked, made}


def test_the_last_failure_of_an_asset_stays(instance: dg.DagsterInstance) -> None:
    """The UI shows by it that the last run failed."""

    @dg.asset(name="ledger")
    def broken() -> None:
        raise ValueError

    made = materialized(instance)
    failures = [
        aged(instance, dg.materialize([broken], instance=instance, raise_on_error=False).run_id, OLD) for _ in range(2)
    ]
    result = deletion(instance)
    assert remaining(instance, result) == {made, failures[1]}


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.FAILURE, Status.CANCELED])
def test_runs_of_every_outcome_are_deleted_by_age(instance: dg.DagsterInstance, status: Status) -> None:
    """Not a day earlier."""
    ended(instance, status)
    young = ended(instance, status, YOUNG)
    result = deletion(instance)
    assert remaining(instance, result) == {young}


@pytest.mark.parametrize("status", [status for status in Status if status not in FINISHED])
def test_an_unfinished_run_stays(instance: dg.DagsterInstance, status: Status) -> None:
    """Whatever its age, and with it the runs that it retries."""
    root, parent = ended(instance, Status.FAILURE), ended(instance, Status.FAILURE)
    run = ended(
        instance, status, root_run_id=root, parent_run_id=parent, remote_job_origin=remote_origin("customer_assets")
    )
    result = deletion(instance)
    assert remaining(instance, result) == {root, parent, run}


def test_a_run_that_is_about_to_be_retried_stays(instance: dg.DagsterInstance) -> None:
    """Dagster's daemon will look for it."""
    run = ended(instance, Status.FAILURE, tags={WILL_RETRY_TAG: "true"})
    ended(instance, Status.FAILURE, tags={WILL_RETRY_TAG: "false"})
    result = deletion(instance)
    assert remaining(instance, result) == {run}


def test_the_root_run_of_a_kept_retry_stays(instance: dg.DagsterInstance) -> None:
    """Dagster cannot find a retry whose root run is gone."""
    roots = [ended(instance, Status.FAILURE) for _ in range(2)]
    waiting = ended(
        instance, Status.FAILURE, root_run_id=roots[0], parent_run_id=roots[0], tags={WILL_RETRY_TAG: "true"}
    )
    made = materialized(instance)
    run = copy(instance.get_runs(dg.RunsFilter(run_ids=[made]))[0], root_run_id=roots[1], parent_run_id=roots[1])
    assert isinstance(instance.run_storage, SqlRunStorage)
    with instance.run_storage.connect() as connection:
        connection.execute(
            RunsTable.update().where(RunsTable.c.run_id == made).values(run_body=dg.serialize_value(run))
        )
    result = deletion(instance)
    assert remaining(instance, result) == {*roots, waiting, made}


def test_a_long_run_counts_from_its_end(instance: dg.DagsterInstance) -> None:
    """It started long ago and ended today."""
    run_id = ended(instance)
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[run_id]))
    assert is_deletable(record, ended_before=datetime.now(UTC))
    assert record.end_time is not None
    assert not is_deletable(record, ended_before=datetime.fromtimestamp(record.end_time, UTC))


def test_runs_of_other_code_locations_are_not_ours_to_delete(instance: dg.DagsterInstance) -> None:
    """Several can share an instance."""
    ended(instance, remote_job_origin=remote_origin("customer_assets"))
    others = ended(instance, remote_job_origin=remote_origin("others"))
    result = deletion(instance)
    assert remaining(instance, result) == {others}


@pytest.mark.parametrize(
    ("module", "is_deleted"),
    [
        pytest.param("customer_assets.definitions", True, id="ours"),
        pytest.param("customer_assets", True, id="ours, by the package"),
        pytest.param("sales.definitions", False, id="another project"),
        pytest.param("customer_assets_of_others", False, id="a similar name"),
        pytest.param("", False, id="executed in-process"),
    ],
)
def test_from_the_command_line_only_our_own_runs_are_deleted(
    instance: dg.DagsterInstance, module: str, *, is_deleted: bool
) -> None:
    """They name no code location, only the module that was loaded; in-process runs name neither."""
    run = aged(instance, instance.create_run_for_job(nothing, status=Status.SUCCESS).run_id, OLD, module)
    result = deletion(instance)
    assert (run not in remaining(instance, result)) is is_deleted


def test_a_run_of_another_environment_is_not_ours_to_delete(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another project on this instance can have installed this package for itself."""
    run = aged(instance, instance.create_run_for_job(nothing, status=Status.SUCCESS).run_id, OLD)
    monkeypatch.setattr(sys, "executable", "/opt/others/.venv/bin/python")
    assert remaining(instance, deletion(instance)) == {run}


def test_a_long_history_is_read_page_by_page(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that stay are skipped, wherever on a page they are, and none is read twice."""
    monkeypatch.setattr(run_deletion, "PAGE", 3)
    pages = list[Sequence[str]]()
    whole = instance.get_run_records

    def watched(*given: Any, **more: Any) -> Sequence[dg.RunRecord]:
        page = whole(*given, **more)
        pages.append([record.dagster_run.run_id for record in page])
        return page

    monkeypatch.setattr(instance, "get_run_records", watched)
    stays = {2, 3, 4, 5, 7, 9}
    runs = [ended(instance, age=YOUNG if number in stays else OLD) for number in range(11)]
    for number in stays:  # as far as the database knows, they started long ago
        assert isinstance(instance.run_storage, SqlRunStorage)
        with instance.run_storage.connect() as connection:
            started = (datetime.now(UTC) - OLD).replace(tzinfo=None)
            own = RunsTable.c.run_id == runs[number]
            connection.execute(RunsTable.update().where(own).values(create_timestamp=started))
    result = deletion(instance)
    assert remaining(instance, result) == {runs[number] for number in stays}
    assert figures(result) == {"deleted": 5, "kept": 6}
    assert [run for page in pages for run in page] == runs
    assert max(map(len, pages)) == 3


def test_a_run_that_cannot_be_deleted_stops_no_other(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names it, the job fails with the count, and the next run deletes it."""
    monkeypatch.setattr(run_deletion, "PAGE", 1)
    runs = [ended(instance) for _ in range(3)]
    whole = instance.compute_log_manager.delete_logs

    def refused(*, prefix: Sequence[str]) -> None:
        if prefix == [runs[1]]:
            raise PermissionError("the disk is read-only")
        whole(prefix=prefix)

    with monkeypatch.context() as patched:
        patched.setattr(instance.compute_log_manager, "delete_logs", refused)
        result = deletion(instance)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data.description.startswith("1 of 3 old runs could not be deleted")
    log = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert f"Run {runs[1]} could not be deleted: PermissionError: the disk is read-only" in log
    assert remaining(instance, result) == {runs[1]}
    assert figures(deletion(instance)) == {"deleted": 1}


def test_a_run_whose_record_is_already_gone_stops_no_other(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page starts after a run that no longer exists."""
    monkeypatch.setattr(run_deletion, "PAGE", 1)
    runs = [ended(instance) for _ in range(3)]
    whole = instance.delete_run

    def broken(run_id: str) -> None:
        whole(run_id)
        if run_id == runs[0]:
            raise ConnectionError

    monkeypatch.setattr(instance, "delete_run", broken)
    result = deletion(instance)
    assert not result.success
    assert remaining(instance, result) == set()


def test_a_deletion_that_was_killed_is_completed(
    instance: dg.DagsterInstance, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is deleted last, so the next deletion finds what is left."""
    first, _ = materialized(instance), materialized(instance)

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(instance, "delete_run", killed)
        with pytest.raises(KeyboardInterrupt):
            run_deletion.delete_runs(instance, datetime.now(UTC), lambda _: True, logging.getLogger())
    assert first in remaining(instance)
    assert list(instance.all_logs(first)) == []  # events without a record would never be found again
    assert deletion(instance).success
    assert traces(home, first) == []


def test_logs_that_cannot_be_deleted_are_left(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """A custom log manager may not be able to: the runs are deleted with a warning."""
    runs = [ended(instance) for _ in range(2)]

    def unable(**_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(instance.compute_log_manager, "delete_logs", unable)
    result = deletion(instance)
    assert figures(result) == {"deleted": 2, "logs_left": 2}
    assert not remaining(instance, result) & set(runs)
    log = [entry.user_message for entry in instance.all_logs(result.run_id) if entry.level == logging.WARNING]
    assert log == ["The compute logs of 2 deleted runs remain: LocalComputeLogManager cannot delete logs."]


@pytest.mark.parametrize("given", ["", " 0 "])
def test_without_the_setting_there_is_neither_job_nor_schedule(given: str) -> None:
    """Nobody sees in the UI what is not wanted."""
    assert from_environ(RetentionOptions, {"CUSTOMER_KEEP_RUNS_DAYS": given}).keep_runs_days == 0
    defs = build_definitions(CUSTOMER_KEEP_RUNS_DAYS=given)
    assert "delete_old_runs" not in {job.name for job in defs.resolve_all_job_defs()}
    assert [schedule.name for schedule in defs.schedules or ()] == ["daily_customer_sync"]


def test_the_launchpad_changes_the_age_for_one_run(instance: dg.DagsterInstance) -> None:
    """0 keeps every run."""
    run = ended(instance)
    config = {"delete_runs": {"config": {"keep_days": 0.0}}}
    assert deletion(instance, ops=config).success
    assert run in remaining(instance)
    config = {"delete_runs": {"config": {"keep_days": 0.5}}}
    assert figures(deletion(instance, keep_days=36_500, ops=config)) == {"deleted": 1}


@pytest.mark.parametrize("given", [-1.0, float("nan"), 1e9])
def test_days_from_the_launchpad_are_validated_too(instance: dg.DagsterInstance, given: float) -> None:
    """The error names the field."""
    ended(instance)
    result = deletion(instance, ops={"delete_runs": {"config": {"keep_days": given}}})
    (failure,) = result.get_step_failure_events()
    assert "keep_days: " in failure.step_failure_data.error.cause.message
    assert len(remaining(instance, result)) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [("90", 90.0), ("0.002", 0.002)],
)
def test_the_schedule_is_on_if_old_runs_are_to_be_deleted(given: str, expected: float) -> None:
    """An hour after the sync, in its time zone; nobody has to find its switch."""
    assert from_environ(RetentionOptions, {"CUSTOMER_KEEP_RUNS_DAYS": given}).keep_runs_days == expected
    defs = build_definitions(CUSTOMER_KEEP_RUNS_DAYS=given, CUSTOMER_SCHEDULE_TIMEZONE="Europe/Berlin")
    schedule = defs.resolve_schedule_def("daily_run_deletion")
    assert schedule.job_name == "delete_old_runs"
    assert (schedule.default_status, schedule.cron_schedule) == (dg.DefaultScheduleStatus.RUNNING, "0 4 * * *")
    assert schedule.execution_timezone == "Europe/Berlin"


@pytest.mark.parametrize("given", ["-1", "nan", "inf", "40000", "long"])
def test_bad_days_are_refused(given: str) -> None:
    """When the definitions load."""
    with pytest.raises(ConfigurationError, match=r"^CUSTOMER_KEEP_RUNS_DAYS: "):
        build_definitions(CUSTOMER_KEEP_RUNS_DAYS=given)


def test_it_takes_no_slot_of_the_syncs_pool() -> None:
    """It can run beside a sync."""
    job = build_definitions(CUSTOMER_KEEP_RUNS_DAYS="90").resolve_job_def("delete_old_runs")
    assert {node.pool for node in job.all_node_defs if isinstance(node, dg.OpDefinition)} == {None}


def test_its_failure_is_an_alert_but_pushes_no_metric(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Pushgateway holds the figures of syncs."""

    def unreachable(*_: Any) -> None:
        pytest.fail("Metrics were pushed.")

    monkeypatch.setattr("customer_assets.monitoring.pushgateway.push", unreachable)
    ended(instance)
    monkeypatch.setattr(instance, "delete_run", lambda _: 1 / 0)
    run = instance.get_run_by_id(deletion(instance).run_id)
    assert run is not None
    (entry,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert entry.dagster_event is not None
    context = dg.build_run_status_sensor_context("any", entry.dagster_event, instance, run)
    with webhook() as hook:
        failed_run_sensor("any", Notifier("http://127.0.0.1:9", hook.url))(context.for_run_failure())
    (alert,) = hook.payloads
    assert alert["text"].startswith("delete_old_runs failed")
    assert "1 of 1 old runs could not be deleted" in alert["text"]
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert {METRICS_TAG, ALERT_TAG} & set(stored.tags) == {ALERT_TAG}
