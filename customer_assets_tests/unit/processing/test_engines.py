"""Engines: each opens, casts, sinks and streams alike."""

import stat
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.core.errors import ConfigurationError, MissingDependencyError
from customer_assets.processing import CustomerDataProcessor, engines
from customer_assets.processing.engines import (
    ENGINES,
    Engine,
    engine_names,
    open_engine,
    register_engine,
)
from customer_assets.processing.landing.batches import landed_objects
from customer_assets.processing.rules import CleaningOptions, clean_customers
from customer_assets.processing.schemas import CLEAN_SCHEMA, RAW_SCHEMA
from customer_assets_tests.harness.records.dirty import dirty_records


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A raw lake of dirty records."""
    path = tmp_path / "raw.parquet"
    pq.write_table(pa.Table.from_batches([landed_objects(dirty_records(300, seed=2))[0]]), path)
    return path


INTEGERS = {"customer_id", "data_quality_score"}


def _sorted(path: Path) -> pa.Table:
    return pq.read_table(path).sort_by("customer_id")


def test_sinks_the_declared_schema(engine: Engine, lake: Path, tmp_path: Path, as_of: datetime) -> None:
    """Every engine writes the same file: one Parquet file of the clean schema, its owner's only."""
    path = tmp_path / "clean.parquet"
    engine.sink(clean_customers(engine.scan(lake), CleaningOptions(as_of)), path)
    stored = pq.read_metadata(path).schema
    columns = [stored.column(n) for n in range(len(stored.names))]
    text = {column.name for column in columns if str(column.logical_type) == "String"}
    assert [column.name for column in columns] == CLEAN_SCHEMA.names
    assert text == set(CLEAN_SCHEMA.names) - INTEGERS
    assert {column.physical_type for column in columns if column.name in INTEGERS} == {"INT64"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    duckdb, expected = open_engine("duckdb"), tmp_path / "expected.parquet"
    duckdb.sink(clean_customers(duckdb.scan(lake), CleaningOptions(as_of)), expected)
    assert _sorted(path).to_pylist() == _sorted(expected).to_pylist()
    assert {file.name for file in tmp_path.iterdir()} == {"raw.parquet", "clean.parquet", "expected.parquet"}


def test_sink_replaces(engine: Engine, lake: Path, tmp_path: Path, as_of: datetime) -> None:
    """A file that is there already is written anew."""
    path = tmp_path / "clean.parquet"
    path.write_text("older")
    engine.sink(clean_customers(engine.scan(lake), CleaningOptions(as_of)), path)
    assert pq.read_metadata(path).num_rows > 0


def test_sinks_no_rows(engine: Engine, tmp_path: Path, as_of: datetime) -> None:
    """Nothing to write still makes a file of the clean schema."""
    empty = engine.from_arrow(RAW_SCHEMA.empty_table())
    engine.sink(clean_customers(empty, CleaningOptions(as_of)), tmp_path / "clean.parquet")
    table = pq.read_table(tmp_path / "clean.parquet")
    assert (table.num_rows, table.schema.names) == (0, CLEAN_SCHEMA.names)


def test_batches_keep_order_and_schema(engine: Engine, lake: Path, as_of: datetime) -> None:
    """A sorted frame comes out in its order, in pieces of the declared types, none larger than asked."""
    clean = clean_customers(engine.scan(lake), CleaningOptions(as_of)).sort("customer_id", descending=True)
    pieces = list(engine.batches(clean, batch_rows=64))
    assert all(piece.num_rows <= 64 and piece.schema.equals(CLEAN_SCHEMA) for piece in pieces)
    ids: list[Any] = [customer_id for piece in pieces for customer_id in piece.column(0).to_pylist()]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) > 128


def test_scans_several_files(engine: Engine, lake: Path) -> None:
    """Several files are one frame."""
    assert engine.scan([lake, str(lake)]).collect().shape[0] == 2 * engine.scan(str(lake)).collect().shape[0]


@pytest.mark.parametrize("name", ["[a]-1", "we?i*d", "{x,y}", "100%20", "it's; #1", "a=b", "\\d+", "~", "ümlaut"])
def test_a_folder_of_any_name_is_read_and_written(engine: Engine, lake: Path, tmp_path: Path, name: str) -> None:
    """No name is a pattern, a partition or a home directory."""
    folder = tmp_path / name
    folder.mkdir()
    engine.sink(engine.scan(lake).select("position"), folder / f"{name}.parquet")
    (rows,) = engine.scan(folder / f"{name}.parquet").select(nw.len()).collect().row(0)
    assert rows == pq.read_metadata(lake).num_rows
    assert [path.name for path in folder.iterdir()] == [f"{name}.parquet"]


def test_raw_columns_survive_a_scan(engine: Engine, lake: Path) -> None:
    """Instants, numbers and text of the lake are read as they were written, ancient dates included."""
    columns = ["position", "id", "email", "engagement_score", "last_active_at", "last_active_at_supplied"]
    read = pa.Table.from_batches(list(engine.batches(engine.scan(lake).select(*columns).sort("position"))))
    assert read.cast(pq.read_table(lake, columns=columns).schema).equals(pq.read_table(lake, columns=columns))


def test_unknown_engine() -> None:
    """An engine nobody knows is a configuration error that names the choice."""
    with pytest.raises(ConfigurationError, match="duckdb, polars, pyspark") as caught:
        open_engine("pandas")
    assert caught.value.field == "CUSTOMER_ENGINE"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("duckdb", "pip install 'customer_assets'"),
        ("polars", "pip install 'customer_assets[polars]'"),
        ("pyspark", "pip install 'customer_assets[spark]'"),
    ],
)
def test_missing_engine(monkeypatch: pytest.MonkeyPatch, name: str, command: str) -> None:
    """An engine that is not installed is told with the command that installs it."""
    for module in (name, f"{name}.sql"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"customer_assets.processing.engines.{name}", raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        open_engine(name)
    assert (caught.value.part, caught.value.command) == (name, command)


def test_every_engine_has_a_name() -> None:
    """The choice is what the settings say."""
    assert list(ENGINES) == ["duckdb", "polars", "pyspark"]


def test_an_engine_of_ones_own_is_opened_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a setting names one."""
    monkeypatch.setattr(engines, "_registered", {})
    with pytest.raises(ConfigurationError, match="there is no engine 'tuned'"):
        open_engine("tuned")
    tuned = open_engine("duckdb")
    register_engine("tuned", lambda: tuned)
    assert open_engine("tuned") is tuned
    assert CustomerDataProcessor(engine="tuned").engine is tuned
    assert engine_names() == [*ENGINES, "tuned"]


@pytest.mark.parametrize("name", ENGINES)
def test_no_engine_takes_anothers_name(name: str) -> None:
    """Ours stay ours."""
    with pytest.raises(ConfigurationError, match="is an engine already"):
        register_engine(name, lambda: open_engine("duckdb"))
