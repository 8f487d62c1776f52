"""Turns a run report into metric samples, grouped the way a Pushgateway stores them. Pure.

Each asset has its own group, and so has each job: a run that fails half-way, or materialises one asset only, leaves the
last known figures of the others alone. Within a group a push replaces only the metrics it names. So every metric of an
asset is pushed every time, as NaN if it could not be measured.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from customer_assets.core.metrics import FailureCause, Metric
from customer_assets.monitoring.run_report import AssetReport, Outcome, RunReport, base_name

JOB = "customer_sync"
"""The `job` label of everything that is pushed."""

LabelledMetric: TypeAlias = tuple[Metric, tuple[str, ...]]

FIGURES: Mapping[str, Mapping[str, LabelledMetric]] = {
    "raw_customers": {
        "requests": (Metric.REQUESTS, ()),
        "success_rate": (Metric.SUCCESS, ()),
        **{
            f"retries_{cause.value}": (Metric.RETRIES, (cause.value,))
            for cause in FailureCause
            if cause is not FailureCause.THROTTLED
        },
        "throttles": (Metric.THROTTLES, ()),
        "waiting_s": (Metric.THROTTLED, ()),
        "latency_p50_s": (Metric.LATENCY, ("50",)),
        "latency_p95_s": (Metric.LATENCY, ("95",)),
        "latency_p99_s": (Metric.LATENCY, ("99",)),
        "duration_s": (Metric.CRAWL_DURATION, ()),
        "bytes": (Metric.RECEIVED, ()),
        "pages": (Metric.PAGES, ()),
        "pages_from_store": (Metric.PAGES_KEPT, ()),
        "missing_customers": (Metric.MISSING, ()),
        "records": (Metric.RECORDS, ("landed",)),
        "rows_received": (Metric.RECORDS, ("received",)),
    },
    "clean_customers": {
        "clean": (Metric.RECORDS, ("clean",)),
        "merged": (Metric.RECORDS, ("merged",)),
        "rejected": (Metric.RECORDS, ("rejected",)),
        "mean_quality": (Metric.MEAN_QUALITY, ()),
        "low_quality_share": (Metric.LOW_QUALITY, ()),
        "rejected_share": (Metric.REJECTED, ()),
    },
    "customer_export": {
        "total_customers": (Metric.RECORDS, ("exported",)),
        "high_quality": (Metric.CUSTOMERS, ("high",)),
        "medium_quality": (Metric.CUSTOMERS, ("medium",)),
        "low_quality": (Metric.CUSTOMERS, ("low",)),
    },
}
"""The metric, with its label values, that each figure of an asset feeds."""

FAMILIES: Mapping[str, tuple[str, Metric]] = {
    "raw_customers": ("answers_", Metric.ANSWERS),
    "clean_customers": ("records_with_defective_", Metric.DEFECTS),
}
"""Figures that share a prefix feed one metric; the rest of their name is its label."""

WHOLE_CRAWLS_ONLY = {Metric.PAGES, Metric.PAGES_KEPT, Metric.MISSING, Metric.RECORDS}
"""Metrics that a failed crawl cannot update."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric.

    Attributes:
        metric: What it measures.
        labels: The values of the metric's labels, in order.
        value: The number.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Group:
    """What one push replaces, metric by metric.

    Attributes:
        key: The labels that identify the group; all its samples carry them.
        samples: What is pushed.
    """

    key: Mapping[str, str]
    samples: tuple[Sample, ...]


def groups(report: RunReport) -> list[Group]:
    """Sort a run's samples into groups: one for each asset that the run touched, and one for its job."""
    assets = {*report.assets, *(check.asset for check in report.checks)}
    found = [
        Group({"job": JOB, "asset": asset}, (*_asset_samples(asset, report), *_check_samples(asset, report)))
        for asset in sorted(assets)
    ]
    job = Group({"job": JOB, "dagster_job": report.job}, tuple(_run_samples(report)))
    return [*(group for group in found if group.samples), job]


def _asset_samples(name: str, report: RunReport) -> Iterator[Sample]:
    asset, plain_name = report.assets.get(name, AssetReport({})), base_name(name)
    if asset.figures:
        for figure, (metric, labels) in FIGURES.get(plain_name, {}).items():
            if asset.materialized_at_s is not None or metric not in WHOLE_CRAWLS_ONLY:
                missing = 0.0 if metric is Metric.RETRIES else math.nan
                yield Sample(metric, labels, float(asset.figures.get(figure, missing)))
    if plain_name in FAMILIES:
        prefix, metric = FAMILIES[plain_name]
        for figure, value in asset.figures.items():
            if figure.startswith(prefix):
                yield Sample(metric, (figure.removeprefix(prefix),), float(value))
    if asset.materialized_at_s is not None:
        yield Sample(Metric.MATERIALIZED, (), asset.materialized_at_s)


def _check_samples(asset: str, report: RunReport) -> Iterator[Sample]:
    for check in report.checks:
        if check.asset == asset:
            yield Sample(Metric.CHECK_PASSED, (check.name,), float(check.passed))
            if "threshold" in check.figures:
                yield Sample(Metric.CHECK_SCORE, (check.name,), check.figures.get("score", math.nan))
                yield Sample(Metric.CHECK_THRESHOLD, (check.name,), check.figures["threshold"])


def _run_samples(report: RunReport) -> Iterator[Sample]:
    for outcome in Outcome:
        yield Sample(Metric.OUTCOME, (outcome.value,), float(outcome is report.outcome))
    yield Sample(Metric.DURATION, (), report.duration_s)
    yield Sample(Metric.FAILED_STEPS, (), len(report.failed_steps))
    yield Sample(Metric.FAILED_CHECKS, (), len(report.failed_checks))
    yield Sample(Metric.FINISHED, (), report.ended_at_s)
    if report.outcome is Outcome.SUCCEEDED:  # a failed run does not name it, so the last success stays
        yield Sample(Metric.SUCCEEDED, (), report.ended_at_s)
