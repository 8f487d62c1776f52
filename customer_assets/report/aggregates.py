"""What the customers look like in numbers: one aggregation a dimension, in the engine. No personal data."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, get_args

import narwhals as nw

from customer_assets.models import (
    UNKNOWN,
    AcquisitionChannel,
    ActivityStatus,
    CustomerTier,
    EngagementLevel,
    MarketSegment,
    QualityBand,
)
from customer_assets.processing.rules import Frame

BREAKDOWNS: dict[str, tuple[str, Sequence[str]]] = {
    "engagement_levels": ("engagement_level", get_args(EngagementLevel)),
    "activity_statuses": ("activity_status", get_args(ActivityStatus)),
    "acquisition_channels": ("acquisition_channel", get_args(AcquisitionChannel)),
    "market_segments": ("market_segment", get_args(MarketSegment)),
    "customer_tiers": ("customer_tier", get_args(CustomerTier)),
}
"""Each breakdown's column and its values, so that a value that nobody has is told as 0."""

TOP_DOMAINS = 10
FEWEST_PER_DOMAIN = 5
"""A domain that few customers share may name a person; those are told together, as `other`."""

OTHER = "other"

HIGH_FROM, MEDIUM_FROM = 90, 70
BANDS: tuple[QualityBand, ...] = get_args(QualityBand)
SCORES = range(40, 101, 10)
"""What the rules give: 10 points less for each of six defects."""


def summary_report(customers: Frame) -> dict[str, Any]:
    """Sum clean customers up."""
    quality = _quality(customers)
    return {
        **quality,
        **{title: _counts(customers, column, values) for title, (column, values) in BREAKDOWNS.items()},
        "email_domains": _domains(customers, quality["total_customers"]),
    }


def quality_bands(customers: Frame) -> tuple[int, int, int]:
    """Count customers of high, medium and low quality, in one aggregation."""
    score = nw.col("data_quality_score")
    counts = customers.select(
        high=_how_many(score >= HIGH_FROM),
        medium=_how_many((score < HIGH_FROM) & (score >= MEDIUM_FROM)),
        low=_how_many(score < MEDIUM_FROM),
    )
    high, medium, low = counts.collect().row(0)
    return int(high or 0), int(medium or 0), int(low or 0)


def quality_band(score: int) -> QualityBand:
    """Name the band of a score: 90 → `high`, 70 → `medium`, 69 → `low`."""
    if score >= HIGH_FROM:
        return "high"
    return "medium" if score >= MEDIUM_FROM else "low"


def _how_many(condition: nw.Expr) -> nw.Expr:
    return condition.cast(nw.Int64).sum()  # Spark sums no booleans


def _quality(customers: Frame) -> dict[str, Any]:
    pluralize = customers.group_by("data_quality_score").agg(customers=nw.len())
    found = Counter({int(score): int(count) for score, count in pluralize.collect().iter_rows()})
    total = found.total()
    bands = Counter[str]()
    for score, count in found.items():
        bands[quality_band(score)] += count
    return {
        "total_customers": total,
        "data_quality": {
            "mean_score": round(sum(score * count for score, count in found.items()) / total, 2) if total else None,
            **{f"{band}_quality": bands[band] for band in BANDS},
        },
        "quality_scores": {str(score): found[score] for score in sorted({*SCORES, *found}, reverse=True)},
    }


def _counts(customers: Frame, name: str, values: Sequence[str]) -> dict[str, int]:
    found = dict(customers.group_by(name).agg(customers=nw.len()).collect().iter_rows())
    return {value: int(found.get(value, 0)) for value in values}


def _domains(customers: Frame, total: int) -> dict[str, int]:
    pluralize = customers.group_by("email_domain").agg(customers=nw.len())
    domain, shared = nw.col("email_domain"), nw.col("customers") >= FEWEST_PER_DOMAIN
    named = pluralize.filter((shared & (domain != OTHER)) | (domain == UNKNOWN))
    ordered = named.sort("customers", "email_domain", descending=[True, False]).head(TOP_DOMAINS)
    top = {name: int(count) for name, count in ordered.select("email_domain", "customers").collect().iter_rows()}
    others = total - sum(top.values())
    return {**top, OTHER: others} if others else top
