"""When assets run: a sync's job and its schedule."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from customer_assets.defs.assets import ASSETS
from customer_assets.defs.sync import DEFAULT_SYNC, Sync

CONSOLE_LOGGING = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
"""On the console, what matters: Dagster prints each of its events there by default; its own log keeps them all."""


def build_job(
    sync: Sync, assets: Sequence[dg.AssetsDefinition], executor: dg.ExecutorDefinition | None = None
) -> UnresolvedAssetJobDefinition:
    """Build the job that materialises all of a sync's assets, and runs their checks."""
    return dg.define_asset_job(
        sync.job,
        selection=dg.AssetSelection.assets(*assets),
        description="Fetch, clean, check, export and report all customers.",
        config=CONSOLE_LOGGING,
        executor_def=executor,
    )


def build_schedule(sync: Sync, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """Build the schedule of a sync's job."""
    return dg.ScheduleDefinition(
        name=sync.schedule,
        job=job,
        cron_schedule=sync.cron_schedule,
        execution_timezone=sync.execution_timezone,
        description=f"At {sync.cron_schedule} ({sync.execution_timezone}). "
        "Switch it on in the UI, or with `dagster schedule start`.",
    )


customer_sync_job = build_job(DEFAULT_SYNC, ASSETS)
daily_customer_sync = build_schedule(DEFAULT_SYNC, customer_sync_job)
