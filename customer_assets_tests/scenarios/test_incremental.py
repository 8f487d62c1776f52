"""Requesting only what changed, through Dagster: what is asked for, what becomes of the table, and what people see."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from dagster.components.core.component_tree import ComponentTree

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import Incremental
from customer_assets.api.options import ApiSettings
from customer_assets.components import CustomerSyncComponent
from customer_assets.core.errors import SupersededError
from customer_assets.core.models import CrawlSummary, Page
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.io_managers import build_io_manager
from customer_assets.defs.operations.erasure import Eraser
from customer_assets.defs.resources import ProcessingResource
from customer_assets.defs.settings import build_resources
from customer_assets.defs.sync import DEFAULT_SYNC
from customer_assets.processing.landing.staged import Landing
from customer_assets.processing.landing.upsert import hash_content
from customer_assets.processing.quality import QualityThresholds, completeness
from customer_assets_tests.harness.apis.changing_api import ChangingAPI, written
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, with_fields
from customer_assets_tests.harness.job_runs import export_of, failure_of, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

LONG_AGO = written(datetime(2020, 1, 1, tzinfo=UTC))
INCREMENTAL = {"parameter": "updated_since", "field": "updated_at", "lookback": "10m", "full_every": "7d"}


@pytest.fixture
def api(serve_api: Serve) -> ChangingAPI:
    api = ChangingAPI([customer(number, updated_at=LONG_AGO) for number in range(1, 21)])
    serve_api(api)
    return api


@pytest.fixture
def made(api: ChangingAPI, resources: Resources) -> dict[str, Any]:
    made = resources(api)
    return {**made, "customer_api": with_fields(made["customer_api"], api_description={"incremental": INCREMENTAL})}


def update(api: ChangingAPI, number: int, **fields: Any) -> None:
    """Change a customer now."""
    (place,) = [place for place, each in enumerate(api.records) if each["id"] == number] or [len(api.records)]
    api.records[place : place + 1] = [customer(number, updated_at=written(datetime.now(UTC)), **fields)]


def names(made: dict[str, Any]) -> dict[str, str]:
    """The published customers."""
    document = json.loads(export_of(made).read_text(encoding="utf-8"))
    return {each["customer_id"]: each["full_name"] for each in document["customers"]}


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the run shows of the raw customers."""
    (event,) = result.asset_materializations_for_node("raw_customers")
    return {name: entry.value for name, entry in event.metadata.items()} | {
        "version": (event.tags or {})["dagster/data_version"]
    }


def test_a_sync_that_lives_on_changes(api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance) -> None:
    """A full crawl; changes; nothing; a deletion that only a full crawl finds; a full crawl by hand."""
    first = metadata(run(made, instance))
    assert (first["crawl"], first["records"], api.sinces) == ("full", 20, [None] * 7)
    assert first["requested"] == "Requesting all customers: there is no earlier crawl to continue from."

    api.sinces.clear()
    update(api, 3, first_name="Changed")
    update(api, 21)
    second = metadata(run(made, instance))
    watermark = datetime.fromtimestamp(first["watermark"], UTC)
    assert api.sinces == [written(watermark - timedelta(seconds=1))]
    assert (second["crawl"], second["requests"], second["records"], second["rows_received"]) == (
        "incremental",
        1,
        21,
        2,
    )
    assert {name: second[f"rows_{name}"] for name in ("before", "added", "replaced", "kept", "after")} == {
        "before": 20,
        "added": 1,
        "replaced": 1,
        "kept": 19,
        "after": 21,
    }
    assert len(names(made)) == 21
    assert names(made)["cust_003"] == "Changed Last3"
    assert second["version"] != first["version"]

    third = metadata(run(made, instance))
    assert (third["rows_received"], third["rows_unchanged"], third["version"]) == (2, 2, second["version"])

    del api.records[0]
    api.sinces.clear()
    assert metadata(run(made, instance))["crawl"] == "incremental"
    assert "cust_001" in names(made)

    by_hand = {**made, "customer_api": with_fields(made["customer_api"], full_refresh=True)}
    last = metadata(run(by_hand, instance))
    assert (last["crawl"], last["requested"]) == ("full", "Requesting all customers: full_refresh is set.")
    assert sorted(names(made)) == [f"cust_{number:03}" for number in range(2, 22)]


def test_the_embedded_simulator_shows_it_without_an_api(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """One variable, and a second run. Other customers of the simulator are not merged into these."""

    def simulated(customers: int) -> dict[str, Any]:
        environ = {
            "CUSTOMER_SIMULATOR_CHANGES_PER_HOUR": "60",
            "CUSTOMER_SIMULATOR_CUSTOMERS": str(customers),
            "CUSTOMER_SIMULATOR_FAILURE_RATE": "0",
            "CUSTOMER_DATA_DIR": str(tmp_path / "data"),
        }
        return {**build_resources(environ), DEFAULT_SYNC.io_manager: build_io_manager(DEFAULT_SYNC)}

    first, second = metadata(run(simulated(100), instance)), metadata(run(simulated(100), instance))
    assert (first["crawl"], first["records"]) == ("full", 100)
    assert (second["crawl"], second["records"]) == ("incremental", 100)
    assert 10 <= second["rows_received"] <= 13  # the lookback's ten minutes, and a test that takes its time
    assert second["rows_replaced"] + second["rows_unchanged"] == second["rows_received"]
    third = metadata(run(simulated(90), instance))
    assert third["requested"] == "Requesting all customers: changed since the last crawl: source."
    assert third["records"] == 90


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")  # Dagster reads YAML by it
def test_a_component_says_how_to_request_only_what_changed() -> None:
    """Durations are written as people write them."""
    yaml = """
name: acme
api:
  base_url: https://api.example.com
  key_variable: ACME_API_KEY
  incremental: {parameter: updated_since, field: updated_at, format: epoch, lookback: 90s, full_every: 36h}
"""
    component: CustomerSyncComponent = CustomerSyncComponent.resolve_from_yaml(yaml)
    defs = component.build_defs(ComponentTree.for_test().load_context)
    how = (defs.resources or {})["acme_customer_api"].settings().incremental
    assert how == Incremental(
        parameter="updated_since",
        field="updated_at",
        format="epoch",
        lookback=timedelta(seconds=90),
        full_every=timedelta(hours=36),
    )


def test_the_checks_tell_an_incremental_run_from_a_full_one(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    run(made, instance)
    update(api, 3, first_name="Changed")
    found = {each.check_name: each for each in run(made, instance).get_asset_check_evaluations()}
    assert all(each.passed for each in found.values())
    assert found["every_customer_was_fetched"].description == "0 of 1 changed customers are missing"
    text = found["every_record_is_accounted_for"].description or ""
    assert text.endswith(
        "; 1 came: 0 added, 1 replaced, 0 unchanged, 0 older than what is stored, 0 came twice; 19 of 20 rows kept"
    )


def test_what_the_filter_drops_leaves_the_export_between_full_crawls(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """An API that shows its deletions needs no full crawl to have them applied."""
    description = {"incremental": INCREMENTAL, "record": {"exclude": {"field": "status", "values": ["deleted"]}}}
    made["customer_api"] = with_fields(made["customer_api"], api_description=description)
    run(made, instance)
    update(api, 3, status="deleted")
    result = run(made, instance)
    assert (result.success, metadata(result)["crawl"]) == (True, "incremental")
    assert "cust_003" not in names(made)
    assert len(names(made)) == 19


def test_deletions_that_have_a_list_of_their_own_are_applied_between_full_crawls(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """Also if nothing else changed. Who was restored meanwhile stays, and many deletions at once are looked into."""
    listed = {
        "path": "/gone",
        "params": {"list": "deleted"},
        "parameter": "deleted_since",
        "pages": {"type": "single"},
        "records": "gone",
        "id": "customer.id",
    }
    description = {"incremental": {**INCREMENTAL, "deleted": listed}}
    made["customer_api"] = with_fields(made["customer_api"], api_description=description)
    api.deleted = [(1, LONG_AGO)]  # restored long ago
    run(made, instance)
    now = written(datetime.now(UTC))
    del api.records[3]
    api.deleted += [(4, now), (5, now), (99, now)]
    update(api, 5, first_name="Restored")
    result = run(made, instance)
    found = metadata(result)
    assert {name: found[f"rows_{name}"] for name in ("deleted", "removed", "replaced", "kept", "after")} == {
        "deleted": 1,
        "removed": 2,
        "replaced": 1,
        "kept": 18,
        "after": 19,
    }
    assert (found["crawl"], found["requests"], found["unique_customers"]) == ("incremental", 2, 19)
    assert ("cust_004" in names(made), names(made)["cust_005"]) == (False, "Restored Last5")
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert all(each.passed for each in checks.values())
    assert (checks["every_record_is_accounted_for"].description or "").endswith(
        "18 of 20 rows kept, 1 customers deleted"
    )
    assert metadata(run(made, instance))["rows_deleted"] == 0  # it is listed still

    api.deleted += [(number, written(datetime.now(UTC))) for number in range(10, 13)]
    assert metadata(run(made, instance))["rows_deleted"] == 3
    after = metadata(run(made, instance))
    assert after["requested"] == "Requesting all customers: the API listed 3 customers as deleted last time."
    assert len(names(made)) == 19


def test_a_list_of_deletions_that_fails_changes_nothing(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    listed = {"path": "/gone", "params": {"list": "deleted"}, "parameter": "deleted_since", "records": "elsewhere"}
    description = {"incremental": {**INCREMENTAL, "deleted": listed}}
    made["customer_api"] = with_fields(made["customer_api"], api_description=description)
    run(made, instance)
    before = made["data_directory"].raw.current()
    update(api, 3, first_name="Changed")
    assert "elsewhere" in failure_of(run(made, instance))
    assert made["data_directory"].raw.current() == before
    assert not list(made["data_directory"].layout.staging.rglob("*.parquet"))


def test_a_failed_crawl_changes_nothing_and_the_next_one_asks_for_the_same(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    run(made, instance)
    before = made["data_directory"].raw.current()
    update(api, 3, first_name="Changed")
    api.sinces.clear()
    api.statuses = [404]
    failed = run(made, instance)
    assert "HTTP 404" in failure_of(failed)
    assert made["data_directory"].raw.current() == before
    assert not [path.name for path in made["data_directory"].layout.staging.rglob("*reading-*")]
    assert run(made, instance).success
    assert api.sinces == [written(before.facts.sync.watermark - timedelta(seconds=1))]
    assert names(made)["cust_003"] == "Changed Last3"


def test_another_mapping_reads_everything(made: dict[str, Any], instance: dg.DagsterInstance) -> None:
    run(made, instance)
    description = {"incremental": INCREMENTAL, "record": {"fields": {"updated": "updated_at"}}}
    made["customer_api"] = with_fields(made["customer_api"], api_description=description)
    found = metadata(run(made, instance))
    assert found["requested"] == "Requesting all customers: changed since the last crawl: mapping."


def test_a_damaged_table_is_read_anew(made: dict[str, Any], instance: dg.DagsterInstance) -> None:
    run(made, instance)
    directory = made["data_directory"]
    (file,) = (path for path in directory.layout.local_lake.glob("versions/raw_customers-*"))
    file.write_bytes(b"damaged")
    result = run(made, instance)
    assert result.success
    assert metadata(result)["requested"] == "Requesting all customers: the raw table is damaged."


def test_a_server_whose_clock_was_set_back_is_read_as_a_whole(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """What it changes from now on can bear a date from before the last crawl."""
    run(made, instance)
    raw = made["data_directory"].raw
    version, file = raw.fetch()
    ahead = datetime.now(UTC) + timedelta(hours=5)
    sync = version.facts.sync.model_copy(update={"watermark": ahead, "began_at": ahead})
    quarantine = raw.fetch_parts(["rejected_customers"])[1]
    raw.commit(file, version.facts.model_copy(update={"sync": sync}), quarantine)
    update(api, 3, first_name="Changed")
    found = metadata(run(made, instance))
    assert (found["crawl"], found["requested"]) == (
        "full",
        "Requesting all customers: the server's clock was set back.",
    )
    assert names(made)["cust_003"] == "Changed Last3"
    assert datetime.fromtimestamp(found["watermark"], UTC) < datetime.now(UTC)


def test_a_filter_that_brings_nothing_is_noticed_at_once(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """As where an instant is written in a way that the API does not understand: it would be green, and stale."""
    description = {"incremental": {**INCREMENTAL, "format": "epoch"}}
    made["customer_api"] = with_fields(made["customer_api"], api_description=description)
    run(made, instance)
    api.records[0] = customer(1, first_name="Changed", updated_at=written(datetime.now(UTC)))
    api.filter = lambda _, since: since.startswith("2")  # no epoch does
    found = metadata(run(made, instance))
    assert found["crawl"] == "full"
    assert found["requested"].startswith("Requesting all customers: the API shows no change, not even the last one")
    assert names(made)["cust_001"] == "Changed Last1"


def test_a_filter_that_the_api_ignores_does_no_harm_and_is_noticed(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    api.records = [customer(number, updated_at=LONG_AGO) for number in range(1, 201)]
    run(made, instance)
    assert "ignore" not in caplog.text
    update(api, 3, first_name="Changed")
    del api.records[0]
    api.filter = lambda _, __: True
    found = metadata(run(made, instance))
    assert (found["crawl"], found["rows_received"], found["rows_early"]) == ("incremental", 199, 198)
    assert "The API seems to ignore the filter: 198 of 199 records" in caplog.text
    assert (names(made)["cust_003"], "cust_001" in names(made)) == ("Changed Last3", True)


def test_a_field_that_changed_records_lack_blocks_and_the_next_run_reads_everything(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """In the whole table it would be a small share; and what came without it would not be requested again."""
    api.records = [customer(number, updated_at=LONG_AGO) for number in range(1, 1001)]
    api.per_page = 100
    run(made, instance)
    for number in range(1, 101):
        update(api, number, email=None)
    result = run(made, instance)
    failed = {each.check_name: each.description for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed == {"no_field_is_lost": "email is missing or unusable in 100.00% of the records that came"}
    assert not result.success
    api.records = [customer(number, updated_at=LONG_AGO) for number in range(1, 1001)]
    after = run(made, instance)
    assert after.success
    assert metadata(after)["requested"] == "Requesting all customers: the records that came last lack email."


def test_rejected_records_stay_in_the_quarantine_until_the_next_full_crawl(
    api: ChangingAPI, made: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """The same record is counted once, however often it comes."""
    api.records.append({"first_name": "Nobody", "updated_at": LONG_AGO})
    run(made, instance)
    api.records.append({"first_name": "Nobody either", "updated_at": written(datetime.now(UTC))})
    for _ in range(2):
        result = run(made, instance)
        assert metadata(result)["crawl"] == "incremental"
        facts = made["data_directory"].raw.current().facts
        assert (facts.landed, facts.rejected, facts.rejected_by_reason) == (22, 2, {"id_missing": 2})
        assert pq.read_metadata(made["data_directory"].layout.quarantine_file).num_rows == 2
    del api.records[-2:]
    by_hand = {**made, "customer_api": with_fields(made["customer_api"], full_refresh=True)}
    run(by_hand, instance)
    assert made["data_directory"].raw.current().facts.rejected == 0


@pytest.mark.parametrize(
    ("counted", "missing", "passed"), [(21, 0, True), (19, 0, True), (23, 2, False)], ids=["all", "deleted", "lost"]
)
def test_the_table_is_compared_with_a_count_of_all_customers(
    made: dict[str, Any], counted: int, missing: int, *, passed: bool
) -> None:
    """More customers than the API counts were deleted there: the next full crawl finds them. Fewer are lost."""
    directory: DataDirectory = made["data_directory"]
    settings = ApiSettings(incremental=Incremental.model_validate(INCREMENTAL))
    records = [customer(number, updated_at=LONG_AGO) for number in range(1, 21)]
    crawl_records(directory, settings, records)
    facts = crawl_records(directory, settings, [customer(21, updated_at=LONG_AGO)], counted)
    assert (facts.total, facts.missing_customers, facts.landed) == (counted, missing, 21)
    assert completeness(facts, QualityThresholds()).passed is passed
    plan, stored = directory.plan_crawl(settings, "source")
    assert (plan.since is not None) is passed
    if stored is not None:
        stored.remove()


def test_two_runs_at_once_leave_a_table_that_the_next_run_completes(made: dict[str, Any]) -> None:
    """Each merges into the table that it began with; the later one commits, or the next asks from its instant on."""
    directory: DataDirectory = made["data_directory"]
    settings = ApiSettings(incremental=Incremental.model_validate(INCREMENTAL))
    crawl_records(directory, settings, [customer(1, updated_at=LONG_AGO)])
    slow = directory.plan_crawl(settings, "source")
    with directory.landing(settings.mapping, "source") as landing:
        fast = crawl_records(directory, settings, [customer(2, updated_at=LONG_AGO)])
        land(landing, [customer(3, updated_at=LONG_AGO)])
        with pytest.raises(SupersededError):
            directory.commit_landing(landing, stats(1), *slow)
        landing.writer.abort()
    assert directory.raw.current().facts == fast


def test_a_run_does_not_undo_what_another_one_committed_meanwhile(made: dict[str, Any]) -> None:
    """A deletion that a full crawl by hand found, or an erasure: a merge into the older table would undo it."""
    directory: DataDirectory = made["data_directory"]
    settings = ApiSettings(incremental=Incremental.model_validate(INCREMENTAL))
    records = [customer(number, updated_at=LONG_AGO) for number in range(1, 6)]
    crawl_records(directory, settings, records)
    overtaking: list[Callable[[], object]] = [
        lambda: crawl_records(directory, settings, records[1:], full_refresh=True),
        lambda: Eraser(directory, ProcessingResource()).erase("4"),
    ]
    for overtake in overtaking:
        plan = directory.plan_crawl(settings, "source")
        overtake()
        committed = directory.raw.current().facts
        with directory.landing(settings.mapping, "source") as landing:
            land(landing, [customer(7, updated_at=LONG_AGO)])
            with pytest.raises(SupersededError):
                directory.commit_landing(landing, stats(1), *plan)
            landing.writer.abort()
        assert directory.raw.current().facts == committed
    crawl_records(directory, settings, [customer(7, updated_at=LONG_AGO)])
    _, file = directory.raw.fetch()
    assert set(pq.read_table(file, columns=["id"])["id"].to_pylist()) == {2, 3, 5, 7}


def test_incremental_crawls_go_on_after_a_customer_was_erased(made: dict[str, Any]) -> None:
    """The customer comes back only if the API says that they changed, or with the next full crawl."""
    directory: DataDirectory = made["data_directory"]
    settings = ApiSettings(incremental=Incremental.model_validate(INCREMENTAL))
    crawl_records(directory, settings, [customer(number, updated_at=LONG_AGO) for number in range(1, 6)])
    assert Eraser(directory, ProcessingResource()).erase("4")["raw_customers"] == 1
    facts = crawl_records(directory, settings, [customer(6, updated_at=LONG_AGO)])
    assert facts.sync is not None
    assert facts.sync.upsert is not None
    assert (facts.landed, facts.sync.customers, facts.sync.upsert.before) == (5, 5, 4)
    _, file = directory.raw.fetch()
    assert set(pq.read_table(file, columns=["id"])["id"].to_pylist()) == {1, 2, 3, 5, 6}
    assert facts.sync.content == str(hash_content(file))


def crawl_records(
    directory: DataDirectory,
    settings: ApiSettings,
    records: list[dict[str, Any]],
    counted: int | None = None,
    *,
    full_refresh: bool = False,
) -> CrawlSummary:
    """Run a crawl that brings these records, without an API."""
    plan, stored = directory.plan_crawl(settings, "source", full_refresh=full_refresh)
    with directory.landing(settings.mapping, "source") as landing:
        land(landing, records)
        return directory.commit_landing(landing, stats(len(records), counted), plan, stored)


def land(landing: Landing, records: list[dict[str, Any]]) -> None:
    landing.writer.start_pass()
    landing.writer.add(Page(1, None, None, None, len(records), json.dumps(records).encode()))


def stats(records: int, counted: int | None = None) -> CrawlStats:
    return CrawlStats(pages=1, records=records, unique_ids=records, customers=counted, began_at=datetime.now(UTC))
