"""The settings: each one's environment variable, and how its text becomes a value. Only this file reads them."""

import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from dagster._utils.schedules import is_valid_cron_string

from customer_assets.errors import ConfigurationError
from customer_assets.urls import validate_url

Value = TypeVar("Value")

VARIABLES = (
    "CUSTOMER_API_BASE_URL",
    "CUSTOMER_API_KEY",
    "CUSTOMER_API_TRANSPORT",
    "CUSTOMER_API_MAX_CONCURRENCY",
    "CUSTOMER_API_REQUESTS_PER_SECOND",
    "CUSTOMER_API_PAGE_SIZE",
    "CUSTOMER_PAGE_STORE",
    "CUSTOMER_DATA_DIR",
    "CUSTOMER_LAKE_URL",
    "CUSTOMER_KEEP_EXPORTS",
    "CUSTOMER_ENGINE",
    "CUSTOMER_ENGINE_MEMORY_LIMIT",
    "CUSTOMER_ENGINE_SPILL_DIR",
    "CUSTOMER_EXECUTOR",
    "CUSTOMER_EXECUTOR_CONFIG",
    "CUSTOMER_SCHEDULE",
    "CUSTOMER_SCHEDULE_TIMEZONE",
    "CUSTOMER_MISSED_AFTER_HOURS",
    "CUSTOMER_KEEP_RUNS_DAYS",
    "CUSTOMER_MIN_MEAN_QUALITY",
    "CUSTOMER_TARGET_MEAN_QUALITY",
    "CUSTOMER_MAX_LOW_QUALITY_SHARE",
    "CUSTOMER_MAX_REJECTED_SHARE",
    "CUSTOMER_GENERATION_SEED",
    "CUSTOMER_PUSHGATEWAY_URL",
    "CUSTOMER_ALERT_WEBHOOK_URL",
    "CUSTOMER_DAGSTER_URL",
    "CUSTOMER_ENVIRONMENT",
    "CUSTOMER_SIMULATOR_CUSTOMERS",
    "CUSTOMER_SIMULATOR_PAGE_SIZE",
    "CUSTOMER_SIMULATOR_FAILURE_RATE",
    "CUSTOMER_SIMULATOR_DIRTY_RATE",
)
"""Every variable that is read."""

BY_FIELD = {
    "base_url": "CUSTOMER_API_BASE_URL",
    "transport": "CUSTOMER_API_TRANSPORT",
    "max_concurrency": "CUSTOMER_API_MAX_CONCURRENCY",
    "requests_per_second": "CUSTOMER_API_REQUESTS_PER_SECOND",
    "page_size": "CUSTOMER_API_PAGE_SIZE",
    "memory_limit": "CUSTOMER_ENGINE_MEMORY_LIMIT",
    "simulator customers": "CUSTOMER_SIMULATOR_CUSTOMERS",
    "simulator page_size": "CUSTOMER_SIMULATOR_PAGE_SIZE",
    "simulator failure_rate": "CUSTOMER_SIMULATOR_FAILURE_RATE",
    "simulator dirty_rate": "CUSTOMER_SIMULATOR_DIRTY_RATE",
}
"""The variable that a field is read from, where an error knows the field."""

FEWEST_HOURS, MOST_HOURS = 0.025, 87_600.0
"""Dagster judges no age below a minute, and a warning comes before a miss. Ten years is never."""

MOST_DAYS = 36_500.0
"""A hundred years is for ever; what is far beyond is no time that Python knows."""


def text(environ: Mapping[str, str], variable: str, default: str) -> str:
    """Return the variable's trimmed text; blank or unset → the default."""
    return environ.get(variable, "").strip() or default


def whole_number(environ: Mapping[str, str], variable: str, default: int) -> int:
    """Return the variable as a whole number; blank or unset → the default.

    Raises:
        ConfigurationError: The text is no whole number.
    """
    return _parsed(environ, variable, int, "a whole number", default)


def count(environ: Mapping[str, str], variable: str, default: int) -> int:
    """Return the variable as a whole number, 0 or more; blank or unset → the default.

    Raises:
        ConfigurationError: The text is none.
    """
    counted = whole_number(environ, variable, default)
    if counted < 0:
        raise ConfigurationError(variable, f"{counted} is below 0", "Set it to 0 or more.")
    return counted


def number(environ: Mapping[str, str], variable: str, default: float) -> float:
    """Return the variable as a number; blank or unset → the default.

    Raises:
        ConfigurationError: The text is no number.
    """
    return _parsed(environ, variable, float, "a number", default)


def optional_number(environ: Mapping[str, str], variable: str) -> float | None:
    """Return the variable as a number; blank or unset → None.

    Raises:
        ConfigurationError: The text is no number.
    """
    return number(environ, variable, 0.0) if environ.get(variable, "").strip() else None


def optional_whole_number(environ: Mapping[str, str], variable: str) -> int | None:
    """Return the variable as a whole number; blank or unset → None.

    Raises:
        ConfigurationError: The text is no whole number.
    """
    return whole_number(environ, variable, 0) if environ.get(variable, "").strip() else None


def one_of(environ: Mapping[str, str], variable: str, default: str, choices: Iterable[str]) -> str:
    """Return the variable if it is one of the choices; blank or unset → the default.

    Raises:
        ConfigurationError: The text is none of them.
    """
    chosen = text(environ, variable, default)
    if chosen not in choices:
        raise ConfigurationError(variable, f"{chosen!r} is unknown", f"Choose one of {', '.join(choices)}.")
    return chosen


def cron(environ: Mapping[str, str], variable: str, default: str) -> str:
    """Return the variable if it is a cron expression that comes true some day; blank or unset → the default.

    Raises:
        ConfigurationError: It is none.
    """
    times = text(environ, variable, default)
    if not is_valid_cron_string(times):
        raise ConfigurationError(
            variable, f"{times!r} is no cron expression", "Write five fields, such as 0 3 * * * (daily at 3)."
        )
    return times


def time_zone(environ: Mapping[str, str], variable: str, default: str) -> str:
    """Return the variable if it names a time zone; blank or unset → the default.

    Raises:
        ConfigurationError: It names none.
    """
    name = text(environ, variable, default)
    if name not in zoneinfo.available_timezones():
        raise ConfigurationError(variable, f"there is no time zone {name!r}", "Name one such as Europe/Berlin.")
    return name


def age(environ: Mapping[str, str], variable: str, default: timedelta) -> timedelta:
    """Return the variable's hours as a time that freshness can be judged by; blank or unset → the default.

    Raises:
        ConfigurationError: They are no number, or too few or too many.
    """
    hours = number(environ, variable, default / timedelta(hours=1))
    if not FEWEST_HOURS <= hours <= MOST_HOURS:
        raise ConfigurationError(
            variable,
            f"{hours:g} is outside {FEWEST_HOURS:g}..{MOST_HOURS:g}",
            "Set it to some more hours than lie between two syncs.",
        )
    return timedelta(hours=hours)


def days(environ: Mapping[str, str], variable: str) -> float:
    """Return the variable's days, fractions allowed; blank, unset or 0 → 0, which means off.

    Raises:
        ConfigurationError: They are no number, or below 0, or too many.
    """
    return checked_days(variable, number(environ, variable, 0.0))


def checked_days(name: str, given: float) -> float:
    """Return days that can be reckoned with.

    Args:
        name: What they are called where they were set.
        given: The days.

    Raises:
        ConfigurationError: They are below 0, or too many.
    """
    if not 0.0 <= given <= MOST_DAYS:
        raise ConfigurationError(name, f"{given:g} is outside 0..{MOST_DAYS:g}", "Set it to some days, or to 0: off.")
    return given


def address(environ: Mapping[str, str], variable: str) -> str:
    """Return the variable if it is a web address; blank or unset → empty.

    Raises:
        ConfigurationError: It is none; says so without the text, which may hold a secret.
    """
    url = text(environ, variable, "")
    if url:
        validate_url(variable, url)
    return url


@contextmanager
def named(names: Mapping[str, str]) -> Iterator[None]:
    """Let an error name its field as whoever set it knows it.

    Args:
        names: By the field.
    """
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(names.get(error.field, error.field), error.problem, error.remedy) from None


def _parsed(
    environ: Mapping[str, str], variable: str, parse: Callable[[str], Value], wanted: str, default: Value
) -> Value:
    given = environ.get(variable, "").strip()
    if not given:
        return default
    try:
        return parse(given)
    except (ValueError, KeyError):
        raise ConfigurationError(variable, f"{given!r} is not {wanted}", f"Set it to {wanted}, or unset it.") from None
