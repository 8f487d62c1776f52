"""What tells one sync from another in a project that holds several: names, times, places. It builds nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import dagster as dg

DAILY_AT_THREE = "0 3 * * *"

LATE_AFTER, MISSED_AFTER = timedelta(hours=26), timedelta(hours=36)
"""A daily sync is late after 26 hours and missed after 36."""


@dataclass(frozen=True, kw_only=True)
class Sync:
    """One sync of one API. The defaults are this project's own.

    Attributes:
        key_prefix: Stands before its assets' names.
        group: The assets' group.
        resource_prefix: Stands before its resources' keys.
        job: The job's name.
        schedule: The schedule's name.
        sensor: The name of the sensor that reports its failed runs.
        pool: What its crawls take a slot of.
        cron_schedule: When the job runs.
        execution_timezone: In which time zone.
        late_after: Raw customers older than this are late.
        missed_after: Raw customers older than this were missed.
    """

    key_prefix: tuple[str, ...] = ()
    group: str = "customers"
    resource_prefix: str = ""
    job: str = "customer_sync_job"
    schedule: str = "daily_customer_sync"
    sensor: str = "notify_failed_runs"
    pool: str = "customer_api"
    cron_schedule: str = DAILY_AT_THREE
    execution_timezone: str = "UTC"
    late_after: timedelta = LATE_AFTER
    missed_after: timedelta = MISSED_AFTER

    @classmethod
    def named(cls, name: str, **times: Any) -> Self:  # noqa: ANN401 - the attributes on times
        """Make one that shares no name with another: `acme` → `acme/raw_customers`, `acme_job`, …."""
        return cls(
            key_prefix=(name,),
            group=name,
            resource_prefix=f"{name}_",
            job=f"{name}_job",
            schedule=f"{name}_schedule",
            sensor=f"{name}_notify_failed_runs",
            pool=f"{name}_api",
            **times,
        )

    def key(self, asset: str) -> dg.AssetKey:
        """Tell the key of one of its assets."""
        return dg.AssetKey([*self.key_prefix, asset])

    def ins(self, *assets: str) -> dict[str, dg.AssetIn]:
        """Tell where the frames come from that a function takes by their assets' names."""
        return {asset: dg.AssetIn(self.key(asset)) for asset in assets}

    def op(self, name: str) -> str:
        """Tell the name of a step that Dagster does not name after an asset."""
        return "__".join([*self.key_prefix, name])

    def resource(self, name: str) -> str:
        """Tell the key of one of its resources."""
        return self.resource_prefix + name

    def resources(self, names: Iterable[str]) -> dict[str, str]:
        """Tell the keys of several resources by their names."""
        return {name: self.resource(name) for name in names}

    @property
    def io_manager(self) -> str:
        """Tell the key of its IO manager."""
        return self.resource("io_manager")

    @property
    def freshness(self) -> dg.FreshnessPolicy:
        """Tell when its raw customers are late."""
        return dg.FreshnessPolicy.time_window(fail_window=self.missed_after, warn_window=self.late_after)


DEFAULT_SYNC = Sync()
