"""Counts the clean customers for the report, by one aggregation per dimension, in the engine. No personal data.

How the figures are worded belongs in `tables.py`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import narwhals as nw

from customer_assets.core.fields import CLEAN_FIELDS, UNKNOWN, Field, Kind, field_named
from customer_assets.processing.quality import BANDS, HIGH_FROM, MEDIUM_FROM, quality_band
from customer_assets.processing.rules import JUDGED_BY, Frame

BREAKDOWNS = {
    "engagement_levels": "engagement_level",
    "activity_statuses": "activity_status",
    "acquisition_channels": "acquisition_channel",
    "market_segments": "market_segment",
    "customer_tiers": "customer_tier",
}
"""The column of each breakdown. A value of its vocabulary that no customer has is counted as 0."""

TOP_VALUES = 20
"""Values beyond the usual vocabulary that are listed; the rest is counted together, as `other`."""

MAX_VOCABULARY = 12
"""An extra text field with more distinct values than this gets no breakdown: it is free text, or nearly."""

TOP_DOMAINS, DOMAINS_TRIED = 10, 100
"""How many domains are listed, and among how many of the largest they are looked for."""

PLAINLY_SHARED = 1_000
"""At a domain of this many customers nobody counts names: that takes ten times as long as all the rest."""

FEWEST_PER_VALUE = 5
"""Fewer customers than this could be identified by what they share; they are counted together, as `other`.

Of an email domain, those with the same name are one person: somebody's own domain can be that of many ids."""

OTHER = "other"

SCORES = range(40, 101, 10)
"""The scores that the default mapping can give: 10 points less for each of six defects."""


def summary_report(customers: Frame, extra_fields: Sequence[Field] = ()) -> dict[str, Any]:
    """Count clean customers.

    Args:
        customers: One row per customer.
        extra_fields: The fields that the user added to them.
    """
    quality = _quality(customers)
    segments = {title: _segments(customers, column) for title, column in BREAKDOWNS.items()}
    return {
        **quality,
        **{title: counts for title, (counts, _) in segments.items()},
        "mean_scores": {title: means for title, (_, means) in segments.items()},
        "email_domains": _domains(customers, quality["total_customers"]),
        "extra_fields": _extra_fields(customers, extra_fields),
    }


def quality_bands(customers: Frame) -> tuple[int, int, int]:
    """Count customers of high, medium and low quality, in one aggregation."""
    score = nw.col("data_quality_score")
    counts = customers.select(
        high=_count_where(score >= HIGH_FROM),
        medium=_count_where((score < HIGH_FROM) & (score >= MEDIUM_FROM)),
        low=_count_where(score < MEDIUM_FROM),
    )
    high, medium, low = counts.collect().row(0)
    return int(high or 0), int(medium or 0), int(low or 0)


def _count_where(condition: nw.Expr) -> nw.Expr:
    return condition.cast(nw.Int64).sum()  # Spark cannot sum booleans


def _quality(customers: Frame) -> dict[str, Any]:
    grouped = customers.group_by("data_quality_score").agg(customers=nw.len())
    found = Counter({int(score): int(count) for score, count in grouped.collect().iter_rows()})
    total = found.total()
    bands = Counter[str]()
    for score, count in found.items():
        bands[quality_band(score)] += count
    return {
        "total_customers": total,
        "data_quality": {
            "mean_score": _mean(sum(score * count for score, count in found.items()), total),
            **{f"{band}_quality": bands[band] for band in BANDS},
        },
        "quality_scores": {str(score): found[score] for score in sorted({*SCORES, *found}, reverse=True)},
    }


def _segments(customers: Frame, name: str) -> tuple[dict[str, int], dict[str, float | None]]:
    """Count customers by value, with their mean score.

    The usual values come first, in their order; then those of the API's own that enough customers share, the most
    frequent first.
    """
    grouped = customers.group_by(name).agg(customers=nw.len(), points=nw.col("data_quality_score").sum())
    found = {str(value): (int(count), int(points)) for value, count, points in grouped.collect().iter_rows()}
    vocabulary = field_named(name, CLEAN_FIELDS).values
    usual = [value for value in vocabulary if value != UNKNOWN or name in JUDGED_BY or UNKNOWN in found]
    own = {value: pair for value, pair in found.items() if value not in usual}
    named = sorted(
        (value for value, (count, _) in own.items() if count >= FEWEST_PER_VALUE and value != OTHER),
        key=lambda value: (-found[value][0], value),
    )[:TOP_VALUES]
    listed = {value: found.get(value, (0, 0)) for value in (*usual, *named)}
    others = [pair for value, pair in own.items() if value not in named]
    if others:
        listed[OTHER] = sum(count for count, _ in others), sum(points for _, points in others)
    counts = {value: count for value, (count, _) in listed.items()}
    return counts, {value: _mean(points, count) for value, (count, points) in listed.items()}


def _mean(points: int, count: int) -> float | None:
    return round(points / count, 2) if count else None


def _domains(customers: Frame, total: int) -> dict[str, int]:
    grouped = customers.group_by("email_domain").agg(customers=nw.len())
    domain, is_shared = nw.col("email_domain"), nw.col("customers") >= FEWEST_PER_VALUE
    named = grouped.filter((is_shared & (domain != OTHER)) | (domain == UNKNOWN))
    ordered = named.sort("customers", "email_domain", descending=[True, False]).head(DOMAINS_TRIED)
    found = {name: int(count) for name, count in ordered.select("email_domain", "customers").collect().iter_rows()}
    known = [name for name, count in found.items() if count >= PLAINLY_SHARED or name == UNKNOWN]
    if len(known) < TOP_DOMAINS:
        known += _shared_domains(customers, [name for name in found if name not in known])
    top = {name: count for name, count in found.items() if name in known}
    top = dict(list(top.items())[:TOP_DOMAINS])
    others = total - sum(top.values())
    return {**top, OTHER: others} if others else top


def _shared_domains(customers: Frame, domains: Sequence[str]) -> list[str]:
    """Return those of the domains at which enough different people are: the ids of one person have one name."""
    theirs = customers.filter(nw.col("email_domain").is_in(domains))
    named = theirs.select("email_domain", name=nw.col("full_name").str.to_lowercase())
    people = named.group_by("email_domain").agg(people=nw.col("name").n_unique())
    shared = people.filter(nw.col("people") >= FEWEST_PER_VALUE).select("email_domain")
    return [name for (name,) in shared.collect().iter_rows()]


def _extra_fields(customers: Frame, fields: Sequence[Field]) -> dict[str, dict[str, Any]]:
    """Count the customers that have each extra field, and those with each value if it has few and is not personal."""
    if not fields:
        return {}
    filled = customers.select(*(_count_where(~nw.col(field.name).is_null()).alias(field.name) for field in fields))
    counts = filled.collect().rows(named=True)[0]
    return {
        field.name: {"filled": int(counts[field.name] or 0), "values": _vocabulary(customers, field)}
        for field in fields
    }


def _vocabulary(customers: Frame, field: Field) -> dict[str, int] | None:
    """Count customers by an extra field's value; None if its values are personal, numbers, or too many."""
    if field.pii or field.kind not in (Kind.BOOLEAN, Kind.CATEGORY, Kind.TEXT):
        return None
    value = nw.col(field.name)
    grouped = customers.filter(~value.is_null()).group_by(field.name).agg(customers=nw.len())
    ordered = grouped.sort("customers", field.name, descending=[True, False]).head(MAX_VOCABULARY + 1)
    found = [(value, int(count)) for value, count in ordered.select(field.name, "customers").collect().iter_rows()]
    if len(found) > MAX_VOCABULARY:
        return None
    named = {
        str(value).lower() if field.kind is Kind.BOOLEAN else str(value): count
        for value, count in found
        if count >= FEWEST_PER_VALUE or field.kind is Kind.BOOLEAN
    }
    others = sum(count for _, count in found) - sum(named.values())
    return {**named, OTHER: named.get(OTHER, 0) + others} if others else named
