"""The rules: one expression a column, the same on every engine."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import narwhals as nw
import pyarrow as pa
import pytest

from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing import CustomerDataProcessor, rules
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.schemas import RAW_SCHEMA
from customer_assets_tests.harness.records.engines import AS_OF
from customer_assets_tests.harness.records.reference import rolled

GENERATED = {
    "engagement_level": {"high", "medium", "low"},
    "activity_status": {"active", "inactive"},
    "acquisition_channel": {"website", "mobile_app", "email_campaign"},
    "market_segment": {"US-West", "US-East", "EU-Central", "APAC"},
    "customer_tier": {"basic", "premium", "enterprise"},
}


def _lake(rows: list[dict[str, Any]]) -> pa.Table:
    blank = dict.fromkeys(RAW_SCHEMA.names)
    flags = {"engagement_score_supplied": False, "last_active_at_supplied": False, "id_spelling": 0}
    filled = [{**blank, **flags, "page": 1, "position": n, "id": n, **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, RAW_SCHEMA)


def _cleaned(engine: Engine, rows: list[dict[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    frame = rules.clean_customers(engine.from_arrow(_lake(rows)), rules.CleaningOptions(AS_OF, seed)).sort(
        "customer_id"
    )
    return [row for piece in engine.batches(frame) for row in piece.to_pylist()]


def _column(engine: Engine, rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in _cleaned(engine, rows)]


def _scored(value: float | None) -> dict[str, Any]:
    return {"engagement_score": value, "engagement_score_supplied": True}


def _active(value: datetime | None) -> dict[str, Any]:
    return {"last_active_at": value, "last_active_at_supplied": True}


DAY, TICK = timedelta(days=1), timedelta(microseconds=1)

CASES: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "full_name": [
        ({"first_name": "Ada", "last_name": "Lovelace"}, "Ada Lovelace"),
        ({"first_name": "Ada"}, "Ada"),
        ({"last_name": "Lovelace"}, "Lovelace"),
        ({}, "unknown"),
        ({"first_name": "👩\u200d🔬", "last_name": "مَرْيَم"}, "👩\u200d🔬 مَرْيَم"),
    ],
    "email_domain": [({"email_domain": "x.org"}, "x.org"), ({"email": "ada"}, "unknown")],
    "engagement_level": [
        (_scored(score), level)
        for score, level in [
            (1.0, "high"),
            (0.66, "high"),
            (0.6599999, "medium"),
            (0.33, "medium"),
            (0.3299999, "low"),
            (0.0, "low"),
            (-0.0, "low"),
            (-1e-9, "unknown"),
            (1.0000001, "unknown"),
            (80.0, "unknown"),
            (float("nan"), "unknown"),
            (float("inf"), "unknown"),
            (None, "unknown"),
        ]
    ],
    "activity_status": [
        (_active(date), status)
        for date, status in [
            (AS_OF, "active"),
            (AS_OF - 90 * DAY, "active"),
            (AS_OF - 90 * DAY - TICK, "inactive"),
            (datetime(1970, 1, 1, 14, tzinfo=UTC) + TICK, "inactive"),
            (datetime(1970, 1, 1, 14, tzinfo=UTC), "unknown"),
            (datetime(1970, 1, 1, tzinfo=UTC), "unknown"),
            (datetime(1969, 12, 31, 10, tzinfo=UTC), "unknown"),
            (datetime(1969, 12, 31, 10, tzinfo=UTC) - TICK, "inactive"),
            (datetime(1900, 1, 1, 14, tzinfo=UTC) + TICK, "inactive"),
            (datetime(1900, 1, 1, 14, tzinfo=UTC), "unknown"),
            (datetime(1, 1, 1, tzinfo=UTC), "unknown"),
            (AS_OF + TICK, "active"),
            (AS_OF + timedelta(minutes=5), "active"),
            (AS_OF + timedelta(minutes=5) + TICK, "unknown"),
            (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "unknown"),
            (None, "unknown"),
        ]
    ],
    "data_quality_score": [
        ({}, 60),
        ({"email_domain": "x.org"}, 70),
        ({"email": "a@x", "first_name": "A", "last_name": "B", "avatar": "C"}, 90),
        ({"email_domain": "x.org", "first_name": "A", "last_name": "B", "avatar": "C"}, 100),
        (_scored(0.5), 60),
        (_scored(None), 50),
        (_scored(2.0), 50),
        (_active(AS_OF), 60),
        (_active(AS_OF + DAY), 50),
        ({**_scored(None), **_active(None)}, 40),
    ],
}


@pytest.mark.parametrize("column", CASES)
def test_column(engine: Engine, column: str) -> None:
    """Each rule gives what its table says."""
    given, expected = zip(*CASES[column], strict=True)
    assert _column(engine, list(given), column) == list(expected)


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        pytest.param([(3, 1, 1), (1, 5, 1)], "1/5", id="earlier page"),
        pytest.param([(1, 5, 1), (1, 4, 1)], "1/4", id="earlier position"),
        pytest.param([(1, 0, 0), (2**31 - 1, 2**28 - 1, 1)], f"{2**31 - 1}/{2**28 - 1}", id="higher score, last place"),
        pytest.param([(1, 2**28 - 1, 1), (2, 0, 1)], f"1/{2**28 - 1}", id="page before position"),
        pytest.param([(0, 0, 1), (1, 0, 1)], "0/0", id="from zero"),
    ],
)
def test_duplicates(engine: Engine, rows: list[tuple[int, int, int]], kept: str) -> None:
    """Of one id the highest score stays; of equal scores the earliest page, then the earliest position."""
    lake = [
        {"id": 7, "page": page, "position": place, "avatar": "x" if good else None, "first_name": f"{page}/{place}"}
        for page, place, good in rows
    ]
    assert _column(engine, lake, "full_name") == [kept]


def test_a_place_goes_along_with_its_customer(engine: Engine) -> None:
    """Where the record that won stood: for whoever sorts by it or keeps it beside the customer."""
    lake: list[dict[str, Any]] = [
        {"id": 7, "page": 3, "position": 9},
        {"id": 7, "page": 2, "position": 8, "first_name": "Ada"},
    ]
    placed = rules.clean_with_position(engine.from_arrow(_lake(lake)), rules.CleaningOptions(AS_OF))
    rows = [row for piece in engine.batches(placed) for row in piece.to_pylist()]
    assert [tuple(row) for row in rows] == [("page", "position", *rules.CLEAN_COLUMNS)]
    assert [(row["page"], row["position"], row["full_name"]) for row in rows] == [(2, 8, "Ada")]


def test_both_ways_keep_the_same_records(engine: Engine) -> None:
    """The window and the exclusion agree on every engine, so the choice between them is one of speed only."""
    draws = random.Random(5)
    rows = [(n, draws.randrange(150), draws.randrange(7), draws.randrange(3)) for n in range(400)]
    table = pa.table(
        {
            "id": pa.array([customer_id for _, customer_id, _, _ in rows]),
            "_rank": pa.array([defects * 1_000_000 + page * 1_000 + n for n, _, defects, page in rows]),
        }
    )
    kept = [
        sorted(way(engine.from_arrow(table)).collect().rows())
        for way in (rules.best_by_window, rules.best_by_exclusion)
    ]
    best: dict[int, int] = {}
    for customer_id, order in zip(*table.to_pydict().values(), strict=True):
        best[customer_id] = min(order, best.get(customer_id, order))
    assert kept[0] == kept[1] == sorted(best.items())


IDS = [0, 1, -1, 2**31, -(2**31), 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), rules._PRIME, -rules._PRIME]


@pytest.mark.parametrize("seed", [0, 1, -1, 2**64])
def test_dice(engine: Engine, seed: int) -> None:
    """The dice of any id is that of plain Python, on every engine: nothing overflows, rounds or turns negative."""
    options = rules.CleaningOptions(AS_OF, seed)
    frame = rules.with_hash_bucket(engine.from_arrow(pa.table({"id": pa.array(IDS, pa.int64())})), options).sort("id")
    assert frame.collect()["_hash_bucket"].to_list() == [rolled(customer_id, seed) for customer_id in sorted(IDS)]


def _generated(first: int, step: int, count: int, seed: int = 0) -> list[dict[str, Any]]:
    return _cleaned(open_engine("duckdb"), [{"id": first + n * step} for n in range(count)], seed)


def _is_even(counts: Counter[Any], cells: int, total: int) -> bool:
    """Hold the counts to a chi-square bound that even dice miss once in about 10,000 times (Wilson-Hilferty)."""
    expected, degrees = total / cells, cells - 1
    chi_square = sum((count - expected) ** 2 for count in counts.values()) / expected
    chi_square += (cells - len(counts)) * expected
    bound: float = degrees * (1 - 2 / (9 * degrees) + 3.72 * (2 / (9 * degrees)) ** 0.5) ** 3
    return chi_square < bound


SPREADS = [
    pytest.param(1, 1, id="1, 2, 3, …"),
    pytest.param(-5_000, 1, id="around zero"),
    pytest.param(0, 10, id="tens"),
    pytest.param(10**18, 1_024, id="large, in steps of 1,024"),
    pytest.param(7, 216, id="in steps of the dice's own moduli"),
]


@pytest.mark.parametrize(("first", "step"), SPREADS)
def test_generated_values_are_even(first: int, step: int) -> None:
    """Ids in a row get each value, and no other, about equally often."""
    rows = _generated(first, step, 12_000)
    for name, values in GENERATED.items():
        counts = Counter(row[name] for row in rows)
        assert set(counts) == values
        assert _is_even(counts, len(values), len(rows)), name


@pytest.mark.parametrize(("first", "step"), SPREADS)
def test_generated_values_are_independent(first: int, step: int) -> None:
    """All combinations of the five fields come about equally often."""
    rows = _generated(first, step, 12_000)
    assert _is_even(Counter(tuple(row[name] for name in GENERATED) for row in rows), 216, len(rows))


@pytest.mark.smoke
def test_neighbours_are_independent() -> None:
    """What one id gets says nothing of what the next gets."""
    rows = _generated(1, 1, 12_001)
    for name, values in GENERATED.items():
        pairs = Counter((one[name], next_one[name]) for one, next_one in pairwise(rows))
        assert _is_even(pairs, len(values) ** 2, 12_000), name


def test_seeds_are_independent() -> None:
    """What an id gets by one seed says nothing of what it gets by the next."""
    ours, others = _generated(1, 1, 12_000, seed=0), _generated(1, 1, 12_000, seed=1)
    for name, values in GENERATED.items():
        pairs = Counter((a[name], b[name]) for a, b in zip(ours, others, strict=True))
        assert _is_even(pairs, len(values) ** 2, 12_000), name


def test_rules_are_expressions() -> None:
    """A rule computes nothing by itself."""
    options = rules.CleaningOptions(AS_OF)
    found = [*rules.business_fields(options).values(), *rules.defects_by_field(options).values()]
    found += [rules.full_name(options.mapping), rules.email_domain(), rules.data_quality_score()]
    assert all(isinstance(rule, nw.Expr) for rule in found)


@pytest.mark.parametrize(
    ("prefix", "step"), [("cus_", 1), ("", 7), ("00u9x4Qf", 1), ("auth0|5f7c8ec7c33c6c004bbafe", 1)]
)
def test_values_generated_for_text_ids_are_even_and_independent(prefix: str, step: int) -> None:
    """As those of integers are."""
    mapping = RecordMapping(id_type="text")
    records = [{"id": f"{prefix}{number * step:06}"} for number in range(12_000)]
    rows = CustomerDataProcessor(as_of=AS_OF, mapping=mapping).process_customers(records)
    for name, values in GENERATED.items():
        counts = Counter(row[name] for row in rows)
        assert set(counts) == values
        assert _is_even(counts, len(values), len(rows)), name
    assert _is_even(Counter(tuple(row[name] for name in GENERATED) for row in rows), 216, len(rows))


def test_without_generated_values_none_is_computed() -> None:
    """And the hash that they follow from is not, either."""
    options = rules.CleaningOptions(AS_OF, generate=False)
    assert rules.generated_fields(options) == ()
    assert rules.lineage(options)["customer_tier"] == ()


@pytest.mark.parametrize(
    ("mapping", "generated"),
    [
        pytest.param({}, (*GENERATED,), id="nothing mapped"),
        pytest.param({"engagement_score": "s"}, (*GENERATED,)[1:], id="a score"),
        pytest.param({"engagement_score": None}, (*GENERATED,), id="no score"),
        pytest.param({"engagement_level": "l", "activity_status": "s"}, (*GENERATED,)[2:], id="the fields themselves"),
        pytest.param({"customer_tier": {"from": "t", "bands": {"basic": 0}}}, (*GENERATED,)[:4], id="a tier by bands"),
    ],
)
def test_what_is_generated_follows_from_the_mapping(mapping: dict[str, Any], generated: tuple[str, ...]) -> None:
    """Whatever the API has nothing to judge by."""
    options = rules.CleaningOptions(AS_OF, mapping=RecordMapping.model_validate(mapping))
    assert rules.generated_fields(options) == generated
