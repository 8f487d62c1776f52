"""The fields of few values, as one number and back."""

from itertools import product
from typing import Any

import pyarrow as pa
import pytest

from customer_assets.export import DataExporter
from customer_assets.export.json_lines import FIELDS, SCORES, UnknownValueError, packed, unpacked
from customer_assets.processing.engines import CLEAN_SCHEMA, Engine, open_engine

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
    table = packed(frame(open_engine(name), COMBINATIONS)).collect("pyarrow").to_native()
    numbers = table.column("packed").to_pylist()
    assert len(set(numbers)) == len(COMBINATIONS)
    assert sorted(map(str, map(unpacked, numbers))) == sorted(map(str, COMBINATIONS))


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
