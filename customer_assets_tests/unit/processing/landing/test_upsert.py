"""What becomes of records that changed: against a model in plain Python, and case by case."""

import random
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.core.models import UpsertSummary
from customer_assets.core.record_mapping import FieldSource, RecordMapping
from customer_assets.processing.landing.upsert import ContentHash, find_updates, hash_content, merge_rejected, upsert
from customer_assets.processing.schemas import QUARANTINE_SCHEMA, raw_schema

DATED = RecordMapping(record_updated_at=FieldSource(path="updated_at"))
DATED_TEXT = RecordMapping(id_type="text", record_updated_at=FieldSource(path="updated_at"))
UNDATED = RecordMapping()
DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


def row(customer: int | str, name: str, day: int | None = 0, page: int = 1, position: int = 0) -> Row:
    updated = None if day is None else DAY_0 + timedelta(days=day)
    return {"id": customer, "first_name": name, "record_updated_at": updated, "page": page, "position": position}


def write(path: Path, rows: Sequence[Row], mapping: RecordMapping = DATED) -> Path:
    schema = raw_schema(mapping)
    complete = [{name: each.get(name) for name in schema.names} for each in rows]
    pq.write_table(pa.Table.from_pylist(complete, schema=schema), path)
    path.chmod(0o600)
    return path


def read(path: Path) -> list[tuple[Any, Any]]:
    table = pq.read_table(path, columns=["id", "first_name"])
    return sorted(zip(table["id"].to_pylist(), map(str, table["first_name"].to_pylist()), strict=True))


def merge(
    folder: Path, before: Sequence[Row], changes: Sequence[Row], mapping: RecordMapping = DATED
) -> tuple[list[tuple[Any, Any]], UpsertSummary]:
    """Merge, and hold what is true of every merge."""
    base, came = write(folder / "base.parquet", before, mapping), write(folder / "changes.parquet", changes, mapping)
    target = folder / "it's [merged].parquet"
    summary, change = upsert(base, came, target)
    assert hash_content(base) + change == hash_content(target)
    assert pq.read_schema(target).names == pq.read_schema(base).names
    assert [field.type for field in pq.read_schema(target)] == [field.type for field in pq.read_schema(base)]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert summary.adds_up
    assert (summary.before, summary.received) == (len(before), len(changes))
    assert summary.after == pq.read_metadata(target).num_rows
    assert sorted(path.name for path in folder.iterdir()) == sorted([base.name, came.name, target.name])
    return read(target), summary


@pytest.mark.parametrize(
    ("before", "changes", "after", "counts"),
    [
        pytest.param([], [], [], {}, id="nothing"),
        pytest.param([row(1, "a")], [], [(1, "a")], {}, id="no changes"),
        pytest.param([], [row(1, "a")], [(1, "a")], {"added": 1}, id="the first customer"),
        pytest.param([row(1, "a")], [row(2, "b")], [(1, "a"), (2, "b")], {"added": 1}, id="another customer"),
        pytest.param([row(1, "a")], [row(1, "b", 1)], [(1, "b")], {"replaced": 1, "removed": 1}, id="newer"),
        pytest.param([row(1, "a", 1)], [row(1, "b", 0)], [(1, "a")], {"stale": 1}, id="older: a slow replica"),
        pytest.param([row(1, "a")], [row(1, "b")], [(1, "b")], {"replaced": 1, "removed": 1}, id="of one instant"),
        pytest.param([row(1, "a")], [row(1, "a", page=9)], [(1, "a")], {"unchanged": 1}, id="read again"),
        pytest.param(
            [row(1, "a", 5)], [row(1, "b", None)], [(1, "b")], {"replaced": 1, "removed": 1}, id="no longer dated"
        ),
        pytest.param(
            [row(1, "a", None)], [row(1, "b", 0)], [(1, "b")], {"replaced": 1, "removed": 1}, id="dated from now on"
        ),
        pytest.param(
            [row(1, "a"), row(1, "b", page=2)],
            [row(1, "c", 1)],
            [(1, "c")],
            {"replaced": 1, "removed": 2},
            id="a customer that was there twice",
        ),
        pytest.param(
            [row(1, "a"), row(1, "a", page=2)],
            [row(1, "a")],
            [(1, "a")],
            {"replaced": 1, "removed": 2},
            id="twice the same",
        ),
        pytest.param(
            [row(1, "a", 0), row(1, "b", 3, page=2)],
            [row(1, "c", 1)],
            [(1, "a"), (1, "b")],
            {"stale": 1},
            id="older than one of two",
        ),
        pytest.param(
            [row(1, "a")],
            [row(1, "c", 2), row(1, "b", 1, position=1)],
            [(1, "c")],
            {"repeated": 1, "replaced": 1, "removed": 1},
            id="came twice: the newest",
        ),
        pytest.param(
            [],
            [row(1, "a", 1), row(1, "b", 1, page=2), row(1, "c", 1, page=1, position=9)],
            [(1, "b")],
            {"repeated": 2, "added": 1},
            id="came three times at one instant: the last",
        ),
    ],
)
def test_each_record_that_comes(
    tmp_path: Path, before: list[Row], changes: list[Row], after: list[tuple[int, str]], counts: dict[str, int]
) -> None:
    found, summary = merge(tmp_path, before, changes)
    assert found == after
    expected = {"repeated": 0, "stale": 0, "unchanged": 0, "replaced": 0, "added": 0, "removed": 0, **counts}
    assert summary.model_dump(include=set(expected)) == expected


def test_records_without_a_date_replace_what_came_earlier(tmp_path: Path) -> None:
    before, changes = [row(1, "a"), row(2, "b")], [row(1, "c"), row(2, "b", page=3), row(3, "d")]
    found, summary = merge(tmp_path, before, changes, UNDATED)
    assert found == [(1, "c"), (2, "b"), (3, "d")]
    assert (summary.replaced, summary.unchanged, summary.added) == (1, 1, 1)


def test_text_ids_are_compared_byte_for_byte(tmp_path: Path) -> None:
    before, changes = [row("a", "1"), row("A", "2"), row("é", "3")], [row("A", "4", 1), row("e\u0301", "5", 1)]
    found, _ = merge(tmp_path, before, changes, DATED_TEXT)
    assert found == sorted([("a", "1"), ("A", "4"), ("é", "3"), ("e\u0301", "5")])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mapping", [DATED, UNDATED], ids=["dated", "undated"])
def test_any_changes_agree_with_a_model(tmp_path: Path, seed: int, mapping: RecordMapping) -> None:
    dice = random.Random(seed)
    is_dated = mapping is DATED

    def rows(count: int) -> list[Row]:
        return [
            row(dice.randrange(12), dice.choice("abc"), dice.choice([None, *range(4)]), page, dice.randrange(3))
            for page in range(1, count + 1)
        ]

    before, changes = rows(dice.randrange(20)), rows(dice.randrange(20))
    found, _ = merge(tmp_path, before, changes, mapping)
    assert found == sorted((each["id"], each["first_name"]) for each in model(before, changes, is_dated=is_dated))


def model(before: Sequence[Row], changes: Sequence[Row], *, is_dated: bool) -> list[Row]:
    """The same rules, written as loops."""
    table = list(before)
    for customer in {each["id"] for each in changes}:
        came = [each for each in changes if each["id"] == customer]
        newest = max(came, key=lambda each: (instant(each, is_dated=is_dated), each["page"], each["position"]))
        stored = [each for each in before if each["id"] == customer]
        dates = [each["record_updated_at"] for each in stored if each["record_updated_at"] is not None and is_dated]
        if dates and newest["record_updated_at"] is not None and newest["record_updated_at"] < max(dates):
            continue
        table = [each for each in table if each["id"] != customer] + [newest]
    return table


def instant(each: Row, *, is_dated: bool) -> datetime:
    date: datetime | None = each["record_updated_at"] if is_dated else None
    return date or datetime.min.replace(tzinfo=UTC)


def test_a_hash_depends_neither_on_the_order_of_rows_nor_on_their_places(tmp_path: Path) -> None:
    one = write(tmp_path / "one.parquet", [row(1, "a"), row(2, "b", 1, page=2)])
    other = write(tmp_path / "other.parquet", [row(2, "b", 1, page=7, position=3), row(1, "a", page=4)])
    assert hash_content(one) == hash_content(other)
    for changed in ([row(1, "a"), row(2, "b", 2)], [row(1, "b"), row(2, "a", 1)], [row(1, "a")], []):
        assert hash_content(write(tmp_path / "changed.parquet", changed)) != hash_content(one)


@pytest.mark.parametrize(
    ("before", "changes", "deleted", "after", "counts"),
    [
        pytest.param([row(1, "a"), row(2, "b")], [], [2], [(1, "a")], {"deleted": 1, "removed": 1}, id="one of two"),
        pytest.param([row(1, "a")], [], [2, 2], [(1, "a")], {}, id="never there"),
        pytest.param(
            [row(1, "a"), row(1, "b", page=2)],
            [],
            [1, 1],
            [],
            {"deleted": 1, "removed": 2},
            id="there and listed twice",
        ),
        pytest.param(
            [row(1, "a")], [row(1, "b", 1)], [1], [(1, "b")], {"replaced": 1, "removed": 1}, id="restored, and changed"
        ),
        pytest.param([row(1, "a")], [row(1, "a")], [1], [(1, "a")], {"unchanged": 1}, id="restored as it was"),
        pytest.param([row(1, "a", 1)], [row(1, "b", 0)], [1], [(1, "a")], {"stale": 1}, id="restored, and read late"),
        pytest.param([], [row(1, "a")], [1], [(1, "a")], {"added": 1}, id="came back"),
        pytest.param(
            [row(1, "a"), row(2, "b"), row(3, "c")],
            [row(2, "d", 1), row(4, "e")],
            [1, 9],
            [(2, "d"), (3, "c"), (4, "e")],
            {"added": 1, "replaced": 1, "deleted": 1, "removed": 2},
            id="all at once",
        ),
    ],
)
def test_deleted_customers_leave_unless_they_are_among_the_changes(
    tmp_path: Path,
    before: Sequence[Row],
    changes: Sequence[Row],
    deleted: Sequence[int],
    after: list[tuple[int, str]],
    counts: dict[str, int],
) -> None:
    base, came = write(tmp_path / "base.parquet", before), write(tmp_path / "changes.parquet", changes)
    ids = pa.table({"id": pa.array(deleted, pa.int64()), "position": pa.array(range(len(deleted)), pa.int32())})
    gone, target = tmp_path / "deleted.parquet", tmp_path / "merged.parquet"
    pq.write_table(ids, gone)
    summary, change = upsert(base, came, target, gone)
    assert read(target) == after
    found = {name: count for name, count in summary.model_dump(exclude={"before", "received"}).items() if count}
    assert found == counts
    assert (summary.adds_up, summary.after) == (True, len(after))
    assert hash_content(base) + change == hash_content(target)


def test_a_table_that_nothing_changes_is_not_written_again(tmp_path: Path) -> None:
    base = write(tmp_path / "base.parquet", [row(1, "a"), row(2, "b", 2)])
    for number, changes in enumerate(([], [row(1, "a")], [row(2, "c", 1)])):
        came, target = write(tmp_path / "changes.parquet", changes), tmp_path / f"merged_{number}.parquet"
        summary, change = upsert(base, came, target)
        assert (target.read_bytes(), change, summary.after) == (base.read_bytes(), ContentHash(), 2)


def test_updates_are_found(tmp_path: Path) -> None:
    dated = write(tmp_path / "dated.parquet", [row(1, "a", 5), row(2, "b", 2), row(3, "c", None), row(4, "d", 1)])
    assert find_updates(dated) == (DAY_0 + timedelta(days=5), 0)
    assert find_updates(dated, DAY_0 + timedelta(days=2)) == (DAY_0 + timedelta(days=5), 1)
    assert find_updates(write(tmp_path / "none.parquet", [])) == (None, 0)
    assert find_updates(write(tmp_path / "undated.parquet", [row(1, "a")], UNDATED), DAY_0) == (None, 0)


def test_a_hash_is_read_as_it_was_written() -> None:
    made = ContentHash(2**64 - 1, 5)
    assert ContentHash.parse(str(made)) == made
    assert made + ContentHash(2, 0) - ContentHash(0, 6) == ContentHash(1, 2**64 - 1)


def test_a_hash_of_another_version_of_duckdb_compares_with_nothing() -> None:
    assert ContentHash.parse("0.1:" + "0" * 32) is None


def test_a_damaged_table_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    base = write(tmp_path / "base.parquet", [row(1, "a")] * 1000)
    changes = write(tmp_path / "changes.parquet", [row(2, "b")])
    content = bytearray(base.read_bytes())
    content[4:200] = bytes(196)
    base.write_bytes(content)
    with pytest.raises((OSError, duckdb.Error)):
        upsert(base, changes, tmp_path / "merged.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.parquet", "changes.parquet"]


# --- rejected records ------------------------------------------------------------------------------------------------


def rejected(path: Path, *records: tuple[str, str]) -> Path:
    rows = [
        {"page": 1, "position": place, "reason_code": code, "reason": "why", "record": record}
        for place, (code, record) in enumerate(records)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA), path)
    return path


def test_a_rejected_record_is_in_the_quarantine_once_however_often_it_comes(tmp_path: Path) -> None:
    before = rejected(tmp_path / "before.parquet", ("id_missing", "{}"), ("id_missing", "{}"), ("unreadable", "["))
    came = rejected(tmp_path / "came.parquet", ("id_missing", "{}"), ("id_missing", "[]"), ("id_missing", "[]"))
    merge_rejected(before, came, tmp_path / "merged.parquet")
    found = pq.read_table(tmp_path / "merged.parquet")
    assert found.column_names == QUARANTINE_SCHEMA.names
    pairs = zip(found["reason_code"].to_pylist(), found["record"].to_pylist(), strict=True)
    assert sorted(pairs) == [("id_missing", "[]"), ("id_missing", "{}"), ("id_missing", "{}"), ("unreadable", "[")]
    assert stat.S_IMODE((tmp_path / "merged.parquet").stat().st_mode) == 0o600
