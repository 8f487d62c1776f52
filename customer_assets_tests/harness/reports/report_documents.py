"""Full reports for tests, made by the product's own functions from figures that the test gives."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from typing import Any

from customer_assets.core.models import (
    SIMULATOR,
    Changes,
    CleaningSummary,
    CrawlSummary,
    SegmentChanges,
    SyncState,
    UpsertSummary,
)
from customer_assets.export import DataExporter
from customer_assets.report.document import build_report
from customer_assets_tests.harness.records.clean_customers import clean_customer

NOW = datetime(2026, 11, 25, 3, 0, 7, tzinfo=UTC)
DEFECTS = {"email": 4, "first_name": 1, "last_name": 0, "avatar": 3, "engagement_score": 1, "last_active_at": 2}
GENERATED = ("engagement_level", "activity_status", "acquisition_channel", "market_segment", "customer_tier")


INCREMENTAL = SyncState(
    watermark=NOW,
    began_at=NOW,
    full_at=NOW,
    inputs={},
    customers=12,
    content="",
    upsert=UpsertSummary(before=11, received=5, repeated=0, stale=0, unchanged=1, replaced=3, added=1, removed=3),
)
"""What an incremental crawl notes: five records came, and eight rows were kept as they were."""


CHANGED_SEGMENTS: dict[str, dict[str, SegmentChanges]] = {
    "market_segment": {"EU-Central": SegmentChanges(added=3, changed=1, gone=1), "APAC": SegmentChanges(changed=1)}
}


def sums(count: int = 12, **fields: Any) -> dict[str, Any]:
    """Count some customers, alike but for their names."""
    return deepcopy(_counted(count, *sorted(fields.items())))


@cache
def _counted(count: int, *fields: tuple[str, Any]) -> dict[str, Any]:
    """Count each set of customers once a process: it takes several queries."""
    customers = [clean_customer(number, f"Ada {number}", **dict(fields)) for number in range(count)]
    return DataExporter().generate_summary_report(customers)


def verdict(name: str = "mean_quality_meets_threshold", severity: str | None = None, **fields: Any) -> dict[str, Any]:
    """Make the verdict of a check, which passes if no severity is given."""
    return {
        "name": name,
        "passed": severity is None,
        "severity": severity,
        "description": "the mean score 96.25 meets the target 90",
        "score": 96.25,
        "threshold": 90.0,
        **fields,
    }


def report_of(
    sums: Mapping[str, Any],
    *,
    published_before: bool = True,
    previous: object = None,
    merged: int = 2,
    generated: Mapping[str, int] | None = None,
    verdicts: Sequence[Mapping[str, Any]] = (verdict(),),
    source: str = SIMULATOR,
    generated_at: datetime = NOW,
    sync: SyncState | None = None,
    by_segment: dict[str, dict[str, SegmentChanges]] = CHANGED_SEGMENTS,
) -> dict[str, Any]:
    """Put a report together, as if two more records were rejected, and five customers new or changed."""
    total = int(sums["total_customers"])
    unchanged = max(total - 5, 0)
    changes = Changes(
        since="2026-11-24T03:00:09Z", added=3, changed=2, gone=1, unchanged=unchanged, by_segment=by_segment
    )
    crawl = CrawlSummary(
        fingerprint="f1",
        landed=total + merged + 2,
        rejected=2,
        rejected_by_reason={"id_missing": 1, "not_an_object": 1},
        total=total,
        missing_customers=0,
        pages=3,
        requests=5,
        retries=2,
        throttles=1,
        duration_s=1.25,
        sync=sync,
        total_is_of_all=sync is None,
    )
    return build_report(
        sums,
        crawl=crawl,
        clean=CleaningSummary(
            as_of=NOW.isoformat(),
            records=total + merged,
            defects=DEFECTS,
            generated=dict.fromkeys(GENERATED, total + merged) if generated is None else dict(generated),
            changes=changes if published_before else None,
            crawl=crawl,
        ),
        previous=previous,
        generated_at=generated_at,
        verdicts=verdicts,
        source=source,
    )
