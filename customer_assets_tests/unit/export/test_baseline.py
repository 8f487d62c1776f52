"""Change over time: what was added, changed and gone since an export, the same on every engine."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.core.errors import PublishError
from customer_assets.core.models import Changes, SegmentChanges
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.export import DataExporter
from customer_assets.export.baseline import ExportBaseline, changes_since, kept_schema, matching_digest
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.rules import CLEAN_COLUMNS, Frame
from customer_assets.processing.schemas import CLEAN_SCHEMA, clean_schema
from customer_assets_tests.harness.records.clean_customers import clean_customer
from customer_assets_tests.harness.records.engines import on_embedded_engines

INSTANT = datetime(2026, 11, 24, 3, 0, 9, 999_999, tzinfo=UTC)
BEFORE = [clean_customer(number, f"Name {number}") for number in range(1, 6)]


def kept(engine: Engine, customers: Sequence[dict[str, Any]], folder: Path) -> Path:
    """Export customers and keep what the export holds."""
    path = folder / "kept.parquet"
    with ExportBaseline(path, clock=lambda: INSTANT) as keeping:
        DataExporter(engine).export_customers(frame(engine, customers), folder / "customers.json", keeping)
    return path


def frame(engine: Engine, customers: Sequence[dict[str, Any]]) -> Frame:
    """Clean customers in a frame of the engine's."""
    return engine.from_arrow(pa.Table.from_pylist(list(customers), CLEAN_SCHEMA))


def found(engine: Engine, before: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]], folder: Path) -> Changes:
    """Compare customers with an export of others."""
    changes = changes_since(kept(engine, before, folder), frame(engine, now), engine)
    assert changes is not None
    return changes


def counts(added: int, changed: int, gone: int, unchanged: int) -> Changes:
    """What is expected."""
    return Changes(since="2026-11-24T03:00:09Z", added=added, changed=changed, gone=gone, unchanged=unchanged)


def totals(changes: Changes) -> Changes:
    """Leave out the counts by segment."""
    return changes.model_copy(update={"by_segment": {}})


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(BEFORE, counts(0, 0, 0, 5), id="nothing"),
        pytest.param(BEFORE[::-1], counts(0, 0, 0, 5), id="another order is no change"),
        pytest.param([*BEFORE, clean_customer(9)], counts(1, 0, 0, 5), id="one added"),
        pytest.param(BEFORE[1:], counts(0, 0, 1, 4), id="one gone"),
        pytest.param([{**BEFORE[0], "full_name": "Other"}, *BEFORE[1:]], counts(0, 1, 0, 4), id="one renamed"),
        pytest.param([clean_customer(9), *BEFORE[1:]], counts(1, 0, 1, 4), id="one gone, one added"),
        pytest.param([], counts(0, 0, 5, 0), id="all gone"),
    ],
)
@on_embedded_engines
def test_changes(engine: Engine, tmp_path: Path, now: list[dict[str, Any]], expected: Changes) -> None:
    """By id: added, changed, gone, unchanged."""
    assert totals(found(engine, BEFORE, now, tmp_path)) == expected


def test_changes_of_every_kind_at_once(engine: Engine, tmp_path: Path) -> None:
    """They are counted apart, and what is expected is made of the customers as they are now."""
    now = [{**BEFORE[0], "data_quality_score": 90}, BEFORE[1], clean_customer(7), clean_customer(8)]
    last_export, exporter, frame_now = kept(engine, BEFORE, tmp_path), DataExporter(engine), frame(engine, now)
    changes = changes_since(last_export, frame_now, engine)
    assert changes is not None
    assert totals(changes) == counts(2, 1, 3, 1)
    assert matching_digest(last_export, frame_now, engine) is None
    assert exporter.expected(frame_now, last_export) == exporter.expected(frame_now)


def test_all_are_added_to_an_export_of_nobody(engine: Engine, tmp_path: Path) -> None:
    """An empty export is one, too."""
    assert totals(found(engine, [], BEFORE, tmp_path)) == counts(5, 0, 0, 0)


def test_changes_by_segment(engine: Engine, tmp_path: Path) -> None:
    """Added and changed count where the customer is now, gone where he was; who stays as he was counts nowhere."""
    before = [clean_customer(number, f"Name {number}", market_segment="EU-Central") for number in range(1, 6)]
    now = [
        {**before[0], "market_segment": "APAC"},  # moved
        {**before[1], "full_name": "Other"},  # renamed
        before[2],
        clean_customer(9, market_segment="US-East"),  # new; 4 and 5 are gone
    ]
    changes = found(engine, before, now, tmp_path)
    assert changes.by_segment["market_segment"] == {
        "APAC": SegmentChanges(changed=1),
        "EU-Central": SegmentChanges(changed=1, gone=2),
        "US-East": SegmentChanges(added=1),
    }


@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from(["APAC", "US-East", "unknown"])), unique_by=lambda one: one[0]
    ),
    st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from(["APAC", "US-East", "unknown"])), unique_by=lambda one: one[0]
    ),
)
@settings(max_examples=25, deadline=None)
def test_the_counts_by_segment_are_those_of_a_loop(
    tmp_path_factory: pytest.TempPathFactory, before: list[tuple[int, str]], now: list[tuple[int, str]]
) -> None:
    """Whoever comes, goes or moves; and each field's counts add up to the totals."""
    was, present = dict(before), dict(now)
    expected = {
        name: Counter(segments)
        for name, segments in {
            "added": [segment for number, segment in now if number not in was],
            "changed": [segment for number, segment in now if was.get(number, segment) != segment],
            "gone": [segment for number, segment in before if number not in present],
        }.items()
    }
    engine, folder = open_engine("duckdb"), tmp_path_factory.mktemp("kept")
    earlier, later = (
        [clean_customer(number, "Ada", market_segment=segment) for number, segment in each] for each in (before, now)
    )
    changes = found(engine, earlier, later, folder)
    for name, counted in expected.items():
        by_value = changes.by_segment.get("market_segment", {})
        assert {value: getattr(each, name) for value, each in by_value.items() if getattr(each, name)} == counted
        for values in changes.by_segment.values():
            assert sum(getattr(each, name) for each in values.values()) == getattr(changes, name)


OTHER = {
    "full_name": "Other",
    "email_domain": "other.example",
    "engagement_level": "low",
    "activity_status": "inactive",
    "acquisition_channel": "mobile_app",
    "market_segment": "APAC",
    "customer_tier": "basic",
    "data_quality_score": 90,
}


@pytest.mark.parametrize("field", [name for name in CLEAN_COLUMNS if name != "customer_id"])
def test_a_change_in_any_field_is_one(tmp_path: Path, field: str) -> None:
    """None goes unseen."""
    now = [{**BEFORE[0], field: OTHER[field]}, *BEFORE[1:]]
    assert totals(found(open_engine("duckdb"), BEFORE, now, tmp_path)) == counts(0, 1, 0, 4)


@pytest.mark.parametrize(("wrote", "reads"), [("duckdb", "polars"), ("polars", "duckdb")])
def test_another_engine_is_no_change(tmp_path: Path, wrote: str, reads: str) -> None:
    """What one engine kept, another compares with."""
    path = kept(open_engine(wrote), BEFORE, tmp_path)
    reader = open_engine(reads)
    assert changes_since(path, frame(reader, BEFORE), reader) == counts(0, 0, 0, 5)


@pytest.mark.smoke
def test_before_the_first_export_there_is_nothing_to_compare_with() -> None:
    """Which is not the same as that all were added."""
    engine = open_engine("duckdb")
    assert changes_since(None, frame(engine, BEFORE), engine) is None


def broken(path: Path) -> None:
    """No Parquet at all."""
    path.write_bytes(b"PAR1 no")


def packed_otherwise(path: Path) -> None:
    """By another version of the product."""
    pq.write_table(pa.Table.from_pylist([], kept_schema().with_metadata({b"packing": b"other"})), path)


def removed(path: Path) -> None:
    """No file."""
    path.unlink()


@pytest.mark.parametrize("spoil", [broken, packed_otherwise, removed])
def test_what_cannot_be_compared_with_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Any
) -> None:
    """It is told in the log."""
    engine = open_engine("duckdb")
    path = kept(engine, BEFORE, tmp_path)
    spoil(path)
    assert changes_since(path, frame(engine, BEFORE), engine) is None
    assert "Cannot compare with the last export" in caplog.text


@pytest.mark.smoke
def test_what_is_kept_is_for_its_owner_only(tmp_path: Path) -> None:
    """Names are in it."""
    assert kept(open_engine("duckdb"), BEFORE, tmp_path).stat().st_mode & 0o777 == 0o600


def test_an_export_that_fails_ends_the_keeping(tmp_path: Path) -> None:
    """With the export's own error."""
    (tmp_path / "customers.json").mkdir()
    with pytest.raises(PublishError, match=r"customers\.json"):
        kept(open_engine("duckdb"), BEFORE, tmp_path)


def test_what_is_expected_of_the_same_customers_is_on_record(engine: Engine, tmp_path: Path) -> None:
    """Just what sorting and writing them again gives."""
    last_export, exporter = kept(engine, BEFORE, tmp_path), DataExporter(engine)
    same = frame(engine, BEFORE[::-1])
    assert matching_digest(last_export, same, engine) == exporter.expected(same).digest
    assert exporter.expected(same, last_export) == exporter.expected(same)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param([*BEFORE, clean_customer(9)], id="one added"),
        pytest.param(BEFORE[1:], id="one gone"),
        pytest.param([{**BEFORE[0], "customer_tier": "basic"}, *BEFORE[1:]], id="one changed"),
        pytest.param([BEFORE[0], *BEFORE[:4]], id="one twice, in the place of another"),
        pytest.param([BEFORE[0], *BEFORE], id="one twice"),
    ],
)
@on_embedded_engines
def test_what_is_expected_of_others_is_made_of_them(engine: Engine, tmp_path: Path, now: list[dict[str, Any]]) -> None:
    """The record is of no use then."""
    last_export, exporter = kept(engine, BEFORE, tmp_path), DataExporter(engine)
    assert matching_digest(last_export, frame(engine, now), engine) is None
    assert exporter.expected(frame(engine, now), last_export) == exporter.expected(frame(engine, now))


def test_an_export_kept_before_digests_were_is_not_trusted(tmp_path: Path) -> None:
    """What is expected is made of the customers then."""
    engine = open_engine("duckdb")
    last_export = kept(engine, BEFORE, tmp_path)
    pq.write_table(pq.read_table(last_export), last_export)
    assert matching_digest(last_export, frame(engine, BEFORE), engine) is None


FIELDS: dict[str, Any] = {
    "country": {},
    "spent": {"type": "number"},
    "orders": {"type": "integer"},
    "vip": {"type": "boolean"},
    "born": {"type": "instant"},
}
MORE: dict[str, Any] = {f"more_{number}": {} for number in range(60)}
"""More fields than one mask of null values has bits."""

DATA: dict[str, dict[str, Any]] = {
    "a": {},
    "A": {"country": "DE", "spent": 0.0, "orders": 0, "vip": False, "born": datetime(1970, 1, 1, tzinfo=UTC)},
    "b": {"country": "AT", "spent": 1.5, "more_59": "x"},
}
"""What customers have in these fields, by their ids."""


def with_fields_of_their_own(customer_id: str, fields: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Make a clean customer that has more fields than usual."""
    usual = clean_customer(0, f"Name {customer_id}", market_segment="DACH")
    return usual | dict.fromkeys(fields) | {"customer_id": customer_id} | values


def compare(
    engine: Engine, folder: Path, fields: dict[str, Any], before: list[dict[str, Any]], now: list[dict[str, Any]]
) -> Changes:
    """Compare customers with an export of others; check that only equal ones have the export's digest."""
    mapping = RecordMapping.model_validate({"id_type": "text", "market_segment": "segment", "fields": fields})
    earlier, later = (engine.from_arrow(pa.Table.from_pylist(rows, clean_schema(mapping))) for rows in (before, now))
    path = folder / "kept.parquet"
    with ExportBaseline(path, clock=lambda: INSTANT, mapping=mapping) as keeping:
        DataExporter(engine, mapping=mapping).export_customers(earlier, folder / "customers.json", keeping)
    assert (matching_digest(path, later, engine, mapping) is None) is (before != now)
    assert changes_since(path, later, engine) is None
    changes = changes_since(path, later, engine, mapping)
    assert changes is not None
    return totals(changes)


CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a value gone": {"country": None},
    "another text": {"country": "BE"},
    "another word": {"market_segment": "unknown"},
    "null, not 0.0": {"spent": None},
    "null, not 0": {"orders": None},
    "null, not false": {"vip": None},
    "null, not the epoch": {"born": None},
    "a value come, beyond the first mask": {"more_59": "x"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@on_embedded_engines
def test_a_change_in_a_field_of_the_users_own_is_one(engine: Engine, tmp_path: Path, change: dict[str, Any]) -> None:
    """Null equals null and nothing else."""
    fields = FIELDS | MORE if "more_59" in change else FIELDS
    before = [with_fields_of_their_own(customer_id, fields, values) for customer_id, values in DATA.items()]
    now = [before[0], {**before[1], **change}, before[2]]
    assert compare(engine, tmp_path, fields, before, now) == (counts(0, 1, 0, 2) if change else counts(0, 0, 0, 3))


@on_embedded_engines
def test_ids_are_compared_letter_by_letter(engine: Engine, tmp_path: Path) -> None:
    """Another letter makes another customer."""
    before = [with_fields_of_their_own(customer_id, FIELDS, values) for customer_id, values in DATA.items()]
    now = [before[0], {**before[1], "customer_id": "aa"}, before[2]]
    assert compare(engine, tmp_path, FIELDS, before, now) == counts(1, 0, 1, 2)


def test_all_these_changes_at_once(engine: Engine, tmp_path: Path) -> None:
    """Each in a customer of its own; one more has another id."""
    fields, changes = FIELDS | MORE, [*CHANGES.values(), {"customer_id": "aa"}]
    before = [with_fields_of_their_own(str(number), fields, DATA["A"]) for number in range(len(changes))]
    now = [{**customer, **change} for customer, change in zip(before, changes, strict=True)]
    assert compare(engine, tmp_path, fields, before, now) == counts(1, len(CHANGES) - 1, 1, 1)
