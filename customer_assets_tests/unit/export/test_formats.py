"""NDJSON and Parquet beside the document: the same customers in the same order, all files or none."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.core.errors import ConfigurationError, PublishError
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.export import DataExporter, exporter, formats
from customer_assets.export.formats import Format
from customer_assets.export.verify import UnreadableExportError, read_copy
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import Engine
from customer_assets.processing.schemas import clean_schema
from customer_assets_tests.harness.records.clean_customers import clean_customer

ALL = ["json", "ndjson", "parquet"]
MAPPING = RecordMapping.model_validate(
    {
        "id_type": "text",
        "market_segment": "segment",
        "fields": {
            "country": {},
            "spent": {"type": "number"},
            "orders": {"type": "integer"},
            "vip": {"type": "boolean"},
            "born": {"type": "instant"},
        },
    }
)
RECORDS = [
    {"id": "b-2", "first_name": "Ada", "email": "a@x.org", "segment": 'A,\n"B"', "spent": 1.5, "orders": -1}
    | {"country": 'D"E', "vip": True, "born": "1990-05-17"},
    {"id": "B-2", "first_name": "Ada", "email": "a@x.org", "vip": False, "born": "2026-01-31T10:00:00.25Z"},
]


def document(folder: Path) -> list[dict[str, Any]]:
    """Read the document with a parser that is not ours."""
    customers: list[dict[str, Any]] = json.loads((folder / "out.json").read_bytes())["customers"]
    return customers


@pytest.mark.smoke
def test_all_formats_hold_what_the_document_holds(tmp_path: Path) -> None:
    """Ids are written alike, so that the files can be joined."""
    customers = [clean_customer(7, "Zoë"), clean_customer(1234, 'A "B" \\', data_quality_score=70)]
    figures = DataExporter().export_customers(customers, tmp_path / "out.json", formats=ALL)
    expected = document(tmp_path)
    lines = (tmp_path / "out.ndjson").read_text(encoding="utf-8")
    assert [json.loads(line) for line in lines.removesuffix("\n").split("\n")] == expected
    assert lines.endswith("}\n")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == expected
    assert {each["customer_id"] for each in expected} == {"cust_007", "cust_1234"}
    for form in (Format.NDJSON, Format.PARQUET):
        assert read_copy(tmp_path / f"out.{form}", form) == figures


def test_extra_fields_keep_their_types(engine: Engine, tmp_path: Path) -> None:
    """On every engine, nulls included, and text ids as they are."""
    processor = CustomerDataProcessor(as_of=datetime(2026, 11, 1, tzinfo=UTC), engine=engine, mapping=MAPPING)
    rows = processor.process_customers(RECORDS)
    frame = engine.from_arrow(pa.Table.from_pylist(rows, clean_schema(MAPPING)))
    figures = DataExporter(engine, mapping=MAPPING).export_customers(frame, tmp_path / "out.json", formats=ALL)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(clean_schema(MAPPING))
    assert table.to_pylist() == sorted(rows, key=lambda row: row["customer_id"])
    lines = (tmp_path / "out.ndjson").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert [json.loads(line) for line in lines] == document(tmp_path)
    for form in (Format.NDJSON, Format.PARQUET):
        assert read_copy(tmp_path / f"out.{form}", form, MAPPING) == figures


@pytest.mark.parametrize("rows_per_group", [1, 3, 1000])
def test_many_batches_become_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_per_group: int) -> None:
    """However the batches fall, all rows are there, in order."""
    monkeypatch.setattr(exporter, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(formats, "ROWS_PER_GROUP", rows_per_group)
    figures = DataExporter().export_customers(
        [clean_customer(number, f"N{number:02}") for number in range(11)], tmp_path / "out.json", formats=ALL
    )
    assert read_copy(tmp_path / "out.parquet", Format.PARQUET) == figures
    assert pq.read_metadata(tmp_path / "out.parquet").num_row_groups <= -(-11 // min(rows_per_group, 2))


def test_nobody_is_a_valid_file_of_each_format(tmp_path: Path) -> None:
    figures = DataExporter().export_customers([], tmp_path / "out.json", formats=ALL)
    assert (tmp_path / "out.ndjson").read_bytes() == b""
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0
    for form in (Format.NDJSON, Format.PARQUET):
        assert read_copy(tmp_path / f"out.{form}", form) == figures


def test_each_file_is_private_and_keeps_the_mode_that_it_was_given(tmp_path: Path) -> None:
    """A group that reads the export keeps reading the next one."""
    for mode in (0o600, 0o640):
        DataExporter().export_customers([clean_customer(1)], tmp_path / "out.json", formats=ALL)
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}
        for path in tmp_path.iterdir():
            path.chmod(0o640)


@pytest.mark.parametrize("suffix", ALL)
def test_what_stands_in_the_way_of_one_leaves_the_others(tmp_path: Path, suffix: str) -> None:
    """All files are complete before the first is put in place, and obstacles are found before that."""
    DataExporter().export_customers([clean_customer(1)], tmp_path / "out.json", formats=ALL)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != f".{suffix}"}
    (tmp_path / f"out.{suffix}").unlink()
    (tmp_path / f"out.{suffix}").mkdir()
    with pytest.raises(PublishError, match=rf"out\.{suffix}"):
        DataExporter().export_customers([clean_customer(2)], tmp_path / "out.json", formats=ALL)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "asked", "problem"),
    [
        pytest.param("out.json", ["csv"], "'csv' is unknown", id="unknown"),
        pytest.param("out.parquet", ["parquet"], "name of another format's file", id="the document's own name"),
    ],
)
def test_formats_that_cannot_be_published_are_refused(
    tmp_path: Path, name: str, asked: list[str], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        DataExporter().export_customers([clean_customer(1)], tmp_path / name, formats=asked)
    assert list(tmp_path.iterdir()) == []


def of_another_kind(path: Path) -> None:
    path.write_bytes(b"no" + path.read_bytes()[2:])


def flipped(path: Path) -> None:
    """One bit of a page, which many readers would not notice."""
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("form", [Format.NDJSON, Format.PARQUET])
@pytest.mark.parametrize("spoil", [of_another_kind, flipped, cut_off, removed])
def test_a_damaged_file_is_noticed(tmp_path: Path, form: Format, spoil: Any) -> None:
    DataExporter().export_customers([clean_customer(1)], tmp_path / "out.json", formats=[form])
    expected = read_copy(tmp_path / f"out.{form}", form)
    spoil(tmp_path / f"out.{form}")
    try:
        assert read_copy(tmp_path / f"out.{form}", form) != expected
    except UnreadableExportError as error:
        assert f"out.{form} is not an export" in str(error)  # noqa: PT017 - it can be readable, and of others


def test_a_file_of_others_is_told_by_its_digest(tmp_path: Path) -> None:
    figures = DataExporter().export_customers([clean_customer(1, "Ada")], tmp_path / "out.json", formats=ALL)
    DataExporter().export_customers([clean_customer(1, "Eve")], tmp_path / "other.json", formats=ALL)
    for form in (Format.NDJSON, Format.PARQUET):
        assert read_copy(tmp_path / f"other.{form}", form).digest != figures.digest


def test_a_parquet_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    DataExporter().export_customers([clean_customer(1)], tmp_path / "out.json", formats=["parquet"])
    with pytest.raises(UnreadableExportError):
        read_copy(tmp_path / "out.parquet", Format.PARQUET, MAPPING)
