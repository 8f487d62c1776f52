"""What a run is compared with, as shares: the last export, and the keys of the API's records. Pure.

Which differences forbid publishing belongs in `quality.py`; matching customer with customer, in `export/baseline.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from customer_assets.core.models import CleaningSummary, CrawlSummary
from customer_assets.core.record_mapping import FILTER


@dataclass(frozen=True, slots=True)
class LastExport:
    """What a run is compared with: the last export.

    Attributes:
        source: Where its customers came from; empty: that is not on record.
        customers: How many it had.
        gone: Of these, how many are no longer there.
        missing: Share of its records in which a field was missing or unusable, by field.
    """

    source: str = ""
    customers: int = 0
    gone: int = 0
    missing: Mapping[str, float] = field(default_factory=dict)


def last_export(published: CleaningSummary, cleaning: CleaningSummary, customers_now: int) -> LastExport:
    """Sum up what to compare with; where customers cannot be matched, fewer of them means that the others are gone."""
    customers, changes = published.customers, cleaning.changes
    gone = max(customers - customers_now, 0)
    if changes is not None and published.crawl != cleaning.crawl:  # else these very customers are published by now
        customers, gone = changes.gone + changes.changed + changes.unchanged, changes.gone
    # By another mapping, a key need not be missing from where it was.
    unsent = shares(published.unsent, published.records) if published.mapping == cleaning.mapping else {}
    return LastExport(
        source=published.crawl.source,
        customers=customers,
        gone=gone,
        missing=add_shares(shares(published.defects, published.records), unsent),
    )


def shares(counts: Mapping[str, int], records: int) -> dict[str, float]:
    """Divide counts by the number of records; nothing, if there are none."""
    return {name: count / records for name, count in counts.items()} if records else {}


def add_shares(some: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """Add shares by name."""
    return {name: some.get(name, 0.0) + more.get(name, 0.0) for name in {**some, **more}}


def unmapped(crawl: CrawlSummary) -> dict[str, str]:
    """Say of each field whose path leads nowhere which keys there are instead; names only."""
    keys = f"the keys there are {', '.join(crawl.keys)}" if crawl.keys else "there is no key that most records have"
    found = {}
    for name, path in crawl.absent_paths.items():
        omit = "leave it out" if name in crawl.mapping.fields or name == FILTER else "set the field to null"
        remedy = f"correct the mapping, or {omit} if the API does not have it"
        found[name] = f"no record looked at has {path}; {keys}; {remedy}"
    return found
