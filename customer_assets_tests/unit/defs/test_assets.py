"""The four assets, run as a person would: in memory, through the IO manager, one at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import narwhals as nw
import pyarrow.parquet as pq
import pytest

from customer_assets.definitions import build_definitions
from customer_assets.defs.assets import ASSETS
from customer_assets.defs.checks import CHECKS
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.resources import ThresholdsResource
from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, customer, in_memory, with_fields
from customer_assets_tests.harness.job_runs import export_of, failure_of, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


@pytest.mark.smoke
def test_values_can_be_read_as_frames(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> None:
    """`materialize_to_memory` works with a plain server behind the resource."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)], statuses=[500, 503]))
    result = dg.materialize_to_memory(
        [*ASSETS, *CHECKS], resources=in_memory(resources(api, CUSTOMER_ENGINE="duckdb")), instance=instance
    )
    clean: nw.LazyFrame[Any] = result.output_for_node("clean_customers")
    assert sorted(clean.collect()["customer_id"].to_list()) == [1, 2, 3, 4, 5, 6, 7]
    raw: nw.LazyFrame[Any] = result.output_for_node("raw_customers")
    assert min(raw.collect()["email"].to_list()) == "person1@example.org"
    assert len(result.get_asset_check_evaluations()) == 10
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


@pytest.mark.smoke
def test_the_job_publishes_the_export(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> None:
    """All four assets and ten checks, through the IO manager, with the default engine."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])), CUSTOMER_ENGINE="duckdb")
    result = run(made, instance)
    assert result.success
    document = json.loads(export_of(made).read_text(encoding="utf-8"))
    assert [each["customer_id"] for each in document["customers"]] == [f"cust_00{n}" for n in range(1, 8)]
    assert document["metadata"]["total_customers"] == 7


def test_two_runs_give_the_same_bytes(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> None:
    """But for the timestamp."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])))
    exports = []
    for _ in range(2):
        assert run(made, instance).success
        document = json.loads(export_of(made).read_text(encoding="utf-8"))
        del document["metadata"]["export_timestamp"]
        exports.append(document)
    assert exports[0] == exports[1]


@pytest.mark.smoke
def test_bad_data_never_reaches_the_export(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """The run fails, the last good export stays byte for byte; the export alone fails as well."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api)
    assert run(made, instance).success
    good = export_of(made).read_bytes()
    api.records = [customer(number, email=None, first_name="", last_name=None) for number in range(1, 8)]
    shown = made["data_directory"].layout.local_lake / "clean_customers.parquet"
    accepted = shown.read_bytes()
    assert not run(made, instance).success
    assert export_of(made).read_bytes() == good
    assert shown.read_bytes() == accepted
    alone = run(made, instance, "customer_export")
    assert not alone.success
    assert "mean_quality_meets_threshold" in failure_of(alone)
    assert export_of(made).read_bytes() == good


def test_refused_customers_have_no_good_tables_name(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Other programs read `lake/clean_customers.parquet`. It appears once the gate passes, here a lower one."""
    api = serve_api(PlainAPI([customer(number, email=None, avatar=None, first_name=None) for number in range(1, 8)]))
    made = resources(api, CUSTOMER_LOST_FIELD_SHARE="1")
    directory: DataDirectory = made["data_directory"]
    assert not run(made, instance).success
    shown = directory.layout.local_lake / "clean_customers.parquet"
    assert not shown.exists()
    _, file = directory.clean.fetch()
    assert pq.read_metadata(file).num_rows == 7
    requests = len(api.asked)
    relaxed = {**made, "quality_thresholds": ThresholdsResource(min_mean_quality=60, lost_field_share=1)}
    assert run(relaxed, instance, "customer_export").success
    assert shown.read_bytes() == file.read_bytes()
    assert len(api.asked) == requests
    file.unlink()


def test_formats_are_published_together_and_checked(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """The check reads each of them; one that is no longer asked for does not stay as it was."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])))
    both = {**made, "data_directory": with_fields(made["data_directory"], export_formats=["parquet", "ndjson"])}
    result = run(both, instance)
    assert result.success
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    parquet, ndjson = (export_of(made).with_suffix(suffix) for suffix in (".parquet", ".ndjson"))
    (event,) = result.asset_materializations_for_node("customer_export")
    assert event.metadata["file_parquet"].value == str(parquet)
    assert both["data_directory"].published().formats == ("json", "parquet", "ndjson")
    ndjson.write_bytes(ndjson.read_bytes().replace(b"First1", b"Frist1"))
    check = dg.AssetCheckKey(dg.AssetKey("customer_export"), "export_matches_clean_customers")
    job = build_definitions(**both).resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_check_selection={check}, asset_selection=set())
    (evaluation,) = alone.execute_in_process(instance=instance).get_asset_check_evaluations()
    assert not evaluation.passed
    assert "customers.ndjson differ" in str(evaluation.description)
    assert run(made, instance).success
    assert (parquet.exists(), ndjson.exists()) == (False, False)


def test_too_many_rejected_records_are_not_published(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """They are in the quarantine, counted, each with its reason."""
    records: list[Any] = [customer(number) for number in range(1, 8)]
    made = resources(serve_api(PlainAPI([*records, {"first_name": "Nobody"}, "no object"])))
    result = run(made, instance)
    assert not result.success
    failed = {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed == {"rejected_share_within_limit"}
    (red,) = (each for each in result.get_asset_check_evaluations() if not each.passed)
    assert {name: red.metadata[name].value for name in ("rejected_id_missing", "rejected_not_an_object")} == {
        "rejected_id_missing": 1,
        "rejected_not_an_object": 1,
    }
    assert "set id_type: text" in str(red.metadata["what_to_do"].value)
    assert red.metadata["runbook"].value == "deploy/OPERATING.md#when-a-check-is-red"
    assert red.metadata["quarantine"].value == str(made["data_directory"].layout.quarantine_file)
    assert not export_of(made).exists()
    assert made["data_directory"].raw.current().facts.rejected == 2


def test_an_empty_api_is_not_published(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> None:
    """No customers at all are a failure upstream, not a result."""
    made = resources(serve_api(PlainAPI([])))
    assert not run(made, instance).success
    assert not export_of(made).exists()


def test_a_refusal_ends_the_run_at_once(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> None:
    """401 is asked once, and the key is not told."""
    api = serve_api(PlainAPI([customer(1)], statuses=[401] * 9))
    result = run(resources(api), instance)
    assert not result.success
    assert api.asked == [1]
    assert "401" in failure_of(result)
    assert KEY not in str([event.event_specific_data for event in result.all_events])


def test_an_asset_alone_before_its_inputs_tells_what_to_do(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Nothing was ever materialised."""
    result = run(resources(serve_api(PlainAPI([customer(1)]))), instance, "customer_export")
    assert "was never materialised" in failure_of(result)


def test_unchanged_data_has_the_same_version(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """The data version is the hash of what was fetched."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api)
    versions = [raw_version(run(made, instance)) for _ in range(2)]
    api.records[0]["first_name"] = "Other"
    versions.append(raw_version(run(made, instance)))
    assert versions[0] == versions[1] != versions[2]


def raw_version(result: dg.ExecuteInProcessResult) -> str:
    """The data version of raw_customers."""
    (event,) = result.asset_materializations_for_node("raw_customers")
    assert event.tags
    return event.tags["dagster/data_version"]


def test_each_asset_tells_what_happened_in_numbers_and_nothing_of_a_customer(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Numbers to plot, columns and what they follow from, where the documents are; no value of anybody's."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])))
    directory = made["data_directory"]
    made["data_directory"] = DataDirectory(path=directory.path, report_url="https://reports.example/acme/")
    result = run(made, instance)
    told = {
        event.materialization.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    columns = {"dagster/column_schema", "dagster/column_lineage"}
    assert "dagster/column_schema" in told["raw_customers"]
    assert columns < set(told["clean_customers"])
    assert columns < set(told["customer_export"])
    uri = told["customer_export"]["dagster/uri"].value
    assert uri == export_of(made).as_uri()
    assert told["raw_customers"]["records"].value == 7
    assert told["clean_customers"]["mean_quality"].value == 100.0
    assert told["summary_report"]["total_customers"].value == 7
    assert told["summary_report"]["link"].value == "https://reports.example/acme/summary_report.html"
    everything = str(told) + str(result.get_asset_check_evaluations())
    assert not [trace for trace in ("person1", "First1", "Last1", "cust_001") if trace in everything]
    for check in result.get_asset_check_evaluations():
        if check.asset_key.to_user_string() != "customer_export":
            assert {"score", "threshold"} <= set(check.metadata)


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
