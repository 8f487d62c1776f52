"""What is worth an alarm, and what it says."""

import json

import pytest

from customer_assets.monitoring.alerts import LONGEST, NAMED_AT_MOST, alert
from customer_assets.monitoring.run_report import Outcome
from customer_assets_tests.harness.sample_reports import check, failed_step, run


@pytest.mark.smoke
def test_all_is_well() -> None:
    """No alarm for a success, a warning, or a run that somebody terminated."""
    assert alert(run()) is None
    assert alert(run(checks=(check(is_error=False),))) is None
    assert alert(run(Outcome.CANCELED, failed_steps=(failed_step(),))) is None


def test_a_failed_run_names_run_checks_and_steps() -> None:
    """To people in `text`, to machines in fields."""
    assert alert(run(Outcome.FAILED, checks=(check(), check("other", passed=True)), failed_steps=(failed_step(),))) == {
        "text": "customer_sync_job failed (run run-1).\n"
        "• check mean_quality_meets_threshold on clean_customers: the mean score 70.00 is below the floor 80\n"
        "• step customer_export: Not published, mean_quality_meets_threshold failed.",
        "event": "customer_sync_failed",
        "job": "customer_sync_job",
        "run_id": "run-1",
        "outcome": "failed",
        "duration_seconds": 12.5,
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


def test_a_success_with_a_failed_check_is_told() -> None:
    """A check that blocks nothing may be an error all the same."""
    found = alert(run(checks=(check(),)))
    assert found is not None
    assert found["event"] == "customer_sync_check_failed"
    assert found["text"].startswith("customer_sync_job ended with failed checks (run run-1).")


def test_an_error_of_others_is_told_by_its_class() -> None:
    """What it said is not ours to tell."""
    found = alert(run(Outcome.FAILED, failed_steps=(failed_step(message=""),)))
    assert found is not None
    assert "• step customer_export: QualityGateError" in found["text"]


def test_an_alarm_stays_short() -> None:
    """Thousands of failures, and messages without an end."""
    checks = tuple(check(f"check_{number}") for number in range(3000))
    found = alert(run(Outcome.FAILED, checks=checks, failed_steps=(failed_step("x" * 100_000),)))
    assert found is not None
    assert len(found["failed_checks"]) == NAMED_AT_MOST
    assert found["failed_checks_count"] == 3000
    assert "• and 2980 more" in found["text"]
    assert len(found["failed_steps"][0]["message"]) == LONGEST
    assert len(json.dumps(found)) < 10_000


def test_marks_that_slack_takes_for_its_own_are_escaped() -> None:
    """A message cannot call the whole channel; machines get it as it is."""
    found = alert(run(Outcome.FAILED, failed_steps=(failed_step("<!channel> a & b"),)))
    assert found is not None
    assert "&lt;!channel&gt; a &amp; b" in found["text"]
    assert found["failed_steps"][0]["message"] == "<!channel> a & b"
