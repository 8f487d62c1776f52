"""Column lineage, held to what the rules really read: change a raw column, and see which clean columns change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from customer_assets.defs.lineage import CLEAN_FROM_RAW, EXPORT_FROM_CLEAN, EXPORTED_TYPES, column_lineage
from customer_assets.models import ExportedCustomer
from customer_assets.processing.engines import open_engine
from customer_assets.processing.landing.batches import RAW_SCHEMA
from customer_assets.processing.rules import CLEAN_COLUMNS, POSITION, clean_customers

AS_OF = datetime(2026, 1, 31, tzinfo=UTC)

RECORD = {
    "page": 1,
    "position": 0,
    "id": 1,
    "email": "ada@x.org",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "avatar": "https://x.org/1.jpg",
    "engagement_score": 0.9,
    "engagement_score_supplied": True,
    "last_active_at": AS_OF - timedelta(days=1),
    "last_active_at_supplied": True,
}

CHANGES: dict[str, list[Any]] = {
    "id": list(range(2, 10)),
    "email": ["ada@y.org", None],
    "first_name": ["Eda", None],
    "last_name": ["Byron", None],
    "avatar": ["https://x.org/2.jpg", None],
    "engagement_score": [0.1, None],
    "engagement_score_supplied": [False],
    "last_active_at": [AS_OF - timedelta(days=365), None],
    "last_active_at_supplied": [False],
}

WORLDS: tuple[dict[str, Any], ...] = (
    {},
    {"engagement_score": None, "engagement_score_supplied": False},
    {"last_active_at": None, "last_active_at_supplied": False},
    {"engagement_score": None, "last_active_at": None},
)
"""TableVersions whose fields are supplied, absent or null: each rule's branches."""


def cleaned(record: dict[str, Any]) -> dict[str, Any]:
    """Clean one record."""
    table = pa.Table.from_pylist([record], schema=RAW_SCHEMA)
    frame = open_engine("duckdb").from_arrow(table)
    (row,) = clean_customers(frame, seed=0, as_of=AS_OF).collect().rows(named=True)
    return dict(row)


@pytest.mark.parametrize("column", CHANGES)
def test_a_clean_column_changes_with_the_columns_it_names_and_no_others(column: str) -> None:
    """In some world with some change it does; in none does a column change that does not name it."""
    changed = set()
    for world in WORLDS:
        record = {**RECORD, **world}
        before = cleaned(record)
        for value in CHANGES[column]:
            after = cleaned({**record, column: value})
            changed |= {name for name in CLEAN_COLUMNS if before[name] != after[name]}
    assert changed == {name for name, sources in CLEAN_FROM_RAW.items() if column in sources}


def test_every_column_has_a_lineage() -> None:
    """From columns that are there."""
    assert tuple(CLEAN_FROM_RAW) == CLEAN_COLUMNS == tuple(EXPORT_FROM_CLEAN) == tuple(EXPORTED_TYPES)
    assert {source for sources in CLEAN_FROM_RAW.values() for source in sources} == set(RAW_SCHEMA.names) - set(
        POSITION
    )
    assert set(EXPORTED_TYPES) == set(ExportedCustomer.model_fields)


def test_dagster_draws_it() -> None:
    """Under the key that its UI looks for; what comes from the API has none."""
    (name,) = column_lineage(dg.AssetKey("clean_customers"))
    assert name == "dagster/column_lineage"
    lineage = column_lineage(dg.AssetKey(["acme", "customer_export"]))[name].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert lineage.deps_by_column["full_name"] == [
        dg.TableColumnDep(asset_key=dg.AssetKey(["acme", "clean_customers"]), column_name="full_name")
    ]
    assert column_lineage(dg.AssetKey("raw_customers")) == {}
