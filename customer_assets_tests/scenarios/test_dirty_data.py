"""The same dirty records give the same bytes, whichever way they go."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.definitions import build_definitions
from customer_assets.export import DataExporter
from customer_assets.processing import CustomerDataProcessor
from customer_assets_tests.harness.apis.plain_api import PlainAPI, with_fields
from customer_assets_tests.harness.records.dirty import dirty_records

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
RECORDS = 10_000


@pytest.fixture(scope="module")
def records() -> list[Any]:
    """Ten thousand records with every edge case that JSON can carry: NaN and infinity are none."""
    made = [json.loads(text) for text in map(as_json, dirty_records(RECORDS + 2_000, seed=7)) if text]
    return made[:RECORDS]


def as_json(record: Any) -> str | None:
    """Write a record as JSON; None if it cannot be."""
    try:
        return json.dumps(record, allow_nan=False)
    except ValueError:
        return None


@pytest.fixture(scope="module")
def expected(records: list[Any], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The customers of the export that a list gives, by way of `process_customers`."""
    path = tmp_path_factory.mktemp("list") / "customers.json"
    DataExporter().export_customers(CustomerDataProcessor(as_of=AS_OF).process_customers(records), path)
    return customers(path)


def customers(path: Path) -> bytes:
    """The document from its first customer on."""
    return path.read_bytes().partition(b'"customers": [')[2]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("per_page", [RECORDS, RECORDS // 10], ids=["one chunk", "ten chunks"])
def test_a_list_and_the_assets_agree(
    serve_api: Callable[[PlainAPI], PlainAPI],
    resources: Callable[..., dict[str, Any]],
    records: list[Any],
    expected: bytes,
    engine: str,
    per_page: int,
) -> None:
    """In one chunk or in ten, on each engine, byte for byte."""
    made = resources(serve_api(PlainAPI(records, per_page=per_page)), CUSTOMER_ENGINE=engine, **LENIENT)
    made["processing"] = with_fields(made["processing"], as_of=AS_OF.isoformat())
    job = build_definitions(**made).resolve_job_def("customer_sync_job")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, raise_on_error=False).success
    assert customers(made["data_directory"].export_file) == expected


LENIENT = {
    "CUSTOMER_MIN_MEAN_QUALITY": "0",
    "CUSTOMER_TARGET_MEAN_QUALITY": "0",
    "CUSTOMER_MAX_LOW_QUALITY_SHARE": "1",
    "CUSTOMER_MAX_REJECTED_SHARE": "1",
    "CUSTOMER_LOST_FIELD_SHARE": "1",
}
