"""Whom a run is told to when it ends: the log, a Pushgateway, a webhook. Whatever fails here, the run does not.

The executor tells it, since it alone is there at the end of every run, whichever way it was started: from the command
line or the UI, by a schedule, in one process or in several. Of runs that it can tell nothing of, killed ones, a sensor
tells as soon as Dagster's daemon has found them. Tags on the run say what was told, so that nothing is told twice.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from customer_assets.defs.operations.run_report import build_run_report, with_reason
from customer_assets.errors import MissingDependencyError
from customer_assets.monitoring.alerts import alert
from customer_assets.monitoring.run_report import Outcome, RunReport
from customer_assets.monitoring.run_summary import closing_summary
from customer_assets.monitoring.samples import groups

METRICS_TAG = "customer_assets/metrics"
ALERT_TAG = "customer_assets/alert"


@dataclass(frozen=True)
class Notifier:
    """Where runs are told to; empty: nowhere.

    Attributes:
        pushgateway_url: Takes metrics.
        webhook_url: Takes alarms.
    """

    pushgateway_url: str = ""
    webhook_url: str = ""

    def __repr__(self) -> str:
        """Tell neither address: they may hold secrets."""
        return f"Notifier(pushgateway={bool(self.pushgateway_url)}, webhook={bool(self.webhook_url)})"

    def notify(self, story: RunReport, instance: dg.DagsterInstance, already: Mapping[str, str]) -> list[str]:
        """Tell a run to those that have not heard of it; return the tags of those that could not be reached."""
        done, missed = dict[str, str](), list[str]()
        if self.pushgateway_url and METRICS_TAG not in already:
            from customer_assets.monitoring.pushgateway import push  # noqa: PLC0415 - an extra, imported when used

            done |= {METRICS_TAG: "pushed"} if push(self.pushgateway_url, groups(story)) else {}
            missed += [] if METRICS_TAG in done else [METRICS_TAG]
        payload = alert(story) if self.webhook_url and ALERT_TAG not in already else None
        if payload is not None:
            from customer_assets.monitoring.webhook import deliver  # noqa: PLC0415 - most runs need no TLS and no HTTP

            done |= {ALERT_TAG: "sent"} if deliver(self.webhook_url, payload) else {}
            missed += [] if ALERT_TAG in done else [ALERT_TAG]
        if done:
            instance.add_run_tags(story.run_id, done)
        return missed


def build_notifier(pushgateway_url: str, webhook_url: str, *, pushgateway_setting: str) -> Notifier:
    """Name those that are told of runs.

    Args:
        pushgateway_url: Takes metrics; empty: nobody.
        webhook_url: Takes alarms; empty: nobody.
        pushgateway_setting: What the first is called where it was set.

    Raises:
        MissingDependencyError: Metrics are wanted, and prometheus-client is not installed.
    """
    if pushgateway_url and find_spec("prometheus_client") is None:
        raise MissingDependencyError(pushgateway_setting, "prometheus-client", "pip install 'customer_assets[metrics]'")
    return Notifier(pushgateway_url, webhook_url)


class NotifyingExecutor(dg.Executor):
    """Leaves the work to another executor, and tells what came of it.

    Args:
        inner: Does the work.
        listeners: Are told.
    """

    def __init__(self, inner: dg.Executor, listeners: Notifier) -> None:
        self._inner, self._listeners = inner, listeners

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the other has it
        """Be the other in all else: Celery's loop asks its executor for more than Dagster declares."""
        return getattr(self._inner, name)

    @property
    def retries(self) -> RetryMode:
        """As the other says."""
        return self._inner.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """As the other says."""
        return self._inner.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Let the other execute the plan, and tell of it, whether it ends well, fails or is interrupted."""
        started_at_s, failed, raised = time.time(), False, ""
        try:
            for event in self._inner.execute(plan_context, execution_plan):
                failed = failed or event.is_step_failure
                yield event
        except BaseException as error:
            raised = type(error).__name__
            raise
        finally:
            self._tell(plan_context, started_at_s, failed=failed, raised=raised)

    def _tell(self, plan_context: PlanOrchestrationContext, started_at_s: float, *, failed: bool, raised: str) -> None:
        instance, run_id = plan_context.instance, plan_context.run_id
        try:
            run = instance.get_run_by_id(run_id) or plan_context.dagster_run
            outcome = _outcome(run, failed=failed or bool(raised))
            story = with_reason(build_run_report(instance, run, outcome, started_at_s, time.time()), raised)
            plan_context.log.info(closing_summary(story))
            self._listeners.notify(story, instance, run.tags)
        except Exception as error:  # noqa: BLE001 - the run is over; how it went is not changed by who hears of it
            plan_context.log.warning("The run could not be told of: %s.", type(error).__name__)


def _outcome(run: dg.DagsterRun, *, failed: bool) -> Outcome:
    if run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
        return Outcome.CANCELED
    return Outcome.FAILED if failed else Outcome.SUCCEEDED


def with_notifications(inner: dg.ExecutorDefinition, listeners: Notifier) -> dg.ExecutorDefinition:
    """Define an executor that works like another and tells what came of it; its configuration is the other's."""
    create = inner.executor_creation_fn
    if create is None:
        raise TypeError(f"{inner.name} makes no executor")
    return dg.ExecutorDefinition(
        name=inner.name,
        config_schema=inner.config_schema,  # type: ignore[arg-type] # the other's, as Dagster keeps it
        requirements=inner.get_requirements,
        executor_creation_fn=lambda context: NotifyingExecutor(create(context), listeners),
        description=inner.description,
    )
