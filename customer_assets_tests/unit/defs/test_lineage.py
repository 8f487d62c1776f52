"""The API and the quarantine in the lineage: described, never materialized, observed by each sync."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from customer_assets.definitions import build_definitions
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


def test_the_lineage_leads_from_the_api_and_to_the_quarantine() -> None:
    """Neither can be materialized, so a run of everything leaves them out."""
    graph = build_definitions().resolve_asset_graph()
    api, raw, quarantine = (dg.AssetKey(name) for name in ("customer_api", "raw_customers", "rejected_records"))
    assert graph.get(raw).parent_keys == {api}
    assert graph.get(quarantine).parent_keys == {raw}
    assert {key for key in graph.get_all_asset_keys() if graph.get(key).is_external} == {api, quarantine}
    assert dg.AssetSelection.all().resolve(graph) == graph.materializable_asset_keys


def test_each_run_observes_both(serve_api: Serve, resources: Resources) -> None:
    """How many customers the API counts; how many records cannot be used, and why."""
    made = resources(serve_api(PlainAPI([*map(customer, range(1, 6)), customer(0, id=None)])))
    job = build_definitions(**made).resolve_job_def("customer_sync_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    observed = {
        event.asset_observation_data.asset_observation.asset_key.to_user_string(): {
            name: value.value for name, value in event.asset_observation_data.asset_observation.metadata.items()
        }
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
    }
    assert observed == {
        "customer_api": {"customers": 6},
        "rejected_records": {"dagster/row_count": 1, "rejected_id_missing": 1},
    }


def test_cleaning_says_by_its_kinds_which_engine_does_it(tmp_path: Path) -> None:
    """As it is set when the definitions load."""
    defs = build_definitions(CUSTOMER_ENGINE="polars", CUSTOMER_DATA_DIR=tmp_path)
    assert defs.resolve_asset_graph().get(dg.AssetKey("clean_customers")).kinds == {"polars", "parquet"}
