"""What distinguishes one sync from another in a project that holds several: names, times, owners.

Add here what two syncs in one project must not share. What is built of it stands in `build.py`, `assets.py` and
`checks.py`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

import dagster as dg
from pydantic import Field, field_validator, model_validator

from customer_assets.core.configuration import SettingError, Settings, Variable

TEN_YEARS_H = 87_600

WARNED_AT = 26 / 36
"""When customers are late, as a share of the age at which they were missed: for a daily sync, 26 hours of 36."""


class Timing(Settings):
    """When a sync runs, and how old its customers may become. Dagster judges no age below a minute."""

    cron: Annotated[str, Variable("CUSTOMER_SCHEDULE")] = Field(
        default="0 3 * * *", description="Five fields, such as 0 3 * * * (daily at 3)."
    )
    timezone: Annotated[str, Variable("CUSTOMER_SCHEDULE_TIMEZONE")] = Field(
        default="UTC", description="Such as Europe/Berlin."
    )
    late_after_hours: float | None = Field(
        default=None, gt=1 / 60, le=TEN_YEARS_H, description="Older customers are a warning. Empty: 26/36 of the next."
    )
    missed_after_hours: float = Field(
        default=36.0, ge=0.025, le=TEN_YEARS_H, description="Older customers are an error."
    )

    @field_validator("cron")
    @classmethod
    def validate_cron(cls, cron: str) -> str:
        """Refuse what Dagster cannot schedule; a day that never comes is one of those."""
        try:
            dg.ScheduleDefinition(name="any", job_name="any", cron_schedule=cron)
        except dg.DagsterInvalidDefinitionError:
            raise SettingError(
                f"{cron!r} is not a valid cron expression", "Write five fields, such as 0 3 * * * (daily at 3)."
            ) from None
        return cron

    @field_validator("timezone")
    @classmethod
    def validate_timezone(cls, timezone: str) -> str:
        """Refuse a time zone that does not exist."""
        if timezone not in available_timezones():
            raise SettingError(f"there is no time zone {timezone!r}", "Name one such as Europe/Berlin.")
        return timezone

    @model_validator(mode="after")
    def validate_order(self) -> Self:
        """Refuse customers that are missed before they are late."""
        if self.late_after >= self.missed_after:
            raise SettingError(
                f"{self.late_after_hours:g} is not below missed_after_hours, {self.missed_after_hours:g}",
                "Set fewer hours.",
                field="late_after_hours",
            )
        return self

    @property
    def late_after(self) -> timedelta:
        """The age at which customers are late."""
        return (
            self.missed_after * WARNED_AT if self.late_after_hours is None else timedelta(hours=self.late_after_hours)
        )

    @property
    def missed_after(self) -> timedelta:
        """The age at which a sync was missed."""
        return timedelta(hours=self.missed_after_hours)

    def next_ticks(self, after: datetime) -> tuple[datetime, datetime]:
        """Return when the schedule fires next, and when after that.

        Time windows are Dagster's only public way to evaluate a cron expression.
        """
        after += timedelta(seconds=1)  # a tick at that very instant is not the next one
        windows = dg.TimeWindowPartitionsDefinition(
            start=after, cron_schedule=self.cron, timezone=self.timezone, fmt="%Y-%m-%dT%H:%M:%S%z"
        )
        window = windows.get_next_partition_window(after, respect_bounds=False)
        assert window is not None  # noqa: S101 - a window is only missing where bounds are respected
        return window.start, window.end


@dataclass(frozen=True, kw_only=True)
class Sync:
    """One sync of one API. The defaults are this project's own.

    Attributes:
        key_prefix: Comes before the names of its assets.
        group: The group of its assets.
        resource_prefix: Comes before the keys of its resources.
        job: The name of its job.
        schedule: The name of its schedule.
        sensor: The name of the sensor that reports its failed runs.
        age_sensor: The name of the sensor that reports an overdue export.
        pool: The pool that limits how many of its crawls run at once.
        owners: The owners of its assets.
        engine: What cleans its customers.
        timing: When it runs, and when its customers are late.
    """

    key_prefix: tuple[str, ...] = ()
    group: str = "customers"
    resource_prefix: str = ""
    job: str = "customer_sync_job"
    schedule: str = "daily_customer_sync"
    sensor: str = "notify_failed_runs"
    age_sensor: str = "notify_overdue_export"
    pool: str = "customer_api"
    owners: tuple[str, ...] = ("team:data-engineering",)
    engine: str = "duckdb"
    timing: Timing = field(default_factory=Timing)

    @classmethod
    def for_project(cls, name: str, **more: Any) -> Self:  # noqa: ANN401 - the attributes above
        """Make a sync that shares no name with another: `acme` → `acme/raw_customers`, `acme_job` and so on."""
        return cls(
            key_prefix=(name,),
            group=name,
            resource_prefix=f"{name}_",
            job=f"{name}_job",
            schedule=f"{name}_schedule",
            sensor=f"{name}_notify_failed_runs",
            age_sensor=f"{name}_notify_overdue_export",
            pool=f"{name}_api",
            **more,
        )

    def key(self, asset: str) -> dg.AssetKey:
        """Return the key of one of its assets."""
        return dg.AssetKey([*self.key_prefix, asset])

    def ins(self, *assets: str) -> dict[str, dg.AssetIn]:
        """Return the inputs of a function whose parameters are named after assets."""
        return {asset: dg.AssetIn(self.key(asset)) for asset in assets}

    def op(self, name: str) -> str:
        """Return the name of a step that Dagster does not name after an asset."""
        return "__".join([*self.key_prefix, name])

    def resource(self, name: str) -> str:
        """Return the key of one of its resources."""
        return self.resource_prefix + name

    @property
    def io_manager(self) -> str:
        """The key of its IO manager: not Dagster's default one, which the other assets of a project use."""
        return self.resource("customer_io_manager")

    @property
    def freshness(self) -> dg.FreshnessPolicy:
        """When its customers are late."""
        return dg.FreshnessPolicy.time_window(fail_window=self.timing.missed_after, warn_window=self.timing.late_after)


DEFAULT_SYNC = Sync()


def with_resource_keys(sync: Sync) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that takes resources so that it is given this sync's.

    To Dagster, a parameter's name is its resource's key: a parameter `processing` becomes `acme_processing`.
    """
    return lambda function: _with_resource_keys(sync, function)


def _with_resource_keys(sync: Sync, function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    keys = {
        name: sync.resource(name)
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, dg.ConfigurableResource)
    }
    names = {key: name for name, key in keys.items()}

    @wraps(function)
    def renamed(*args: Any, **given: Any) -> Any:  # noqa: ANN401 - as the function has it
        return function(*args, **{names.get(key, key): value for key, value in given.items()})

    # Dagster takes the annotation of a generator for that of one output, unless it sees a generator function.
    returned = inspect.Signature.empty if inspect.isgeneratorfunction(function) else signature.return_annotation
    parameters = [each.replace(name=keys.get(each.name, each.name)) for each in signature.parameters.values()]
    renamed.__signature__ = signature.replace(  # type: ignore[attr-defined] # PEP 362's way
        parameters=parameters, return_annotation=returned
    )
    renamed.__annotations__ = {each.name: each.annotation for each in parameters} | (
        {} if returned is inspect.Signature.empty else {"return": returned}
    )
    return renamed
