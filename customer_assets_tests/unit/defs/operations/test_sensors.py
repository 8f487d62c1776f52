"""The sensor that watches the export's age. The one for failed runs is tested with `notifications.py`."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.operations.run_report import ALERT_TAG
from customer_assets.defs.operations.sensors import overdue_export_sensor
from customer_assets.defs.sync import Sync, Timing
from customer_assets_tests.harness.machines.receivers import Webhook, webhook
from customer_assets_tests.harness.machines.services import free_port

HOUR = 3600.0
SYNC = Sync.for_project("acme", timing=Timing(cron="0 * * * *"))


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Serve a webhook."""
    with webhook() as served:
        yield served


@dataclass
class Daemon:
    """Evaluates the sensor at a time of the test's choosing, and keeps its cursor as Dagster's daemon does."""

    instance: dg.DagsterInstance
    now_s: float
    cursor: str | None = None

    def look(self, webhook_url: str) -> str:
        """Evaluate it once; return what it says."""
        sensor = overdue_export_sensor(SYNC, Notifier(webhook_url=webhook_url), clock=lambda: self.now_s)
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        assert result.skip_reason is not None
        return str(result.skip_reason.skip_message)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """Start with an empty instance, now."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(instance, time.time())


def publish(instance: dg.DagsterInstance, *, meanwhile: Callable[[], object] = bool, alert: str = "none") -> None:
    """Publish an export now, in a run that does something else before it ends."""

    @dg.op
    def step(context: dg.OpExecutionContext) -> None:
        context.log_event(dg.AssetMaterialization(SYNC.key("customer_export")))
        meanwhile()

    @dg.job
    def job() -> None:
        step()

    job.execute_in_process(instance=instance, tags={ALERT_TAG: alert})


def test_an_export_is_current_until_it_is_overdue(daemon: Daemon, hook: Webhook) -> None:
    """One alert, however often the sensor looks; one recovery."""
    publish(daemon.instance)
    assert daemon.look(hook.url) == "No export is overdue."
    daemon.now_s += 3 * HOUR
    assert daemon.look(hook.url) == "Sent customer_export_stale."
    assert daemon.look(hook.url) == "The alert was sent; the export is still overdue."
    daemon.now_s -= 3 * HOUR  # as if another export had been published meanwhile
    assert daemon.look(hook.url) == "Sent customer_export_recovered."
    assert daemon.look(hook.url) == "No export is overdue."
    assert [sent["event"] for sent in hook.payloads] == ["customer_export_stale", "customer_export_recovered"]
    assert {(sent["job"], sent["asset"]) for sent in hook.payloads} == {("acme_job", "acme/customer_export")}


def test_a_sync_that_never_published_is_overdue_from_when_the_watch_began(daemon: Daemon, hook: Webhook) -> None:
    """As after an installation whose schedule nobody switched on."""
    assert daemon.look(hook.url) == "No export is overdue."
    daemon.now_s += HOUR
    assert daemon.look(hook.url) == "No export is overdue."
    daemon.now_s += 2 * HOUR
    assert daemon.look(hook.url) == "Sent customer_export_stale."
    (sent,) = hook.payloads
    assert sent["last_export_at"] is None


def test_a_recovery_that_the_run_itself_sent_is_not_sent_twice(daemon: Daemon, hook: Webhook) -> None:
    """Runs failed until the export was overdue: the first success says so already."""
    daemon.cursor = '{"since_s": 0.0, "alert_is_open": true}'
    publish(daemon.instance, alert="recovered")
    assert daemon.look(hook.url) == "The run itself sent that it recovered."
    assert daemon.look(hook.url) == "No export is overdue."
    assert hook.payloads == []


def test_a_recovery_waits_for_the_end_of_the_run(daemon: Daemon, hook: Webhook) -> None:
    """Until then nobody knows whether the run sends it itself."""
    daemon.cursor = '{"since_s": 0.0, "alert_is_open": true}'
    said = list[str]()
    publish(daemon.instance, meanwhile=lambda: said.append(daemon.look(hook.url)))
    assert said == ["The run that published it is still at work."]
    assert daemon.look(hook.url) == "Sent customer_export_recovered."


def test_an_alert_that_could_not_be_sent_is_sent_by_the_next_look(
    daemon: Daemon, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tick fails, and Dagster keeps the cursor as it was."""
    monkeypatch.setattr("customer_assets.monitoring.webhook.WAITS_S", (0.0, 0.0))
    publish(daemon.instance)
    daemon.look(hook.url)
    daemon.now_s += 3 * HOUR
    with pytest.raises(dg.Failure) as failed:
        daemon.look(f"http://127.0.0.1:{free_port()}/canary-secret")
    assert "canary-secret" not in str(failed.value.description)
    assert daemon.look(hook.url) == "Sent customer_export_stale."


@pytest.mark.parametrize(
    ("url", "status"),
    [("http://127.0.0.1:9", dg.DefaultSensorStatus.RUNNING), ("", dg.DefaultSensorStatus.STOPPED)],
)
def test_the_sensor_is_on_if_there_is_a_webhook(url: str, status: dg.DefaultSensorStatus) -> None:
    """Metrics have an alert rule of their own."""
    sensor = overdue_export_sensor(SYNC, Notifier(pushgateway_url="http://127.0.0.1:9", webhook_url=url))
    assert (sensor.name, sensor.default_status) == ("acme_notify_overdue_export", status)
