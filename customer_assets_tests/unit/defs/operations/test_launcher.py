"""A worker is alive, or it is gone: whatever has its process id by now."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

import dagster as dg
import grpc  # type: ignore[import-untyped]
import psutil
import pytest
from dagster._core.events import EngineEventData
from dagster._core.execution.plan.objects import StepSuccessData
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG, RETRY_STRATEGY_TAG
from dagster._grpc.__generated__.dagster_api_pb2 import PingReply, PingRequest
from dagster._grpc.__generated__.dagster_api_pb2_grpc import DagsterApiServicer, add_DagsterApiServicer_to_server

from customer_assets.defs.operations.launcher import HealthCheckedRunLauncher, worker_health
from customer_assets_tests.harness.services import free_port

NOW = datetime.now(UTC)


def test_a_worker_that_lives_is_running() -> None:
    """It began before it was seen."""
    assert worker_health(os.getpid(), NOW).status == WorkerStatus.RUNNING


def test_a_worker_that_ended_is_gone() -> None:
    """No process has its id."""
    with subprocess.Popen([sys.executable, "-c", ""]) as worker:
        worker.wait()
    health = worker_health(worker.pid, NOW)
    assert health.status == WorkerStatus.FAILED
    assert str(worker.pid) in str(health.msg)


def test_a_zombie_is_gone() -> None:
    """A killed worker whose code server has not asked for it yet."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        worker.kill()
        while psutil.Process(worker.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert worker_health(worker.pid, datetime.now(UTC)).status == WorkerStatus.FAILED


def test_another_process_with_the_same_id_is_not_the_worker() -> None:
    """It began after the worker was seen: after a reboot, say."""
    began = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    assert worker_health(os.getpid(), began - timedelta(minutes=1)).status == WorkerStatus.FAILED


def test_the_worker_is_found_in_the_runs_events() -> None:
    """The first process that reports is the worker; as long as none did, nothing is said against the run."""
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


def test_a_death_is_told_only_when_the_code_server_can_run_it_again() -> None:
    """It answers twice first; a server that is away again in between has to answer twice anew."""
    port = free_port()
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = HealthCheckedRunLauncher()
        launcher.register_instance(instance)
        where = json.dumps({"host": "127.0.0.1", "port": port})
        run = instance.create_run_for_job(
            dg.Definitions(jobs=[job]).resolve_job_def("job"), tags={GRPC_INFO_TAG: where}
        )
        instance.report_engine_event("Started.", run, EngineEventData.in_process(2**22 + 1))
        told = []
        for answering in (False, True, False, True, True):
            with pinged(port) if answering else nullcontext():
                told.append(launcher.check_run_worker_health(run).status)
        assert told == [WorkerStatus.RUNNING] * 4 + [WorkerStatus.FAILED]


@pytest.mark.parametrize("done", [True, False])
def test_a_run_whose_worker_died_after_its_last_step_is_repeated_as_a_whole(*, done: bool) -> None:
    """Dagster finds nothing to run again in it otherwise, and leaves it failed."""
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
        told = instance.get_run_by_id(run.run_id)
        assert told
        assert (told.tags.get(RETRY_STRATEGY_TAG) == "ALL_STEPS") == done


@contextmanager
def pinged(port: int) -> Iterator[None]:
    """Serve what answers a ping, as a code server does."""

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
