"""The table of records: every engine and the plain-Python reference give what it says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from customer_assets.core.models import Page
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import Engine
from customer_assets.processing.landing.parser import RecordParser
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets_tests.harness.records import reference
from customer_assets_tests.harness.records.engines import engine
from customer_assets_tests.harness.records.record_cases import AS_OF, GROUPS, Group

__all__ = ["engine"]

each_group = pytest.mark.parametrize("group", [pytest.param(group, id=group.name) for group in GROUPS])


def expected(group: Group) -> list[dict[str, Any]]:
    """The columns that the cases name, of the customers that there are."""
    return [case.expected for case in group.cases if case.expected is not None]


def named_columns(group: Group, customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same columns of the customers found."""
    return [
        {name: customer[name] for name in wanted} for customer, wanted in zip(customers, expected(group), strict=True)
    ]


def test_there_are_at_least_120_cases() -> None:
    """Each with a name of its own within its group."""
    assert sum(len(group.cases) for group in GROUPS) >= 120
    for group in GROUPS:
        assert len({case.name for case in group.cases}) == len(group.cases)


@each_group
def test_every_engine_gives_what_the_table_says(engine: Engine, group: Group) -> None:
    """Column by column; and the whole customers are those of the reference."""
    mapping = RecordMapping.model_validate(group.options)
    processor = CustomerDataProcessor(0, AS_OF, engine, mapping=mapping, generate=group.generate)
    customers = processor.process_customers(group.records())
    assert named_columns(group, customers) == expected(group)
    assert customers == reference.cleaned(
        group.records(), seed=0, as_of=AS_OF, options=group.options, generate=group.generate
    )
    assert [record.reason_code for record in processor.rejected] == [
        case.rejected for case in group.cases if case.rejected
    ]


@each_group
def test_the_reference_gives_what_the_table_says(group: Group) -> None:
    """So that it can be held against the engines elsewhere."""
    customers = reference.cleaned(group.records(), seed=0, as_of=AS_OF, options=group.options, generate=group.generate)
    assert named_columns(group, customers) == expected(group)


@each_group
def test_pages_of_json_land_as_python_objects_do(group: Group, tmp_path: Path) -> None:
    """Decoded at once, or one by one beside a record that is broken."""
    mapping = RecordMapping.model_validate(group.options)
    parser = RecordParser(mapping)
    objects = parser.parse_objects(1, group.records())
    for records, read in (
        (group.records(), _plain),
        ([*group.records(), "broken"], _plain),
        ([record for record in group.records() if parser.parse_objects(1, [record]).positions], _plain),
    ):
        page = parser.parse_page(1, json.dumps(records).encode())
        assert read(page.values) == read(objects.values)
    with LandingWriter(tmp_path / "raw.parquet", tmp_path / "rejected.parquet", mapping=mapping) as writer:
        writer.start_pass()
        data = json.dumps(group.records()).encode()
        writer.add(Page(1, len(group.cases), 0, 1, len(group.cases), data))
        assert writer.unique_ids() == len(objects.positions)


_plain: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: {name: [*found] for name, found in values.items()}  # noqa: E731
