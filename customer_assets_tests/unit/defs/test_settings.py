"""Each variable becomes a value in its place, or a clear error."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.api.paging import Offset
from customer_assets.core.errors import ConfigurationError
from customer_assets.definitions import build_definitions
from customer_assets.defs import settings
from customer_assets.defs.resources import CustomerAPIResource
from customer_assets.defs.settings import VARIABLES, build_resources
from customer_assets_tests.harness.machines.deployment import DEPLOY

SAMPLES = DEPLOY / "executors"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CUSTOMER_API_MAX_CONCURRENCY", "eight"),
        ("CUSTOMER_API_PAGE_SIZE", "1.5"),
        ("CUSTOMER_API_REQUESTS_PER_SECOND", "fast"),
        ("CUSTOMER_ENGINE", "pandas"),
        ("CUSTOMER_AS_OF", "yesterday"),
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
        ("CUSTOMER_API_RETRY_WAITS_S", "1, -2"),
        ("CUSTOMER_API_ALLOW_INSECURE_HTTP", "maybe"),
        ("CUSTOMER_PAGE_STORE", "nonsense://x"),
        ("CUSTOMER_PAGE_STORE", "pages.sqlite"),
        ("CUSTOMER_SIMULATOR_CUSTOMERS", "-1"),
        ("CUSTOMER_SIMULATOR_PAGE_SIZE", "0"),
        ("CUSTOMER_SIMULATOR_FAILURE_RATE", "7"),
        ("CUSTOMER_SIMULATOR_DIRTY_RATE", "nan"),
        ("CUSTOMER_SIMULATOR_RATE_LIMIT", "-1"),
        ("CUSTOMER_SIMULATOR_SEED", "dice"),
        ("CUSTOMER_ENGINE_MEMORY_LIMIT", "lots"),
        ("CUSTOMER_LAKE_URL", "nope://x"),
        ("CUSTOMER_KEEP_EXPORTS", "-1"),
        ("CUSTOMER_DATA_DIR", "~no-such-user/data"),
    ],
)
def test_an_unusable_value_is_refused_by_its_name(variable: str, value: str) -> None:
    """The error names the variable, when the definitions are loaded and before anything runs."""
    for build in (build_resources, lambda environ: build_definitions(**environ)):
        with pytest.raises(ConfigurationError, match=f"^{variable}: "):
            build({variable: value})


def test_every_setting_of_the_resources_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable reaches its field; a secret is left to the moment when a run starts."""
    monkeypatch.setenv("HOME", "/home/ada")
    environ = {
        "CUSTOMER_API_BASE_URL": "https://x.org/api",
        "CUSTOMER_API_PATH": "/people",
        "CUSTOMER_API_KEY": "canary",
        "CUSTOMER_API_KEY_HEADER": "Authorization",
        "CUSTOMER_API_FIRST_PAGE": "0",
        "CUSTOMER_API_TIMEOUT_S": "5",
        "CUSTOMER_API_RETRY_WAITS_S": "0.5, 1",
        "CUSTOMER_PAGE_STORE": "redis://:canary@host/0",
        "CUSTOMER_SIMULATOR_RATE_LIMIT": "7",
        "CUSTOMER_SIMULATOR_SEED": "3",
        "CUSTOMER_ENGINE": "polars",
        "CUSTOMER_ENGINE_SPILL_DIR": "~/spill",
        "CUSTOMER_MIN_MEAN_QUALITY": "10",
        "CUSTOMER_DATA_DIR": "~/data",
        "CUSTOMER_KEEP_EXPORTS": "2",
    }
    made: dict[str, Any] = build_resources(environ)
    api = made["customer_api"]
    assert (api.base_url, api.path, api.key_header, api.first_page) == (
        "https://x.org/api",
        "/people",
        "Authorization",
        0,
    )
    assert (api.timeout_s, api.retry_waits_s) == (5.0, [0.5, 1.0])
    assert (api.api_key, api.page_store) == (dg.EnvVar("CUSTOMER_API_KEY"), dg.EnvVar("CUSTOMER_PAGE_STORE"))
    assert "canary" not in f"{made!r} {[vars(each) for each in made.values()]}"
    assert (api.simulator.rate_limit, api.simulator.seed, api.simulator.failure_rate) == (7.0, 3, 0.2)
    assert (made["processing"].engine, made["processing"].spill_dir) == ("polars", "/home/ada/spill")
    assert made["quality_thresholds"].min_mean_quality == 10.0
    assert (made["data_directory"].path, made["data_directory"].keep_exports) == ("/home/ada/data", 2)


def test_an_engine_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the definitions are loaded, with the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(ConfigurationError, match=r"^CUSTOMER_ENGINE: .*pip install 'customer_assets\[spark\]'"):
        build_definitions(CUSTOMER_ENGINE="pyspark")


def test_a_resource_of_ones_own_is_checked_too() -> None:
    """By the names of its fields."""
    with pytest.raises(ConfigurationError, match=r"^path: "):
        build_definitions(customer_api=CustomerAPIResource(base_url="https://x.org", path="users"))
    with pytest.raises(ConfigurationError, match=r"^transport: "):
        CustomerAPIResource(transport="pigeon")  # type: ignore[arg-type]


def test_a_password_in_an_unusable_store_is_not_shown() -> None:
    """A slash too few."""
    with pytest.raises(ConfigurationError, match="CUSTOMER_PAGE_STORE") as caught:
        build_definitions(CUSTOMER_PAGE_STORE="redis:/:canary@host/0")
    assert "canary" not in str(caught.value)


LOADED = """
import sys
import dagster
before = set(sys.modules)
import customer_assets.definitions
heavy = {"aiohttp", "duckdb", "polars", "pyspark", "redis", "requests", "s3fs", "sqlite3.dbapi2", "uvicorn"}
print(*sorted(heavy & set(sys.modules) - before))
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
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], env={**os.environ, **given}, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def test_an_unknown_executor_is_refused() -> None:
    """The choices are named."""
    with pytest.raises(ConfigurationError, match=r"CUSTOMER_EXECUTOR.*in_process, multiprocess, celery, k8s"):
        build_definitions(CUSTOMER_EXECUTOR="dask")


def test_times_owners_and_the_executor_reach_their_places() -> None:
    """Cron, time zone and age reach what Dagster schedules and judges by."""
    defs = build_definitions(
        CUSTOMER_SCHEDULE="30 6 * * 1-5",
        CUSTOMER_SCHEDULE_TIMEZONE="Europe/Berlin",
        CUSTOMER_MISSED_AFTER_HOURS="72",
        CUSTOMER_OWNERS="team:crm, ada@x.org",
        CUSTOMER_EXECUTOR="multiprocess",
        CUSTOMER_EXECUTOR_CONFIG=str(SAMPLES / "multiprocess.yaml"),
    )
    schedule = defs.resolve_schedule_def("daily_customer_sync")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 6 * * 1-5", "Europe/Berlin")
    specs = defs.resolve_all_asset_specs()
    assert {tuple(spec.owners) for spec in specs} == {("team:crm", "ada@x.org")}
    within = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=72), warn_window=timedelta(hours=52))
    assert {spec.key.to_user_string(): spec.freshness_policy for spec in specs} == {
        "customer_api": None,
        "raw_customers": within,
        "rejected_records": None,
        "clean_customers": None,
        "customer_export": within,
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
        ("CUSTOMER_LATE_AFTER_HOURS", "36"),
        ("CUSTOMER_KEEP_RUNS_DAYS", "a week"),
        ("CUSTOMER_KEEP_RUNS_DAYS", "-1"),
        ("CUSTOMER_OWNERS", "ada"),
        ("CUSTOMER_EXECUTOR_CONFIG", "/no/such/file.yaml"),
        ("CUSTOMER_PUSHGATEWAY_URL", "gateway"),
        ("CUSTOMER_REPORT_URL", "reports"),
        ("CUSTOMER_ALERT_WEBHOOK_URL", "slack"),
    ],
)
def test_what_the_shell_cannot_use_is_refused_by_its_name(variable: str, value: str) -> None:
    """A day that never comes among them."""
    with pytest.raises(ConfigurationError, match=f"^{variable}: "):
        build_definitions(**{variable: value})


@pytest.mark.parametrize(("name", "nearest"), [("custmer_api", "customer_api"), ("CUSTOMER_ENGIN", "CUSTOMER_ENGINE")])
def test_an_unknown_override_is_refused(name: str, nearest: str) -> None:
    """A misspelt resource or setting does not vanish."""
    with pytest.raises(ConfigurationError, match=f"^{name}: .* Did you mean {nearest}"):
        build_definitions(**{name: object()})


def test_a_resource_of_another_kind_is_refused() -> None:
    """By its key, with the kind that belongs there."""
    with pytest.raises(TypeError, match=r"^customer_api takes a CustomerAPIResource, not str"):
        build_definitions(customer_api="https://api.example.com")


def test_a_variable_that_nothing_reads_is_warned_about_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the nearest name that is read, and without its value: it may be a secret."""
    monkeypatch.setattr(settings, "_warned", set())
    for name in [name for name in os.environ if name.startswith("CUSTOMER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CUSTOMER_API_TIMEOUT", "canary-value")
    monkeypatch.setenv("CUSTOMER_ZZZ", "canary-value")
    monkeypatch.setenv("CUSTOMER_WEBSERVER_PORT", "3000")
    for _ in range(2):
        build_definitions()
    assert [record.getMessage() for record in caplog.records if record.name == "customer_assets"] == [
        "CUSTOMER_API_TIMEOUT is set, but there is no such setting. Did you mean CUSTOMER_API_TIMEOUT_S?",
        "CUSTOMER_ZZZ is set, but there is no such setting. The README lists all settings.",
    ]


@pytest.mark.smoke
def test_the_variables_of_old_are_still_read() -> None:
    """Those that the rule would name otherwise above all."""
    assert len(VARIABLES) == len(set(VARIABLES))
    assert set(VARIABLES) >= {
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
    }


# --- known APIs, and an API in a file of its own --------------------------------------------------------------


def test_a_preset_is_one_variable() -> None:
    """Other variables override it; nothing of it is asked of the simulator."""
    api = build_resources({"CUSTOMER_API_PRESET": "stripe"})["customer_api"]
    assert (api.is_simulated, api.source, api.settings().path) == (False, "https://api.stripe.com", "/v1/customers")
    api = build_resources(
        {
            "CUSTOMER_API_PRESET": "shopify",
            "CUSTOMER_API_PRESET_VALUES": "shop=acme",
            "CUSTOMER_API_PAGE_SIZE": "50",
            "CUSTOMER_API_PATH": "/elsewhere",
        }
    )["customer_api"]
    settings = api.settings()
    assert (settings.base_url, settings.path) == ("https://acme.myshopify.com", "/elsewhere")
    assert (settings.paging.size, settings.record.first_name.path) == (50, "first_name")
    assert build_resources({})["customer_api"].is_simulated


def test_an_api_can_be_described_in_a_file(tmp_path: Path) -> None:
    """By the section of a component's YAML; variables override it."""
    file = tmp_path / "api.yaml"
    file.write_text(
        "api: {base_url: 'https://x.org', path: /people, page_size: 7, key_variable: X_KEY, simulator: {seed: 3}, "
        "pages: {type: offset}, answer: {records: rows}, record: {id: number}}",
        encoding="utf-8",
    )
    environ = {"CUSTOMER_API_CONFIG": str(file), "CUSTOMER_API_PATH": "/all", "CUSTOMER_SIMULATOR_CUSTOMERS": "5"}
    api = build_resources(environ)["customer_api"]
    settings = api.settings()
    assert (settings.base_url, settings.path, settings.paging) == ("https://x.org", "/all", Offset(size=7))
    assert (settings.answer.records, settings.record.id, api.key_variable) == ("rows", "number", "X_KEY")
    assert (api.simulator.seed, api.simulator.customers) == (3, 5)


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        ("api: {path: people, base_url: 'https://x.org'}", {}, "{file}: api.path: 'people' is not a path."),
        ("api: {pat: /people}", {}, "{file}: api.pat: there is no such setting. Did you mean path?"),
        ("api: {preset: shopify}", {}, "{file}: api.preset_values: the preset shopify needs shop"),
        ("api: {base_url: 'https://x.org', pages: {type: cursor}}", {}, "{file}: api.pages.from: it is missing."),
        ("api: {base_url: 'https://x.org'}", {"CUSTOMER_API_PATH": "x"}, "CUSTOMER_API_PATH: 'x' is not a path."),
        ("api: [", {}, "CUSTOMER_API_CONFIG: {file}, line 1 cannot be read"),
        ("", {}, "CUSTOMER_API_CONFIG: {file} has no section api:"),
    ],
)
def test_what_a_file_cannot_say_is_named_where_it_stands(
    text: str, environ: dict[str, str], message: str, tmp_path: Path
) -> None:
    """In the file, or by the variable that overrides it."""
    file = tmp_path / "api.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        build_resources({"CUSTOMER_API_CONFIG": str(file), **environ})
    assert str(caught.value).startswith(message.format(file=file))
