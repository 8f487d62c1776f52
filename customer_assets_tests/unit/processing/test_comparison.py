"""What a run is compared with."""

from customer_assets.core.models import Changes, CleaningSummary, CrawlSummary
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing.comparison import LastExport, last_export

CRAWL = CrawlSummary(fingerprint="", landed=10, rejected=0, total=10, missing_customers=0, source="https://x.org")
PUBLISHED = CleaningSummary(
    as_of="", records=10, defects={"email": 5}, unsent={"engagement_score": 2}, customers=8, crawl=CRAWL
)


def test_customers_are_matched() -> None:
    """By what the comparison of each customer with the last export found."""
    changes = Changes(since="", added=1, changed=2, gone=3, unchanged=4)
    next_crawl = CRAWL.model_copy(update={"number": 2})
    cleaning = PUBLISHED.model_copy(update={"changes": changes, "crawl": next_crawl})
    missing = {"email": 0.5, "engagement_score": 0.2}
    assert last_export(PUBLISHED, cleaning, 7) == LastExport("https://x.org", 9, gone=3, missing=missing)
    published = PUBLISHED.model_copy(update={"changes": changes})
    assert last_export(published, published, 8) == LastExport("https://x.org", 8, gone=0, missing=missing)


def test_customers_who_cannot_be_matched_are_counted() -> None:
    """By another mapping nothing is matched; that there are fewer is seen all the same."""
    mapping = RecordMapping(id_type="text")
    cleaning = PUBLISHED.model_copy(update={"crawl": CRAWL.model_copy(update={"mapping": mapping})})
    assert last_export(PUBLISHED, cleaning, 3) == LastExport(
        "https://x.org", customers=8, gone=5, missing={"email": 0.5}
    )
    assert last_export(PUBLISHED, cleaning, 9).gone == 0
