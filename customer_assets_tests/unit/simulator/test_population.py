"""The simulated customers."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from customer_assets.simulator.population import DEFECTS, Population


def records_of(population: Population, per_page: int) -> list[Any]:
    """All records, page by page."""
    pages = range(1, -(-population.customers // per_page) + 1)
    return [record for page in pages for record in json.loads(population.page(page, per_page))["data"]]


@given(st.integers(0, 200), st.integers(1, 50), st.floats(0, 1), st.integers(0, 9))
def test_every_record_is_on_one_page(customers: int, per_page: int, dirty_rate: float, seed: int) -> None:
    """The page size changes neither the records nor their order."""
    population = Population(customers, dirty_rate, seed)
    assert records_of(population, per_page) == records_of(population, 1000)
    assert len(records_of(population, per_page)) == customers


def test_clean_customers_have_distinct_ids() -> None:
    """From 1 to the number of customers."""
    assert [record["id"] for record in records_of(Population(500), 100)] == list(range(1, 501))


def test_every_edge_case_occurs_among_dirty_customers() -> None:
    """Duplicates across pages and records without an id included."""
    records = records_of(Population(2_000, dirty_rate=0.5, seed=3), 100)
    for defect in DEFECTS:
        fields = {name: value for name, value in defect.items() if name != "duplicate"}
        assert any(fields.items() <= record.items() for record in records), defect
    ids = [record["id"] for record in records if isinstance(record["id"], int)]
    assert len(set(ids)) < len(ids)


def test_the_dirty_rate_is_the_share_of_dirty_records() -> None:
    """Within the limits of chance."""
    clean, dirty = Population(10_000), Population(10_000, dirty_rate=0.3)
    changed = sum(clean.record(index) != dirty.record(index) for index in range(10_000))
    assert 0.25 < changed / 10_000 < 0.35
