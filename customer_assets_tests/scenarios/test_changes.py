"""Change over time: data versions, the difference to the last export, and the exports that are kept."""

import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from customer_assets.core.models import Changes
from customer_assets.definitions import build_definitions
from customer_assets.defs import assets
from customer_assets.processing import rules
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, with_fields
from customer_assets_tests.harness.job_runs import export_of, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

NAMES = ("raw_customers", "clean_customers", "customer_export", "summary_report")
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def versions(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """The data version of each asset that a run materialised."""
    return {
        event.asset_key.to_user_string(): event.tags["dagster/data_version"]
        for name in NAMES
        for event in result.asset_materializations_for_node(name)
        if event.tags
    }


def changes(made: dict[str, Any]) -> tuple[int, int, int, int] | None:
    """What the published report tells: added, changed, gone, unchanged."""
    report = json.loads(made["data_directory"].report_file.with_suffix(".json").read_text(encoding="utf-8"))
    if report["changes"] is None:
        return None
    found = Changes.model_validate(report["changes"])
    return found.added, found.changed, found.gone, found.unchanged


def test_the_same_data_leaves_every_version(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Whatever the crawl went through; other data gives others."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api)
    first = versions(run(made, instance))
    api.statuses = [500, 503]
    assert versions(run(made, instance)) == first
    assert set(first) == set(NAMES)
    api.records[0]["first_name"] = "Other"
    second = versions(run(made, instance))
    assert {name for name in NAMES if second[name] != first[name]} == {*NAMES} - {"summary_report"}
    api.records[0]["first_name"] = None
    third = versions(run(made, instance))
    assert not {name for name in NAMES if third[name] == second[name]}


def test_time_alone_changes_a_version_only_with_the_data(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Activity is judged from the present: a day later it may be another, or not."""
    records = [customer(number) for number in range(1, 8)]
    records[0]["last_active_at"] = (AS_OF - 89 * DAY).isoformat()
    made = resources(serve_api(PlainAPI(records)))
    found = []
    for days in (0, 1, 2):
        made["processing"] = with_fields(made["processing"], as_of=(AS_OF + days * DAY).isoformat())
        found.append(versions(run(made, instance)))
    assert found[0] == found[1]
    assert {name for name in NAMES if found[2][name] != found[1][name]} == {*NAMES} - {"raw_customers"}
    assert changes(made) == (0, 1, 0, 6)


def stale(made: dict[str, Any], instance: dg.DagsterInstance) -> dict[str, bool]:
    """What Dagster shows as stale."""
    graph = build_definitions(**made).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return {name: resolver.get_status(dg.AssetKey(name)) is StaleStatus.STALE for name in NAMES}


def test_another_rule_version_marks_what_follows_as_stale(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clean customers and all that is made of them; not what was fetched."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])))
    assert run(made, instance).success
    assert not any(stale(made, instance).values())
    monkeypatch.setattr("customer_assets.defs.build.build_assets", build_assets_by_other_rules(monkeypatch))
    assert stale(made, instance) == {
        "raw_customers": False,
        "clean_customers": True,
        "customer_export": True,
        "summary_report": True,
    }


def build_assets_by_other_rules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the function that builds the assets, as it is once the rules' version was raised."""
    monkeypatch.setattr(rules, "RULES_VERSION", f"{rules.RULES_VERSION} raised")
    spec = importlib.util.spec_from_file_location("assets_by_other_rules", assets.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_assets


def test_the_report_tells_what_changed_since_the_last_export(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Added, changed and gone; nothing before the first; in the metadata too."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api)
    assert run(made, instance).success
    assert changes(made) is None
    assert run(made, instance).success
    assert changes(made) == (0, 0, 0, 7)
    api.records = [customer(1, last_name="Other"), *api.records[2:], customer(8), customer(9)]
    result = run(made, instance)
    assert changes(made) == (2, 1, 1, 5)
    for name in ("clean_customers", "summary_report"):
        (event,) = result.asset_materializations_for_node(name)
        told = [event.metadata[f"customers_{kind}"].value for kind in ("added", "changed", "gone", "unchanged")]
        assert told == [2, 1, 1, 5]


def test_a_sync_that_is_not_published_hides_no_change(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """The next is compared with what people last saw; so is a clean asset that is run again."""
    records = [customer(number) for number in range(1, 8)]
    api = serve_api(PlainAPI(records))
    made = resources(api)
    assert run(made, instance).success
    api.records = [customer(number, email=None, first_name="", last_name=None) for number in range(1, 8)]
    assert not run(made, instance).success
    api.records = [*records, customer(8)]
    assert run(made, instance, "raw_customers", "clean_customers").success
    assert run(made, instance, "clean_customers", "summary_report").success
    assert changes(made) == (1, 0, 0, 7)
    assert run(made, instance, "customer_export", "summary_report").success
    assert changes(made) == (1, 0, 0, 7)
    assert run(made, instance).success
    assert changes(made) == (0, 0, 0, 8)


def test_the_report_tells_how_it_differs_from_the_last(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """In the JSON and on the page."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api)
    assert run(made, instance).success
    api.records = [*api.records, customer(8, avatar=None)]
    assert run(made, instance).success
    report = made["data_directory"].report_file
    since = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))["since_last_report"]
    assert (since["total_customers"], since["mean_score"], since["high_quality"]) == (1, -1.25, 1)
    assert "+1 since the last report" in report.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.parametrize("keep", [0, 2])
def test_exports_of_the_last_runs_can_be_kept(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, keep: int
) -> None:
    """As many as the setting says; a run that publishes nothing keeps nothing."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api, CUSTOMER_KEEP_EXPORTS=str(keep))
    for number in range(8, 11):
        api.records = [*api.records, customer(number)]
        assert run(made, instance).success
    api.records = []
    assert not run(made, instance).success
    history: Path = export_of(made).parent / "history"
    kept = [json.loads(path.read_bytes())["metadata"]["total_customers"] for path in sorted(history.glob("*"))]
    assert kept == [9, 10][:keep]


def test_what_was_only_being_compared_is_not_left(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """However many runs one process makes."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])))
    staged = made["data_directory"].staged_file("x").parent
    for _ in range(3):
        assert run(made, instance).success
    assert not list(staged.glob("*exported_customers.parquet"))
