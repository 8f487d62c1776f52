"""The files of `deploy/` fit each other, systemd, Dagster and the settings."""

import re
import subprocess
from pathlib import Path

import pytest
from dagster._core.instance.config import dagster_instance_config

from customer_assets.defs.settings import VARIABLES
from customer_assets_tests.harness.deployment import DEPLOY, SERVICES, unit, variables
from customer_assets_tests.harness.services import need

PLACES = {"CUSTOMER_CODE_SERVER_PORT", "CUSTOMER_WEBSERVER_HOST", "CUSTOMER_WEBSERVER_PORT"}
"""Variables of the environment file that only the units and the workspace read."""


def environment_file() -> str:
    """The sample of the environment file."""
    return (DEPLOY / "customer_assets.env").read_text(encoding="utf-8")


@pytest.mark.service
@pytest.mark.parametrize("service", SERVICES)
def test_systemd_takes_the_unit(service: str, tmp_path: Path) -> None:
    """Without a word."""
    analyse = need("systemd-analyze", "systemd")
    file = tmp_path / f"customer-assets-{service}.service"
    file.write_text(unit(service), encoding="utf-8")
    told = subprocess.run([analyse, "verify", "--man=no", file], capture_output=True, text=True, check=False)
    mine = [line for line in told.stderr.splitlines() if "customer-assets" in line and "Failed to add" not in line]
    assert (told.returncode, mine) == (0, [])


def test_what_the_files_refer_to_is_in_the_environment_file() -> None:
    """Each variable of the units, the instance and the workspace."""
    texts = [unit(service) for service in SERVICES]
    texts += [(DEPLOY / name).read_text(encoding="utf-8") for name in ("dagster.yaml", "workspace.yaml")]
    wanted = {name for text in texts for name in re.findall(r"\$\{(\w+)\}|env: (\w+)", text)}
    assert {each for pair in wanted for each in pair if each} <= set(variables(DEPLOY / "customer_assets.env"))


def test_the_environment_file_names_only_settings_that_there_are() -> None:
    """Those that are commented out as well."""
    named = set(re.findall(r"^(?:# )?(CUSTOMER_\w+)=", environment_file(), re.MULTILINE))
    assert named <= {*VARIABLES, *PLACES}


def test_the_instance_is_what_production_needs() -> None:
    """Dagster takes the file; what would go unnoticed if it were missing is held here."""
    config, _ = dagster_instance_config(str(DEPLOY))
    assert config["storage"]["postgres"]["postgres_db"]["db_name"] == {"env": "DAGSTER_PG_DB"}
    assert config["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}
    assert config["run_monitoring"]["enabled"]
    assert config["freshness"] == {"enabled": True}
    assert config["telemetry"] == {"enabled": False}
