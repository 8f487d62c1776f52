"""Which runs deserve a message, and what it says."""

import json
from typing import Any

import pytest

from customer_assets.monitoring.alerts import MAX_LISTED, MAX_MESSAGE_LENGTH, alert
from customer_assets.monitoring.run_report import Outcome, RunReport
from customer_assets_tests.harness.reports.sample_reports import check, failed_step, run

NOVEMBER = 1_795_575_607.0
"""25 November 2026, 03:00:07 UTC."""


def sent(report: RunReport, **where: str) -> dict[str, Any]:
    """Compose the message, which there must be."""
    message = alert(report, **where)
    assert message is not None
    return message


@pytest.mark.smoke
@pytest.mark.parametrize(
    "report",
    [
        pytest.param(run(), id="a success"),
        pytest.param(run(checks=(check(level="WARNING"),)), id="a warning"),
        pytest.param(run(Outcome.CANCELED, failed_steps=(failed_step(),)), id="terminated"),
        pytest.param(run(Outcome.CANCELED, alert_is_open=True), id="terminated after a failure"),
    ],
)
def test_nothing_to_say(report: RunReport) -> None:
    """No message for a success, a warning, or a run that somebody terminated."""
    assert alert(report) is None


def test_a_failed_run_names_run_checks_and_steps() -> None:
    """For people in `text`, for machines in fields."""
    report = run(
        Outcome.FAILED,
        checks=(check(), check("other", passed=True)),
        failed_steps=(failed_step(),),
        last_export_at_s=NOVEMBER,
    )
    assert alert(report, environment="production", dagster_url="https://dagster.example.org/") == {
        "text": "[production] customer_sync_job failed (run run-1).\n"
        "• check mean_quality_meets_threshold on clean_customers: the mean score 70.00 is below the floor 80\n"
        "• step customer_export: Not published, mean_quality_meets_threshold failed.\n"
        "The export of 25 November 2026, 03:00 UTC stays in place.\n"
        "Run: https://dagster.example.org/runs/run-1\n"
        "What to do: deploy/OPERATING.md#when-a-run-fails",
        "event": "customer_sync_failed",
        "environment": "production",
        "job": "customer_sync_job",
        "run_id": "run-1",
        "run_url": "https://dagster.example.org/runs/run-1",
        "runbook": "deploy/OPERATING.md#when-a-run-fails",
        "outcome": "failed",
        "duration_seconds": 12.5,
        "last_export_at": "2026-11-25T03:00:07Z",
        "failed_checks": [
            {
                "asset": "clean_customers",
                "check": "mean_quality_meets_threshold",
                "description": "the mean score 70.00 is below the floor 80",
                "score": 70.0,
                "threshold": 80.0,
            }
        ],
        "failed_checks_count": 1,
        "failed_steps": [
            {
                "step": "customer_export",
                "error": "QualityGateError",
                "message": "Not published, mean_quality_meets_threshold failed.",
            }
        ],
        "failed_steps_count": 1,
    }


def test_what_is_not_configured_is_not_mentioned() -> None:
    """No environment, no webserver, no export yet."""
    message = sent(run(Outcome.FAILED))
    assert message["text"] == (
        "customer_sync_job failed (run run-1).\nWhat to do: deploy/OPERATING.md#when-a-run-fails"
    )
    assert (message["environment"], message["run_url"], message["last_export_at"]) == ("", "", None)


def test_a_success_with_a_failed_check_is_an_alert() -> None:
    """A check that blocks nothing can still be an error."""
    message = sent(run(checks=(check(),), alert_is_open=True))
    assert message["event"] == "customer_sync_check_failed"
    assert message["text"].startswith("customer_sync_job ended with failed checks (run run-1).")
    assert message["text"].endswith("What to do: deploy/OPERATING.md#when-a-check-is-red")


def test_the_first_success_after_an_alert_is_a_recovery() -> None:
    """Whoever heard of the failure hears that it is over."""
    message = sent(run(alert_is_open=True, last_export_at_s=NOVEMBER), environment="production")
    assert message["event"] == "customer_sync_recovered"
    assert message["text"] == "[production] customer_sync_job has recovered (run run-1)."
    assert message["runbook"] == ""


@pytest.mark.parametrize(
    ("dagster_url", "run_url"),
    [
        ("https://x.org", "https://x.org/runs/run-1"),
        ("http://x.org:3000/dagster/", "http://x.org:3000/dagster/runs/run-1"),
        ("https://user:canary@x.org", "https://x.org/runs/run-1"),
    ],
)
def test_the_run_is_linked_without_a_password(dagster_url: str, run_url: str) -> None:
    """Below the webserver's path prefix, if it has one."""
    assert sent(run(Outcome.FAILED), dagster_url=dagster_url)["run_url"] == run_url


def test_an_error_that_is_not_ours_is_named_by_its_class() -> None:
    """Its message can hold anything."""
    message = sent(run(Outcome.FAILED, failed_steps=(failed_step(message=""),)))
    assert "• step customer_export: QualityGateError" in message["text"]


def test_an_alert_stays_short() -> None:
    """Despite thousands of failures and endless messages."""
    checks = tuple(check(f"check_{number}") for number in range(3000))
    message = sent(run(Outcome.FAILED, checks=checks, failed_steps=(failed_step("x" * 100_000),)))
    assert len(message["failed_checks"]) == MAX_LISTED
    assert message["failed_checks_count"] == 3000
    assert "• and 2980 more" in message["text"]
    assert len(message["failed_steps"][0]["message"]) == MAX_MESSAGE_LENGTH
    assert len(json.dumps(message)) < 10_000


def test_slacks_control_characters_are_escaped() -> None:
    """A message cannot notify the whole channel; machines get it unescaped."""
    message = sent(run(Outcome.FAILED, failed_steps=(failed_step("<!channel> a & b"),)))
    assert "&lt;!channel&gt; a &amp; b" in message["text"]
    assert message["failed_steps"][0]["message"] == "<!channel> a & b"
