"""Whether cleaned data is fit to publish: thresholds, and the checks that hold figures against them.

Numbers in, verdicts out. How the numbers are counted belongs in `measurement.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from customer_assets.core.configuration import SettingError, Settings
from customer_assets.core.models import SIMULATOR, CrawlSummary, UpsertSummary
from customer_assets.core.record_mapping import FILTER
from customer_assets.processing.comparison import LastExport, add_shares
from customer_assets.processing.remedies import MADE_FROM_ANOTHER_CRAWL, NOTHING_TO_COMPARE, apart

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
    "no_field_is_lost": "No expected field is missing from nearly all records, and none from many more than last time.",
    "no_mass_deletion": "Not too many customers of the last export are gone.",
    "source_is_the_same": "The customers come from the same source as those of the last export.",
    "customer_id_is_unique": "Each customer appears once.",
    "every_record_is_accounted_for": "Every record of the crawl became a clean customer, was merged into one, was "
    "excluded by the filter, or was rejected.",
}
"""The checks by name, and the claim that each makes."""

SHARE_CHECKS = {"low_quality_share_within_limit", "rejected_share_within_limit", "no_field_is_lost", "no_mass_deletion"}
"""The checks that measure a share; the others count, or measure points."""

MOSTLY_MISSING = 0.5
"""A field that is missing from a larger share of the records is worth a warning, however it was before."""


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
    max_unfetched_share: Share = Field(
        default=0.0, description="A larger share of the customers that the API counts and does not send is an error."
    )
    lost_field_share: Share = Field(
        default=0.99,
        description="A field that is missing or unusable in this share of the records is lost: an error. 1: none is.",
    )
    max_missing_increase: Share = Field(
        default=0.30, description="A field missing from more records than in the last export by more is an error."
    )
    max_gone_share: Share = Field(
        default=0.30, description="A larger share of the last export's customers that are gone is an error."
    )
    allow_other_source: bool = Field(
        default=False, description="Whether another API's customers, or the simulator's, can replace a real API's."
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
        source: Where the customers come from, without a secret.
        missing: Share of the records in which an expected field is missing or unusable, by field.
        unsent: Share of the records without a field that need not be there, by field.
        unmapped: Fields whose path is in no record that was looked at, each with what to say about it.
        optional: Fields that have a path of the user's own, and need not be there.
        last_export: What to compare with; None: nothing was published yet.
        upsert: What became of the records that came, if only changed ones were requested.
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
    source: str = ""
    missing: Mapping[str, float] = field(default_factory=dict)
    unsent: Mapping[str, float] = field(default_factory=dict)
    unmapped: Mapping[str, str] = field(default_factory=dict)
    optional: Sequence[str] = ()
    last_export: LastExport | None = None
    upsert: UpsertSummary | None = None

    @property
    def baseline(self) -> LastExport | None:
        """The last export, if its customers came from the same source."""
        last = self.last_export
        return last if last is not None and last.source in ("", self.source) else None

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
        is_number = {name: isinstance(value, float | int) for name, value in asdict(self).items()}
        unplotted = ("in_lake", "of_this_crawl")
        plotted = {name: getattr(self, name) for name, plots in is_number.items() if plots and name not in unplotted}
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
        _rejected_share(figures, thresholds),
        _no_field_is_lost(figures, thresholds),
        _no_mass_deletion(figures, thresholds),
        _source_is_the_same(figures, thresholds),
        _equal(
            "customer_id_is_unique",
            figures.distinct_customers,
            figures.clean,
            f"{figures.clean} customers have {figures.distinct_customers} distinct ids",
        ),
        _accounted_for(figures),
    ]


def completeness(crawl: CrawlSummary, thresholds: QualityThresholds) -> CheckResult:
    """Judge whether the API returned as many customers as it says it has, but for a shortfall that is known.

    Where the API does not say how many it has, the check passes and says so.
    """
    name = "every_customer_was_fetched"
    if crawl.total is None:
        reason = "the API does not say how many customers it has, so nothing could be compared"
        if crawl.moved_s:
            return _verdict(name, Severity.WARN, crawl.landed, crawl.landed, f"{reason}, and {_moved(crawl)}")
        return _equal(name, crawl.landed, crawl.landed, reason)
    fetched = crawl.total - crawl.missing_customers
    counted = "customers" if crawl.total_is_of_all else "changed customers"
    reason = f"{crawl.missing_customers} of {crawl.total} {counted} are missing"
    if crawl.missing_customers < 0:
        reason = f"{-crawl.missing_customers} customers more came than the {crawl.total} that the API counts"
    at_least = crawl.total - math.floor(crawl.total * thresholds.max_unfetched_share)
    if crawl.moved_s and fetched >= at_least:
        return _verdict(name, Severity.WARN, fetched, crawl.total, _moved(crawl))
    if at_least <= fetched < crawl.total:
        return _verdict(name, None, fetched, at_least, f"{reason}, {crawl.total - at_least} may be")
    return replace(_equal(name, fetched, crawl.total, reason), threshold=float(at_least))


def _moved(crawl: CrawlSummary) -> str:
    minutes = math.ceil(crawl.moved_s / 60)
    duration = "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"customers moved while the pages were read, over {duration}, so some who joined or moved can be missing"


def blocking_failures(found: Sequence[CheckResult]) -> list[CheckResult]:
    """Pick the verdicts that forbid publishing."""
    return [verdict for verdict in found if verdict.blocks]


def _accounted_for(figures: QualityMetrics) -> CheckResult:
    """Hold counts together, and what was counted: equal counts of two crawls account for nothing."""
    name, found = "every_record_is_accounted_for", figures.clean + figures.merged + figures.excluded + figures.rejected
    counts = f"{figures.landed} landed; {figures.clean} clean, {figures.merged} merged, {figures.rejected} rejected"
    if figures.excluded:
        counts += f", {figures.excluded} excluded"
    elif FILTER in figures.unmapped:
        counts += f", 0 excluded: {figures.unmapped[FILTER]}"
    in_lake = figures.in_lake + figures.rejected
    if in_lake != figures.landed:
        lake = f"the raw lake holds {figures.in_lake} of them: materialise raw_customers"
        return _equal(name, in_lake, figures.landed, f"{counts}; {lake}")
    verdict = _equal(name, found, figures.landed, counts)
    if figures.upsert is not None and verdict.passed:
        verdict = _merged_right(verdict, figures.upsert, figures.in_lake)
    if figures.of_this_crawl:
        return verdict
    return replace(verdict, passed=False, severity=Severity.ERROR, description=MADE_FROM_ANOTHER_CRAWL)


def _merged_right(verdict: CheckResult, upsert: UpsertSummary, in_lake: int) -> CheckResult:
    """Hold together what came in an incremental crawl, and what became of it and of the rows that were there."""
    text = (
        f"{verdict.description}; {upsert.received} came: {upsert.added} added, {upsert.replaced} replaced, "
        f"{upsert.unchanged} unchanged, {upsert.stale} older than what is stored, {upsert.repeated} came twice; "
        f"{upsert.kept} of {upsert.before} rows kept"
    )
    if upsert.deleted:
        text += f", {upsert.deleted} customers deleted"
    if upsert.adds_up and upsert.after == in_lake:
        return replace(verdict, description=text)
    text += f"; that makes {upsert.after} rows, and the raw lake holds {in_lake}: set full_refresh for one run"
    return replace(verdict, passed=False, severity=Severity.ERROR, description=text)


def _rejected_share(figures: QualityMetrics, thresholds: QualityThresholds) -> CheckResult:
    """Judge the table and, if enough records came, an incremental crawl's: a broken id must not hide in the rest."""
    name, limit = "rejected_share_within_limit", thresholds.max_rejected_share
    share = 0.0 if figures.upsert is None else figures.upsert.rejected_share
    if share > limit and not figures.rejected_share > share:
        return _at_most(name, share, limit, "of the records that came have no usable id")
    return _at_most(name, figures.rejected_share, limit, "of the records have no usable id")


def _no_field_is_lost(figures: QualityMetrics, thresholds: QualityThresholds) -> CheckResult:
    """Name every field that is lost: by what is missing now, and by what was there in the last export."""
    name, limit, rise_limit = "no_field_is_lost", thresholds.lost_field_share, thresholds.max_missing_increase
    lost = {each: share for each, share in figures.missing.items() if share >= limit and limit < 1}
    now, before = add_shares(figures.missing, figures.unsent), (figures.baseline or LastExport()).missing
    rises = {each: now[each] - before[each] for each in now if each in before and now[each] - before[each] > rise_limit}
    worst = max(figures.missing.values(), default=0.0)
    if lost or rises:
        text = "; ".join(_loss(each, figures) for each in dict.fromkeys([*lost, *rises]))
        score, threshold = (max(lost.values()), limit) if lost else (max(rises.values()), rise_limit)
        return _verdict(name, Severity.ERROR, score, threshold, text)
    came = {} if figures.upsert is None else figures.upsert.lost
    lost_now = {each: share for each, share in came.items() if share >= limit and limit < 1}
    if lost_now:  # in the whole table it would take weeks to show
        text = "; ".join(
            f"{each} is missing or unusable in {share:.2%} of the records that came" for each, share in lost_now.items()
        )
        return _verdict(name, Severity.ERROR, max(lost_now.values()), limit, text)
    mostly = [each for each, share in figures.missing.items() if share > MOSTLY_MISSING]
    if mostly:
        text = "; ".join(_loss(each, figures) for each in mostly)
        return _verdict(name, Severity.WARN, worst, MOSTLY_MISSING, text)
    nowhere = [each for each in figures.unmapped if figures.unsent.get(each) == 1 and each in figures.optional]
    if nowhere:
        text = "; ".join(_loss(each, figures) for each in nowhere)
        return _verdict(name, Severity.WARN, 1.0, limit, text)
    text = f"every expected field is there in {1 - worst:.2%} of the records or more"
    return _verdict(name, None, worst, limit, text)


def _loss(name: str, figures: QualityMetrics) -> str:
    before = (figures.baseline or LastExport()).missing
    text = f"{name} is missing or unusable in {add_shares(figures.missing, figures.unsent)[name]:.2%} of the records"
    if name in before:
        text += f", after {before[name]:.2%} in the last export"
    return text + (f": {figures.unmapped[name]}" if name in figures.unmapped else "")


def _no_mass_deletion(figures: QualityMetrics, thresholds: QualityThresholds) -> CheckResult:
    name, limit, last = "no_mass_deletion", thresholds.max_gone_share, figures.baseline
    if last is None or not last.customers:
        return _verdict(name, None, 0.0, limit, NOTHING_TO_COMPARE)
    what = f"of the last export's {last.customers} customers are gone"
    return _at_most(name, _share(last.gone, last.customers), limit, what)


def _named(source: str) -> str:
    return f"the {source}" if source == SIMULATOR else source or "an unknown source"


def _source_is_the_same(figures: QualityMetrics, thresholds: QualityThresholds) -> CheckResult:
    """Let a real API follow the simulator, but nothing else take a real API's place unless that is allowed."""
    name, last = "source_is_the_same", figures.last_export
    before = last.source if last else ""
    is_same = before in ("", figures.source)
    passed = is_same or before == SIMULATOR or thresholds.allow_other_source
    text = f"the customers come from {_named(figures.source)}"
    if not is_same:
        text += f", those of the last export came from {_named(before)}"
    if not passed:
        text += "; set allow_other_source for one run if that is meant"
    return _verdict(name, None if passed else Severity.ERROR, not is_same, thresholds.allow_other_source, text)


def _mean_quality(figures: QualityMetrics, thresholds: QualityThresholds) -> CheckResult:
    mean, floor, target = figures.mean_quality, thresholds.min_mean_quality, thresholds.target_mean_quality
    if math.isnan(mean):
        severity, text = Severity.ERROR, "there is no customer to score"
    elif mean >= target:
        severity, text = None, f"the mean score {apart(mean, target)} meets the target {target:g}"
    elif mean >= floor:
        severity, text = Severity.WARN, f"the mean score {apart(mean, target)} is below the target {target:g}"
    else:
        severity, text = Severity.ERROR, f"the mean score {apart(mean, floor)} is below the floor {floor:g}"
    threshold = target if severity is not Severity.ERROR else floor
    return _verdict("mean_quality_meets_threshold", severity, mean, threshold, text)


def _at_most(name: str, score: float, limit: float, what: str) -> CheckResult:
    severity = None if score <= limit else Severity.ERROR  # also of NaN
    measured = "there is nothing to judge:" if math.isnan(score) else f"{apart(100 * score, 100 * limit)}% {what},"
    return _verdict(name, severity, score, limit, f"{measured} {limit:.2%} are allowed")


def _equal(name: str, score: int, expected: int, text: str) -> CheckResult:
    return _verdict(name, None if score == expected else Severity.ERROR, score, expected, text)


def _verdict(name: str, severity: Severity | None, score: float, threshold: float, text: str) -> CheckResult:
    return CheckResult(name, severity is None, severity, float(score), float(threshold), text)
