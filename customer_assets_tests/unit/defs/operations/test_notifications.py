"""Who hears of a run when it ends, whichever executor ran it and whatever became of it."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from customer_assets.definitions import build_definitions, build_listeners
from customer_assets.defs.operations.notifications import ALERT_TAG, METRICS_TAG, Notifier
from customer_assets.defs.operations.sensors import failed_run_sensor
from customer_assets.errors import ConfigurationError
from customer_assets_tests.harness.plain_api import KEY, PlainAPI, customer
from customer_assets_tests.harness.receivers import Webhook, pushgateway, webhook
from customer_assets_tests.harness.services import free_port

Serve = Callable[[PlainAPI], PlainAPI]

PROJECT = Path(__file__).parents[4]
"""From where child processes find this module."""

GOOD = [customer(number) for number in range(1, 8)]
BAD = [customer(number, email=None, first_name="", last_name=None) for number in range(1, 8)]


@pytest.fixture
def shared_instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that several processes can share."""
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as local:
        yield local


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook on loopback that is set as ours."""
    with webhook() as served:
        monkeypatch.setenv("CUSTOMER_ALERT_WEBHOOK_URL", served.url)
        yield served


@pytest.fixture
def api(serve_api: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainAPI:
    """A flawless API, set as ours, and a data directory of the test's own."""
    served = serve_api(PlainAPI(list(GOOD)))
    monkeypatch.setenv("CUSTOMER_API_BASE_URL", served.url)
    monkeypatch.setenv("CUSTOMER_API_KEY", KEY)
    monkeypatch.setenv("CUSTOMER_DATA_DIR", str(tmp_path / "data"))
    return served


def sync_job(data_directory: str) -> dg.JobDefinition:
    """The job as the environment says."""
    return build_definitions(CUSTOMER_DATA_DIR=data_directory).resolve_job_def("customer_sync_job")


def executed(instance: dg.DagsterInstance, *selected: str) -> dg.DagsterRun:
    """Run the job, or some of its assets, by its own executor: `execute_in_process` would bring another.

    Dagster keeps the job that it builds for a function and its arguments; the directory is another in each test.
    """
    directory = os.environ["CUSTOMER_DATA_DIR"]
    job = dg.build_reconstructable_job(
        __name__, "sync_job", reconstructable_args=(directory,), reconstructor_working_directory=str(PROJECT)
    )
    keys = [dg.AssetKey(name) for name in selected]
    with dg.execute_job(job, instance, asset_selection=keys or None) as result:
        run = instance.get_run_by_id(result.run_id)
    assert run
    return run


def said(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """All that is in the run's log."""
    return "\n".join(entry.user_message for entry in instance.all_logs(run.run_id))


def test_a_run_closes_with_a_summary(api: PlainAPI, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Counts, quality, and where the files are; it has nobody to tell, and is not tagged."""
    run = executed(instance)
    assert run.is_success
    log = said(instance, run)
    assert re.search(r"^Done in \d+\.\d s\.$", log, re.MULTILINE)
    assert "  fetched   7 records on 3 pages; 3 requests (100.0% successful)" in log
    assert "  cleaned   7 customers, mean quality 100.0 of 100; 0 merged, 0 rejected" in log
    assert "  checks    7 of 7 hold" in log
    assert f"  export    {tmp_path}/data/export/customers.json" in log
    assert not {METRICS_TAG, ALERT_TAG} & set(run.tags)
    assert sorted(api.asked) == [1, 2, 3]


@pytest.mark.service
@pytest.mark.timeout(240)
def test_several_processes_close_with_the_same_summary(
    api: PlainAPI, shared_instance: dg.DagsterInstance, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, by the process that looks after the others; a failure is told once, too."""
    monkeypatch.setenv("CUSTOMER_EXECUTOR", "multiprocess")
    api.statuses = [401]
    run = executed(shared_instance, "raw_customers")
    assert not run.is_success
    assert len(re.findall(r"^Failed in ", said(shared_instance, run), re.MULTILINE)) == 1
    assert "  fetched   nothing, the crawl failed; 1 request (0.0% successful)" in said(shared_instance, run)
    (alarm,) = hook.payloads
    assert [(failed["step"], failed["error"]) for failed in alarm["failed_steps"]] == [
        ("raw_customers", "RequestRefusedError")
    ]


def test_a_success_alarms_nobody(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """A webhook is for bad news."""
    assert executed(instance).is_success
    assert hook.payloads == []
    assert api.asked


def test_bad_data_alarms_once(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """Failed checks and steps are named, the run is; the sensor, which sees the same run, adds nothing."""
    api.records = list(BAD)
    run = executed(instance)
    (alarm,) = hook.payloads
    assert alarm["run_id"] == run.run_id
    assert alarm["job"] == "customer_sync_job"
    failed = {check["check"]: check for check in alarm["failed_checks"]}
    assert set(failed) == {"mean_quality_meets_threshold"}
    assert failed["mean_quality_meets_threshold"]["score"] == 70.0
    assert failed["mean_quality_meets_threshold"]["threshold"] == 80.0
    assert [step["step"] for step in alarm["failed_steps"]] == ["clean_customers_are_fit_to_publish"]
    assert "check mean_quality_meets_threshold on clean_customers" in alarm["text"]
    assert run.tags[ALERT_TAG] == "sent"
    sensed(instance, run, hook.url)
    assert len(hook.payloads) == 1


def test_the_gate_alarms_with_its_reasons(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """A single asset's run as well: its error is ours, and says why."""
    api.records = list(BAD)
    executed(instance)
    executed(instance, "customer_export")
    (failed,) = hook.payloads[1]["failed_steps"]
    assert failed["step"] == "customer_export"
    assert failed["message"].startswith("Not published, mean_quality_meets_threshold")


def test_a_refusal_alarms_without_key_or_data(
    api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is the webhook's own secret in any log."""
    caplog.set_level(logging.DEBUG)
    api.statuses = [401] * 9
    run = executed(instance)
    (alarm,) = hook.payloads
    assert "401" in alarm["text"]
    with_notifications = json.dumps(alarm) + said(instance, run) + caplog.text
    assert KEY not in with_notifications
    assert "canary-secret" not in with_notifications


def test_foreign_errors_are_told_by_their_class_only(
    api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook, tmp_path: Path
) -> None:
    """What others say may be a customer's data: here, a Parquet file that is none."""
    assert executed(instance).is_success
    (tmp_path / "data" / "lake" / "raw_customers.parquet").write_text("person1@example.org")
    run = executed(instance, "clean_customers")
    (alarm,) = hook.payloads
    assert [failed["step"] for failed in alarm["failed_steps"]] == ["clean_customers"]
    assert alarm["run_id"] == run.run_id
    assert "person1" not in json.dumps(alarm)
    assert api.asked


def test_a_webhook_that_is_down_leaves_the_alarm_to_the_sensor(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends as it would; the sensor alarms when it can."""
    monkeypatch.setattr("customer_assets.monitoring.webhook.WAITS_S", (0.0, 0.0))
    monkeypatch.setenv("CUSTOMER_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/canary-secret")
    api.records = list(BAD)
    run = executed(instance)
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert ALERT_TAG not in run.tags
    with webhook() as mended:
        sensed(instance, run, mended.url)
    assert [alarm["run_id"] for alarm in mended.payloads] == [run.run_id]


def sensed(instance: dg.DagsterInstance, run: dg.DagsterRun, webhook_url: str) -> Any:
    """What the sensor makes of a failed run."""
    (event,) = (entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE))
    assert event
    context = dg.build_run_status_sensor_context("notify_failed_runs", event, instance, run)
    return failed_run_sensor("notify_failed_runs", Notifier(webhook_url=webhook_url))(context.for_run_failure())


def killed(instance: dg.DagsterInstance, **tags: str) -> dg.DagsterRun:
    """A run whose process was killed, as the daemon's run monitoring leaves it."""
    created = instance.create_run_for_job(sync_job("data"), tags=tags)
    instance.report_run_failed(created)
    run = instance.get_run_by_id(created.run_id)
    assert run
    return run


def test_a_killed_run_is_told_by_the_sensor(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """It had no chance to tell itself; once is enough."""
    run = killed(instance)
    sensed(instance, run, hook.url)
    (alarm,) = hook.payloads
    assert alarm["run_id"] == run.run_id
    assert [failed["step"] for failed in alarm["failed_steps"]] == ["run"]
    again = instance.get_run_by_id(run.run_id)
    assert again
    sensed(instance, again, hook.url)
    assert len(hook.payloads) == 1
    assert api.asked == []


def test_a_run_that_is_tried_again_is_not_told(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """Its last attempt will be."""
    sensed(instance, killed(instance, **{"dagster/will_retry": "true"}), hook.url)
    assert hook.payloads == []
    assert api.asked == []


def test_a_sensor_that_reaches_nobody_fails_its_tick(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so without the address's secret."""
    monkeypatch.setattr("customer_assets.monitoring.webhook.WAITS_S", (0.0, 0.0))
    run = killed(instance)
    with pytest.raises(dg.Failure) as failed:
        sensed(instance, run, f"http://127.0.0.1:{free_port()}/canary-secret")
    assert ALERT_TAG in str(failed.value.description)
    assert "canary-secret" not in str(failed.value.description)
    assert api.asked == []


@pytest.mark.parametrize(
    ("variable", "status"),
    [
        ("CUSTOMER_ALERT_WEBHOOK_URL", dg.DefaultSensorStatus.RUNNING),
        ("CUSTOMER_PUSHGATEWAY_URL", dg.DefaultSensorStatus.RUNNING),
        ("CUSTOMER_GENERATION_SEED", dg.DefaultSensorStatus.STOPPED),
    ],
)
def test_the_sensor_is_on_as_soon_as_somebody_listens(variable: str, status: dg.DefaultSensorStatus) -> None:
    """Nobody has to find its switch."""
    value = "0" if variable.endswith("SEED") else "http://127.0.0.1:9"
    (sensor,) = build_definitions(**{variable: value}).sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    assert sensor.default_status is status


@pytest.mark.service
def test_metrics_of_a_real_run_reach_a_real_pushgateway(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A success, then a failure, whose run says so, and which leaves the last export's figures."""
    folder = tmp_path / "pushgateway"
    folder.mkdir()
    with pushgateway(folder) as address:
        monkeypatch.setenv("CUSTOMER_PUSHGATEWAY_URL", address)
        succeeded = executed(instance)
        api.records, api.statuses = list(BAD), [401]
        executed(instance)
        text = requests.get(f"{address}/metrics", timeout=10).text
    assert succeeded.tags[METRICS_TAG] == "pushed"
    assert value(text, "customer_sync_records", outcome="exported") == 7
    assert value(text, "customer_sync_records", outcome="landed") == 7
    assert value(text, "customer_sync_run_outcome", outcome="failed") == 1
    assert value(text, "customer_sync_answers", status="401") == 1
    assert value(text, "customer_sync_request_success_ratio") == 0
    assert value(text, "customer_sync_run_success_timestamp_seconds") > 1.7e9
    assert "example.org" not in text
    assert KEY not in text


def value(text: str, name: str, **labels: str) -> float:
    """The one sample of that name and with these labels."""
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    (line,) = (line for line in lines if all(f'{label}="{wanted}"' in line for label, wanted in labels.items()))
    return float(line.rpartition(" ")[2])


def test_a_gateway_that_is_down_changes_nothing(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning."""
    monkeypatch.setenv("CUSTOMER_PUSHGATEWAY_URL", f"http://127.0.0.1:{free_port()}")
    assert executed(instance).is_success
    assert len([record for record in caplog.records if record.name == "customer_assets.monitoring"]) == 1
    assert api.asked


def test_a_wrong_address_is_refused_before_anything_runs() -> None:
    """Without being told: it may be a secret in the wrong place."""
    with pytest.raises(
        ConfigurationError, match="CUSTOMER_ALERT_WEBHOOK_URL: it is not an http or https URL"
    ) as refused:
        build_listeners({"CUSTOMER_ALERT_WEBHOOK_URL": "canary-secret"})
    assert "canary-secret" not in str(refused.value)


def test_addresses_are_not_shown() -> None:
    """In no repr."""
    listeners = Notifier("http://user:canary@x.org", "https://x.org/canary")
    assert "canary" not in repr(listeners) + repr(replace(listeners, webhook_url="https://y.org/canary"))
