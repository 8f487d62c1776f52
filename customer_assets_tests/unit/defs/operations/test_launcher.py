"""Finding the runs whose worker died, and failing them so that their retry is launched."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import grpc  # type: ignore[import-untyped]
import psutil
import pytest
from dagster._core.events import EngineEventData
from dagster._core.execution.plan.objects import StepSuccessData
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG, RETRY_STRATEGY_TAG, WILL_RETRY_TAG
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from dagster._grpc.__generated__.dagster_api_pb2 import PingReply, PingRequest
from dagster._grpc.__generated__.dagster_api_pb2_grpc import DagsterApiServicer, add_DagsterApiServicer_to_server

from customer_assets.defs.operations.launcher import HealthCheckedRunLauncher, worker_health
from customer_assets_tests.harness.machines.services import free_port

NOW = datetime.now(UTC)

LAUNCHER = {"run_launcher": {"module": HealthCheckedRunLauncher.__module__, "class": HealthCheckedRunLauncher.__name__}}
"""As in `deploy/dagster.yaml`."""


def test_a_live_worker_is_running() -> None:
    """It started before it was seen."""
    assert worker_health(os.getpid(), NOW).status == WorkerStatus.RUNNING


def test_a_worker_that_ended_is_gone() -> None:
    """No process has its id any more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as worker:
        worker.wait()
    health = worker_health(worker.pid, NOW)
    assert health.status == WorkerStatus.FAILED
    assert str(worker.pid) in str(health.msg)


def test_a_zombie_is_gone() -> None:
    """A killed worker whose code server has not reaped it yet."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        worker.kill()
        while psutil.Process(worker.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert worker_health(worker.pid, datetime.now(UTC)).status == WorkerStatus.FAILED


def test_another_process_with_the_same_id_is_not_the_worker() -> None:
    """It started after the worker was seen, for example after a reboot."""
    started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    assert worker_health(os.getpid(), started - timedelta(minutes=1)).status == WorkerStatus.FAILED


def test_the_worker_is_found_in_the_runs_events() -> None:
    """The first process that reports is the worker; until one does, the run counts as alive."""
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = HealthCheckedRunLauncher()
        launcher.register_instance(instance)
        run = instance.create_run_for_job(dg.Definitions(jobs=[job]).resolve_job_def("job"))
        assert launcher.supports_check_run_worker_health
        assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        instance.report_engine_event("Launching.", run)
        instance.report_engine_event("Started.", run, EngineEventData.in_process(os.getpid()))
        instance.report_engine_event("A step's.", run, EngineEventData.in_process(2**22))
        assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        other = instance.create_run_for_job(dg.Definitions(jobs=[job]).resolve_job_def("job"))
        instance.report_engine_event("Started.", other, EngineEventData.in_process(2**22 + 1))
        assert launcher.check_run_worker_health(other).status == WorkerStatus.FAILED


def test_a_lost_run_fails_only_when_the_code_server_can_retry_it() -> None:
    """It must answer two checks in a row."""
    port = free_port()
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = HealthCheckedRunLauncher()
        launcher.register_instance(instance)
        where = json.dumps({"host": "127.0.0.1", "port": port})
        run = instance.create_run_for_job(
            dg.Definitions(jobs=[job]).resolve_job_def("job"), tags={GRPC_INFO_TAG: where}
        )
        instance.report_engine_event("Started.", run, EngineEventData.in_process(2**22 + 1))
        statuses = []
        for is_up in (False, True, False, True, True):
            with code_server(port) if is_up else nullcontext():
                statuses.append(launcher.check_run_worker_health(run).status)
        assert statuses == [WorkerStatus.RUNNING] * 4 + [WorkerStatus.FAILED]


@pytest.mark.parametrize("done", [True, False])
def test_a_run_whose_worker_died_after_its_last_step_is_retried_as_a_whole(*, done: bool) -> None:
    """Otherwise Dagster finds no step to retry, and the run stays failed."""
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = HealthCheckedRunLauncher()
        launcher.register_instance(instance)
        run = instance.create_run_for_job(dg.Definitions(jobs=[job]).resolve_job_def("job"))
        instance.report_engine_event("Started.", run, EngineEventData.in_process(2**22 + 1))
        if done:
            event = dg.DagsterEvent(
                dg.DagsterEventType.STEP_SUCCESS.value,
                "job",
                step_key="nothing",
                event_specific_data=StepSuccessData(1.0),  # type: ignore[no-untyped-call]
            )
            instance.report_dagster_event(event, run.run_id)
        assert launcher.check_run_worker_health(run).status == WorkerStatus.FAILED
        stored = instance.get_run_by_id(run.run_id)
        assert stored
        assert (stored.tags.get(RETRY_STRATEGY_TAG) == "ALL_STEPS") == done


def test_a_lost_run_is_retried_even_if_dagster_looks_at_the_worst_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retries skip for good a run whose failure they read before its status: the status is stored first."""
    retries = {"run_retries": {"enabled": True, "max_retries": 1}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=retries | LAUNCHER) as instance:
        run = instance.create_run_for_job(dg.Definitions(jobs=[job]).resolve_job_def("job"))
        instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, "job"), run.run_id)
        instance.report_engine_event("Started.", run, EngineEventData.in_process(2**22 + 1))
        store, decisions = instance.event_log_storage.store_event, []

        def store_and_look(entry: dg.EventLogEntry) -> None:
            store(entry)
            stored = instance.get_run_by_id(run.run_id)
            if stored and entry.dagster_event and entry.dagster_event.is_run_failure:
                decisions.append((stored.tags.get(WILL_RETRY_TAG), should_retry(stored, instance)))

        monkeypatch.setattr(instance.event_log_storage, "store_event", store_and_look)
        workspace: Any = None  # only needed to resume runs
        (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
        monitor_started_run(instance, workspace, record, logging.getLogger())
        assert decisions == [("true", True)]
        (failed,) = instance.get_runs()
        assert (failed.status, failed.tags[WILL_RETRY_TAG]) == (dg.DagsterRunStatus.FAILURE, "true")
        failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        messages = [entry.dagster_event.message for entry in failures if entry.dagster_event]
        assert messages == ["The worker, process 4194305, is gone."]


@contextmanager
def code_server(port: int) -> Iterator[None]:
    """Answer pings, as a code server does."""

    class Answering(DagsterApiServicer):
        def Ping(self, request: PingRequest, _context: object) -> PingReply:  # noqa: N802 - gRPC's name
            return PingReply(echo=request.echo)

    server = grpc.server(ThreadPoolExecutor(1))
    add_DagsterApiServicer_to_server(Answering(), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def job() -> None:
    """Run nothing."""
    nothing()
