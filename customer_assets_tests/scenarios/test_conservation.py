"""The law of conservation through the whole pipeline: from a socket to the export and the quarantine."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.definitions import build_definitions
from customer_assets.defs.settings import build_resources
from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, serving_api, with_fields
from customer_assets_tests.harness.records.record_worlds import Record, records

LENIENT = {
    "CUSTOMER_MIN_MEAN_QUALITY": "0",
    "CUSTOMER_TARGET_MEAN_QUALITY": "0",
    "CUSTOMER_MAX_LOW_QUALITY_SHARE": "1",
    "CUSTOMER_MAX_REJECTED_SHARE": "1",
    "CUSTOMER_LOST_FIELD_SHARE": "1",
}


@pytest.mark.service
@pytest.mark.timeout(300)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    world=st.lists(records, min_size=1, max_size=30),
    per_page=st.integers(2, 10),
    faults=st.lists(st.sampled_from([500, 503, 408]), max_size=3),
    engine=st.sampled_from(["duckdb", "polars"]),
)
def test_every_record_of_a_run_is_published_merged_or_quarantined(
    world: list[Record], per_page: int, faults: list[int], engine: str
) -> None:
    """Whatever the records, the pages, the faults and the engine: none is lost, none is made up."""
    named = [customer for _, customer in world]
    api = PlainAPI([record for record, _ in world], per_page=per_page, statuses=list(faults))
    with TemporaryDirectory() as directory, serving_api(api), pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUSTOMER_API_KEY", KEY)
        succeeded = ran(api, Path(directory), engine)
        exported, rejected = published(Path(directory))
    customers = {customer for customer in named if customer is not None}
    assert succeeded is bool(customers), "only an API without a single customer is not published"
    assert rejected == [json.dumps(record) for record, customer in world if customer is None]
    if customers:
        assert exported == sorted(customers)
        merged = len(named) - named.count(None) - len(customers)
        assert len(named) == len(exported) + merged + len(rejected)


def ran(api: PlainAPI, data: Path, engine: str) -> bool:
    """Run the job; whether it succeeded."""
    environ = {"CUSTOMER_API_BASE_URL": api.url, "CUSTOMER_API_KEY": KEY, "CUSTOMER_DATA_DIR": str(data)}
    made = build_resources({**environ, "CUSTOMER_ENGINE": engine, **LENIENT})
    made["customer_api"] = with_fields(made["customer_api"], retry_waits_s=[0.001, 0.001, 0.001])
    job = build_definitions(**made).resolve_job_def("customer_sync_job")
    with dg.DagsterInstance.ephemeral() as instance:
        return bool(job.execute_in_process(instance=instance, raise_on_error=False).success)


def published(data: Path) -> tuple[list[int], list[Any]]:
    """The ids that were published, ascending, and the records that were quarantined, in the API's order."""
    quarantine = pq.read_table(data / "quarantine" / "rejected_customers.parquet").to_pylist()
    quarantine.sort(key=lambda row: (row["page"], row["position"]))
    rejected = [json.dumps(json.loads(row["record"])) for row in quarantine]
    file = data / "export" / "customers.json"
    if not file.exists():
        return [], rejected
    customers = json.loads(file.read_bytes())["customers"]
    return sorted(int(each["customer_id"].removeprefix("cust_")) for each in customers), rejected
