"""Several syncs in one project: each under names of its own, each with data of its own."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.definitions import build_definitions
from customer_assets.defs.build import build_sync_definitions
from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.sync import Sync, Timing
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, in_memory, with_fields

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


def sync_of(made: dict[str, Any], name: str, folder: Path) -> dg.Definitions:
    """Put a sync together that keeps its data in a folder."""
    directory = with_fields(made["data_directory"], path=str(folder))
    return build_sync_definitions(
        Sync.for_project(name), {**in_memory(made), "data_directory": directory}, dg.in_process_executor, Notifier()
    )


def exported(folder: Path) -> list[str]:
    """The ids that a sync published."""
    document = json.loads((folder / "export" / "customers.json").read_text(encoding="utf-8"))
    return [each["customer_id"] for each in document["customers"]]


def test_two_syncs_and_this_projects_own_live_in_one_project(
    serve_api: Serve, resources: Resources, tmp_path: Path
) -> None:
    """Assets, checks, jobs, schedules and resources have names of their own, and each job runs its own sync only."""
    few, many = (resources(serve_api(PlainAPI([customer(each) for each in range(1, last + 1)]))) for last in (2, 7))
    defs = dg.Definitions.merge(
        sync_of(few, "few", tmp_path / "few"), sync_of(many, "many", tmp_path / "many"), build_definitions()
    )
    dg.Definitions.validate_loadable(defs)
    keys = {key.to_user_string() for key in defs.resolve_all_asset_keys()}
    lineage = ("customer_api", "raw_customers", "rejected_records", "clean_customers")
    names = (*lineage, "customer_export", "summary_report")
    assert keys == {prefix + name for prefix in ("", "few/", "many/") for name in names}
    for name in ("few", "many"):
        with dg.DagsterInstance.ephemeral() as instance:
            result = defs.resolve_job_def(f"{name}_job").execute_in_process(instance=instance)
        assert {evaluation.asset_key.path[0] for evaluation in result.get_asset_check_evaluations()} == {name}
        assert len(result.get_asset_check_evaluations()) == 10
    assert exported(tmp_path / "few") == ["cust_001", "cust_002"]
    assert len(exported(tmp_path / "many")) == 7


def test_bad_data_is_kept_back_under_another_name_too(serve_api: Serve, resources: Resources, tmp_path: Path) -> None:
    """The gate in the export and the blocking checks read their own sync's data."""
    made = resources(serve_api(PlainAPI([customer(1, email=None, first_name="", last_name=None)])))
    job = sync_of(made, "poor", tmp_path).resolve_job_def("poor_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    failed = {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed == {"mean_quality_meets_threshold", "no_field_is_lost"}
    assert not (tmp_path / "export" / "customers.json").exists()


def test_each_part_of_a_sync_is_named_after_it() -> None:
    """What two syncs would otherwise share: the group, the pool and the names of jobs, schedules and resources."""
    own, acme = Sync(), Sync.for_project("acme")
    assert (acme.group, acme.pool, acme.job, acme.schedule) == (
        "acme",
        "acme_api",
        "acme_job",
        "acme_schedule",
    )
    assert {own.group, own.pool, own.job, own.schedule}.isdisjoint({acme.group, acme.pool, acme.job, acme.schedule})
    assert acme.key("raw_customers").path == ["acme", "raw_customers"]
    assert acme.resource("customer_api") == "acme_customer_api"


@pytest.mark.parametrize(
    ("cron", "after", "ticks"),
    [
        ("0 3 * * *", "2026-11-25T03:00:00+00:00", ("2026-11-26T03:00:00+00:00", "2026-11-27T03:00:00+00:00")),
        ("30 * * * *", "2026-11-25T03:29:58+00:00", ("2026-11-25T03:30:00+00:00", "2026-11-25T04:30:00+00:00")),
        ("30 6 * * 1-5", "2026-11-27T06:31:00+00:00", ("2026-11-30T06:30:00+00:00", "2026-12-01T06:30:00+00:00")),
        ("@hourly", "2016-11-25T03:29:58+00:00", ("2016-11-25T04:00:00+00:00", "2016-11-25T05:00:00+00:00")),
    ],
)
def test_the_next_ticks_are_the_schedules(cron: str, after: str, ticks: tuple[str, str]) -> None:
    """Over weekends, and from any year; a tick at that very instant is not the next one."""
    found = Timing(cron=cron).next_ticks(datetime.fromisoformat(after))
    assert found == tuple(map(datetime.fromisoformat, ticks))


def test_the_next_ticks_follow_the_time_zone() -> None:
    """Across the end of summer time, too."""
    timing = Timing(cron="0 3 * * *", timezone="Europe/Berlin")
    found = timing.next_ticks(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert found == (datetime(2026, 10, 25, 2, tzinfo=UTC), datetime(2026, 10, 26, 2, tzinfo=UTC))
