"""What Dagster is told while a crawl is still running: where it stands, in numbers."""

import dagster as dg

from customer_assets.api.actions import Snapshot
from customer_assets.api.progress import OnProgress
from customer_assets.defs.metadata import progress_metadata

OBSERVE_EVERY_S = 60.0
"""A crawl that is over sooner leaves no observation: its materialization says it all."""


def observer(context: dg.AssetExecutionContext) -> OnProgress:
    """Make a listener that records an observation of the asset once a minute."""
    due_s = OBSERVE_EVERY_S

    def observe(snapshot: Snapshot, running_s: float) -> None:
        nonlocal due_s
        if running_s >= due_s:
            due_s = running_s + OBSERVE_EVERY_S
            context.log_event(dg.AssetObservation(context.asset_key, metadata=progress_metadata(snapshot, running_s)))

    return observe
