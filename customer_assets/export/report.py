"""What the customers look like in numbers: one aggregation a dimension, in the engine. No personal data."""

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

HIGH_FROM, MEDIUM_FROM = 90, 70


def summary_report(customers: Frame) -> dict[str, Any]:
    """Sum clean customers up."""
    return {
        **_quality(customers),
        **{title: _counts(customers, column, values) for title, (column, values) in BREAKDOWNS.items()},
        "email_domains": _domains(customers),
    }


def markdown(report: dict[str, Any]) -> str:
    """Write a report as Markdown: headline figures, then one table a breakdown."""
    quality = report["data_quality"]
    mean = "none" if quality["mean_score"] is None else f"{quality['mean_score']:.1f}"
    head = f"# Customers\n\n**{report['total_customers']:,}** customers, mean data quality **{mean}** of 100.\n"
    bands = {name: quality[f"{name}_quality"] for name in ("high", "medium", "low")}
    tables = {"Data quality": bands} | {
        name.replace("_", " ").capitalize(): counts
        for name, counts in report.items()
        if name not in ("total_customers", "data_quality")
    }
    return "\n".join([head, *(_table(title, counts, report["total_customers"]) for title, counts in tables.items())])


def _table(title: str, counts: dict[str, int], total: int) -> str:
    rows = [f"| {_plain(name)} | {count:,} | {count / total if total else 0:.1%} |" for name, count in counts.items()]
    return "\n".join([f"## {title}\n", "| | customers | share |", "|---|---:|---:|", *rows, ""])


def _plain(text: str) -> str:
    """Keep a name from acting as Markdown or HTML: only what a host name or a word of ours holds is left as it is.

    Names with a dot stand as code, where nothing is a link: elsewhere GitHub's Markdown makes one of `www.` by itself.
    """
    if "." in text:
        return f"`{''.join(mark if mark.isalnum() or mark in '.-_' else f'u+{ord(mark):04x}' for mark in text)}`"
    return "".join(mark if mark.isalnum() or mark in ".-_" else f"&#{ord(mark)};" for mark in text).replace("_", r"\_")


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
    mean = customers.select(nw.col("data_quality_score").mean()).collect().item()
    bands = quality_bands(customers)
    return {
        "total_customers": sum(bands),
        "data_quality": {
            "mean_score": None if mean is None else round(mean, 2),
            **{f"{name}_quality": count for name, count in zip(("high", "medium", "low"), bands, strict=True)},
        },
    }


def _counts(customers: Frame, name: str, values: Sequence[str]) -> dict[str, int]:
    found = dict(customers.group_by(name).agg(customers=nw.len()).collect().iter_rows())
    return {value: int(found.get(value, 0)) for value in values}


def _domains(customers: Frame) -> dict[str, int]:
    counted = customers.group_by("email_domain").agg(customers=nw.len())
    named = counted.filter((nw.col("customers") >= FEWEST_PER_DOMAIN) | (nw.col("email_domain") == UNKNOWN))
    ordered = named.sort("customers", "email_domain", descending=[True, False]).head(TOP_DOMAINS)
    top = {domain: int(count) for domain, count in ordered.select("email_domain", "customers").collect().iter_rows()}
    total = counted.select(nw.col("customers").sum()).collect().item()
    others = int(total or 0) - sum(top.values())
    return {**top, "other": others} if others else top
