"""How the parts of a sync come together: its assets, checks, job, schedule and resources, under its names."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from customer_assets.defs import assets, checks
from customer_assets.defs.io_managers import build_io_manager
from customer_assets.defs.jobs import build_job, build_schedule
from customer_assets.defs.operations.executors import open_executor
from customer_assets.defs.operations.notifications import Notifier, with_notifications
from customer_assets.defs.operations.sensors import failed_run_sensor
from customer_assets.defs.run_config import with_configured_defaults
from customer_assets.defs.sync import Sync


def build_sync_definitions(
    sync: Sync, resources: Mapping[str, Any], executor: str, listeners: Notifier
) -> dg.Definitions:
    """Put a sync together, so that it can stand beside others in one project.

    Args:
        sync: Its names and times.
        resources: Its resources by the names that the assets know them by; the IO manager is brought along.
        executor: What its job runs on, as `EXECUTORS` knows it.
        listeners: Are told of its job's runs.
    """
    own_assets = assets.BLUEPRINT.build(sync)
    job = build_job(sync, own_assets, with_notifications(open_executor(executor), listeners))
    return dg.Definitions(
        assets=own_assets,
        asset_checks=checks.BLUEPRINT.build(sync),
        jobs=[job],
        schedules=[build_schedule(sync, job)],
        sensors=[failed_run_sensor(sync.sensor, listeners, [job])],
        resources={
            **{sync.resource(name): with_configured_defaults(resource) for name, resource in resources.items()},
            sync.io_manager: build_io_manager(sync),
        },
    )
