"""What the customers look like in numbers: one aggregation a dimension, in the engine. No personal data."""

from collections import Counter
from typing import Any

import narwhals as nw

from customer_assets.fields import CLEAN_FIELDS, UNKNOWN, field_named
from customer_assets.processing.quality import BANDS, HIGH_FROM, MEDIUM_FROM, quality_band
from customer_assets.processing.rules import JUDGED_BY, Frame

BREAKDOWNS = {
    "engagement_levels": "engagement_level",
    "activity_statuses": "activity_status",
    "acquisition_channels": "acquisition_channel",
    "market_segments": "market_segment",
    "customer_tiers": "customer_tier",
}
"""Each breakdown's column. A value of its vocabulary that nobody has is counted as 0."""

TOP_VALUES = 20
"""Values beyond the usual vocabulary that are listed one by one; the others are counted together, as `other`."""

TOP_DOMAINS = 10
FEWEST_PER_DOMAIN = 5
"""A domain that few customers share may name a person; those are told together, as `other`."""

OTHER = "other"

SCORES = range(40, 101, 10)
"""What the rules give: 10 points less for each of six defects."""


def summary_report(customers: Frame) -> dict[str, Any]:
    """Sum clean customers up."""
    quality = _quality(customers)
    return {
        **quality,
        **{title: _counts(customers, column) for title, column in BREAKDOWNS.items()},
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


def _counts(customers: Frame, name: str) -> dict[str, int]:
    """Count customers by value: the usual ones in their order, then the API's own, the most frequent first."""
    found = {
        str(value): int(count)
        for value, count in customers.group_by(name).agg(customers=nw.len()).collect().iter_rows()
    }
    vocabulary = field_named(name, CLEAN_FIELDS).values
    usual = [value for value in vocabulary if value != UNKNOWN or name in JUDGED_BY or UNKNOWN in found]
    own = sorted((value for value in found if value not in usual), key=lambda value: (-found[value], value))
    others = sum(found[value] for value in own[TOP_VALUES:])
    counts = {value: found.get(value, 0) for value in (*usual, *own[:TOP_VALUES])}
    return {**counts, OTHER: counts.get(OTHER, 0) + others} if others else counts


def _domains(customers: Frame, total: int) -> dict[str, int]:
    pluralize = customers.group_by("email_domain").agg(customers=nw.len())
    domain, shared = nw.col("email_domain"), nw.col("customers") >= FEWEST_PER_DOMAIN
    named = pluralize.filter((shared & (domain != OTHER)) | (domain == UNKNOWN))
    ordered = named.sort("customers", "email_domain", descending=[True, False]).head(TOP_DOMAINS)
    top = {name: int(count) for name, count in ordered.select("email_domain", "customers").collect().iter_rows()}
    others = total - sum(top.values())
    return {**top, OTHER: others} if others else top
