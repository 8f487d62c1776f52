"""Defects: counted as the plain-Python reference counts them; and what the clean customers follow from."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing.defects import clean_version, count_defects, lost_fields, rejected_by_reason
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.landing.batches import landed_objects, quarantine_batch
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets.processing.rules import CleaningOptions, Frame, clean_customers
from customer_assets.processing.schemas import CLEAN_SCHEMA
from customer_assets_tests.harness.records import reference
from customer_assets_tests.harness.records.dirty import dirty_records

DAY = timedelta(days=1)


def landed(engine: Engine, records: list[Any]) -> Frame:
    """The raw lake of these records."""
    return engine.from_arrow(pa.Table.from_batches([landed_objects(records)[0]]))


def test_defects_of_dirty_records(engine: Engine, as_of: datetime) -> None:
    """Each field's count is the reference's."""
    records = dirty_records(500, seed=11)
    usable = [record for record in records if reference.parse_id(record) is not None]
    expected = Counter[str]()
    for record in usable:
        expected.update(reference.defective_fields(record, as_of, {}))
    found = count_defects(landed(engine, records), CleaningOptions(as_of))
    assert found.records == len(usable)
    assert dict(found.defects) == dict(expected)
    assert min(found.defects.values()) > 0
    assert found.generated == {
        "engagement_level": sum("engagement_score" not in record for record in usable),
        "activity_status": sum("last_active_at" not in record for record in usable),
        **dict.fromkeys(("acquisition_channel", "market_segment", "customer_tier"), len(usable)),
    }


def test_defects_by_another_mapping(engine: Engine, as_of: datetime) -> None:
    """Only what is expected, and only what is not excluded, counts; extra fields, too."""
    options = {
        "avatar": None,
        "engagement_score": None,
        "last_active_at": None,
        "full_name": "first_name",
        "customer_tier": {"from": "last_name", "values": {"Ada": "basic"}},
        "fields": {"score": {"from": "engagement_score", "type": "number", "expected": True}},
        "exclude": {"field": "first_name", "values": ["Ada"]},
    }
    records = dirty_records(500, seed=11)
    kept = [
        record
        for record in records
        if reference.parse_id(record) is not None and not reference.is_excluded(record, options)
    ]
    expected = Counter[str]()
    for record in kept:
        expected.update(reference.defective_fields(record, as_of, options))
    mapping = RecordMapping.model_validate(options)
    cleaning = CleaningOptions(as_of, generate=False, mapping=mapping)
    found = count_defects(
        engine.from_arrow(pa.Table.from_batches([landed_objects(records, mapping=mapping)[0]])), cleaning
    )
    assert (found.records, dict(found.defects), found.generated) == (len(kept), dict(expected), {})
    assert set(found.defects) == {"email", "full_name", "customer_tier", "score"}


def test_fields_that_need_not_be_there_are_counted_apart(engine: Engine, as_of: datetime) -> None:
    """Those of the user's own, each as unusable as any other; not those that a default mapping merely looks for."""
    options = {
        "full_name": "name",
        "avatar": {"from": "photo", "expected": False},
        "engagement_score": {"from": "score", "scale": 100, "expected": False},
        "fields": {"spent": {"from": "total", "type": "number"}, "vip": {"type": "boolean", "expected": True}},
    }
    records = [
        {"id": 1, "name": "A", "photo": "u", "score": 50, "total": "1.5", "vip": True},
        {"id": 2, "name": "B", "photo": None, "score": 101, "total": "EUR 2"},
        {"id": 3, "name": "C", "last_active_at": "2026-11-01", "total": None, "vip": 2},
    ]
    mapping = RecordMapping.model_validate(options)
    raw = engine.from_arrow(pa.Table.from_batches([landed_objects(records, mapping=mapping)[0]]))
    found = count_defects(raw, CleaningOptions(as_of, mapping=mapping))
    assert found.unsent == {"avatar": 2, "engagement_score": 2, "last_active_at": 2, "spent": 2}
    assert found.defects["vip"] == 2
    assert set(found.unsent) & set(found.defects) == {"last_active_at"}


def test_changed_records_that_lost_a_field_are_noticed(engine: Engine, as_of: datetime) -> None:
    """Whether the field need be there or not, but not if most of the stored ones lack it, too, or if few changed."""
    mapping = RecordMapping.model_validate({"fields": {"plan": {}, "note": {}}})
    stored = [{"id": number, "email": "a@x.org", "plan": "basic"} for number in range(300)]
    changed = [{"id": number, "first_name": "A"} for number in range(100)]
    frames = [
        engine.from_arrow(pa.Table.from_batches([landed_objects(records, mapping=mapping)[0]]))
        for records in (changed, changed[:99], stored)
    ]
    options = CleaningOptions(as_of, mapping=mapping)
    assert lost_fields(frames[0], frames[2], options) == {"email": 1.0, "plan": 1.0}
    assert lost_fields(frames[1], frames[2], options) == {}


def test_ids_written_in_several_ways_are_counted_apart(engine: Engine, as_of: datetime) -> None:
    """Their merging may be a mistake: with text ids they would be several customers."""
    records = [{"id": 7}, {"id": "7"}, {"id": "007"}, {"id": 8}, {"id": 8}, {"id": "09"}, {"id": "9 "}]
    assert count_defects(landed(engine, records), CleaningOptions(as_of)).respelled_ids == 2
    assert count_defects(landed(engine, records[3:5]), CleaningOptions(as_of)).respelled_ids == 0


def test_defects_of_nothing(engine: Engine, as_of: datetime) -> None:
    """Zeros, not nulls."""
    found = count_defects(landed(engine, []), CleaningOptions(as_of))
    assert (found.records, found.inactive, set(found.defects.values())) == (0, 0, {0})


def version_and_customers(engine: Engine, records: list[Any], as_of: datetime, seed: int = 0) -> tuple[str, list[Any]]:
    """The version that is told, and the customers themselves."""
    raw = landed(engine, records)
    batches = list(engine.batches(clean_customers(raw, CleaningOptions(as_of, seed)).sort("customer_id")))
    options = CleaningOptions(as_of, seed)
    return clean_version("raw", options, count_defects(raw, options)), pa.Table.from_batches(
        batches, CLEAN_SCHEMA
    ).to_pylist()


def test_the_version_follows_the_customers() -> None:
    """Whatever the instant: the same version, the same customers; other customers, another version."""
    engine = open_engine("duckdb")
    records = dirty_records(300, seed=3)
    start = datetime(2026, 11, 24, tzinfo=UTC)
    found = [version_and_customers(engine, records, start + days * DAY) for days in range(-120, 121, 8)]
    assert len({version for version, _ in found}) > 3, "time must have changed something"
    for version, customers in found:
        for other, others in found:
            if customers != others:
                assert version != other
            if version == other:
                assert customers == others


@pytest.mark.parametrize(
    ("moved", "same"),
    [
        pytest.param(timedelta(hours=1), True, id="an hour changes nothing"),
        pytest.param(2 * DAY, False, id="one becomes inactive"),
        pytest.param(-100 * DAY, False, id="one lies in the future"),
    ],
)
def test_only_an_instant_that_changes_a_verdict_changes_the_version(
    engine: Engine, as_of: datetime, moved: timedelta, *, same: bool
) -> None:
    """On every engine."""
    records = [{"id": 1, "last_active_at": (as_of - 89 * DAY).isoformat()}, {"id": 2}]
    before, after = (version_and_customers(engine, records, instant)[0] for instant in (as_of, as_of + moved))
    assert (before == after) is same


def test_every_engine_tells_the_same_version(engine: Engine, as_of: datetime) -> None:
    """So that another engine is not taken for other data."""
    records = dirty_records(200, seed=5)
    expected, _ = version_and_customers(open_engine("duckdb"), records, as_of)
    assert version_and_customers(engine, records, as_of)[0] == expected


def test_another_seed_is_another_version(engine: Engine, as_of: datetime) -> None:
    """It deals other values."""
    records = dirty_records(20, seed=5)
    versions = {version_and_customers(engine, records, as_of, seed)[0] for seed in (0, 1)}
    assert len(versions) == 2


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"generate": False}, id="nothing is generated"),
        pytest.param({"mapping": RecordMapping(avatar=None)}, id="another mapping"),
    ],
)
def test_other_options_are_another_version(as_of: datetime, other: dict[str, Any]) -> None:
    """They make other customers of the same records."""
    engine, options = open_engine("duckdb"), CleaningOptions(as_of)
    counts = count_defects(landed(engine, dirty_records(20, seed=5)), options)
    assert clean_version("raw", options, counts) != clean_version("raw", replace(options, **other), counts)


def test_rejected_records_are_counted_by_reason(tmp_path: Path) -> None:
    """The most frequent first; an empty quarantine and a missing one have none."""
    objects: list[Any] = [{"id": 1}, {}, "x", {"id": "y"}, {}, {"id": 2**70}]
    rejected = landed_objects(objects)[1]
    path = tmp_path / "rejected.parquet"
    pq.write_table(pa.Table.from_batches([quarantine_batch(rejected)]), path)
    assert list(rejected_by_reason(path).items()) == [
        ("id_missing", 2),
        ("id_not_an_integer", 1),
        ("id_out_of_range", 1),
        ("not_an_object", 1),
    ]
    with LandingWriter(tmp_path / "raw.parquet", tmp_path / "none.parquet") as writer:
        writer.start_pass()
    assert rejected_by_reason(tmp_path / "none.parquet") == {}
    assert rejected_by_reason(tmp_path / "missing.parquet") == {}
