"""The fields of few values, as one number and back."""

from itertools import product
from typing import Any

import pyarrow as pa
import pytest

from customer_assets.core.fields import CLEAN_FIELDS, Field, Kind
from customer_assets.export import DataExporter
from customer_assets.export.json_lines import PACKED, SCORES, LineFormat, UnknownValueError, iso_instants
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.schemas import CLEAN_SCHEMA

FORMAT = LineFormat()
FIELDS = [(field.name, field.values) for field in CLEAN_FIELDS if field.values]
COMBINATIONS = [
    dict(zip([*(name for name, _ in FIELDS), "data_quality_score"], combination, strict=True))
    for combination in product(*(values for _, values in FIELDS), (0, 1, 69, 100))
]


def frame(engine: Engine, rows: list[dict[str, Any]]) -> Any:
    """Make a clean frame."""
    whole = [{"customer_id": 1, "full_name": "A", "email_domain": "x.org", **row} for row in rows]
    return engine.from_arrow(pa.Table.from_pylist(whole, schema=CLEAN_SCHEMA))


@pytest.mark.parametrize("name", ["duckdb", "polars"])
def test_every_combination_comes_back(name: str) -> None:
    """In the export's order of fields, each by a number of its own."""
    table = FORMAT.pack(frame(open_engine(name), COMBINATIONS)).collect("pyarrow").to_native()
    numbers = table.column(PACKED).to_pylist()
    assert len(set(numbers)) == len(COMBINATIONS)
    assert sorted(map(str, map(FORMAT.unpack, numbers))) == sorted(map(str, COMBINATIONS))


@pytest.mark.parametrize(
    ("field", "value"),
    [(name, "huge") for name, _ in FIELDS]
    + [(name, None) for name, _ in FIELDS]
    + [("data_quality_score", SCORES), ("data_quality_score", -1), ("data_quality_score", None)],
)
def test_a_value_that_no_rule_gives_is_not_exported(tmp_path: Any, field: str, value: object) -> None:
    """Frames may come from anywhere; the error tells how many customers, and no value."""
    exporter = DataExporter(open_engine("duckdb"))
    customers = frame(open_engine("duckdb"), [COMBINATIONS[0], {**COMBINATIONS[0], field: value}])
    with pytest.raises(UnknownValueError, match=r"^At least 1 customers hold a value that no rule gives"):
        exporter.export_customers(customers, tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["duckdb", "polars"])
@pytest.mark.parametrize("field", ["customer_id", "full_name", "email_domain"])
def test_a_customer_with_a_null_is_not_left_out(tmp_path: Any, field: str, name: str) -> None:
    """The document would count it and not hold it: nothing is published, and the error says where to look."""
    engine = open_engine(name)
    customers = frame(engine, [COMBINATIONS[0], *(2 * [{**COMBINATIONS[0], field: None}])])
    told = (
        rf"^At least [12] customers hold a value that no rule gives, in one of {field}\. Materialise clean_customers\.$"
    )
    with pytest.raises(UnknownValueError, match=told) as caught:
        DataExporter(engine).export_customers(customers, tmp_path / "out.json")
    assert caught.value.customers in (1, 2)  # Polars may hand them over one by one
    assert caught.value.fields == (field,)
    assert list(tmp_path.iterdir()) == []


def test_long_vocabularies_travel_as_they_are() -> None:
    """Each value would cost a comparison for every customer; and a number has 63 bits."""
    words = tuple(f"w{number}" for number in range(32))
    many = Field("many", Kind.CATEGORY, "", values=(*words, "more"))
    full = [Field(f"full_{number}", Kind.CATEGORY, "", values=words) for number in range(20)]
    score = Field("data_quality_score", Kind.INTEGER, "")
    made = LineFormat([many, *full, score])
    assert made.packed == (*(field.name for field in full[:11]), "data_quality_score")
    assert [field.name for field in made.plain] == ["many", *(field.name for field in full[11:])]


@pytest.mark.parametrize(
    ("microseconds", "written"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_500_000, "1970-01-01T00:00:01.5Z"),
        (600_000_000, "1970-01-01T00:10:00Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (None, None),
    ],
)
def test_instants_are_written_in_utc(microseconds: int | None, written: str | None) -> None:
    """Without digits that say nothing."""
    column = pa.array([microseconds], pa.int64()).view(pa.timestamp("us", "UTC"))
    assert iso_instants(column).to_pylist() == [written]
