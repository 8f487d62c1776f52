"""The last lines of a run's log."""

from customer_assets.monitoring.run_report import AssetReport, Outcome
from customer_assets.monitoring.run_summary import run_summary
from customer_assets_tests.harness.reports.sample_reports import CRAWL, check, failed_step, run


def test_a_run_is_summed_up_in_a_few_lines() -> None:
    """Counts, quality, duration, and where the files are."""
    assert run_summary(run()).splitlines() == [
        "Done in 12.5 s.",
        "  fetched   12 records on 2 pages; 5 requests (40.0% successful) in 3.5 s, 2 retries, 1 throttled",
        "  cleaned   10 customers, mean quality 96.0 of 100; 1 merged, 1 rejected",
        "  checks    1 of 1 passed",
        "  export    /data/export/customers.json",
        "  report    /data/export/summary_report.html",
    ]


def test_what_changed_is_told_from_what_the_table_holds() -> None:
    """An incremental crawl fetched the former; the figures of the table are in the next line."""
    crawl = AssetReport({**CRAWL, "rows_received": 3}, materialized_at_s=5000.0)
    (line,) = (line for line in run_summary(run(assets={"raw_customers": crawl})).splitlines() if "fetched" in line)
    assert line.startswith("  fetched   3 records that changed on 2 pages; 5 requests")


def test_failures_and_warnings_are_named() -> None:
    """Each with its reason; failed steps come last."""
    checks = (check(), check("target", level="WARNING"))
    lines = run_summary(run(Outcome.FAILED, assets={}, checks=checks, failed_steps=(failed_step(),))).splitlines()
    assert lines == [
        "Failed in 12.5 s.",
        "  checks    0 of 2 passed",
        "  ERROR     mean_quality_meets_threshold: the mean score 70.00 is below the floor 80",
        "  WARNING   target: the mean score 70.00 is below the floor 80",
        "  FAILED    customer_export: Not published, mean_quality_meets_threshold failed.",
    ]


def test_a_failed_crawl_reports_its_requests() -> None:
    """It brought no records."""
    failed = run(Outcome.FAILED, assets={"raw_customers": AssetReport(CRAWL)}, checks=())
    assert "  fetched   nothing, the crawl failed; 5 requests (40.0% successful)" in run_summary(failed)


def test_a_run_without_results_has_a_summary_too() -> None:
    """It was terminated before it did anything, or nothing could be measured."""
    assert run_summary(run(Outcome.CANCELED, assets={}, checks=())) == "Terminated in 12.5 s."
    assert "unknown" in run_summary(run(assets={"clean_customers": AssetReport({}, 1.0)}))
