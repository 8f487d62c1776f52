"""Reports of invented runs, for tests of metrics, alerts and summaries."""

from typing import Any, Literal

from customer_assets.monitoring.run_report import AssetReport, CheckReport, FailedStep, Outcome, RunReport

CRAWL = {
    "requests": 5,
    "success_rate": 0.4,
    "retries_server_error": 2,
    "throttles": 1,
    "waiting_s": 1.0,
    "latency_p50_s": 0.1,
    "latency_p95_s": 0.2,
    "latency_p99_s": 0.3,
    "duration_s": 3.5,
    "bytes": 999,
    "pages": 2,
    "pages_from_store": 0,
    "missing_customers": 0,
    "records": 12,
    "answers_200": 2,
    "answers_503": 2,
    "answers_429": 1,
}
CLEAN = {
    "clean": 10,
    "merged": 1,
    "rejected": 1,
    "mean_quality": 96.0,
    "low_quality_share": 0.1,
    "rejected_share": 0.05,
    "records_with_defective_avatar": 3,
}
EXPORT = {"total_customers": 10, "high_quality": 8, "medium_quality": 1, "low_quality": 1}


def check(
    name: str = "mean_quality_meets_threshold", *, passed: bool = False, level: Literal["ERROR", "WARNING"] = "ERROR"
) -> CheckReport:
    """Report a check of the clean customers."""
    figures = {"score": 70.0, "threshold": 80.0}
    return CheckReport("clean_customers", name, passed, level, "the mean score 70.00 is below the floor 80", figures)


def run(outcome: Outcome = Outcome.SUCCEEDED, **fields: Any) -> RunReport:
    """Report a run of all assets that ended an hour and a half after 1970 began."""
    facts = {
        "assets": {
            "raw_customers": AssetReport(CRAWL, 5000.0),
            "clean_customers": AssetReport(CLEAN, 5100.0),
            "customer_export": AssetReport(EXPORT, 5200.0, "/data/export/customers.json"),
            "summary_report": AssetReport({"total_customers": 10}, 5300.0, "/data/export/summary_report.html"),
        },
        "checks": (check(passed=True),),
    }
    times = {"ended_at_s": 5400.0, "duration_s": 12.5}
    return RunReport(job="customer_sync_job", run_id="run-1", outcome=outcome, **{**times, **facts, **fields})


def failed_step(message: str = "Not published, mean_quality_meets_threshold failed.") -> FailedStep:
    """Report that the export refused to publish."""
    return FailedStep("customer_export", "QualityGateError", message)
