"""The front door: everything that Dagster loads, on one screen."""

import gc
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from customer_assets.api.page_store.base import validate_store_url
from customer_assets.defs import settings
from customer_assets.defs.assets import ASSETS
from customer_assets.defs.checks import CHECKS
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.io_managers import parquet_io_manager
from customer_assets.defs.jobs import build_schedule, customer_sync_job
from customer_assets.defs.operations.executors import EXECUTORS, open_executor
from customer_assets.defs.operations.notifications import Notifier, build_notifier, with_notifications
from customer_assets.defs.operations.retention import build_deletion_job, build_deletion_schedule
from customer_assets.defs.operations.sensors import failed_run_sensor
from customer_assets.defs.resources import CustomerAPIResource, ProcessingResource, ThresholdsResource
from customer_assets.defs.run_config import with_configured_defaults
from customer_assets.defs.sync import DEFAULT_SYNC, Sync
from customer_assets.errors import ConfigurationError

# `--select '*'` makes Dagster warn of its own use of its own parameter; nobody can do anything about it.
warnings.filterwarnings("ignore", message="Parameter `include_sources` of function `AssetSelection.all`")


def build_definitions(**overrides: Any) -> dg.Definitions:  # noqa: ANN401 - resources and settings alike
    """Build the definitions, as the environment says but for the overrides.

    Args:
        **overrides: A resource by its key (`customer_api=CustomerAPIResource(...)`), or a setting by its variable
            (`CUSTOMER_DATA_DIR="/var/lib/customers"`).

    Raises:
        ConfigurationError: A setting cannot be used, or there is no setting or resource of that name.
    """
    environ = {**os.environ, **{name: str(value) for name, value in overrides.items() if name.isupper()}}
    resources, secrets = build_resources(environ), _overridden_secrets(overrides)
    for name, resource in overrides.items():
        if name in resources:
            resources[name] = resource
            check([resource])
        elif name not in settings.VARIABLES:
            raise ConfigurationError(
                name, "there is no such resource or setting", f"Name one of {', '.join(resources)}."
            )
    sync, listeners, deletion = build_sync(environ), build_listeners(environ), build_deletion(environ)
    return dg.Definitions(
        assets=with_freshness(ASSETS, sync.freshness),
        asset_checks=CHECKS,
        jobs=[customer_sync_job, deletion.job],
        schedules=[build_schedule(sync, customer_sync_job), deletion],
        sensors=[failed_run_sensor(sync.sensor, listeners)],
        resources={name: with_configured_defaults(resource, secrets.get(name)) for name, resource in resources.items()},
        executor=with_notifications(build_executor(environ), listeners),
    )


def _overridden_secrets(overrides: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """By resource and field: Dagster reads variables when a run starts, and knows nothing of overrides."""
    if "customer_api" in overrides:
        return {}
    given = {"api_key": "CUSTOMER_API_KEY", "page_store": "CUSTOMER_PAGE_STORE"}
    return {
        "customer_api": {
            field: settings.text({variable: str(overrides[variable])}, variable, "")
            for field, variable in given.items()
            if variable in overrides
        }
    }


def build_executor(environ: Mapping[str, str]) -> dg.ExecutorDefinition:
    """Open what runs the steps.

    Raises:
        ConfigurationError: There is none of that name, its package is missing, or its file cannot be used.
    """
    return open_executor(
        settings.one_of(environ, "CUSTOMER_EXECUTOR", "in_process", EXECUTORS),
        settings.text(environ, "CUSTOMER_EXECUTOR_CONFIG", ""),
    )


def build_sync(environ: Mapping[str, str]) -> Sync:
    """Make this project's own sync, at the times that the environment gives.

    Raises:
        ConfigurationError: A time cannot be used.
    """
    missed_after = settings.age(environ, "CUSTOMER_MISSED_AFTER_HOURS", DEFAULT_SYNC.missed_after)
    return replace(
        DEFAULT_SYNC,
        cron_schedule=settings.cron(environ, "CUSTOMER_SCHEDULE", DEFAULT_SYNC.cron_schedule),
        execution_timezone=settings.time_zone(environ, "CUSTOMER_SCHEDULE_TIMEZONE", DEFAULT_SYNC.execution_timezone),
        missed_after=missed_after,
        late_after=DEFAULT_SYNC.late_after * (missed_after / DEFAULT_SYNC.missed_after),
    )


def build_deletion(environ: Mapping[str, str]) -> dg.ScheduleDefinition:
    """Make the schedule that deletes old runs, with its job: as long after them as the environment says.

    Raises:
        ConfigurationError: The days, or the time zone, cannot be used.
    """
    keep_days = settings.days(environ, "CUSTOMER_KEEP_RUNS_DAYS")
    return build_deletion_schedule(
        build_deletion_job(keep_days),
        keep_days,
        settings.time_zone(environ, "CUSTOMER_SCHEDULE_TIMEZONE", DEFAULT_SYNC.execution_timezone),
    )


def with_freshness(assets: Sequence[dg.AssetsDefinition], policy: dg.FreshnessPolicy) -> list[dg.AssetsDefinition]:
    """Hold the assets that have a freshness policy to this one."""
    return [
        asset.map_asset_specs(
            lambda spec: spec.replace_attributes(freshness_policy=policy) if spec.freshness_policy else spec
        )
        for asset in assets
    ]


def build_listeners(environ: Mapping[str, str]) -> Notifier:
    """Name those that are told of runs.

    Raises:
        ConfigurationError: An address is none, or prometheus-client is not installed.
    """
    return build_notifier(
        settings.address(environ, "CUSTOMER_PUSHGATEWAY_URL"),
        settings.address(environ, "CUSTOMER_ALERT_WEBHOOK_URL"),
        pushgateway_setting="CUSTOMER_PUSHGATEWAY_URL",
        dagster_url=settings.address(environ, "CUSTOMER_DAGSTER_URL"),
        environment=settings.text(environ, "CUSTOMER_ENVIRONMENT", ""),
    )


def build_resources(environ: Mapping[str, str]) -> dict[str, Any]:
    """Make the resources by their keys, with the defaults that the environment gives.

    The key, and the page store's address with its password, are read when a run starts, so that they are in no
    definition, page or run config.

    Raises:
        ConfigurationError: A setting cannot be used; names its variable. The key's presence is not looked at.
    """
    with settings.named(settings.BY_FIELD):
        resources = _resources(environ)
        check(resources.values())
    return resources


def check(resources: Iterable[Any]) -> None:
    """Check what can be checked of resources before anything runs.

    Raises:
        ConfigurationError: A field cannot be used; names it.
    """
    for resource in resources:
        if isinstance(resource, CustomerAPIResource | ProcessingResource | DataDirectory):
            resource.check()


def _page_store(environ: Mapping[str, str]) -> str:
    url = settings.text(environ, "CUSTOMER_PAGE_STORE", "")
    return dg.EnvVar("CUSTOMER_PAGE_STORE") if url and validate_store_url(url) else ""


def _resources(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        "customer_api": CustomerAPIResource(
            base_url=settings.text(environ, "CUSTOMER_API_BASE_URL", ""),
            api_key=dg.EnvVar("CUSTOMER_API_KEY") if environ.get("CUSTOMER_API_KEY") else "",
            transport=settings.text(environ, "CUSTOMER_API_TRANSPORT", "requests"),
            max_concurrency=settings.whole_number(environ, "CUSTOMER_API_MAX_CONCURRENCY", 8),
            requests_per_second=settings.optional_number(environ, "CUSTOMER_API_REQUESTS_PER_SECOND"),
            page_size=settings.optional_whole_number(environ, "CUSTOMER_API_PAGE_SIZE"),
            page_store=_page_store(environ),
            simulator_customers=settings.whole_number(environ, "CUSTOMER_SIMULATOR_CUSTOMERS", 12),
            simulator_page_size=settings.whole_number(environ, "CUSTOMER_SIMULATOR_PAGE_SIZE", 6),
            simulator_failure_rate=settings.number(environ, "CUSTOMER_SIMULATOR_FAILURE_RATE", 0.2),
            simulator_dirty_rate=settings.number(environ, "CUSTOMER_SIMULATOR_DIRTY_RATE", 0.0),
        ),
        "processing": ProcessingResource(
            engine=settings.text(environ, "CUSTOMER_ENGINE", "duckdb"),
            memory_limit=settings.text(environ, "CUSTOMER_ENGINE_MEMORY_LIMIT", ""),
            spill_dir=settings.text(environ, "CUSTOMER_ENGINE_SPILL_DIR", ""),
            generation_seed=settings.whole_number(environ, "CUSTOMER_GENERATION_SEED", 0),
        ),
        "quality_thresholds": ThresholdsResource(
            min_mean_quality=settings.number(environ, "CUSTOMER_MIN_MEAN_QUALITY", 80.0),
            target_mean_quality=settings.number(environ, "CUSTOMER_TARGET_MEAN_QUALITY", 90.0),
            max_low_quality_share=settings.number(environ, "CUSTOMER_MAX_LOW_QUALITY_SHARE", 0.10),
            max_rejected_share=settings.number(environ, "CUSTOMER_MAX_REJECTED_SHARE", 0.05),
        ),
        "data_directory": DataDirectory(
            path=settings.text(environ, "CUSTOMER_DATA_DIR", "data"),
            lake_url=settings.text(environ, "CUSTOMER_LAKE_URL", ""),
            keep_exports=settings.count(environ, "CUSTOMER_KEEP_EXPORTS", 0),
        ),
        "io_manager": parquet_io_manager,
    }


defs = build_definitions()


# What is loaded by now stays until the process ends. The garbage collector need not look through it again, neither
# during a run nor at exit: on a small run that is a fifth of all time.
gc.freeze()
