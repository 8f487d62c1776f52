"""What Dagster loads: this project's sync, as the environment sets it, and the deletion of old runs. Wiring only."""

import gc
import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import dagster as dg

from customer_assets.core.configuration import by_variable, rename_fields, suggest
from customer_assets.core.errors import ConfigurationError
from customer_assets.defs import settings
from customer_assets.defs.build import IO_MANAGER, build_sync_definitions
from customer_assets.defs.operations.console import LOGGERS
from customer_assets.defs.operations.notifications import with_notifications
from customer_assets.defs.operations.retention import RetentionOptions, build_deletion_job, build_deletion_schedule
from customer_assets.defs.run_config import Resource
from customer_assets.defs.settings import MonitoringOptions, SyncOptions, from_environ
from customer_assets.defs.sync import DEFAULT_SYNC, Timing

# `--select '*'` makes Dagster warn about its own use of its own parameter; nobody can do anything about it.
warnings.filterwarnings("ignore", message="Parameter `include_sources` of function `AssetSelection.all`")


def build_definitions(**overrides: Any) -> dg.Definitions:  # noqa: ANN401 - resources and settings alike
    """Build the definitions as the environment sets them, apart from the overrides.

    Args:
        **overrides: A resource by its key (`customer_api=CustomerAPIResource(...)`), or a setting by its variable
            (`CUSTOMER_DATA_DIR="/var/lib/customers"`).

    Raises:
        ConfigurationError: A setting cannot be used, or there is no setting or resource of that name.
        TypeError: A resource is of another kind than its key stands for.
    """
    given = {name: str(value) for name, value in overrides.items() if name.isupper()}
    objects = {name: value for name, value in overrides.items() if name not in given}
    _refuse_unknown(given, settings.VARIABLES)
    _refuse_unknown(objects, (*settings.RESOURCES, IO_MANAGER))
    settings.warn_of_unknown_variables(os.environ)
    environ = {**os.environ, **given}

    resources = {**settings.build_resources(environ), **objects}
    for name, resource in objects.items():
        kind = settings.RESOURCES.get(name, object)
        if not isinstance(resource, kind):
            raise TypeError(f"{name} takes a {kind.__name__}, not {type(resource).__name__}.")
        if isinstance(resource, Resource):
            resource.check()
    timing, options = from_environ(Timing, environ), from_environ(SyncOptions, environ)
    with rename_fields(by_variable(MonitoringOptions)):
        notifier = from_environ(MonitoringOptions, environ).build_notifier()
    executor = options.open_executor()
    keep_days = from_environ(RetentionOptions, environ).keep_runs_days
    deletions = [build_deletion_schedule(build_deletion_job(keep_days), timing.timezone)] if keep_days else []
    return dg.Definitions.merge(
        build_sync_definitions(
            replace(DEFAULT_SYNC, timing=timing, owners=tuple(options.owners)),
            resources,
            executor,
            notifier,
            # Dagster reads a secret's variable when a run starts, and knows nothing of overrides.
            secrets={name: fields for name, fields in settings.secrets_in(given).items() if name not in objects},
            watch_all_jobs=True,
        ),
        dg.Definitions(
            jobs=[deletion.job for deletion in deletions],
            schedules=deletions,
            executor=with_notifications(executor, notifier),
            loggers=LOGGERS,
        ),
    )


def _refuse_unknown(names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            remedy = suggest(name, known, f"Name one of {', '.join(known)}.")
            raise ConfigurationError(name, "there is no such resource or setting", remedy)


defs = build_definitions()

# What is loaded by now stays until the process ends, so the garbage collector need not look through it again, neither
# during a run nor at exit: on a small run that saves a fifth of all time.
gc.freeze()
