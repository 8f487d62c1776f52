"""Where figures become verdicts: whether cleaned data is fit to publish. Pure: numbers in, verdicts out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Annotated, Literal, Self, get_args

import narwhals as nw
from pydantic import Field, model_validator

from customer_assets.configuration import SettingError, Settings
from customer_assets.models import CleaningSummary, CrawlSummary
from customer_assets.processing.rules import Frame

QualityBand = Literal["high", "medium", "low"]
BANDS: tuple[QualityBand, ...] = get_args(QualityBand)
HIGH_FROM, MEDIUM_FROM = 90, 70
"""The data quality score from which a customer is of high, and of medium quality; below, of low."""


def quality_band(score: int) -> QualityBand:
    """Name the band of a score: 90 → `high`, 70 → `medium`, 69 → `low`."""
    if score >= HIGH_FROM:
        return "high"
    return "medium" if score >= MEDIUM_FROM else "low"


CHECK_DESCRIPTIONS: Mapping[str, str] = {
    "mean_quality_meets_threshold": "The mean quality score reaches the target; below the floor nothing is published.",
    "low_quality_share_within_limit": f"The share of customers that score below {MEDIUM_FROM} is within its limit.",
    "rejected_share_within_limit": "The share of records without a usable id is within its limit.",
    "customer_id_is_unique": "Each customer is there once.",
    "every_record_is_accounted_for": "Each record of this very crawl is a clean customer, was merged into one, was "
    "excluded by the filter, or was rejected.",
}
"""The checks by name, and the claim that each makes."""

MADE_FROM_ANOTHER_CRAWL = "clean_customers were made from an earlier crawl: materialise clean_customers"


class Severity(StrEnum):
    """How bad a failed check is."""

    WARN = "WARN"
    """Published, with a warning."""
    ERROR = "ERROR"
    """Not published."""


Score = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]


class QualityThresholds(Settings):
    """What the data must reach to be published. A threshold and its bounds stand here and nowhere else."""

    min_mean_quality: Score = Field(default=80.0, description="A lower mean score is an error: nothing is published.")
    target_mean_quality: Score = Field(default=90.0, description="A lower mean score is a warning.")
    max_low_quality_share: Share = Field(
        default=0.10, description=f"A larger share of customers that score below {MEDIUM_FROM} is an error."
    )
    max_rejected_share: Share = Field(
        default=0.05, description="A larger share of records without a usable id is an error."
    )

    @model_validator(mode="after")
    def validate_target(self) -> Self:
        """Refuse a target below the floor."""
        if self.target_mean_quality < self.min_mean_quality:
            raise SettingError(
                f"the target {self.target_mean_quality:g} is below the floor {self.min_mean_quality:g}",
                "Set the target to the floor or above.",
                field="target_mean_quality",
            )
        return self


@dataclass(frozen=True, slots=True)
class QualityMetrics:
    """What was counted of one run.

    Attributes:
        landed: Records that the API handed over, the rejected ones included.
        rejected: Records without a usable id, quarantined.
        in_lake: Rows of the raw lake.
        excluded: Records that the filter dropped on purpose.
        merged: Records that gave way to a better record of the same customer.
        clean: Customers.
        distinct_customers: Distinct ids among them.
        mean_quality: Mean score; NaN of no customers.
        low_quality: Customers of low quality.
        of_this_crawl: Whether the clean customers were made from the crawl that is on record.
    """

    landed: int
    rejected: int
    in_lake: int
    merged: int
    clean: int
    distinct_customers: int
    mean_quality: float
    low_quality: int
    of_this_crawl: bool
    excluded: int = 0

    @property
    def low_quality_share(self) -> float:
        """Low-quality customers among all; NaN of none."""
        return _share(self.low_quality, self.clean)

    @property
    def rejected_share(self) -> float:
        """Rejected records among all that the API handed over; NaN of none."""
        return _share(self.rejected, self.landed)

    def as_dict(self) -> dict[str, float]:
        """Name what is worth plotting, the shares included."""
        plotted = {name: value for name, value in asdict(self).items() if name not in ("in_lake", "of_this_crawl")}
        return {**plotted, "low_quality_share": self.low_quality_share, "rejected_share": self.rejected_share}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: The check, as the claim it makes.
        passed: Whether the claim holds.
        severity: How bad it is that it does not; None if it does.
        score: What was measured.
        threshold: What it was compared with.
        description: The same as a sentence. No personal data.
    """

    name: str
    passed: bool
    severity: Severity | None
    score: float
    threshold: float
    description: str

    @property
    def blocks(self) -> bool:
        """Whether the data must not be published."""
        return self.severity is Severity.ERROR

    @property
    def figures(self) -> dict[str, float]:
        """What was measured beside what it was compared with."""
        return {"score": self.score, "threshold": self.threshold}


def evaluate(figures: QualityMetrics, thresholds: QualityThresholds) -> list[CheckResult]:
    """Judge a run. What cannot be measured (nothing came, NaN) fails."""
    return [
        _mean_quality(figures, thresholds),
        _at_most(
            "low_quality_share_within_limit",
            figures.low_quality_share,
            thresholds.max_low_quality_share,
            f"of the customers score below {MEDIUM_FROM}",
        ),
        _at_most(
            "rejected_share_within_limit",
            figures.rejected_share,
            thresholds.max_rejected_share,
            "of the records have no usable id",
        ),
        _equal(
            "customer_id_is_unique",
            figures.distinct_customers,
            figures.clean,
            f"{figures.clean} customers have {figures.distinct_customers} distinct ids",
        ),
        _accounted_for(figures),
    ]


def completeness(crawl: CrawlSummary) -> CheckResult:
    """Judge whether the API handed over as many customers as it says it has."""
    reason = f"{crawl.missing_customers} of {crawl.total} customers are missing"
    if crawl.missing_customers < 0:
        reason = f"{-crawl.missing_customers} customers more came than the {crawl.total} that the API counts"
    return _equal("every_customer_was_fetched", crawl.total - crawl.missing_customers, crawl.total, reason)


def blocking_failures(found: Sequence[CheckResult]) -> list[CheckResult]:
    """Pick the verdicts that forbid publishing."""
    return [verdict for verdict in found if verdict.blocks]


def _accounted_for(figures: QualityMetrics) -> CheckResult:
    """Hold counts together, and what was counted: equal counts of two crawls account for nothing."""
    name, found = "every_record_is_accounted_for", figures.clean + figures.merged + figures.excluded + figures.rejected
    counts = f"{figures.landed} landed; {figures.clean} clean, {figures.merged} merged, {figures.rejected} rejected"
    if figures.excluded:
        counts += f", {figures.excluded} excluded"
    in_lake = figures.in_lake + figures.rejected
    if in_lake != figures.landed:
        lake = f"the raw lake holds {figures.in_lake} of them: materialise raw_customers"
        return _equal(name, in_lake, figures.landed, f"{counts}; {lake}")
    verdict = _equal(name, found, figures.landed, counts)
    if figures.of_this_crawl:
        return verdict
    return replace(verdict, passed=False, severity=Severity.ERROR, description=MADE_FROM_ANOTHER_CRAWL)


def _mean_quality(figures: QualityMetrics, thresholds: QualityThresholds) -> CheckResult:
    mean, floor, target = figures.mean_quality, thresholds.min_mean_quality, thresholds.target_mean_quality
    if mean >= target:
        severity, text = None, f"the mean score {mean:.2f} meets the target {target:g}"
    elif mean >= floor:
        severity, text = Severity.WARN, f"the mean score {mean:.2f} is below the target {target:g}"
    else:
        severity, text = Severity.ERROR, f"the mean score {mean:.2f} is below the floor {floor:g}"
    threshold = target if severity is not Severity.ERROR else floor
    return CheckResult("mean_quality_meets_threshold", severity is None, severity, mean, threshold, text)


def _at_most(name: str, score: float, limit: float, what: str) -> CheckResult:
    passed = score <= limit  # False for NaN
    severity = None if passed else Severity.ERROR
    return CheckResult(name, passed, severity, score, limit, f"{score:.2%} {what}, {limit:.2%} are allowed")


def _equal(name: str, score: int, expected: int, text: str) -> CheckResult:
    passed = score == expected
    return CheckResult(name, passed, None if passed else Severity.ERROR, float(score), float(expected), text)


def measure_quality(raw: Frame, clean: Frame, crawl: CrawlSummary, cleaning: CleaningSummary) -> QualityMetrics:
    """Count the raw table and the clean customers, beside what the crawl and cleaning noted."""
    score = nw.col("data_quality_score")
    counted = clean.select(rows=nw.len(), mean=score.mean(), low=(score < MEDIUM_FROM).cast(nw.Int64).sum())
    customers, mean, low = counted.collect().row(0)
    rows, kept = _rows(raw), raw
    if "excluded" in raw.collect_schema().names():
        kept = raw.filter(~nw.col("excluded"))
    left = rows if kept is raw else _rows(kept)
    return QualityMetrics(
        landed=crawl.landed,
        rejected=crawl.rejected,
        in_lake=rows,
        excluded=rows - left,
        merged=left - _distinct(kept, "id"),
        clean=int(customers),
        distinct_customers=_distinct(clean, "customer_id"),
        mean_quality=math.nan if mean is None else float(mean),
        low_quality=int(low or 0),
        of_this_crawl=cleaning.crawl.fingerprint == crawl.fingerprint,
    )


def _rows(frame: Frame) -> int:
    return int(frame.select(nw.len()).collect().item())


def _distinct(frame: Frame, column: str) -> int:
    """Count distinct values apart from other aggregates: on DuckDB in 1.0 s for 10 million, together in 2.5 s."""
    return _rows(frame.select(column).unique())
