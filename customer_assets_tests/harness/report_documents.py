"""Full reports for tests: made by the product's own functions, of customers and records that the test states."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from customer_assets.models import Changes, CleaningSummary, CrawlSummary
from customer_assets.report.document import build_report

NOW = datetime(2026, 11, 25, 3, 0, 7, tzinfo=UTC)
DEFECTS = {"email": 4, "first_name": 1, "last_name": 0, "avatar": 3, "engagement_score": 1, "last_active_at": 2}


def report_of(
    sums: Mapping[str, Any], *, published_before: bool = True, previous: object = None, merged: int = 2
) -> dict[str, Any]:
    """Put a report together, as if two records more were rejected, and five customers new or changed."""
    total = int(sums["total_customers"])
    unchanged = max(total - 5, 0)
    changes = Changes(since="2026-11-24T03:00:09Z", added=3, changed=2, gone=1, unchanged=unchanged)
    return build_report(
        sums,
        crawl=CrawlSummary(
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
        ),
        clean=CleaningSummary(
            as_of=NOW.isoformat(),
            records=total + merged,
            defects=DEFECTS,
            changes=changes if published_before else None,
        ),
        previous=previous,
        generated_at=NOW,
    )
