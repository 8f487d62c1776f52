"""What is sent out when a run ends, whichever executor ran it and however it ended."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from customer_assets.core.errors import ConfigurationError
from customer_assets.definitions import build_definitions
from customer_assets.defs.operations.notifications import METRICS_TAG, Notifier
from customer_assets.defs.operations.run_report import ALERT_TAG
from customer_assets.defs.operations.sensors import failed_run_sensor
from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, customer
from customer_assets_tests.harness.machines.receivers import Webhook, pushgateway, webhook
from customer_assets_tests.harness.machines.services import free_port

Serve = Callable[[PlainAPI], PlainAPI]

PROJECT = Path(__file__).parents[4]
"""Where child processes find this module."""

GOOD = [customer(number) for number in range(1, 8)]
BAD = [customer(number, email=None, first_name="", last_name=None) for number in range(1, 8)]


@pytest.fixture
def shared_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Create an instance that several processes can share."""
    with dg.DagsterInstance.local_temp(str(home)) as local:
        yield local


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """Serve a webhook and set it as ours."""
    with webhook() as served:
        monkeypatch.setenv("CUSTOMER_ALERT_WEBHOOK_URL", served.url)
        yield served


@pytest.fixture
def api(serve_api: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainAPI:
    """Serve a flawless API and set it as ours, with a data directory of the test's own and the quickest engine."""
    monkeypatch.setenv("CUSTOMER_ENGINE", "polars")
    served = serve_api(PlainAPI(list(GOOD)))
    monkeypatch.setenv("CUSTOMER_API_BASE_URL", served.url)
    monkeypatch.setenv("CUSTOMER_API_KEY", KEY)
    monkeypatch.setenv("CUSTOMER_DATA_DIR", str(tmp_path / "data"))
    return served


def sync_job(data_directory: str) -> dg.JobDefinition:
    """Build the job that the environment configures."""
    return build_definitions(CUSTOMER_DATA_DIR=data_directory).resolve_job_def("customer_sync_job")


def execute(instance: dg.DagsterInstance, *selected: str) -> dg.DagsterRun:
    """Run the job, or some of its assets, with its own executor; `execute_in_process` would use another one.

    Dagster caches the job by the function and its arguments, and the directory differs in each test.
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


def log_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Return the run's log."""
    return "\n".join(entry.user_message for entry in instance.all_logs(run.run_id))


def test_a_run_ends_with_a_summary(api: PlainAPI, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Counts, quality, and where the files are. Without receivers the run is not tagged."""
    run = execute(instance)
    assert run.is_success
    log = log_of(instance, run)
    assert re.search(r"^Done in \d+\.\d s\.$", log, re.MULTILINE)
    assert "  fetched   7 records on 3 pages; 3 requests (100.0% successful)" in log
    assert "  cleaned   7 customers, mean quality 100.0 of 100; 0 merged, 0 rejected" in log
    assert "  checks    10 of 10 passed" in log
    assert f"  export    {tmp_path}/data/export/customers.json" in log
    assert not {METRICS_TAG, ALERT_TAG} & set(run.tags)
    assert sorted(api.asked) == [1, 2, 3]


@pytest.mark.service
@pytest.mark.timeout(240)
def test_several_processes_end_with_the_same_summary(
    api: PlainAPI, shared_instance: dg.DagsterInstance, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, from the process that coordinates the others; a failure is reported once, too."""
    monkeypatch.setenv("CUSTOMER_EXECUTOR", "multiprocess")
    api.statuses = [401]
    run = execute(shared_instance, "raw_customers")
    assert not run.is_success
    assert len(re.findall(r"^Failed in ", log_of(shared_instance, run), re.MULTILINE)) == 1
    assert "  fetched   nothing, the crawl failed; 1 request (0.0% successful)" in log_of(shared_instance, run)
    (alert,) = hook.payloads
    assert [(failed["step"], failed["error"]) for failed in alert["failed_steps"]] == [
        ("raw_customers", "RequestRefusedError")
    ]


def test_a_success_alerts_nobody(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """A webhook is for failures and recoveries."""
    assert execute(instance).is_success
    assert hook.payloads == []
    assert api.asked


def test_bad_data_alerts_once(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """The run, its failed checks and steps are named; the sensor, which sees the same run, adds nothing."""
    api.records = list(BAD)
    run = execute(instance)
    (alert,) = hook.payloads
    assert alert["run_id"] == run.run_id
    assert alert["job"] == "customer_sync_job"
    failed = {check["check"]: check for check in alert["failed_checks"]}
    assert set(failed) == {"mean_quality_meets_threshold", "no_field_is_lost"}
    assert failed["mean_quality_meets_threshold"]["score"] == 70.0
    assert failed["mean_quality_meets_threshold"]["threshold"] == 80.0
    assert [step["step"] for step in alert["failed_steps"]] == ["clean_customers_are_fit_to_publish"]
    assert "check mean_quality_meets_threshold on clean_customers" in alert["text"]
    assert run.tags[ALERT_TAG] == "sent"
    sense(instance, run, hook.url)
    assert len(hook.payloads) == 1


def test_the_gate_alerts_with_its_reasons(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """Also when a single asset runs: the error is ours, so its message is sent."""
    api.records = list(BAD)
    execute(instance)
    execute(instance, "customer_export")
    (failed,) = hook.payloads[1]["failed_steps"]
    assert failed["step"] == "customer_export"
    assert failed["message"].startswith("Not published, mean_quality_meets_threshold")


def test_a_refusal_alerts_without_key_or_data(
    api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """And the webhook's own secret is in no log."""
    caplog.set_level(logging.DEBUG)
    api.statuses = [401] * 9
    run = execute(instance)
    (alert,) = hook.payloads
    assert "401" in alert["text"]
    sent_and_logged = json.dumps(alert) + log_of(instance, run) + caplog.text
    assert KEY not in sent_and_logged
    assert "canary-secret" not in sent_and_logged


def test_of_foreign_errors_only_the_class_is_sent(
    api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook, tmp_path: Path
) -> None:
    """Their messages can quote a customer: here, a Parquet file that is none."""
    assert execute(instance).is_success
    (tmp_path / "data" / "lake" / "raw_customers.parquet").write_text("person1@example.org")
    run = execute(instance, "clean_customers")
    (alert,) = hook.payloads
    assert [failed["step"] for failed in alert["failed_steps"]] == ["clean_customers"]
    assert alert["run_id"] == run.run_id
    assert "person1" not in json.dumps(alert)
    assert api.asked


def test_the_sensor_alerts_when_the_webhook_was_down(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's outcome does not change; the sensor alerts once the webhook is back."""
    monkeypatch.setattr("customer_assets.monitoring.webhook.WAITS_S", (0.0, 0.0))
    monkeypatch.setenv("CUSTOMER_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/canary-secret")
    api.records = list(BAD)
    run = execute(instance)
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert ALERT_TAG not in run.tags
    with webhook() as back:
        sense(instance, run, back.url)
    assert [alert["run_id"] for alert in back.payloads] == [run.run_id]


def sense(instance: dg.DagsterInstance, run: dg.DagsterRun, webhook_url: str) -> Any:
    """Evaluate the sensor on a failed run."""
    (event,) = (entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE))
    assert event
    context = dg.build_run_status_sensor_context("notify_failed_runs", event, instance, run)
    return failed_run_sensor("notify_failed_runs", Notifier(webhook_url=webhook_url))(context.for_run_failure())


def killed(instance: dg.DagsterInstance, **tags: str) -> dg.DagsterRun:
    """Create a run whose process was killed, as the daemon's run monitoring leaves it."""
    created = instance.create_run_for_job(sync_job("data"), tags=tags)
    instance.report_run_failed(created)
    run = instance.get_run_by_id(created.run_id)
    assert run
    return run


def test_the_sensor_reports_a_killed_run_once(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """The run could not report itself."""
    run = killed(instance)
    sense(instance, run, hook.url)
    (alert,) = hook.payloads
    assert alert["run_id"] == run.run_id
    assert [failed["step"] for failed in alert["failed_steps"]] == ["run"]
    again = instance.get_run_by_id(run.run_id)
    assert again
    sense(instance, again, hook.url)
    assert len(hook.payloads) == 1
    assert api.asked == []


@pytest.mark.parametrize("tags", [{"dagster/will_retry": "true"}, {"dagster/auto_retry_run_id": "another run"}])
def test_a_run_that_is_retried_is_not_reported(
    api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook, tags: dict[str, str]
) -> None:
    """Only its last attempt is."""
    sense(instance, killed(instance, **tags), hook.url)
    assert hook.payloads == []
    assert api.asked == []


def test_the_sensors_tick_fails_if_nobody_can_be_reached(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error does not quote the URL's secret."""
    monkeypatch.setattr("customer_assets.monitoring.webhook.WAITS_S", (0.0, 0.0))
    run = killed(instance)
    with pytest.raises(dg.Failure) as failed:
        sense(instance, run, f"http://127.0.0.1:{free_port()}/canary-secret")
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
def test_the_sensor_is_on_if_there_is_a_receiver(variable: str, status: dg.DefaultSensorStatus) -> None:
    """Nobody has to find its switch."""
    value = "0" if variable.endswith("SEED") else "http://127.0.0.1:9"
    sensor = build_definitions(**{variable: value}).resolve_sensor_def("notify_failed_runs")
    assert sensor.default_status is status


def test_the_first_success_after_an_alert_is_reported_once(
    api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure of another selection of assets is no reason for it; a success before the alert neither."""
    monkeypatch.setenv("CUSTOMER_ENVIRONMENT", "staging")
    monkeypatch.setenv("CUSTOMER_DAGSTER_URL", "https://dagster.example.org")
    assert execute(instance).is_success
    api.records = list(BAD)
    failed = execute(instance)
    api.records = list(GOOD)
    assert execute(instance, "raw_customers").is_success
    recovered = execute(instance)
    assert execute(instance).is_success
    alert, recovery = hook.payloads
    assert (alert["event"], recovery["event"]) == ("customer_sync_failed", "customer_sync_recovered")
    assert (alert["run_id"], recovery["run_id"]) == (failed.run_id, recovered.run_id)
    assert recovery["text"].startswith("[staging] customer_sync_job has recovered")
    assert alert["run_url"] == f"https://dagster.example.org/runs/{failed.run_id}"
    assert recovered.tags[ALERT_TAG] == "recovered"


def test_an_alert_says_which_export_stays(api: PlainAPI, instance: dg.DagsterInstance, hook: Webhook) -> None:
    """The last one that was published, however long ago the failed run began."""
    execute(instance)
    published = instance.get_latest_materialization_event(dg.AssetKey("customer_export"))
    assert published
    api.statuses = [401] * 9
    execute(instance)
    (alert,) = hook.payloads
    at = datetime.fromtimestamp(published.timestamp, UTC)
    assert alert["last_export_at"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    assert f"The export of {at.day} {at:%B %Y, %H:%M} UTC stays in place." in alert["text"]


@pytest.mark.service
def test_metrics_of_a_real_run_reach_a_real_pushgateway(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A success, then a failure, which leaves the last export's figures."""
    folder = tmp_path / "pushgateway"
    folder.mkdir()
    with pushgateway(folder) as address:
        monkeypatch.setenv("CUSTOMER_PUSHGATEWAY_URL", address)
        succeeded = execute(instance)
        api.records, api.statuses = list(BAD), [401]
        execute(instance)
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
    """Return the one sample of that name with these labels."""
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    (line,) = (line for line in lines if all(f'{label}="{wanted}"' in line for label, wanted in labels.items()))
    return float(line.rpartition(" ")[2])


def test_a_gateway_that_is_down_changes_nothing(
    api: PlainAPI, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs one warning."""
    monkeypatch.setenv("CUSTOMER_PUSHGATEWAY_URL", f"http://127.0.0.1:{free_port()}")
    assert execute(instance).is_success
    assert len([record for record in caplog.records if record.name == "customer_assets.monitoring"]) == 1
    assert api.asked


def test_a_bad_url_is_refused_before_anything_runs() -> None:
    """Without being quoted: it may be a secret in the wrong place."""
    with pytest.raises(
        ConfigurationError, match="CUSTOMER_ALERT_WEBHOOK_URL: it is not an http or https URL"
    ) as refused:
        build_definitions(CUSTOMER_ALERT_WEBHOOK_URL="canary-secret")
    assert "canary-secret" not in str(refused.value)


def test_urls_are_in_no_repr() -> None:
    """They may hold secrets."""
    notifier = Notifier("http://user:canary@x.org", "https://x.org/canary")
    assert "canary" not in repr(notifier) + repr(replace(notifier, webhook_url="https://y.org/canary"))
