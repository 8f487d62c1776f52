"""When assets run: the job, its schedule, and what is told when it fails."""

from datetime import timedelta

import dagster as dg

DAILY_AT_THREE = "0 3 * * *"

FRESH_WITHIN = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36), warn_window=timedelta(hours=26))
"""A daily sync is late after 26 hours and missed after 36."""

customer_sync_job = dg.define_asset_job(
    "customer_sync_job",
    selection=dg.AssetSelection.all(),
    description="Fetch, clean, check, export and report all customers.",
)

daily_customer_sync = dg.ScheduleDefinition(
    name="daily_customer_sync",
    job=customer_sync_job,
    cron_schedule=DAILY_AT_THREE,
    execution_timezone="UTC",
    description="Every day at 03:00 UTC. Switch it on in the UI, or with `dagster schedule start`.",
)
