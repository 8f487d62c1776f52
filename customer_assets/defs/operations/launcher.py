"""The run launcher for production: Dagster's default one, which here also notices when a worker has died."""

from datetime import UTC, datetime
from typing import Any, TypeAlias

import dagster as dg
import psutil

# Private: the interface between run monitoring and a launcher has no public names. Waits for public ones, or for a
# `DefaultRunLauncher` that checks its workers' health itself.
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

from customer_assets.defs.operations.run_status import WILL_RETRY_TAG

CLOCK_SLACK_S = 2.0
"""The kernel counts a process's start from the boot, in hundredths of a second, but gives the boot in whole seconds."""

RETRY_STRATEGY_TAG, ALL_STEPS = "dagster/retry_strategy", "ALL_STEPS"
"""https://docs.dagster.io/deployment/execution/run-retries#retry-strategy."""

CodeServerClient: TypeAlias = Any
"""Dagster's gRPC client, whose type has no public name."""


class HealthCheckedRunLauncher(dg.DefaultRunLauncher):
    """Launches runs as `DefaultRunLauncher` does, and lets run monitoring find the runs whose worker died.

    With Dagster's own launcher, a run whose worker dies together with its code server (a reboot, a power cut, both
    killed) stays "started" for ever and keeps its slot of the pool, so no later sync starts. This one looks for the
    worker among the machine's processes. So the daemon must run on the same machine as the code server, and be allowed
    to see its processes.
    """

    def __init__(self, inst_data: Any = None) -> None:  # noqa: ANN401 - what Dagster keeps of `dagster.yaml`
        super().__init__(inst_data)
        self._pinged_once: set[str] = set()

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Make run monitoring call `check_run_worker_health`."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Check whether a run's worker is alive. A run whose worker is gone is marked as failed, ready for its retry.

        As long as no worker has reported, the run counts as alive.
        """
        for record in self._instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records:
            event = record.event_log_entry.dagster_event
            if event and "pid" in event.engine_event_data.metadata:
                pid = int(str(event.engine_event_data.metadata["pid"].value))
                health = worker_health(pid, datetime.fromtimestamp(record.event_log_entry.timestamp, UTC))
                if health.status == WorkerStatus.RUNNING:
                    return health
                if not self._is_code_server_up(run):
                    return CheckRunHealthResult(WorkerStatus.RUNNING, f"{health.msg} Waiting for its code server.")
                self._mark_for_full_rerun(run)
                self._mark_as_failed(run, health.msg or "")
                return health
        return CheckRunHealthResult(WorkerStatus.RUNNING, "No worker has reported yet.")

    def _is_code_server_up(self, run: dg.DagsterRun) -> bool:
        """Whether the code server answered two checks in a row, so that the automatic retry can start.

        Dagster tries only once to retry a failed run. That attempt is lost if the code server is down, or if the daemon
        has not noticed yet that it is back.
        """
        client: CodeServerClient = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:  # the run was not launched by a code server
            return True
        try:
            client.ping("")
        except dg.DagsterError:
            self._pinged_once.discard(run.run_id)
            return False
        if run.run_id not in self._pinged_once:
            self._pinged_once.add(run.run_id)
            return False
        self._pinged_once.discard(run.run_id)
        return True

    def _mark_for_full_rerun(self, run: dg.DagsterRun) -> None:
        """Have the retry execute all steps if the worker died after the last one.

        A retry executes the steps that did not succeed. If all of them did, Dagster fails to create it.
        """
        plan_id, step_success = run.execution_plan_snapshot_id, dg.DagsterEventType.STEP_SUCCESS
        if plan_id is None or RETRY_STRATEGY_TAG in run.tags:
            return
        planned = self._instance.get_execution_plan_snapshot(plan_id).step_keys_to_execute
        records = self._instance.get_records_for_run(run.run_id, of_type=step_success).records
        if {record.event_log_entry.step_key for record in records} >= set(planned):
            self._instance.add_run_tags(run.run_id, {RETRY_STRATEGY_TAG: ALL_STEPS})

    def _mark_as_failed(self, run: dg.DagsterRun, message: str) -> None:
        """Store the run's status and retry tag first, and the event that announces its failure last.

        Run monitoring would store the event first. The daemon's retries poll for that event: reading it before the
        status is stored, they see a run that has not failed, skip it, and never look at it again.
        """
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, run.job_name, message=message)
        self._instance.run_storage.handle_run_event(run.run_id, event)
        failed_run = self._instance.get_run_by_id(run.run_id) or run
        if self._instance.run_retries_enabled:
            is_retried = auto_reexecution_should_retry_run(self._instance, failed_run, None)
            self._instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: str(is_retried).lower()})
        self._instance.report_run_failed(failed_run, message)


def worker_health(pid: int, seen_at: datetime) -> CheckRunHealthResult:
    """Check whether the process that had this id at that time is still alive.

    A process with the same id that started later is another one: ids are reused, at the latest after a reboot.
    """
    try:
        worker = psutil.Process(pid)
        is_same = worker.create_time() <= seen_at.timestamp() + CLOCK_SLACK_S
        is_alive = is_same and worker.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        is_alive = False
    if is_alive:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(WorkerStatus.FAILED, f"The worker, process {pid}, is gone.")
