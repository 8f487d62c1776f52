"""Fuzzes the way of an answer's body to records: a page whose every record is accounted for, or a failure."""

from datetime import UTC, datetime

from customer_assets.api.crawl.events import FetchPage, RequestFailed
from customer_assets.api.http.base import RawResponse
from customer_assets.api.responses.parser import PageParser, records
from customer_assets.core.json_values import parse_id
from customer_assets.core.metrics import FailureCause
from customer_assets.processing.landing.parser import parse_page
from customer_assets_tests.fuzzing.running import fuzz

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PROBLEMS = {
    "not JSON",
    "not a page of records",
    "another page than asked for",
    "counts out of range",
    "more records than the page says",
    "counts that contradict each other",
}


def check(data: bytes) -> None:
    """Any body is page 1 or a bad one; page 1 holds so many records, and both readers find the same ids in them."""
    outcome = PageParser().parse(RawResponse(200, {}, data, 0.0), FetchPage(1, 1, 1), "https://x.org", NOW)
    if isinstance(outcome, RequestFailed):
        assert (outcome.cause, outcome.status) == (FailureCause.BAD_BODY, 200)
        assert outcome.detail.partition(":")[0] in PROBLEMS
        return
    page = outcome.page
    read, landed = records(page), parse_page(1, page.data)
    assert page.number == 1
    assert len(read) == page.record_count
    assert len(landed.positions) + len(landed.rejected) == page.record_count
    ids = [parse_id(record.get("id")) if isinstance(record, dict) else None for record in read]
    assert [customer_id for customer_id in ids if customer_id is not None] == [*map(parse_id, landed.values["id"])]


if __name__ == "__main__":
    fuzz(check)
