"""Each setting's text becomes a value, or a clear error."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from customer_assets.definitions import build_definitions, build_deletion, build_listeners, build_resources, build_sync
from customer_assets.defs import settings
from customer_assets.defs.resources import CustomerAPIResource
from customer_assets.errors import ConfigurationError
from customer_assets_tests.harness.deployment import DEPLOY

SAMPLES = DEPLOY / "executors"


@pytest.mark.parametrize(
    ("read", "given", "expected"),
    [
        pytest.param(settings.whole_number, "7", 7, id="whole"),
        pytest.param(settings.whole_number, "  ", 3, id="blank is unset"),
        pytest.param(settings.number, "0.5", 0.5, id="number"),
        pytest.param(settings.text, " x ", "x", id="text is trimmed"),
    ],
)
def test_text_becomes_a_value(read: Callable[..., Any], given: str, expected: Any) -> None:
    """Blank means unset."""
    assert read({"V": given}, "V", 3) == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CUSTOMER_API_MAX_CONCURRENCY", "eight"),
        ("CUSTOMER_API_PAGE_SIZE", "1.5"),
        ("CUSTOMER_API_REQUESTS_PER_SECOND", "fast"),
        ("CUSTOMER_ENGINE", "pandas"),
        ("CUSTOMER_MIN_MEAN_QUALITY", "101"),
        ("CUSTOMER_MAX_REJECTED_SHARE", "-0.1"),
        ("CUSTOMER_MAX_LOW_QUALITY_SHARE", "nan"),
        ("CUSTOMER_TARGET_MEAN_QUALITY", "50"),
        ("CUSTOMER_API_BASE_URL", "ftp://x"),
        ("CUSTOMER_API_BASE_URL", "http://api.example.org"),
        ("CUSTOMER_API_TRANSPORT", "pigeon"),
        ("CUSTOMER_API_MAX_CONCURRENCY", "0"),
        ("CUSTOMER_API_PAGE_SIZE", "-5"),
        ("CUSTOMER_API_REQUESTS_PER_SECOND", "0"),
        ("CUSTOMER_PAGE_STORE", "nonsense://x"),
        ("CUSTOMER_PAGE_STORE", "pages.sqlite"),
        ("CUSTOMER_SIMULATOR_CUSTOMERS", "-1"),
        ("CUSTOMER_SIMULATOR_PAGE_SIZE", "0"),
        ("CUSTOMER_SIMULATOR_FAILURE_RATE", "7"),
        ("CUSTOMER_SIMULATOR_DIRTY_RATE", "nan"),
        ("CUSTOMER_ENGINE_MEMORY_LIMIT", "lots"),
        ("CUSTOMER_LAKE_URL", "nope://x"),
        ("CUSTOMER_KEEP_EXPORTS", "-1"),
    ],
)
def test_an_unusable_value_is_refused_by_its_name(variable: str, value: str) -> None:
    """The error names the variable, when the definitions are loaded and before anything runs."""
    for build in (build_resources, lambda environ: build_definitions(**environ)):
        with pytest.raises(ConfigurationError, match=f"^{variable}: "):
            build({variable: value})


def test_an_engine_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the definitions are loaded, with the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(ConfigurationError, match=r"^CUSTOMER_ENGINE: .*pip install 'customer_assets\[spark\]'"):
        build_definitions(CUSTOMER_ENGINE="pyspark")


def test_a_resource_of_ones_own_is_checked_too() -> None:
    """By the names of its fields."""
    with pytest.raises(ConfigurationError, match=r"^transport: "):
        build_definitions(customer_api=CustomerAPIResource(transport="pigeon"))


def test_a_password_in_a_store_that_is_none_is_not_told() -> None:
    """A slash too few."""
    with pytest.raises(ConfigurationError, match="CUSTOMER_PAGE_STORE") as caught:
        build_definitions(CUSTOMER_PAGE_STORE="redis:/:canary@host/0")
    assert "canary" not in str(caught.value)


LOADED = """
import sys
import customer_assets.definitions
heavy = {"aiohttp", "duckdb", "polars", "pyspark", "redis", "requests", "s3fs", "sqlite3.dbapi2", "uvicorn"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_checking_settings_imports_nothing_that_only_a_run_needs() -> None:
    """So that the check costs no time; what Dagster itself imports is there anyway."""
    given = {
        "CUSTOMER_API_BASE_URL": "https://x.org",
        "CUSTOMER_API_TRANSPORT": "aiohttp",
        "CUSTOMER_PAGE_STORE": "redis://x.org",
        "CUSTOMER_ENGINE": "polars",
        "CUSTOMER_ENGINE_MEMORY_LIMIT": "1GB",
    }
    plain, checked = (
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **given}, capture_output=True, text=True, check=True
        ).stdout.split()
        for script in (LOADED.replace("customer_assets.definitions", "dagster"), LOADED)
    )
    assert set(checked) <= set(plain)


def test_an_unknown_executor_is_refused() -> None:
    """The choices are told."""
    with pytest.raises(ConfigurationError, match=r"CUSTOMER_EXECUTOR.*in_process, multiprocess, celery, k8s"):
        build_definitions(CUSTOMER_EXECUTOR="dask")


def test_times_are_read() -> None:
    """Cron, time zone and age reach what Dagster schedules and judges by."""
    defs = build_definitions(
        CUSTOMER_SCHEDULE="30 6 * * 1-5",
        CUSTOMER_SCHEDULE_TIMEZONE="Europe/Berlin",
        CUSTOMER_MISSED_AFTER_HOURS="72",
        CUSTOMER_EXECUTOR="multiprocess",
        CUSTOMER_EXECUTOR_CONFIG=str(SAMPLES / "multiprocess.yaml"),
    )
    schedule = defs.resolve_schedule_def("daily_customer_sync")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 6 * * 1-5", "Europe/Berlin")
    policies = {spec.key.to_user_string(): spec.freshness_policy for spec in defs.resolve_all_asset_specs()}
    within = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=72), warn_window=timedelta(hours=52))
    assert policies == {
        "raw_customers": within,
        "clean_customers": None,
        "customer_export": None,
        "summary_report": None,
    }


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CUSTOMER_SCHEDULE", "daily"),
        ("CUSTOMER_SCHEDULE", "* * * * * *"),
        ("CUSTOMER_SCHEDULE", "0 0 31 2 *"),
        ("CUSTOMER_SCHEDULE_TIMEZONE", "Mars/Olympus"),
        ("CUSTOMER_MISSED_AFTER_HOURS", "soon"),
        ("CUSTOMER_MISSED_AFTER_HOURS", "0.02"),
        ("CUSTOMER_MISSED_AFTER_HOURS", "inf"),
        ("CUSTOMER_MISSED_AFTER_HOURS", "nan"),
        ("CUSTOMER_KEEP_RUNS_DAYS", "a week"),
        ("CUSTOMER_KEEP_RUNS_DAYS", "-1"),
    ],
)
def test_unusable_times_are_refused_by_their_name(variable: str, value: str) -> None:
    """A day that never comes among them."""
    with pytest.raises(ConfigurationError, match=variable):
        build_definitions(**{variable: value})


def test_an_unknown_override_is_refused() -> None:
    """A misspelt resource does not vanish."""
    with pytest.raises(ConfigurationError, match="custmer_api"):
        build_definitions(custmer_api=object())


@pytest.mark.smoke
def test_every_variable_that_is_read_is_listed() -> None:
    """The list in `settings` is what the front door reads."""

    class Recorder(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            read.add(key)
            return default

    read = {"CUSTOMER_EXECUTOR", "CUSTOMER_EXECUTOR_CONFIG"}
    build_resources(Recorder())
    build_sync(Recorder())
    build_listeners(Recorder())
    build_deletion(Recorder())
    assert read == set(settings.VARIABLES)
