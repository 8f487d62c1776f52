"""The published document: its bytes, its order, and what is refused."""

import importlib
import json
from collections import UserDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.core.errors import ConfigurationError, PublishError
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.export import DataExporter, InvalidCustomerError, verify
from customer_assets.export.verify import UnreadableExportError, read_export
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import open_engine
from customer_assets.processing.schemas import clean_schema
from customer_assets_tests.harness.machines.services import need_module
from customer_assets_tests.harness.records.clean_customers import clean_customer

INSTANT = datetime(2024, 1, 20, 16, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture(scope="module")
def exporter() -> DataExporter:
    """An exporter whose clock stands still."""
    return DataExporter(clock=lambda: INSTANT)


@pytest.mark.smoke
def test_the_document_byte_for_byte(exporter: DataExporter, tmp_path: Path) -> None:
    """Metadata first, one customer a line, ids with three digits at least, UTC with Z."""
    customers = [clean_customer(1234, "Zoë"), clean_customer(7, 'A "B" \\', data_quality_score=70)]
    exporter.export_customers(customers, tmp_path / "out.json")
    common = (
        '"email_domain": "example.org", "engagement_level": "high", "activity_status": "active", '
        '"acquisition_channel": "website", "market_segment": "US-West", "customer_tier": "premium", '
    )
    assert (tmp_path / "out.json").read_text(encoding="utf-8") == (
        '{\n"metadata": {"total_customers":2,"export_timestamp":"2024-01-20T15:30:00Z",'
        '"data_quality_summary":{"high_quality":1,"medium_quality":1,"low_quality":0}},\n"customers": [\n'
        f'{{"customer_id": "cust_007", "full_name": "A \\"B\\" \\\\", {common}"data_quality_score": 70}},\n'
        f'{{"customer_id": "cust_1234", "full_name": "Zoë", {common}"data_quality_score": 100}}\n]\n}}\n'
    )


@pytest.mark.parametrize(
    ("ids", "written"),
    [
        pytest.param([99, 100], ["cust_099", "cust_100"], id="some short"),
        pytest.param([100, 1234], ["cust_100", "cust_1234"], id="none short"),
        pytest.param([-1000, -7, 0], ["cust_-1000", "cust_-007", "cust_000"], id="negative"),
    ],
)
def test_ids_of_one_batch_are_padded_where_they_need_it(
    exporter: DataExporter, tmp_path: Path, ids: list[int], written: list[str]
) -> None:
    """Also where every id of a batch is long enough as it is."""
    exporter.export_customers([clean_customer(each) for each in ids], tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [customer["customer_id"] for customer in document["customers"]] == written


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(min_size=1)), max_size=20))
@settings(deadline=None, max_examples=60)
def test_any_name_comes_back(
    exporter: DataExporter, tmp_path_factory: pytest.TempPathFactory, named: list[tuple[int, str]]
) -> None:
    """Valid JSON by a parser that is not ours; sorted by code points, then id."""
    path = tmp_path_factory.mktemp("export") / "out.json"
    encodable = [(number, name.encode("utf-8", "replace").decode()) for number, name in named]
    figures = exporter.export_customers([clean_customer(number, name) for number, name in encodable], path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [customer["full_name"] for customer in document["customers"]] == [
        name for name, _ in sorted((name, number) for number, name in encodable)
    ]
    assert read_export(path) == figures


@pytest.mark.parametrize(
    ("number", "written"),
    [(1, "cust_001"), (999, "cust_999"), (12345, "cust_12345"), (-7, "cust_-007"), (0, "cust_000")],
)
def test_ids_have_three_digits_at_least(exporter: DataExporter, tmp_path: Path, number: int, written: str) -> None:
    """Negative ones keep their sign."""
    exporter.export_customers([clean_customer(number)], tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert document["customers"][0]["customer_id"] == written


@pytest.mark.parametrize(
    ("score", "band"), [(100, "high"), (90, "high"), (89, "medium"), (70, "medium"), (69, "low"), (0, "low")]
)
def test_bands(exporter: DataExporter, tmp_path: Path, score: int, band: str) -> None:
    """High from 90, medium from 70, low below."""
    figures = exporter.export_customers([clean_customer(1, data_quality_score=score)], tmp_path / "out.json")
    assert getattr(figures, f"{band}_quality") == figures.total_customers == 1


def test_no_customers_are_a_valid_document(exporter: DataExporter, tmp_path: Path) -> None:
    """An empty list."""
    exporter.export_customers([], tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert document["customers"] == []
    assert document["metadata"]["total_customers"] == 0


@pytest.mark.parametrize(
    ("customer", "field"),
    [
        pytest.param(clean_customer(1, data_quality_score=float("nan")), "data_quality_score", id="NaN"),
        pytest.param(clean_customer(1, customer_tier="gold"), "customer_tier", id="unknown tier"),
        pytest.param(clean_customer(1, secret="x"), "secret", id="a field too many"),  # noqa: S106 - no password
        pytest.param({"customer_id": 1}, "full_name", id="a field too few"),
        pytest.param(clean_customer(2**63), "customer_id: less_than_equal", id="an id beyond 64 bits"),
        pytest.param(clean_customer(-(2**63) - 1), "customer_id: greater_than_equal", id="a negative one beyond them"),
        pytest.param(7, "it: model_type", id="no mapping"),
    ],
)
def test_what_is_no_clean_customer_is_refused(
    exporter: DataExporter, tmp_path: Path, customer: Mapping[str, Any], field: str
) -> None:
    """The error names its place and the field; nothing is written."""
    with pytest.raises(InvalidCustomerError, match=rf"Customer 1 .*{field}"):
        exporter.export_customers([clean_customer(2), customer], tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("customers", ["text", b"[]", clean_customer(1), None])
def test_what_is_no_list_of_customers_is_refused(exporter: DataExporter, tmp_path: Path, customers: Any) -> None:
    """By its type, not as the first of a list of wrong customers; nothing is written."""
    with pytest.raises(TypeError):
        exporter.export_customers(customers, tmp_path / "out.json")
    with pytest.raises(TypeError):
        exporter.generate_summary_report(customers)
    assert not (tmp_path / "out.json").exists()


def test_a_tilde_is_the_home_directory(exporter: DataExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the document and of the formats beside it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    exporter.export_customers([clean_customer(1)], "~/out.json", formats=["ndjson"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.ndjson"]


def test_any_mapping_is_a_customer(exporter: DataExporter, tmp_path: Path) -> None:
    """As the signature says."""
    customers = [MappingProxyType(clean_customer(2**63 - 1)), UserDict(clean_customer(-(2**63)))]
    assert exporter.export_customers(customers, tmp_path / "out.json").total_customers == 2


def test_a_directory_in_the_files_place_is_named(exporter: DataExporter, tmp_path: Path) -> None:
    """And nothing is left beside it."""
    (tmp_path / "out.json").mkdir()
    with pytest.raises(PublishError, match="it is a directory"):
        exporter.export_customers([clean_customer(1)], tmp_path / "out.json")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.smoke
def test_the_export_is_for_its_owner_only(exporter: DataExporter, tmp_path: Path) -> None:
    """It is personal data."""
    exporter.export_customers([clean_customer(1)], tmp_path / "new" / "out.json")
    assert (tmp_path / "new" / "out.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"total_customers":2', b'"total_customers":3', id="a wrong count"),
        pytest.param(b"]\n}\n", b"", id="cut off"),
        pytest.param(b'"full_name": "Ada', b'"full_name": Ada', id="no JSON"),
        pytest.param(b'"high"', b'"huge"', id="an unknown value"),
        pytest.param(b"{\n", b"[\n", id="no object"),
        pytest.param(b'"customers": [', b'"clients": [', id="another key"),
    ],
)
def test_a_damaged_document_is_noticed(exporter: DataExporter, tmp_path: Path, old: bytes, new: bytes) -> None:
    """Whatever was done to it."""
    path = tmp_path / "out.json"
    exporter.export_customers([clean_customer(1), clean_customer(2)], path)
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(UnreadableExportError, match=r"out\.json is not an export"):
        read_export(path)


def test_a_changed_name_changes_the_digest(exporter: DataExporter, tmp_path: Path) -> None:
    """A file that reads well but holds something else is told apart."""
    path = tmp_path / "out.json"
    figures = exporter.export_customers([clean_customer(1)], path)
    path.write_bytes(path.read_bytes().replace(b"Ada", b"Eve"))
    assert read_export(path).digest != figures.digest


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(UnreadableExportError, match="Materialise customer_export"):
        read_export(tmp_path / "none.json")


def test_the_default_clock_is_utc(tmp_path: Path) -> None:
    """Without a clock, the present."""
    before = datetime.now(UTC).replace(microsecond=0)
    DataExporter().export_customers([clean_customer(1)], tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["metadata"]["export_timestamp"]
    assert before <= datetime.fromisoformat(written) <= datetime.now(UTC)


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 100, 1000])
def test_a_document_is_read_whole_however_it_is_cut(
    exporter: DataExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    """A block may end anywhere."""
    monkeypatch.setattr(verify, "BLOCK_BYTES", block_bytes)
    for count in (0, 1, 2, 7):
        customers = [clean_customer(number, "A,\n B" * number or "A") for number in range(count)]
        figures = exporter.export_customers(customers, tmp_path / "out.json")
        assert read_export(tmp_path / "out.json") == figures


MAPPING = RecordMapping.model_validate(
    {
        "id_type": "text",
        "avatar": None,
        "market_segment": "segment",
        "customer_tier": {"from": "spent", "bands": {"gold": 100, "iron": 0}},
        "fields": {
            "country": {},
            "spent": {"type": "number"},
            "orders": {"type": "integer"},
            "vip": {"type": "boolean"},
            "born": {"type": "instant"},
            "select": {},
            "schema": {},
        },
    }
)
RECORDS = [
    {
        "id": "b-2",
        "first_name": "Ada",
        "last_name": "B",
        "email": "a@x.org",
        "segment": 'A "B"\\',
        "spent": 100,
        "orders": -1,
    }
    | {"country": 'D"E', "vip": True, "born": "1990-05-17", "select": "x", "schema": "y"},
    {"id": "B-2", "first_name": "Ada", "last_name": "B", "email": "a@x.org", "spent": "0.1", "vip": False}
    | {"born": "2026-01-31T10:00:00.25Z"},
]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("as_frame", [True, False], ids=["frame", "list"])
def test_fields_of_the_users_own_keep_their_types(tmp_path: Path, engine: str, *, as_frame: bool) -> None:
    """Behind the score, in the order given: numbers, booleans, instants as ISO 8601 with Z, and null."""
    processor = CustomerDataProcessor(as_of=INSTANT, engine=engine, mapping=MAPPING, generate=False)
    customers: Any = processor.process_customers(RECORDS)
    if as_frame:
        customers = processor.engine.from_arrow(pa.Table.from_pylist(customers, clean_schema(MAPPING)))
    exporter = DataExporter(open_engine(engine), mapping=MAPPING, clock=lambda: INSTANT)
    figures = exporter.export_customers(customers, tmp_path / "out.json")
    common = (
        '"full_name": "Ada B", "email_domain": "x.org", "engagement_level": "unknown", "activity_status": "unknown", '
        '"acquisition_channel": "unknown", "market_segment": '
    )
    first, second = (tmp_path / "out.json").read_text(encoding="utf-8").splitlines()[3:5]
    assert first == (
        f'{{"customer_id": "B-2", {common}"unknown", "customer_tier": "iron", "data_quality_score": 90, '
        '"country": null, "spent": 0.1, "orders": null, "vip": false, "born": "2026-01-31T10:00:00.25Z", '
        '"select": null, "schema": null},'
    )
    assert second == (
        f'{{"customer_id": "b-2", {common}"A \\"B\\"\\\\", "customer_tier": "gold", "data_quality_score": 100, '
        '"country": "D\\"E", "spent": 100, "orders": -1, "vip": true, "born": "1990-05-17T00:00:00Z", '
        '"select": "x", "schema": "y"}'
    )
    assert read_export(tmp_path / "out.json", MAPPING) == figures
    with pytest.raises(UnreadableExportError):
        read_export(tmp_path / "out.json")


def test_a_frame_of_another_mapping_is_refused(exporter: DataExporter, tmp_path: Path) -> None:
    """No column is left out without a word; the error names those that differ."""
    rows = CustomerDataProcessor(as_of=INSTANT, mapping=MAPPING).process_customers(RECORDS)
    frame = open_engine("duckdb").from_arrow(pa.Table.from_pylist(rows, clean_schema(MAPPING)))
    with pytest.raises(ConfigurationError, match="differ in born, country, orders, schema, select, spent, vip"):
        exporter.export_customers(frame, tmp_path / "out.json")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        pytest.param("orders", 1.5, "orders: int_type", id="a number for an integer"),
        pytest.param("country", 5, "country: string_type", id="a number for a text"),
        pytest.param("spent", float("nan"), "spent: finite_number", id="NaN"),
        pytest.param("born", "1990-05-17", "born: datetime_type", id="a text for an instant"),
        pytest.param("vip", 1, "vip: bool_type", id="1 for a boolean"),
        pytest.param("customer_tier", "premium", "customer_tier: literal_error", id="a tier that no band gives"),
        pytest.param("market_segment", "", "market_segment: string_too_short", id="a blank segment"),
        pytest.param("customer_id", 7, "customer_id: string_type", id="an integer for a text id"),
    ],
)
def test_a_customer_of_another_kind_is_refused(tmp_path: Path, field: str, value: Any, problem: str) -> None:
    """The mapping says which kinds there are."""
    (customer, _) = CustomerDataProcessor(as_of=INSTANT, mapping=MAPPING).process_customers(RECORDS)
    with pytest.raises(InvalidCustomerError, match=problem):
        DataExporter(mapping=MAPPING).export_customers([{**customer, field: value}], tmp_path / "out.json")


def test_five_hundred_fields_are_exported(tmp_path: Path) -> None:
    """As many as a mapping can have."""
    names = [f"field_{number}" for number in range(500)]
    mapping = RecordMapping.model_validate({"fields": {name: {"type": "integer"} for name in names}})
    processor = CustomerDataProcessor(as_of=INSTANT, engine="polars", mapping=mapping)
    customers = processor.process_customers([{"id": 1, **{name: place for place, name in enumerate(names)}}, {"id": 2}])
    figures = DataExporter(mapping=mapping).export_customers(customers, tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text())["customers"]
    assert [list(customer.values())[9:] for customer in written] == [[*range(500)], [None] * 500]
    assert read_export(tmp_path / "out.json", mapping) == figures


@pytest.mark.parametrize("library", ["pyarrow", "pandas", "polars"])
def test_a_table_of_any_library_is_exported(tmp_path: Path, library: str) -> None:
    """What `to_arrow` returned, directly or by way of another library; columns in any order."""
    if library == "pandas":
        need_module("pandas", "pip install 'customer_assets[spark]'")
    processor = CustomerDataProcessor(as_of=INSTANT, mapping=MAPPING, generate=False)
    exporter = DataExporter(mapping=MAPPING)
    expected = exporter.export_customers(processor.process_customers(RECORDS), tmp_path / "expected.json")
    table: Any = processor.to_arrow(RECORDS)
    assert table.schema == clean_schema(MAPPING)
    table = table.select(table.column_names[::-1])
    if library == "pandas":
        table = table.to_pandas(types_mapper={pa.int64(): pandas_integer()}.get)
    elif library == "polars":
        table = pl.from_arrow(table)
    assert exporter.export_customers(table, tmp_path / "out.json") == expected
    with pytest.raises(ConfigurationError, match="differ in"):
        DataExporter().export_customers(table, tmp_path / "out.json")


def pandas_integer() -> Any:
    """Return pandas' integer that can be null."""
    return importlib.import_module("pandas").Int64Dtype()


def test_a_repr_names_what_the_files_follow_from() -> None:
    assert repr(DataExporter()) == "DataExporter(engine='duckdb', extra_fields=[])"
    processor = CustomerDataProcessor(as_of=INSTANT, engine="polars", mapping=MAPPING, generate=False)
    assert repr(processor).startswith(
        "CustomerDataProcessor(engine='polars', as_of='2024-01-20T16:30:00.999999+01:00', seed=0, generate=False, "
        "extra_fields=['country', "
    )
