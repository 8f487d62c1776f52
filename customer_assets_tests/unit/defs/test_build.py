"""A sync, put together: its job can run in part, and its data has a place of its own."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.core.errors import ConfigurationError
from customer_assets.defs.build import build_sync_definitions
from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.resources import ThresholdsResource
from customer_assets.defs.run_config import CONSOLE_LOGGING
from customer_assets.defs.sync import Sync
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, in_memory, with_fields

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


def built(made: dict[str, Any], sync: Sync, **resources: Any) -> dg.Definitions:
    """Build a sync."""
    return build_sync_definitions(sync, {**in_memory(made), **resources}, dg.in_process_executor, Notifier())


def test_a_changed_threshold_is_judged_without_another_crawl(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """One check of the job alone: what is on record is judged anew, and the API is not asked."""
    api = serve_api(PlainAPI([customer(number, **({"avatar": None} if number > 3 else {})) for number in range(1, 8)]))
    sync, made = Sync.for_project("shop"), resources(api)
    assert built(made, sync).resolve_job_def(sync.job).execute_in_process(instance=instance).success
    requests = len(api.asked)
    strict = ThresholdsResource(min_mean_quality=95, target_mean_quality=95)
    job = built(made, sync, quality_thresholds=strict).resolve_job_def(sync.job)
    check = dg.AssetCheckKey(sync.key("clean_customers"), "mean_quality_meets_threshold")
    alone = job.get_subset(asset_check_selection={check}, asset_selection=set())
    result = alone.execute_in_process(instance=instance, raise_on_error=False)
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == ("mean_quality_meets_threshold", False)
    assert len(api.asked) == requests


def test_the_job_runs_for_some_assets(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> None:
    """As the UI launches them from the job's page."""
    sync, made = Sync(), resources(serve_api(PlainAPI([customer(1)])))
    job = built(made, sync).resolve_job_def(sync.job)
    result = job.get_subset(asset_selection={sync.key("raw_customers")}).execute_in_process(instance=instance)
    assert [event.asset_key for event in result.get_asset_materialization_events()] == [sync.key("raw_customers")]


def test_a_scheduled_run_keeps_the_console_quiet(resources: Resources, instance: dg.DagsterInstance) -> None:
    """The schedule says so, since a job's own configuration would keep it from running in part."""
    defs = built(resources(PlainAPI([], url="https://x.org")), Sync())
    schedule = defs.resolve_schedule_def("daily_customer_sync")
    (request,) = schedule.evaluate_tick(dg.build_schedule_context(instance)).run_requests or []
    assert request.run_config == CONSOLE_LOGGING


@pytest.mark.parametrize("shared", ["path", "lake_url"])
def test_two_syncs_never_share_a_place(resources: Resources, tmp_path: Path, shared: str) -> None:
    """Not while both exist; the same sync may be built again."""
    made = resources(PlainAPI([], url="https://x.org"))
    directory = made["data_directory"]
    one = with_fields(directory, path=str(tmp_path / "one"), lake_url="")
    two = with_fields(directory, path=str(tmp_path / "two"), lake_url="")
    one, two = (with_fields(each, **{shared: str(tmp_path / "shared")}) for each in (one, two))
    first = [built(made, Sync.for_project("one"), data_directory=one) for _ in range(2)]
    with pytest.raises(ConfigurationError, match=r"^CUSTOMER_DATA_DIR: two_job and one_job both keep their data in "):
        built(made, Sync.for_project("two"), data_directory=two)
    del first
    gc.collect()
    assert built(made, Sync.for_project("two"), data_directory=two)


def test_a_place_is_the_same_by_another_path(resources: Resources, tmp_path: Path) -> None:
    """Behind a link, say."""
    made = resources(PlainAPI([], url="https://x.org"))
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    first = built(made, Sync.for_project("one"))
    linked = with_fields(made["data_directory"], path=str(tmp_path / "link"))
    with pytest.raises(ConfigurationError, match="both keep their data"):
        built(made, Sync.for_project("two"), data_directory=linked)
    del first


def test_a_projects_own_assets_do_not_land_in_the_lake(resources: Resources) -> None:
    """No resource has the key of Dagster's default IO manager: the other assets of the project use that one."""
    defs = built(resources(PlainAPI([], url="https://x.org")), Sync.for_project("a"))
    assert set(defs.resources or ()) == {
        "a_customer_api",
        "a_processing",
        "a_quality_thresholds",
        "a_data_directory",
        "a_customer_io_manager",
    }
