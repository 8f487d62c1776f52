"""What launches queued runs in production: Dagster's default launcher, which can also tell here that a worker died."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import dagster as dg
import psutil
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import RETRY_STRATEGY_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._serdes import ConfigurableClassData

CLOCK_SLACK_S = 2.0
"""The start of a process is told to a hundredth of a second, the boot it is counted from to a second."""


class HealthCheckedRunLauncher(DefaultRunLauncher):
    """Launches runs as `DefaultRunLauncher` does, and lets run monitoring find those whose worker died.

    Dagster's own leaves a run "started" for ever if it dies together with its code server (a reboot, a power cut, a
    kill of both), and the run keeps its slot of the pool: no later sync would start. The worker is looked for among
    this machine's processes, so the daemon must run on the code server's machine, and be allowed to see its processes.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._answered_for: set[str] = set()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Make one from `dagster.yaml`; it has no settings."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Tell run monitoring to ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Tell whether the run's worker is alive; unknown as long as no worker reported."""
        for record in self._instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records:
            event = record.event_log_entry.dagster_event
            if event and "pid" in event.engine_event_data.metadata:
                pid = int(str(event.engine_event_data.metadata["pid"].value))
                health = worker_health(pid, datetime.fromtimestamp(record.event_log_entry.timestamp, UTC))
                if health.status != WorkerStatus.RUNNING:
                    self._mark_for_full_rerun(run)
                    health = self._defer_until_code_server_is_up(run, health)
                return health
        return CheckRunHealthResult(WorkerStatus.RUNNING, "no worker has reported yet")

    def _mark_for_full_rerun(self, run: dg.DagsterRun) -> None:
        """Have a run repeated as a whole if its worker died after its last step.

        Dagster runs again what did not succeed, and fails to if all of it did: the run would stay failed.
        """
        plan_id, step_success = run.execution_plan_snapshot_id, dg.DagsterEventType.STEP_SUCCESS
        if plan_id is None or RETRY_STRATEGY_TAG in run.tags:
            return
        planned = self._instance.get_execution_plan_snapshot(plan_id).step_keys_to_execute
        records = self._instance.get_records_for_run(run.run_id, of_type=step_success).records
        if {record.event_log_entry.step_key for record in records} >= set(planned):
            self._instance.add_run_tags(run.run_id, {RETRY_STRATEGY_TAG: ReexecutionStrategy.ALL_STEPS.value})

    def _defer_until_code_server_is_up(self, run: dg.DagsterRun, health: CheckRunHealthResult) -> CheckRunHealthResult:
        """Keep a death secret until the code server has answered twice.

        Dagster tries to run a failed run again just once, and fails to if its code server is not back by then, or was
        not noticed to be back.
        """
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is not None and not _answers(client):
            self._answered_for.discard(run.run_id)
        elif client is None or run.run_id in self._answered_for:
            self._answered_for.discard(run.run_id)
            return health
        else:
            self._answered_for.add(run.run_id)
        return CheckRunHealthResult(WorkerStatus.RUNNING, f"{health.msg} Its code server is awaited.")


def _answers(client: DagsterGrpcClient) -> bool:
    try:
        client.ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


def worker_health(pid: int, seen_at: datetime) -> CheckRunHealthResult:
    """Tell whether the process that had this id at that time is still alive.

    A process that has the id now, but began later, is another one: ids are given again, after a reboot at the latest.
    """
    try:
        worker = psutil.Process(pid)
        same = worker.create_time() <= seen_at.timestamp() + CLOCK_SLACK_S
        alive = same and worker.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        alive = False
    if alive:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(WorkerStatus.FAILED, f"The worker, process {pid}, is gone.")
