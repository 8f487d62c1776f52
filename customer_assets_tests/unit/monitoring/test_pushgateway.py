"""Pushing metrics to a real Pushgateway, and scraping them with a real Prometheus."""

import json
import logging
import math
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from customer_assets.core.metrics import Metric
from customer_assets.monitoring import pushgateway as pushing
from customer_assets.monitoring.pushgateway import push
from customer_assets.monitoring.run_report import AssetReport, Outcome
from customer_assets.monitoring.samples import groups
from customer_assets_tests.harness.machines.receivers import prometheus, pushgateway, query
from customer_assets_tests.harness.machines.services import free_port, need, wait_until
from customer_assets_tests.harness.reports.sample_reports import check, failed_step, run

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "customer_sync.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Pushgateway for this module."""
    with pushgateway(tmp_path_factory.mktemp("pushgateway")) as address:
        yield address


@pytest.fixture
def empty_gateway(gateway: str) -> str:
    """Empty the Pushgateway."""
    for group in requests.get(f"{gateway}/api/v1/metrics", timeout=10).json()["data"]:
        labels = dict(group["labels"])
        path = f"/metrics/job/{labels.pop('job')}" + "".join(f"/{name}/{value}" for name, value in labels.items())
        requests.delete(gateway + path, timeout=10).raise_for_status()
    return gateway


def exposed(gateway: str) -> str:
    """Return our part of what the Pushgateway exposes; it adds metrics of its own."""
    text = requests.get(f"{gateway}/metrics", timeout=10).text
    ours = [line for line in text.splitlines() if re.match(r"(# (HELP|TYPE) )?customer_sync_", line)]
    return "\n".join([*ours, ""])


@pytest.mark.service
def test_promtool_accepts_the_metrics(empty_gateway: str) -> None:
    """Names, units, types and help texts follow Prometheus' conventions."""
    assert push(empty_gateway, groups(run()))
    text = exposed(empty_gateway)
    assert {metric.value.name for metric in Metric} == set(re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE))
    promtool = need("promtool", "prometheus")
    linted = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


@pytest.mark.service
def test_a_failed_run_leaves_what_it_did_not_measure(empty_gateway: str) -> None:
    """The last success, and the figures of the assets it did not touch."""
    push(empty_gateway, groups(run()))
    late = run(Outcome.FAILED, assets={}, checks=(check(),), failed_steps=(failed_step(),))
    push(empty_gateway, groups(late))
    text = exposed(empty_gateway)
    assert 'outcome="failed"} 1' in text
    assert re.search(r"^customer_sync_run_success_timestamp_seconds\{.*\} 5400$", text, re.MULTILINE)
    assert re.search(r'^customer_sync_records\{asset="customer_export",.*outcome="exported"\} 10$', text, re.MULTILINE)
    assert re.search(r"^customer_sync_check_passed\{.*\} 0$", text, re.MULTILINE)


@pytest.mark.service
def test_what_is_nan_stays_nan(empty_gateway: str) -> None:
    """No customers have no mean."""
    push(empty_gateway, groups(run(assets={"clean_customers": AssetReport({"clean": 0}, 1.0)}, checks=())))
    (mean,) = re.findall(r"^customer_sync_mean_quality_score\{.*\} (\S+)$", exposed(empty_gateway), re.MULTILINE)
    assert math.isnan(float(mean))


@pytest.fixture(scope="module")
def scraping(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Prometheus that scrapes the Pushgateway every second, with our alert rules loaded."""
    folder = tmp_path_factory.mktemp("prometheus")
    scrape = {"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [gateway[7:]]}]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with prometheus(folder, folder / "prometheus.yml") as address:
        yield address


def await_value(scraping: str, expression: str, value: float) -> None:
    """Wait until Prometheus knows a value."""

    def is_known() -> bool:
        return [float(found["value"][1]) for found in query(scraping, expression)] == [value]

    wait_until(is_known, 30, f"{expression} is not {value}")


def panels() -> list[tuple[str, str]]:
    """List each panel's expressions."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]


@pytest.mark.service
def test_prometheus_scrapes_them_and_every_panel_shows_something(empty_gateway: str, scraping: str) -> None:
    """Each expression of the dashboard, queried after a run."""
    assert push(empty_gateway, groups(run(ended_at_s=time.time())))
    await_value(scraping, 'customer_sync_records{outcome="exported"}', 10)
    for title, expression in panels():
        assert query(scraping, expression.replace("$job", "customer_sync_job")), f"{title}: {expression} is empty"


def test_the_dashboard_names_no_metric_that_is_not_exported() -> None:
    """And it shows every metric that is."""
    named = {name for _, expression in panels() for name in re.findall(r"customer_sync_\w+", expression)}
    assert named - {"customer_sync_job"} == {metric.value.name for metric in Metric}


@pytest.mark.service
def test_promtool_accepts_the_alert_rules() -> None:
    """Each rule uses exported metrics only."""
    promtool = need("promtool", "prometheus")
    found = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    named = set(re.findall(r"customer_sync_\w+", "".join(rule["expr"] for rule in rules())))
    assert named <= {metric.value.name for metric in Metric}


def rules() -> list[dict[str, Any]]:
    """Load all alert rules."""
    found: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
    return found


@pytest.mark.service
def test_alerts_fire_by_promtools_own_test() -> None:
    """Given time series, the alerts that must fire."""
    promtool = need("promtool", "prometheus")
    cases = ALERTS.with_name("alerts_test.yaml")
    found = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    tested = {
        case["alertname"] for test in yaml.safe_load(cases.read_text())["tests"] for case in test["alert_rule_test"]
    }
    assert tested == {rule["alert"] for rule in rules()}


def test_a_gateway_that_is_down_costs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """And only a moment; user and password are not logged."""
    caplog.set_level(logging.DEBUG)
    started_s = time.monotonic()
    assert not push(f"http://canary:secret@127.0.0.1:{free_port()}", groups(run()))
    assert time.monotonic() - started_s < 1
    (record,) = caplog.records
    assert "ConnectionRefusedError" in record.message
    assert "canary" not in caplog.text


def test_a_gateway_that_hangs_is_abandoned(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It accepts connections and never answers."""
    monkeypatch.setattr(pushing, "DEADLINE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not push(f"http://127.0.0.1:{silent.getsockname()[1]}", groups(run()))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
