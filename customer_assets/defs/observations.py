"""What Dagster is told of a crawl besides what it brought: where it stands, and what one did that failed."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from customer_assets.api import CustomerAPIClient
from customer_assets.api.crawl.events import Snapshot
from customer_assets.api.progress import OnProgress, line, summary
from customer_assets.defs.metadata import crawl_metadata, progress_metadata

OBSERVE_EVERY_S = 60.0
"""A crawl that is over sooner leaves no observation: its materialization says it all."""


def observer(context: dg.AssetExecutionContext) -> OnProgress:
    """Make a listener that records an observation of the asset once a minute."""
    due_s = OBSERVE_EVERY_S

    def observe(snapshot: Snapshot, running_s: float) -> None:
        nonlocal due_s
        if running_s >= due_s:
            due_s = running_s + OBSERVE_EVERY_S
            metadata = progress_metadata(snapshot, running_s)
            context.log_event(dg.AssetObservation(context.asset_key, line(snapshot, running_s), metadata=metadata))

    return observe


@contextmanager
def log_crawl_summary(context: dg.AssetExecutionContext, client: CustomerAPIClient) -> Iterator[None]:
    """Log what a crawl did; if it failed, record the same as an observation, since nothing is materialised then."""
    try:
        yield
    except Exception:
        if client.figures.requests:
            context.log_event(
                dg.AssetObservation(context.asset_key, summary(client.figures), metadata=crawl_metadata(client.figures))
            )
        raise
    context.log.info(summary(client.figures))
