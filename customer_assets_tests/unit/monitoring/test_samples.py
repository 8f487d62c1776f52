"""From a run report to metric samples."""

import math

import pytest

from customer_assets.core.metrics import FailureCause, Metric
from customer_assets.monitoring.run_report import AssetReport, Outcome, RunReport
from customer_assets.monitoring.samples import Group, Sample, groups
from customer_assets_tests.harness.reports.sample_reports import CRAWL, check, failed_step, run


def values(report: RunReport) -> dict[tuple[str, Metric, tuple[str, ...]], float]:
    """Index all values by the group's asset (or job), metric and labels."""
    return {
        (group.key.get("asset") or group.key["dagster_job"], sample.metric, sample.labels): sample.value
        for group in groups(report)
        for sample in group.samples
    }


@pytest.mark.smoke
def test_a_complete_run_feeds_every_metric() -> None:
    """No metric is unused, and each sample has as many labels as its metric."""
    samples = [sample for group in groups(run()) for sample in group.samples]
    assert {sample.metric for sample in samples} == set(Metric)
    assert all(len(sample.labels) == len(sample.metric.value.labels) for sample in samples)


def test_each_asset_has_a_group_and_so_has_the_job() -> None:
    """A push replaces one group at a time."""
    assert [group.key for group in groups(run())] == [
        {"job": "customer_sync", "asset": "clean_customers"},
        {"job": "customer_sync", "asset": "customer_export"},
        {"job": "customer_sync", "asset": "raw_customers"},
        {"job": "customer_sync", "asset": "summary_report"},
        {"job": "customer_sync", "dagster_job": "customer_sync_job"},
    ]


@pytest.mark.parametrize(
    ("asset", "metric", "labels", "value"),
    [
        ("raw_customers", Metric.RECORDS, ("landed",), 12),
        ("clean_customers", Metric.RECORDS, ("clean",), 10),
        ("clean_customers", Metric.RECORDS, ("merged",), 1),
        ("clean_customers", Metric.RECORDS, ("rejected",), 1),
        ("customer_export", Metric.RECORDS, ("exported",), 10),
        ("raw_customers", Metric.RETRIES, ("server_error",), 2),
        ("raw_customers", Metric.RETRIES, ("timeout",), 0),
        ("raw_customers", Metric.ANSWERS, ("429",), 1),
        ("raw_customers", Metric.LATENCY, ("95",), 0.2),
        ("raw_customers", Metric.MATERIALIZED, (), 5000),
        ("clean_customers", Metric.DEFECTS, ("avatar",), 3),
        ("clean_customers", Metric.CHECK_PASSED, ("mean_quality_meets_threshold",), 1),
        ("clean_customers", Metric.CHECK_THRESHOLD, ("mean_quality_meets_threshold",), 80),
        ("customer_sync_job", Metric.OUTCOME, ("succeeded",), 1),
        ("customer_sync_job", Metric.OUTCOME, ("failed",), 0),
        ("customer_sync_job", Metric.SUCCEEDED, (), 5400),
        ("customer_sync_job", Metric.DURATION, (), 12.5),
    ],
)
def test_figures_become_samples(asset: str, metric: Metric, labels: tuple[str, ...], value: float) -> None:
    """Each in the group of its asset, under its metric and labels."""
    assert values(run())[asset, metric, labels] == value


def test_every_cause_is_pushed_even_if_nothing_was_retried() -> None:
    """Otherwise the last run's causes would stay; a 429 has its own metric."""
    retries = {labels[0] for _, metric, labels in values(run()) if metric is Metric.RETRIES}
    assert retries == {cause.value for cause in FailureCause} - {"throttled"}


def test_what_could_not_be_measured_is_nan() -> None:
    """Otherwise the last run's value would stay."""
    unmeasured = run(assets={"clean_customers": AssetReport({"clean": 0, "merged": 0, "rejected": 0}, 1.0)}, checks=())
    assert math.isnan(values(unmeasured)["clean_customers", Metric.MEAN_QUALITY, ()])


def test_a_failed_run_leaves_the_last_success_as_it_is() -> None:
    """A push replaces only what it names, and it does not name that metric."""
    failed = values(run(Outcome.FAILED, checks=(check(),), failed_steps=(failed_step(),)))
    assert ("customer_sync_job", Metric.SUCCEEDED, ()) not in failed
    assert failed["customer_sync_job", Metric.OUTCOME, ("failed",)] == 1
    assert failed["customer_sync_job", Metric.FAILED_STEPS, ()] == 1
    assert failed["customer_sync_job", Metric.FAILED_CHECKS, ()] == 1
    assert failed["clean_customers", Metric.CHECK_PASSED, ("mean_quality_meets_threshold",)] == 0


def test_a_failed_crawl_pushes_only_its_requests() -> None:
    """Nothing landed, and what landed before is still in the lake."""
    figures = {name: CRAWL[name] for name in ("requests", "success_rate", "retries_server_error", "answers_503")}
    failed = values(run(Outcome.FAILED, assets={"raw_customers": AssetReport(figures)}, checks=()))
    metrics = {metric for asset, metric, _ in failed if asset == "raw_customers"}
    assert {Metric.REQUESTS, Metric.SUCCESS, Metric.RETRIES, Metric.ANSWERS} < metrics
    assert not metrics & {Metric.RECORDS, Metric.PAGES, Metric.PAGES_KEPT, Metric.MISSING, Metric.MATERIALIZED}


def test_a_check_alone_is_pushed_to_its_assets_group() -> None:
    """The asset's figures stay as they are."""
    (group, _) = groups(run(assets={}, checks=(check(passed=True),)))
    assert group == Group(
        {"job": "customer_sync", "asset": "clean_customers"},
        (
            Sample(Metric.CHECK_PASSED, ("mean_quality_meets_threshold",), 1.0),
            Sample(Metric.CHECK_SCORE, ("mean_quality_meets_threshold",), 70.0),
            Sample(Metric.CHECK_THRESHOLD, ("mean_quality_meets_threshold",), 80.0),
        ),
    )
