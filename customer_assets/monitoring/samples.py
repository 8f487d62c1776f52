"""Which metrics a run is told in, and in which groups of a Pushgateway. Pure: a story in, samples out.

Each asset has a group of its own, and each job: a run that fails half-way, or makes one asset only, leaves the last
known figures of the others as they were. Within a group a push replaces the metrics that it names, so each that an
asset has is named each time, as NaN if it could not be measured.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from customer_assets.metrics import FailureCause, Metric
from customer_assets.monitoring.run_report import AssetReport, CheckReport, Outcome, RunReport, plain_name

JOB = "customer_sync"
"""The `job` label of everything that is pushed."""

Told: TypeAlias = tuple[Metric, tuple[str, ...]]

FIGURES: Mapping[str, Mapping[str, Told]] = {
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
"""Which of an asset's figures is which metric, with which values of its labels."""

FAMILIES: Mapping[str, tuple[str, Metric]] = {
    "raw_customers": ("answers_", Metric.ANSWERS),
    "clean_customers": ("records_with_defective_", Metric.DEFECTS),
}
"""Figures whose names begin like this: the rest of the name is the label."""

OF_WHOLE_CRAWLS = {Metric.PAGES, Metric.PAGES_KEPT, Metric.MISSING, Metric.RECORDS}
"""What a crawl that failed says nothing about."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One number.

    Attributes:
        metric: What it tells.
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
        key: The labels that name the group; all its samples have them.
        samples: What is pushed.
    """

    key: Mapping[str, str]
    samples: tuple[Sample, ...]


def groups(story: RunReport) -> list[Group]:
    """Sort a run's samples into groups: one an asset that the run touched, and one for its job."""
    assets = {*story.assets, *(check.asset for check in story.checks)}
    found = [
        Group({"job": JOB, "asset": asset}, (*_figures(asset, story), *_checks(asset, story.checks)))
        for asset in sorted(assets)
    ]
    return [*(group for group in found if group.samples), Group({"job": JOB, "dagster_job": story.job}, _run(story))]


def _figures(asset: str, story: RunReport) -> Iterator[Sample]:
    told, name_of_asset = story.assets.get(asset, AssetReport({})), plain_name(asset)
    is_whole = told.materialized_at_s is not None
    if told.figures:
        for name, (metric, labels) in FIGURES.get(name_of_asset, {}).items():
            if is_whole or metric not in OF_WHOLE_CRAWLS:
                missing = 0.0 if metric is Metric.RETRIES else math.nan
                yield Sample(metric, labels, float(told.figures.get(name, missing)))
        yield from _family(name_of_asset, told.figures)
    if told.materialized_at_s is not None:
        yield Sample(Metric.MATERIALIZED, (), told.materialized_at_s)


def _family(asset: str, figures: Mapping[str, float]) -> Iterator[Sample]:
    if asset in FAMILIES:
        prefix, metric = FAMILIES[asset]
        for name, value in figures.items():
            if name.startswith(prefix):
                yield Sample(metric, (name.removeprefix(prefix),), float(value))


def _checks(asset: str, checks: Iterable[CheckReport]) -> Iterator[Sample]:
    for check in checks:
        if check.asset == asset:
            yield Sample(Metric.CHECK_PASSED, (check.name,), float(check.passed))
            if "threshold" in check.figures:
                yield Sample(Metric.CHECK_SCORE, (check.name,), check.figures.get("score", math.nan))
                yield Sample(Metric.CHECK_THRESHOLD, (check.name,), check.figures["threshold"])


def _run(story: RunReport) -> tuple[Sample, ...]:
    """Sum the run up; the instant of its success is told by a success only, so that the last one's stays."""
    success = [Sample(Metric.SUCCEEDED, (), story.ended_at_s)] if story.outcome is Outcome.SUCCEEDED else []
    return (
        *(Sample(Metric.OUTCOME, (outcome.value,), float(outcome is story.outcome)) for outcome in Outcome),
        Sample(Metric.DURATION, (), story.duration_s),
        Sample(Metric.FAILED_STEPS, (), len(story.failed_steps)),
        Sample(Metric.FAILED_CHECKS, (), len(story.failed_checks)),
        Sample(Metric.FINISHED, (), story.ended_at_s),
        *success,
    )
