"""A sync, put together: its assets, checks, job, schedule, sensors and resources, under its names.

This project and the component both build their definitions here. What a part does stands in its own file.
"""

import gc
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

import dagster as dg

from customer_assets.core.errors import ConfigurationError
from customer_assets.defs.assets import build_assets, build_external_assets
from customer_assets.defs.checks import build_checks
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.io_managers import build_io_manager
from customer_assets.defs.operations.notifications import Notifier, with_notifications
from customer_assets.defs.operations.sensors import failed_run_sensor, overdue_export_sensor
from customer_assets.defs.run_config import CONSOLE_LOGGING, with_configured_defaults
from customer_assets.defs.sync import Sync

IO_MANAGER = "customer_io_manager"


def build_sync_definitions(
    sync: Sync,
    resources: Mapping[str, Any],
    executor: dg.ExecutorDefinition,
    notifier: Notifier,
    *,
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    watch_all_jobs: bool = False,
) -> dg.Definitions:
    """Build the definitions of a sync, so that it can live beside others in one project.

    Args:
        sync: Its names and times.
        resources: Its resources, by the names that the assets know them by; the IO manager may be left out.
        executor: Runs the steps of its job.
        notifier: Notifies others of its job's runs.
        secrets: Replace secrets of its resources, by resource and field.
        watch_all_jobs: Report the failed runs of every job of the project, not only of this sync's.

    Raises:
        ConfigurationError: Another sync keeps its data in the same place.
    """
    configured = {
        name: with_configured_defaults(resource, (secrets or {}).get(name))
        for name, resource in {IO_MANAGER: build_io_manager(sync), **resources}.items()
    }
    _claim_directory(sync, configured["data_directory"])
    sync = replace(sync, engine=resources["processing"].engine)
    assets = build_assets(sync)
    surroundings = build_external_assets(
        sync, resources["customer_api"].source, str(resources["data_directory"].layout.quarantine_file)
    )
    schedule = build_schedule(sync, assets, with_notifications(executor, notifier))
    return dg.Definitions(
        assets=[*assets, *surroundings],
        asset_checks=build_checks(sync),
        jobs=[schedule.job],
        schedules=[schedule],
        sensors=[
            failed_run_sensor(sync.sensor, notifier, None if watch_all_jobs else [schedule.job]),
            overdue_export_sensor(sync, notifier),
        ],
        resources={sync.resource(name): resource for name, resource in configured.items()},
    )


def build_schedule(
    sync: Sync, assets: Iterable[dg.AssetsDefinition], executor: dg.ExecutorDefinition
) -> dg.ScheduleDefinition:
    """Build a sync's schedule, with its job.

    The job itself has no run configuration: Dagster would complete it with the steps of all assets, and refuse it for
    a run of some of them, or of checks alone.
    """
    timing = sync.timing
    return dg.ScheduleDefinition(
        name=sync.schedule,
        job=dg.define_asset_job(
            sync.job,
            selection=dg.AssetSelection.assets(*assets),
            description="Fetch, clean, check, export and report all customers.",
            executor_def=executor,
        ),
        cron_schedule=timing.cron,
        execution_timezone=timing.timezone,
        run_config=CONSOLE_LOGGING,
        description=f"At {timing.cron} ({timing.timezone}). Switch it on in the UI, or with `dagster schedule start`.",
    )


_directories: WeakValueDictionary[tuple[str, str], DataDirectory] = WeakValueDictionary()
"""By place and job, the data directories in use in this process: each for as long as its sync's definitions exist."""


def _claim_directory(sync: Sync, directory: Any) -> None:  # noqa: ANN401 - a test may pass an object of its own
    """Refuse a sync that would overwrite another's data: their tables and exports have the same names."""
    if not isinstance(directory, DataDirectory):
        return
    for place in filter(None, (os.path.realpath(directory.path), directory.lake_url)):
        if _others_in(place, sync):
            gc.collect()  # they may belong to definitions that are gone
        for other in _others_in(place, sync):
            raise ConfigurationError(
                "CUSTOMER_DATA_DIR", f"{sync.job} and {other} both keep their data in {place}", "Give each its own."
            )
        _directories[place, sync.job] = directory


def _others_in(place: str, sync: Sync) -> list[str]:
    return [job for known, job in _directories if known == place and job != sync.job]
