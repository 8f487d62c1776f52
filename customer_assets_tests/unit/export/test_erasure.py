"""Taking one customer out of published files: the others' lines stay byte for byte."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.export import DataExporter
from customer_assets.export.erasure import erase_from_file, filter_parquet, written_id
from customer_assets.export.formats import Format
from customer_assets.export.verify import UnreadableExportError, read_copy, read_export
from customer_assets_tests.harness.records.clean_customers import clean_customer

OTHERS = [clean_customer(1, "Ada"), clean_customer(3, "Eve, cust_002"), clean_customer(22, "Bob")]
ERASED = clean_customer(2, "Canary", data_quality_score=60)


def export(folder: Path, *, is_first: bool) -> None:
    """Export the customers, the one to erase first or last by name."""
    name = "A Canary" if is_first else "Z Canary"
    customers = [*OTHERS, ERASED | {"full_name": name}]
    DataExporter().export_customers(customers, folder / "out.json", formats=[*Format])


@pytest.mark.parametrize("is_first", [True, False])
def test_a_customer_leaves_every_format(tmp_path: Path, *, is_first: bool) -> None:
    """What is left is what an export of the others would be, counts and bands included."""
    export(tmp_path, is_first=is_first)
    for form in Format:
        assert erase_from_file(tmp_path / f"out.{form}", "cust_002") == 1
        assert erase_from_file(tmp_path / f"out.{form}", "cust_002") == 0
    (tmp_path / "expected").mkdir()
    expected = DataExporter().export_customers(OTHERS, tmp_path / "expected" / "out.json", formats=[*Format])
    assert read_export(tmp_path / "out.json") == expected
    for form in (Format.NDJSON, Format.PARQUET):
        assert read_copy(tmp_path / f"out.{form}", form) == expected
    lines = (tmp_path / "out.json").read_bytes().splitlines()[2:]
    assert lines == (tmp_path / "expected" / "out.json").read_bytes().splitlines()[2:]


def test_whoever_is_not_there_changes_nothing(tmp_path: Path) -> None:
    """Not even the file itself."""
    export(tmp_path, is_first=True)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    for form in Format:
        assert erase_from_file(tmp_path / f"out.{form}", "cust_2") == 0
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before


def test_the_only_customer_leaves_a_valid_document(tmp_path: Path) -> None:
    DataExporter().export_customers([ERASED], tmp_path / "out.json", formats=[*Format])
    for form in Format:
        assert erase_from_file(tmp_path / f"out.{form}", "cust_002") == 1
    assert read_export(tmp_path / "out.json").total_customers == 0
    assert (tmp_path / "out.ndjson").read_bytes() == b""


@pytest.mark.parametrize("form", [Format.JSON, Format.PARQUET])
def test_what_is_no_export_is_left(tmp_path: Path, form: Format) -> None:
    (tmp_path / f"out.{form}").write_bytes(b"somebody else's")
    with pytest.raises(UnreadableExportError, match=rf"out\.{form}"):
        erase_from_file(tmp_path / f"out.{form}", "cust_002")
    assert (tmp_path / f"out.{form}").read_bytes() == b"somebody else's"


def test_metadata_of_all_rows_is_forgotten(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2, 3]}).replace_schema_metadata({"kept": "a", "digest": "b"})
    pq.write_table(table, tmp_path / "in.parquet")
    keep = lambda batch: pa.array([each != 2 for each in batch.column("n").to_pylist()])  # noqa: E731
    assert filter_parquet(tmp_path / "in.parquet", tmp_path / "out.parquet", keep, forget=(b"digest",)) == 1
    found = pq.read_table(tmp_path / "out.parquet")
    assert (found.column("n").to_pylist(), found.schema.metadata) == ([1, 3], {b"kept": b"a"})


@pytest.mark.parametrize(
    ("customer_id", "written"), [(7, "cust_007"), (12345, "cust_12345"), (-7, "cust_-007"), ("007", "007")]
)
def test_ids_are_written_as_the_export_writes_them(customer_id: int | str, written: str) -> None:
    assert written_id(customer_id) == written
