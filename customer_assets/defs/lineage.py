"""What surrounds a sync's assets in the lineage, though no run materializes it: the API and the quarantine.

Add here what people look for in the graph and Dagster does not write itself. How columns follow from each other belongs
in `metadata.py`.
"""

import dagster as dg

from customer_assets.core.models import CrawlSummary
from customer_assets.defs.sync import Sync

API = "customer_api"
QUARANTINE = "rejected_records"


def build_external_assets(sync: Sync, source: str, quarantine: str) -> list[dg.AssetSpec]:
    """Describe the API and the quarantine.

    Args:
        sync: Names them.
        source: What the records come from, in words.
        quarantine: Where rejected records are.
    """
    return [
        dg.AssetSpec(
            sync.key(API),
            group_name=sync.group,
            owners=sync.owners,
            kinds={"api"},
            tags={"pii": "true"},
            description=f"The customers in {source}, which other people change. Each sync observes what it counts.",
        ),
        dg.AssetSpec(
            sync.key(QUARANTINE),
            deps=[sync.key("raw_customers")],
            group_name=sync.group,
            owners=sync.owners,
            kinds={"parquet"},
            tags={"pii": "true"},
            description=(
                "The records that cannot be used, each with its page, its position and the reason: "
                f"{quarantine}. Written together with raw_customers."
            ),
        ),
    ]


def observations(sync: Sync, crawl: CrawlSummary) -> list[dg.AssetObservation]:
    """Say what a crawl found: how many customers the API counts, and how many records cannot be used."""
    total = {} if crawl.total is None else {"customers": dg.MetadataValue.int(crawl.total)}
    reasons = {f"rejected_{code}": dg.MetadataValue.int(count) for code, count in crawl.rejected_by_reason.items()}
    rejected = {"dagster/row_count": dg.MetadataValue.int(crawl.rejected), **reasons}
    return [
        dg.AssetObservation(sync.key(API), metadata=total),
        dg.AssetObservation(sync.key(QUARANTINE), metadata=rejected),
    ]
