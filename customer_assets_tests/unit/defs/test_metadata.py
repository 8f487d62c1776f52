"""What Dagster shows: how a crawl comes along, and column lineage, held to what the rules really read.

For the lineage a raw column is changed, to see which clean columns change.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from customer_assets.api.runner import progress
from customer_assets.core.fields import CLEAN_FIELDS
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.defs import metadata
from customer_assets.defs.assets import ASSETS
from customer_assets.defs.metadata import clean_from_raw, column_lineage, exported_type
from customer_assets.processing.engines import open_engine
from customer_assets.processing.rules import CLEAN_COLUMNS, POSITION, CleaningOptions, clean_customers
from customer_assets.processing.schemas import RAW_SCHEMA, raw_schema
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, with_fields

AS_OF = datetime(2026, 1, 31, tzinfo=UTC)

RECORD = {
    "page": 1,
    "position": 0,
    "id": 1,
    "id_spelling": 0,
    "email": "ada@x.org",
    "email_domain": "x.org",
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
    "id_spelling": [1],
    "email": ["ada@y.org", None],
    "email_domain": ["y.org", None],
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
"""Records whose fields are supplied, absent or null: each rule's branches."""


polars = cache(partial(open_engine, "polars"))


def cleaned(record: dict[str, Any]) -> dict[str, Any]:
    """Clean one record."""
    return _cleaned(*record.items())


@cache
def _cleaned(*record: tuple[str, Any]) -> dict[str, Any]:
    """Clean each record once, with the engine that takes the least time for one."""
    table = pa.Table.from_pylist([dict(record)], schema=RAW_SCHEMA)
    frame = polars().from_arrow(table)
    (row,) = clean_customers(frame, CleaningOptions(AS_OF)).collect().rows(named=True)
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
    assert changed == {name for name, sources in clean_from_raw().items() if column in sources}


NOT_READ = {"email", "id_spelling"}
"""The raw columns that no clean one follows from: the address itself, and how an id was written."""


def test_every_column_has_a_lineage() -> None:
    """From columns that are there."""
    lineage = clean_from_raw()
    assert tuple(lineage) == CLEAN_COLUMNS
    assert {source for sources in lineage.values() for source in sources} == set(RAW_SCHEMA.names) - {
        *POSITION,
        *NOT_READ,
    }


MAPPINGS: list[dict[str, Any]] = [
    {"id_type": "text", "full_name": "name", "fields": {"country": {"expected": True}, "born": {"type": "instant"}}},
    {"engagement_level": "l", "activity_status": "s", "customer_tier": {"from": "t", "bands": {"basic": 0}}},
    {"email": None, "engagement_score": {"from": "s", "scale": 100}, "last_active_at": None},
]


@pytest.mark.parametrize("generate", [True, False])
@pytest.mark.parametrize("options", MAPPINGS)
def test_by_any_mapping_columns_follow_from_columns(options: dict[str, Any], *, generate: bool) -> None:
    """Those of the raw table that the mapping makes; extra fields follow from themselves."""
    mapping = RecordMapping.model_validate(options)
    lineage = clean_from_raw(mapping, generate=generate)
    assert tuple(lineage) == tuple(field.name for field in mapping.clean_fields)
    assert {source for sources in lineage.values() for source in sources} <= {*raw_schema(mapping).names}
    for name in mapping.fields:
        assert lineage[name] == (name,)
        assert (name in lineage["data_quality_score"]) is mapping.fields[name].expected


def test_exported_types() -> None:
    """Ids and instants are text in the document."""
    assert {field.name: exported_type(field) for field in CLEAN_FIELDS} == {
        **dict.fromkeys(CLEAN_COLUMNS, "String"),
        "data_quality_score": "Int64",
    }


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


def observations_of(resources: dict[str, Any], instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    """Crawl, and collect what was observed meanwhile."""
    result = dg.materialize([ASSETS[0]], resources=resources, instance=instance)
    assert result.success
    found = instance.fetch_observations(dg.AssetKey("raw_customers"), limit=100).records
    return [record.event_log_entry.asset_observation for record in found if record.event_log_entry.asset_observation]


def test_a_long_crawl_is_observed(
    serve_api: Callable[[PlainAPI], PlainAPI], resources: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its numbers are recorded while it runs, and count up."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.001)
    monkeypatch.setattr(metadata, "OBSERVE_EVERY_S", 0.002)
    api = serve_api(PlainAPI([customer(number) for number in range(1, 101)], per_page=1))
    made = resources(api)
    slow = {**made, "customer_api": with_fields(made["customer_api"], max_concurrency=1)}
    with dg.DagsterInstance.ephemeral() as instance:
        seen = observations_of(slow, instance)
    pages = [int(observation.metadata["pages"].value) for observation in reversed(seen)]  # type: ignore[arg-type] # an int
    assert len(pages) > 1
    assert pages == sorted(pages)
    assert pages[-1] > pages[0]
    assert {"pages_total", "requests", "retries", "throttles", "running_s", "pages_per_second"} < set(seen[0].metadata)


def test_a_short_crawl_is_not_observed(
    serve_api: Callable[[PlainAPI], PlainAPI], resources: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Its materialization says it all."""
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        assert observations_of(resources(serve_api(PlainAPI([customer(1)]))), instance) == []
