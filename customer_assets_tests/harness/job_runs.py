"""Runs of the assets inside the test's own process: start one, read its errors, find what it published."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.definitions import build_definitions


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that keeps nothing after the test."""
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(scope="session")
def empty_dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home whose databases exist already. To be copied: creating them takes half a second."""
    home = tmp_path_factory.mktemp("empty_dagster_home")
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        instance.get_runs(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()
    return home


@pytest.fixture
def home(tmp_path: Path, empty_dagster_home: Path) -> Path:
    """A Dagster home of the test's own, for instances on disk."""
    return Path(shutil.copytree(empty_dagster_home, tmp_path / "home"))


def run(resources: dict[str, Any], instance: dg.DagsterInstance, *selected: str) -> dg.ExecuteInProcessResult:
    """Run the job, or only the selected assets with their checks."""
    defs = build_definitions(**resources)
    job = defs.resolve_job_def("customer_sync_job")
    keys = [dg.AssetKey(name) for name in selected]
    return job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=keys or None)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Join the errors of all failed steps."""
    return " ".join(str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure)


def export_of(resources: dict[str, Any]) -> Path:
    """Return the export's path."""
    return Path(resources["data_directory"].export_file)
