"""What happened in a run, plainly: the facts that metrics, alerts and the closing summary are made of. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    """Somebody terminated it: nothing to be alarmed about."""


def plain_name(asset: str) -> str:
    """Drop what stands before an asset's name where a project holds several syncs: `acme/raw_customers` → its end."""
    return asset.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class AssetReport:
    """What a run did to an asset.

    Attributes:
        figures: Its numbers, by the names that Dagster shows.
        materialized_at_s: When it was materialised, in seconds since 1970; None: it only told figures, and failed.
        file: Where it was published; None: it is no document.
    """

    figures: Mapping[str, float]
    materialized_at_s: float | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        asset: The asset it is on.
        name: The claim it makes.
        passed: Whether the claim holds.
        is_error: Whether a claim that does not hold is an error, not just a warning.
        description: The same as a sentence. No personal data.
        figures: Score and threshold, and what else it measured.
    """

    asset: str
    name: str
    passed: bool
    is_error: bool
    description: str
    figures: Mapping[str, float]

    @property
    def failed(self) -> bool:
        """Whether it is an error."""
        return not self.passed and self.is_error


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A step that failed.

    Attributes:
        step: Its name.
        error: The class of what was raised.
        message: What that said, if it is one of our own errors, which hold no key and no customer's data; else empty.
    """

    step: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did.

    Attributes:
        job: The job's name.
        run_id: Dagster's name for the run.
        outcome: How it ended.
        ended_at_s: When, in seconds since 1970.
        duration_s: How long it took.
        assets: What it did to each asset, by name.
        checks: What each check found, the latest of each.
        failed_steps: Those that failed for good.
    """

    job: str
    run_id: str
    outcome: Outcome
    ended_at_s: float
    duration_s: float
    assets: Mapping[str, AssetReport] = field(default_factory=dict)
    checks: tuple[CheckReport, ...] = ()
    failed_steps: tuple[FailedStep, ...] = ()

    @property
    def failed_checks(self) -> list[CheckReport]:
        """Checks that failed as errors."""
        return [check for check in self.checks if check.failed]
