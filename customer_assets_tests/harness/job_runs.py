"""Runs of the assets inside the test's own process: start one, read its errors, find what it published."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg
import pytest
from dagster._config.pythonic_config import resource as dagster_resources
from dagster._core.storage.event_log import in_memory as dagster_events
from dagster._core.storage.runs import in_memory as dagster_runs

from customer_assets.definitions import build_definitions


@pytest.fixture(scope="session", autouse=True)
def quick_dagster() -> Iterator[None]:
    """Spare Dagster what it computes again for every run, always with the same result: a tenth of a small run.

    That is the configuration schema of each resource's class, and the number of the latest migration, which it writes
    into the empty databases of an ephemeral instance.
    """
    infer = dagster_resources.infer_schema_from_config_class

    schemas: WeakKeyDictionary[type[dg.Config], dict[Any, Any]] = WeakKeyDictionary()

    def infer_once(model: type[dg.Config], description: str | None = None, fields_to_omit: Any = None) -> Any:
        key = description, frozenset(fields_to_omit or ())
        known = schemas.setdefault(model, {})
        if key not in known:
            known[key] = infer(model, description=description, fields_to_omit=fields_to_omit)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dagster_resources, "infer_schema_from_config_class", infer_once)
        for storage in (dagster_runs, dagster_events):
            patch.setattr(storage, "stamp_alembic_rev", lambda *_, **__: None)
        yield


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
