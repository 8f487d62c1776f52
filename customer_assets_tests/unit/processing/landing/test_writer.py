"""The raw lake and the quarantine: what a landing writer leaves on disk."""

import json
import random
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from customer_assets.core.models import Page
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing.landing import writer as landing_writer
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets.processing.schemas import QUARANTINE_SCHEMA, RAW_SCHEMA, raw_schema
from customer_assets_tests.harness.records.dirty import dirty_records


def _page(number: int, records: list[Any]) -> Page:
    return Page(number, len(records), 0, 0, len(records), json.dumps(records).encode())


def _pages(count: int = 7, size: int = 50) -> list[Page]:
    records = dirty_records(count * size, seed=3)
    return [_page(n + 1, records[n * size : (n + 1) * size]) for n in range(count)]


@pytest.fixture
def writer(tmp_path: Path) -> LandingWriter:
    """A writer of small row groups, no pass started."""
    return LandingWriter(tmp_path / "raw.parquet", tmp_path / "quarantine.parquet", rows_per_group=100)


def _landed(writer: LandingWriter, pages: list[Page]) -> LandingWriter:
    writer.start_pass()
    for page in pages:
        writer.add(page)
    writer.close()
    return writer


@pytest.mark.smoke
def test_every_record_is_in_one_of_the_files(writer: LandingWriter) -> None:
    """What is handed over is in the lake or in the quarantine, and counted there."""
    _landed(writer, _pages())
    raw, quarantine = pq.read_table(writer.raw_path), pq.read_table(writer.quarantine_path)
    assert raw.schema.equals(RAW_SCHEMA)
    assert quarantine.schema.equals(QUARANTINE_SCHEMA)
    assert quarantine.num_rows == writer.rejected_records()
    assert raw.num_rows + quarantine.num_rows == 350
    places = {(row["page"], row["position"]) for table in (raw, quarantine) for row in table.to_pylist()}
    assert places == {(page, position) for page in range(1, 8) for position in range(50)}


def test_rows_are_grouped(writer: LandingWriter) -> None:
    """Pages are gathered to row groups, so that a file of many small pages is not one of many small groups."""
    _landed(writer, _pages())
    metadata = pq.read_metadata(writer.raw_path)
    sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert all(100 <= size < 150 for size in sizes[:-1])


def test_many_rejected_records_do_not_wait_for_the_end(writer: LandingWriter) -> None:
    """The quarantine is written as it fills, so that a hostile API cannot fill the memory."""
    _landed(writer, [_page(n, [None] * 3_000) for n in range(3)])
    assert pq.read_metadata(writer.quarantine_path).num_row_groups == 2
    assert writer.rejected_records() == 9_000


@pytest.mark.parametrize("number", [2**31, 10**10 + 1, 999 * 10**10 + 10**7, 2 * 10**18 + 10**7])
def test_pages_of_slices_and_former_versions_are_landed(writer: LandingWriter, number: int) -> None:
    """Their numbers are too high for a rank, so they get others, behind those of plain pages."""
    _landed(writer, [_page(1, [{"id": 1}]), _page(number, [{"id": 2}, {"id": None}]), _page(number + 1, [{"id": 3}])])
    assert pq.read_table(writer.raw_path).column("page").to_pylist() == [1, 2**30, 2**30 + 1]
    assert pq.read_table(writer.quarantine_path).column("page").to_pylist() == [2**30]


def test_order_of_arrival_does_not_matter(tmp_path: Path) -> None:
    """The same pages in another order give the same fingerprint and the same set of rows."""
    pages = _pages()
    shuffled = random.Random(1).sample(pages, len(pages))
    first, second = (
        _landed(LandingWriter(tmp_path / f"{n}.parquet", tmp_path / f"{n}.q.parquet"), order)
        for n, order in enumerate([pages, shuffled])
    )
    assert first.fingerprint() == second.fingerprint()
    tables = [
        pq.read_table(writer.raw_path).sort_by([("page", "ascending"), ("position", "ascending")])
        for writer in (first, second)
    ]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([_page(1, [{"id": 1}]), _page(2, [{"id": 3}])], id="another record"),
        pytest.param([_page(1, [{"id": 2}]), _page(2, [{"id": 1}])], id="pages swapped"),
        pytest.param([_page(1, [{"id": 1}])], id="a page less"),
        pytest.param([_page(1, [{"id": 1}]), _page(2, [{"id": 2}]), _page(2, [{"id": 2}])], id="a page more"),
        pytest.param([], id="nothing"),
    ],
)
def test_fingerprint_tells_passes_apart(writer: LandingWriter, others: list[Page]) -> None:
    """Other pages, other fingerprint."""
    ours = _landed(writer, [_page(1, [{"id": 1}]), _page(2, [{"id": 2}])]).fingerprint()
    assert len(ours) == 32
    assert _landed(writer, others).fingerprint() != ours


def test_a_new_pass_forgets_the_one_before(writer: LandingWriter) -> None:
    """Only the last pass is in the files and the counts."""
    _landed(writer, _pages())
    _landed(writer, [_page(1, [{"id": 1}, {"id": 1}, {"id": 2}, None])])
    assert (writer.unique_ids(), writer.rejected_records()) == (2, 1)
    assert pq.read_metadata(writer.raw_path).num_rows == 3


def test_a_pass_begun_again_half_way(writer: LandingWriter) -> None:
    """Rows still in memory are forgotten, too."""
    writer.start_pass()
    writer.add(_pages()[0])
    _landed(writer, [])
    assert (writer.unique_ids(), writer.rejected_records()) == (0, 0)
    assert pq.read_metadata(writer.raw_path).num_rows == 0


def test_an_empty_pass_leaves_empty_files(writer: LandingWriter) -> None:
    """No records still make two files of the right schema."""
    _landed(writer, [])
    assert pq.read_schema(writer.raw_path).equals(RAW_SCHEMA)
    assert pq.read_schema(writer.quarantine_path).equals(QUARANTINE_SCHEMA)


def test_unique_ids_may_be_asked_before_closing(writer: LandingWriter) -> None:
    """Counting the ids completes the files."""
    writer.start_pass()
    writer.add(_page(1, [{"id": 5}, {"id": "5"}, {"id": -5}]))
    assert writer.unique_ids() == 2


@pytest.mark.parametrize("at_once", [10, 1_000_000])
@pytest.mark.parametrize("apart", [1, 64, 10**15])
def test_unique_ids_are_counted(
    writer: LandingWriter, monkeypatch: pytest.MonkeyPatch, at_once: int, apart: int
) -> None:
    """Dense or far apart, below and above zero, at once or in parts: each id counts once."""
    monkeypatch.setattr(landing_writer, "_BLOCKS_COUNTED_AT_ONCE", at_once)
    numbers = [(draw % 700 - 350) * apart for draw in range(1000)]
    _landed(writer, [_page(n, [{"id": number} for number in numbers[n * 100 : n * 100 + 100]]) for n in range(10)])
    assert writer.unique_ids() == 700
    assert {path.name for path in writer.raw_path.parent.iterdir()} == {"raw.parquet", "quarantine.parquet"}


def test_the_ends_of_the_range_are_ids(writer: LandingWriter) -> None:
    """Every 64-bit integer has its bit."""
    ends = [2**63 - 1, 2**63 - 64, -(2**63), -(2**63) + 63, 0, -1]
    _landed(writer, [_page(1, [{"id": number} for number in ends]), _page(2, [{"id": number} for number in ends])])
    assert writer.unique_ids() == len(ends)


@pytest.mark.parametrize("complete", [False, True])
def test_a_page_outside_a_pass_is_refused(writer: LandingWriter, *, complete: bool) -> None:
    """No page lands silently nowhere."""
    if complete:
        _landed(writer, [])
    with pytest.raises(ValueError, match="start_pass"):
        writer.add(_page(1, []))


def test_files_are_their_owners_only(writer: LandingWriter) -> None:
    """Nobody else on the machine reads customers, even where a file was left readable before."""
    writer.raw_path.touch(mode=0o644)
    _landed(writer, _pages())
    assert [stat.S_IMODE(path.stat().st_mode) for path in (writer.raw_path, writer.quarantine_path)] == [0o600, 0o600]


def test_a_failed_block_leaves_nothing(writer: LandingWriter) -> None:
    """An error while landing removes both files; the error goes on."""
    writer.start_pass()
    writer.add(_pages()[0])
    with pytest.raises(RuntimeError, match="crawl"), writer:
        raise RuntimeError("crawl")
    assert not writer.raw_path.exists()
    assert not writer.quarantine_path.exists()


def test_a_block_completes_the_files(writer: LandingWriter) -> None:
    """Leaving the block closes both files."""
    with writer:
        writer.start_pass()
        writer.add(_page(1, [{"id": 1}]))
    assert pq.read_metadata(writer.raw_path).num_rows == 1


def test_repr_holds_counts_only(writer: LandingWriter) -> None:
    """What a log may show of a writer has no customer in it."""
    _landed(writer, [_page(1, [{"id": 1, "email": "secret@x.org"}, {}])])
    assert repr(writer) == "<LandingWriter landed=1 rejected=1>"


@pytest.mark.parametrize("at_once", [100, 1_000_000])
def test_text_ids_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """At once or in parts; case and zeros make another id."""
    monkeypatch.setattr(landing_writer, "_TEXTS_COUNTED_AT_ONCE", at_once)
    mapping = RecordMapping(id_type="text")
    writer = LandingWriter(tmp_path / "raw.parquet", tmp_path / "quarantine.parquet", mapping=mapping)
    ids = [f"{prefix}{number % 250}" for number in range(1_000) for prefix in ("cus_", "CUS_", "", "0")]
    _landed(writer, [_page(n, [{"id": each} for each in ids[n * 100 : n * 100 + 100]]) for n in range(40)])
    assert writer.unique_ids() == 1_000
    assert pq.read_schema(writer.raw_path).equals(raw_schema(mapping))
    assert {path.name for path in tmp_path.iterdir()} == {"raw.parquet", "quarantine.parquet"}


def test_the_fingerprint_tells_mappings_apart(tmp_path: Path) -> None:
    """Read otherwise, the same pages make another table."""
    pages = [_page(1, [{"id": 1}])]
    mappings = [{}, {"avatar": None}, {"fields": {"a": {}, "b": {}}}, {"fields": {"b": {}, "a": {}}}]
    found = {
        _landed(
            LandingWriter(tmp_path / "r", tmp_path / "q", mapping=RecordMapping.model_validate(mapping)), pages
        ).fingerprint()
        for mapping in mappings
    }
    assert len(found) == 4
    assert _landed(LandingWriter(tmp_path / "r", tmp_path / "q", mapping=RecordMapping()), pages).fingerprint() in found


def test_repetition_is_told_from_duplicates(writer: LandingWriter) -> None:
    """Duplicates name the page of the first copy; a page that repeats another one, in any order, is counted."""
    ids = [[1, 2, 3], [4, 5, 1], [6, 7, 8], [9, 9, 9], [8, 6, 7], [9]]
    _landed(writer, [_page(number, [{"id": each} for each in page]) for number, page in enumerate(ids, 1)])
    assert writer.repetition(9) == ((1, 3, 4), 1)
    assert writer.repetition(1) == ((1,), 1)
