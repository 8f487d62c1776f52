"""Puts the published report together: the customers in numbers, how they came, the checks, and what changed. Pure.

Counting belongs in `aggregates.py`, wording in `tables.py`.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from customer_assets.core.models import Changes, CleaningSummary, CrawlSummary
from customer_assets.report.aggregates import BREAKDOWNS
from customer_assets.report.history import compare, extend_history

SCHEMA_FILE = "summary_report.schema.json"
"""Describes a report as JSON Schema; published beside each report."""

CRAWL_FACTS = {
    "total",
    "missing_customers",
    "source_duplicates",
    "pages",
    "requests",
    "retries",
    "throttles",
    "duration_s",
}
"""What a report says of the crawl. The schema of the report lists them, too."""

RUN_SECTIONS = ("$schema", "generated_at", "checks", "crawl", "changes", "since_last_report", "history")
"""Sections that differ from run to run even if the data is the same."""


def build_report(
    sums: Mapping[str, Any],
    *,
    crawl: CrawlSummary,
    clean: CleaningSummary,
    previous: object,
    generated_at: datetime,
    verdicts: Sequence[Mapping[str, Any]] = (),
    source: str = "",
) -> dict[str, Any]:
    """Put a report together.

    Args:
        sums: What `summary_report` counted.
        crawl: What the crawl brought.
        clean: What cleaning found.
        previous: The last report, as it was read; anything else means that there is nothing to compare with.
        generated_at: When this one is made.
        verdicts: The quality checks: name, passed, severity, description, score and threshold of each. One that failed
            with the severity ERROR means that the customers were not published.
        source: Where the customers come from, without a secret: an API's URL, or `SIMULATOR`.
    """
    checks = [_check(verdict) for verdict in verdicts]
    report = {
        "$schema": SCHEMA_FILE,
        "generated_at": generated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "published": not any(check["severity"] == "ERROR" for check in checks),
        "checks": checks,
        "source": source,
        "generated": dict(clean.generated),
        "mean_scores": {},
        "extra_fields": {},
        **sums,
        "records": {
            "landed": crawl.landed,
            "clean": sums["total_customers"],
            "merged": clean.records - sums["total_customers"],
            "rejected": crawl.rejected,
            "excluded": max(crawl.landed - crawl.rejected - clean.records, 0),
        },
        "rejected_by_reason": dict(crawl.rejected_by_reason),
        "defects": dict(clean.defects),
        "crawl": {**crawl.model_dump(include=CRAWL_FACTS), **_incremental(crawl)},
        "changes": None if clean.changes is None else _changes(clean.changes),
    }
    earlier = previous.get("history") if isinstance(previous, dict) else None
    return {
        **report,
        "since_last_report": compare(previous, report),
        "history": extend_history(earlier, report),
    }


def report_version(report: Mapping[str, Any]) -> str:
    """Hash what a report says about the data, whenever it was made and however the crawl went."""
    facts = {name: section for name, section in report.items() if name not in RUN_SECTIONS}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _incremental(crawl: CrawlSummary) -> dict[str, Any]:
    """What an incremental crawl brought, and what was kept; nothing of a crawl that read everything."""
    upsert = None if crawl.sync is None else crawl.sync.upsert
    if upsert is None:
        return {}
    counts = upsert.model_dump(include={"received", "added", "replaced", "unchanged", "deleted"})
    return {"incremental": {**counts, "kept": upsert.kept, "total_is_of_all": crawl.total_is_of_all}}


def _changes(changes: Changes) -> dict[str, Any]:
    """Say what changed; by segment under the names that the report gives its breakdowns."""
    found = changes.model_dump()
    by_segment = {title: found["by_segment"].get(column, {}) for title, column in BREAKDOWNS.items()}
    return {**found, "by_segment": {title: segments for title, segments in by_segment.items() if segments}}


def _check(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce a verdict to what JSON can hold."""
    passed = bool(verdict["passed"])
    figures = {name: verdict.get(name) for name in ("score", "threshold")}
    return {
        "name": verdict["name"],
        "passed": passed,
        "severity": None if passed else str(verdict.get("severity") or "ERROR"),
        "description": verdict["description"],
        **{name: None if value is None or not math.isfinite(value) else value for name, value in figures.items()},
    }
