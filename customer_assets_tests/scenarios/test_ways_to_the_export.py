"""Whole Dagster runs, from an API on loopback to the published document: every way of paging, whole and in slices.

What the client makes of an API belongs in `test_paging.py` and `test_slices.py`.
"""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from customer_assets.definitions import build_definitions
from customer_assets.defs.data_directory import DataDirectory
from customer_assets_tests.harness.apis.paged_api import WAYS, PagedAPI, paged
from customer_assets_tests.harness.apis.sliced_api import SLICES, SlicedAPI, spread
from customer_assets_tests.harness.simulation.sliced_worlds import HONEST
from customer_assets_tests.harness.storage.plain_sync import exported_ids
from customer_assets_tests.harness.vendors.serve import serve_vendor

pytestmark = pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")  # by Dagster

RECORD = {"id": "id", "email": "email", "first_name": None, "last_name": None, "avatar": None}
EVERYBODY = [f"cust_{number:03}" for number in range(1, 524)]


def published(url: str, folder: Path, settings: dict[str, Any]) -> list[str]:
    """Run the sync once; return the ids in the export, sorted by number."""
    config = folder / "api.yaml"
    config.write_text(yaml.safe_dump({"api": {"base_url": url, **settings, "record": RECORD}}), encoding="utf-8")
    variables = {"CUSTOMER_API_CONFIG": config, "CUSTOMER_DATA_DIR": folder / "data", "CUSTOMER_API_KEY": "any"}
    job = build_definitions(**variables).resolve_job_def("customer_sync_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    return sorted(exported_ids(DataDirectory(path=str(folder / "data"))), key=lambda each: int(each[5:]))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_paging_is_published(way: str, tmp_path: Path) -> None:
    """523 customers."""
    page, settings = WAYS[way]
    with paged(PagedAPI(page, fault_share=0.02)) as api:
        assert published(api.url, tmp_path, settings) == EVERYBODY


@pytest.mark.parametrize("way", HONEST)
def test_every_way_of_paging_is_published_from_slices(way: str, tmp_path: Path) -> None:
    """523 customers in half a year, read in parts of two months."""
    settings = {**WAYS[way][1], "slices": {**SLICES, "step": "60d", **({"send_in": "body"} if "body" in way else {})}}
    with serve_vendor(SlicedAPI(way, spread(523))) as url:
        assert published(url, tmp_path, settings) == EVERYBODY
