"""The simulated customers."""

import json
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from customer_assets.simulator.changes import EPOCH
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


def test_customers_who_change_are_dated_and_filtered() -> None:
    """A page of all keeps their order, a page of changes that of time; the others' names stay."""
    population, now = Population(50, changes_per_hour=60), EPOCH + timedelta(days=3)
    everybody = json.loads(population.page_of_changes(1, 100, now))
    assert (everybody["total"], [each["id"] for each in everybody["data"]]) == (50, list(range(1, 51)))
    since = now - timedelta(minutes=9)
    pages = [json.loads(population.page_of_changes(number, 4, now, since)) for number in (1, 2, 3, 4)]
    assert [(page["page"], page["total"], page["total_pages"], len(page["data"])) for page in pages] == [
        (1, 10, 3, 4),
        (2, 10, 3, 4),
        (3, 10, 3, 2),
        (4, 10, 3, 0),
    ]
    changed = [each for page in pages for each in page["data"]]
    dates = [datetime.fromisoformat(each["updated_at"]) for each in changed]
    assert dates == sorted(dates)
    assert (dates[0], dates[-1]) == (since, now)
    assert changed == sorted(
        (each for each in everybody["data"] if datetime.fromisoformat(each["updated_at"]) >= since),
        key=lambda each: each["updated_at"],
    )
    before = {each["id"]: each for each in json.loads(population.page_of_changes(1, 100, since))["data"]}
    after = {each["id"]: each for each in everybody["data"]}
    differing = {number for number in after if before[number] != after[number]}
    assert differing == {each["id"] for each in changed[1:]}
    assert all(before[number]["last_name"] != after[number]["last_name"] for number in differing)


def test_nobody_changes_where_nobody_is() -> None:
    population = Population(0, changes_per_hour=60)
    for since in (None, EPOCH):
        assert json.loads(population.page_of_changes(1, 10, EPOCH + timedelta(days=1), since))["data"] == []
