"""A run that changes one setting keeps the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.core.errors import ConfigurationError
from customer_assets.definitions import build_definitions
from customer_assets.defs.build import build_sync_definitions
from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.resources import CustomerAPIResource, EmbeddedSimulator
from customer_assets.defs.run_config import with_configured_defaults
from customer_assets.defs.sync import DEFAULT_SYNC, Sync
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, in_memory

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


def own(made: dict[str, Any]) -> tuple[dg.JobDefinition, Sync]:
    """The sync of this project."""
    return build_definitions(**made).resolve_job_def(DEFAULT_SYNC.job), DEFAULT_SYNC


def component(made: dict[str, Any]) -> tuple[dg.JobDefinition, Sync]:
    """A sync as a component puts it together."""
    sync = Sync.for_project("acme")
    return build_sync_definitions(sync, in_memory(made), dg.in_process_executor, Notifier()).resolve_job_def(
        sync.job
    ), sync


@pytest.mark.parametrize("build", [own, component])
@pytest.mark.parametrize(
    ("resource", "config"),
    [
        pytest.param("customer_api", {"api_key": "********"}, id="the key as Dagster shows it"),
        pytest.param("customer_api", {"max_concurrency": 2}, id="how the API is asked"),
        pytest.param("customer_api", {"simulator": {"dirty_rate": 0.9}}, id="one field of a section"),
        pytest.param("quality_thresholds", {"max_rejected_share": 0.2}, id="one threshold"),
        pytest.param("data_directory", {"lake_url": ""}, id="nothing new"),
    ],
)
def test_what_a_run_leaves_out_stays(
    serve_api: Serve,
    resources: Resources,
    tmp_path: Path,
    resource: str,
    config: dict[str, Any],
    build: Callable[[dict[str, Any]], tuple[dg.JobDefinition, Sync]],
) -> None:
    """The API of the settings is asked, with its key; its thresholds hold; the files lie where they did."""
    api = serve_api(PlainAPI([customer(number, **({"avatar": None} if number > 3 else {})) for number in range(1, 8)]))
    made = resources(api, CUSTOMER_TARGET_MEAN_QUALITY="89", CUSTOMER_MIN_MEAN_QUALITY="88")
    job, sync = build(made)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            run_config={"resources": {sync.resource(resource): {"config": config}}},
            raise_on_error=False,
        )
    assert result.success
    assert sorted(api.asked) == [1, 2, 3]
    assert (tmp_path / "data" / "export" / "customers.json").is_file()
    mean = next(each for each in result.get_asset_check_evaluations() if each.check_name.startswith("mean_quality"))
    assert mean.metadata["threshold"].value == 89.0


def test_a_section_keeps_what_a_run_leaves_out_of_it() -> None:
    """The settings' failure rate stays when a run asks for dirtier records, not the class's default."""
    configured = with_configured_defaults(CustomerAPIResource(simulator=EmbeddedSimulator(failure_rate=0.0)))
    again = type(configured)(simulator={"dirty_rate": 0.9})
    assert (again.simulator.failure_rate, again.simulator.dirty_rate) == (0.0, 0.9)


def test_an_unusable_setting_of_a_run_is_named() -> None:
    """By its field, with the remedy."""
    with pytest.raises(ConfigurationError, match=r"^simulator.failure_rate: 7.0 is above 1. Set 1 or less."):
        CustomerAPIResource(simulator={"failure_rate": 7.0})  # type: ignore[arg-type]
