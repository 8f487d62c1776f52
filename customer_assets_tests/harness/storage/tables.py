"""Facts for tests that commit tables without a crawl."""

from customer_assets.core.models import CleaningSummary, CrawlSummary


def crawl(number: int = 1, **facts: object) -> CrawlSummary:
    """Make the facts of a crawl. Each number has a fingerprint of its own."""
    given = {"fingerprint": f"{number:032x}", "landed": 0, "rejected": 0, "total": 0, "missing_customers": 0, **facts}
    return CrawlSummary.model_validate({"number": number, **given})


def cleaning(as_of: str = "run 1", crawled: int = 1) -> CleaningSummary:
    """Make the facts of clean customers; `as_of` tells them apart."""
    return CleaningSummary(as_of=as_of, records=0, defects={}, crawl=crawl(crawled))
