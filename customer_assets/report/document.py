"""What the published report tells beyond the customers' sums: how they came, what was wrong, what changed. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from customer_assets.models import CleaningSummary, CrawlSummary

SCHEMA_FILE = "summary_report.schema.json"
"""Says what a report holds, as JSON Schema; published beside each report."""

COMPARED: Mapping[str, Sequence[str]] = {
    "total_customers": ("total_customers",),
    "mean_score": ("data_quality", "mean_score"),
    "high_quality": ("data_quality", "high_quality"),
    "medium_quality": ("data_quality", "medium_quality"),
    "low_quality": ("data_quality", "low_quality"),
    "merged": ("records", "merged"),
    "rejected": ("records", "rejected"),
}
"""The figures that are told beside those of the last report, and where each stands."""

RUN_SECTIONS = ("$schema", "generated_at", "crawl", "changes", "since_last_report")
"""Sections that differ from run to run though the data is the same."""


def build_report(
    sums: Mapping[str, Any],
    *,
    crawl: CrawlSummary,
    clean: CleaningSummary,
    previous: object,
    generated_at: datetime,
) -> dict[str, Any]:
    """Put a report together.

    Args:
        sums: What `summary_report` gave.
        crawl: What the crawl brought.
        clean: What cleaning found.
        previous: The last report, as it was read; anything else: there is none to compare with.
        generated_at: When this one is made.
    """
    report = {
        "$schema": SCHEMA_FILE,
        "generated_at": generated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **sums,
        "records": {
            "landed": crawl.landed,
            "clean": sums["total_customers"],
            "merged": clean.records - sums["total_customers"],
            "rejected": crawl.rejected,
        },
        "rejected_by_reason": dict(crawl.rejected_by_reason),
        "defects": dict(clean.defects),
        "crawl": crawl.model_dump(exclude={"fingerprint", "landed", "rejected", "rejected_by_reason"}),
        "changes": None if clean.changes is None else clean.changes.model_dump(),
    }
    return {**report, "since_last_report": since(previous, report)}


def since(previous: object, report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Tell by how much figures differ from an earlier report's; None if that is none."""
    if not isinstance(previous, dict) or not isinstance(previous.get("generated_at"), str):
        return None
    return {
        "generated_at": previous["generated_at"],
        **{name: _difference(_figure(report, path), _figure(previous, path)) for name, path in COMPARED.items()},
    }


def report_version(report: Mapping[str, Any]) -> str:
    """Name what a report tells of the data, whenever it was made and however the crawl went."""
    facts = {name: section for name, section in report.items() if name not in RUN_SECTIONS}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _figure(report: Mapping[str, Any], path: Sequence[str]) -> float | None:
    found: Any = report
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) else None


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else round(now - before, 2)
