"""Sends out what happened in a run when it ends: to the log, a Pushgateway and a webhook. A failure here fails no run.

The executor does it, because it alone is there at the end of every run, however the run was started. A run that was
killed cannot report itself; a sensor (`sensors.py`) does, once Dagster's daemon has noticed. Tags on the run record
what was sent, so nothing is sent twice.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, TypeAlias

import dagster as dg

from customer_assets.core.errors import MissingDependencyError
from customer_assets.defs.operations.run_report import (
    ALERT_SENT,
    ALERT_TAG,
    RECOVERY_SENT,
    build_run_report,
    with_reason,
)
from customer_assets.monitoring.alerts import RECOVERED, alert
from customer_assets.monitoring.run_report import Outcome, RunReport
from customer_assets.monitoring.run_summary import run_summary
from customer_assets.monitoring.samples import groups

METRICS_TAG = "customer_assets/metrics"

Private: TypeAlias = Any
"""A type in the interface of Dagster's public `Executor` that has no public name itself."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a run's notifications.

    Attributes:
        tags: What was sent, as tags for the run.
        failed: The tags of what could not be sent.
    """

    tags: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Notifier:
    """Where runs are reported to; an empty URL means nowhere.

    Attributes:
        pushgateway_url: Receives metrics.
        webhook_url: Receives alerts.
        dagster_url: The webserver's URL, which alerts link to.
        environment: The installation's name in alerts, such as `production`.
    """

    pushgateway_url: str = ""
    webhook_url: str = ""
    dagster_url: str = ""
    environment: str = ""

    def __repr__(self) -> str:
        """Show which URLs are set, not the URLs: they can hold secrets."""
        return f"Notifier(pushgateway={bool(self.pushgateway_url)}, webhook={bool(self.webhook_url)})"

    def notify(self, report: RunReport, *, already_sent: Mapping[str, str]) -> Delivery:
        """Send what has not been sent yet. Never raises.

        Args:
            report: What happened.
            already_sent: The run's tags.
        """
        delivery = Delivery()
        if self.pushgateway_url and METRICS_TAG not in already_sent:
            from customer_assets.monitoring.pushgateway import push  # noqa: PLC0415 - an extra, imported when used

            if push(self.pushgateway_url, groups(report)):
                delivery.tags[METRICS_TAG] = "pushed"
            else:
                delivery.failed.append(METRICS_TAG)
        message = alert(report, environment=self.environment, dagster_url=self.dagster_url)
        if self.webhook_url and ALERT_TAG not in already_sent and message is not None:
            if self.send(message):
                delivery.tags[ALERT_TAG] = RECOVERY_SENT if message["event"] == RECOVERED else ALERT_SENT
            else:
                delivery.failed.append(ALERT_TAG)
        return delivery

    def send(self, message: Mapping[str, Any]) -> bool:
        """Post a message to the webhook, and return whether it was accepted. Never raises."""
        from customer_assets.monitoring.webhook import deliver  # noqa: PLC0415 - most runs need no TLS and no HTTP

        return deliver(self.webhook_url, message)


def build_notifier(
    pushgateway_url: str, webhook_url: str, *, pushgateway_setting: str, dagster_url: str = "", environment: str = ""
) -> Notifier:
    """Build a notifier.

    Args:
        pushgateway_url: Receives metrics; empty: nobody does.
        webhook_url: Receives alerts; empty: nobody does.
        pushgateway_setting: The name of the setting that holds the first, for the error.
        dagster_url: The webserver's URL, which alerts link to.
        environment: The installation's name in alerts.

    Raises:
        MissingDependencyError: Metrics are to be pushed, but prometheus-client is not installed.
    """
    if pushgateway_url and find_spec("prometheus_client") is None:
        raise MissingDependencyError(pushgateway_setting, "prometheus-client", "pip install 'customer_assets[metrics]'")
    return Notifier(pushgateway_url, webhook_url, dagster_url, environment)


class NotifyingExecutor(dg.Executor):
    """Lets another executor run the steps, then reports the run.

    Args:
        inner: Runs the steps.
        notifier: Receives the report.
    """

    def __init__(self, inner: dg.Executor, notifier: Notifier) -> None:
        self._inner, self._notifier = inner, notifier

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the inner executor has
        """Delegate everything else: Celery's loop needs more of its executor than Dagster declares."""
        return getattr(self._inner, name)

    @property
    def retries(self) -> Private:
        """Delegate."""
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Private:
        """Delegate."""
        return self._inner.step_dependency_config

    def execute(self, plan_context: Private, execution_plan: Private) -> Iterator[dg.DagsterEvent]:
        """Let the inner executor execute the plan; report the run whether it succeeds, fails or is interrupted."""
        started_at_s, has_failed, error_class = time.time(), False, ""
        try:
            for event in self._inner.execute(plan_context, execution_plan):
                has_failed = has_failed or event.is_step_failure
                yield event
        except BaseException as error:
            error_class = type(error).__name__
            raise
        finally:
            self._report(plan_context, started_at_s, has_failed=has_failed, error_class=error_class)

    def _report(self, plan_context: Private, started_at_s: float, *, has_failed: bool, error_class: str) -> None:
        instance: dg.DagsterInstance = plan_context.instance
        try:
            run: dg.DagsterRun = instance.get_run_by_id(plan_context.run_id) or plan_context.dagster_run
            outcome = Outcome.FAILED if has_failed or error_class else Outcome.SUCCEEDED
            if run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
                outcome = Outcome.CANCELED
            report = build_run_report(instance, run, outcome, started_at_s, time.time())
            report = with_reason(report, error_class)
            plan_context.log.info(run_summary(report))
            delivery = self._notifier.notify(report, already_sent=run.tags)
            if delivery.tags:
                instance.add_run_tags(run.run_id, delivery.tags)
        except Exception as error:  # noqa: BLE001 - the run is over, and its notifications must not change its outcome
            plan_context.log.warning("Could not send the run's notifications: %s.", type(error).__name__)


def with_notifications(inner: dg.ExecutorDefinition, notifier: Notifier) -> dg.ExecutorDefinition:
    """Define an executor with the same name and configuration as `inner` that also reports its runs."""
    create = inner.executor_creation_fn
    if create is None:
        raise TypeError(f"The executor {inner.name} cannot be created")
    return dg.ExecutorDefinition(
        name=inner.name,
        config_schema=inner.config_schema,  # type: ignore[arg-type] # the form in which Dagster keeps it
        requirements=inner.get_requirements,
        executor_creation_fn=lambda context: NotifyingExecutor(create(context), notifier),
        description=inner.description,
    )
