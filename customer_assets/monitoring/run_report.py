"""What happened in one run, as plain data: the input of the metrics, the alerts and the run's summary. No I/O.

How these facts are read from Dagster belongs in `defs/operations/run_report.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    """Somebody terminated it: no reason for an alert."""


def base_name(asset: str) -> str:
    """Drop the key prefix that a component puts before an asset's name: `acme/raw_customers` → `raw_customers`."""
    return asset.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class AssetReport:
    """What a run did to an asset.

    Attributes:
        figures: Its numbers, under the names that Dagster shows.
        materialized_at_s: When it was materialised, in seconds since 1970; None if it failed and left only figures.
        file: Where it was published; None if it is not a file for people.
    """

    figures: Mapping[str, float]
    materialized_at_s: float | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        asset: The asset it checks.
        name: The claim it makes.
        passed: Whether the claim holds.
        level: How bad it is if the claim does not hold.
        description: The finding as a sentence. No personal data.
        figures: Score, threshold and whatever else it measured.
    """

    asset: str
    name: str
    passed: bool
    level: Literal["ERROR", "WARNING"]
    description: str
    figures: Mapping[str, float]

    @property
    def is_failure(self) -> bool:
        """Whether it failed as an error."""
        return not self.passed and self.level == "ERROR"


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A step that failed.

    Attributes:
        step: Its name.
        error: The class of the exception.
        message: The exception's message if the exception is ours, and so holds no key and no customer's data; else "".
    """

    step: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """What happened in a run.

    Attributes:
        job: The job's name.
        run_id: Dagster's id of the run.
        outcome: How it ended.
        ended_at_s: When it ended, in seconds since 1970.
        duration_s: How long it took.
        assets: What it did to each asset, by the asset's name.
        checks: What each check found, the latest evaluation only.
        failed_steps: The steps that failed for good.
        last_export_at_s: When the export that is in place now was published; None if none was.
        alert_is_open: Whether an alert was sent for this job since it last succeeded.
    """

    job: str
    run_id: str
    outcome: Outcome
    ended_at_s: float
    duration_s: float
    assets: Mapping[str, AssetReport] = field(default_factory=dict)
    checks: tuple[CheckReport, ...] = ()
    failed_steps: tuple[FailedStep, ...] = ()
    last_export_at_s: float | None = None
    alert_is_open: bool = False

    @property
    def failed_checks(self) -> list[CheckReport]:
        """Checks that failed as errors."""
        return [check for check in self.checks if check.is_failure]
