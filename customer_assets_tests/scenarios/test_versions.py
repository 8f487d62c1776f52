"""What ties the raw lake, the clean customers and their records together: only what belongs together is published."""

import errno
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from typing import Any

import dagster as dg
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.definitions import build_definitions
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.io_managers import STAGED_FILE, ParquetIOManager
from customer_assets.errors import ConfigurationError
from customer_assets.models import CleaningSummary
from customer_assets.processing.engines import CLEAN_SCHEMA, open_engine
from customer_assets.processing.landing.writer import file_digest
from customer_assets.processing.quality import MADE_FROM_ANOTHER_CRAWL
from customer_assets.storage.versions import KEPT
from customer_assets_tests.harness.disks import refuse_link
from customer_assets_tests.harness.job_runs import export_of, failure_of, run
from customer_assets_tests.harness.plain_api import PlainAPI, customer

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

RAW, CLEAN = "raw_customers.parquet", "clean_customers.parquet"
NAMES = {RAW: "first_name", CLEAN: "full_name"}
READERS = [pytest.param(RAW, "clean_customers", id="raw"), pytest.param(CLEAN, "customer_export", id="clean")]


class Site:
    """A data directory of twelve customers, all published.

    Attributes:
        lake: Where its frames are.
        export: The published document.
    """

    def __init__(self, api: PlainAPI, made: dict[str, Any], instance: dg.DagsterInstance) -> None:
        self.api, self._made, self._instance = api, made, instance
        self.lake, self.export = Path(made["data_directory"].path) / "lake", export_of(made)
        assert self.run().success

    def run(self, *selected: str) -> dg.ExecuteInProcessResult:
        """Run the job, or some assets."""
        return run(self._made, self._instance, *selected)

    def checked(self, asset: str = "clean_customers") -> dict[str, tuple[bool, str | None]]:
        """Run the checks of an asset alone; tell what each found."""
        job = build_definitions(**self._made).resolve_implicit_global_asset_job_def()
        keys = {key for key in job.asset_layer.asset_graph.asset_check_keys if asset in key.asset_key.path}
        alone = job.get_subset(asset_check_selection=keys, asset_selection=set())
        result = alone.execute_in_process(instance=self._instance, raise_on_error=False)
        return {each.check_name: (each.passed, each.description) for each in result.get_asset_check_evaluations()}

    def record_of(self, name: str) -> Path:
        """The record of the file that is in place."""
        asset = name.removesuffix(".parquet")
        (record,) = (self.lake / "records").glob(f"{asset}.*.{matching_digest(self.lake / name)}.json")
        return record

    @contextmanager
    def recorded_anew(self, name: str) -> Iterator[Path]:
        """Let a test alter a file as nothing would that does not alter its record as well."""
        record, path = self.record_of(name), self.lake / name
        digest = matching_digest(path)
        yield path
        record.rename(record.with_name(record.name.replace(digest, matching_digest(path))))

    def swap_a_customer(self) -> None:
        """Let the API have another customer in the last one's place: no count changes."""
        self.api.records[-1] = customer(777)


@pytest.fixture
def site(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> Site:
    """A data directory with a good export."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 13)]))
    return Site(api, resources(api), instance)


def altered(path: Path) -> None:
    """Write a file anew, as good as before but for one name: what a flipped bit may come to."""
    table = pq.read_table(path)
    column = NAMES[path.name]
    values = ["Someone Else", *table.column(column).to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index(column), column, pa.array(values)), path)


def test_customers_of_an_earlier_crawl_are_not_published(site: Site) -> None:
    """Neither by the export alone nor past the check, though every count is as it should be."""
    good = site.export.read_bytes()
    site.swap_a_customer()
    assert site.run("raw_customers").success
    alone = site.run("customer_export")
    assert MADE_FROM_ANOTHER_CRAWL in failure_of(alone)
    assert site.export.read_bytes() == good
    assert site.run("clean_customers", "customer_export").success
    assert b"cust_777" in site.export.read_bytes()


def test_the_check_notices_customers_of_an_earlier_crawl(site: Site) -> None:
    """It says what to do, and holds again once that was done."""
    site.swap_a_customer()
    assert site.run("raw_customers").success
    assert site.checked()["every_record_is_accounted_for"] == (False, MADE_FROM_ANOTHER_CRAWL)
    assert site.run("clean_customers").success
    assert all(passed for passed, _ in site.checked().values())


def test_a_record_that_names_no_crawl_is_none_of_this_one(site: Site) -> None:
    """An older version's does not."""
    record = site.record_of(CLEAN)
    told = json.loads(record.read_bytes())
    del told["fingerprint"]
    record.write_text(json.dumps(told), encoding="utf-8")
    assert MADE_FROM_ANOTHER_CRAWL in failure_of(site.run("customer_export"))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize(("name", "reader"), READERS)
def test_a_file_that_was_altered_is_refused(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, name: str, reader: str, engine: str
) -> None:
    """Though every engine reads it without complaint; the whole job mends it."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    site = Site(api, resources(api, CUSTOMER_ENGINE=engine), instance)
    good = site.export.read_bytes()
    altered(site.lake / name)
    told = failure_of(site.run(reader))
    assert f"Materialise {name.removesuffix('.parquet')} again" in told
    assert str(site.lake / name) in told
    assert site.export.read_bytes() == good
    assert site.run().success
    assert b"Someone Else" not in site.export.read_bytes()


@pytest.mark.parametrize("names", [(RAW,), (CLEAN,), (RAW, CLEAN)])
def test_a_file_whose_publishing_was_killed_is_the_one_before(site: Site, names: tuple[str, ...]) -> None:
    """Though the new one is on record: it is read with its own, and passes for no customers of the new crawl."""
    good, old = site.export.read_bytes(), {name: (site.lake / name).read_bytes() for name in names}
    site.swap_a_customer()
    assert site.run("raw_customers", "clean_customers").success
    for name in names:
        (site.lake / name).write_bytes(old[name])
    result = site.run("customer_export")
    if names == (RAW, CLEAN):
        assert result.success
        assert json.loads(site.export.read_bytes())["customers"] == json.loads(good)["customers"]
    else:
        assert MADE_FROM_ANOTHER_CRAWL in failure_of(result)
        assert site.export.read_bytes() == good
    assert site.run().success
    assert b"cust_777" in site.export.read_bytes()


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_a_file_of_which_no_record_tells_is_refused(site: Site, name: str, reader: str) -> None:
    """An older version's, or one whose record somebody removed."""
    site.record_of(name).unlink()
    told = failure_of(site.run(reader))
    assert "no record tells of it" in told
    assert f"Materialise {name.removesuffix('.parquet')} again" in told
    assert site.run().success


def test_an_asset_that_keeps_no_records_is_read(tmp_path: Path) -> None:
    """One of your own, by the same IO manager."""
    (tmp_path / "x.parquet").write_bytes(b"anything")
    assert DataDirectory(path=str(tmp_path)).take_at_hand("x", tmp_path / "x.parquet")


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_several_parts_are_read_whatever_is_on_record(site: Site, name: str, reader: str) -> None:
    """Another program's, such as Spark's."""
    table = pq.read_table(site.lake / name)
    (site.lake / name).unlink()
    (site.lake / name).mkdir()
    for number, part in enumerate((table.slice(0, 5), table.slice(5))):
        pq.write_table(part, site.lake / name / f"part-{number}.parquet")
    assert site.run(reader).success


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_what_an_engine_says_of_a_strange_lake_is_not_kept(site: Site, name: str, reader: str) -> None:
    """DuckDB quotes text that is no UTF-8; Dagster keeps the class of its error, and no customer."""
    with site.recorded_anew(name) as path:
        table = pq.read_table(path)
        strange = pa.array([b"Canary\xff"] * table.num_rows, pa.binary()).view(pa.string())
        pq.write_table(table.set_column(table.column_names.index(NAMES[name]), NAMES[name], strange), path)
    result = site.run(reader)
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert failed.step_failure_data.error is not None
    told = failed.step_failure_data.error.to_string()
    assert "Canary" not in told
    assert "InvalidInputException" in told


def test_a_lake_that_lost_rows_is_not_published(site: Site) -> None:
    """Though raw lake and clean customers agree with each other."""
    for name in (RAW, CLEAN):
        with site.recorded_anew(name) as path:
            pq.write_table(pq.read_table(path).slice(0, 11), path)
    assert "the raw lake holds 11 of them: materialise raw_customers" in failure_of(site.run("customer_export"))


class Run:
    """One of several runs that publish clean customers in one lake, step by step.

    Attributes:
        made_at: What its record says, and no other's.
        staged: Its file, until it is published.
    """

    def __init__(self, path: Path, lake: str, number: int) -> None:
        self.directory = DataDirectory(path=str(path), lake_url=lake)
        self.manager = ParquetIOManager(
            self.directory.lake,
            open_engine("duckdb"),
            self.directory.staged_file,
            self.directory.take_at_hand,
            self.directory.forget_old,
        )
        self.made_at, self._path = f"run {number}", self.directory.lake / CLEAN
        self.staged = self.directory.staged_file(CLEAN)
        rows = [dict.fromkeys(CLEAN_SCHEMA.names) | {"customer_id": number}] * number
        pq.write_table(pa.Table.from_pylist(rows, CLEAN_SCHEMA), self.staged)

    def publish_record(self) -> None:
        """As the asset does."""
        record = CleaningSummary(as_of=self.made_at, records=0, defects={})
        self.directory.publish_clean_record(record, file_digest(self.staged))

    def publish_file(self) -> None:
        """As the IO manager does when the asset has ended."""
        metadata = {STAGED_FILE: dg.MetadataValue.path(self.staged)}
        context = dg.build_output_context(asset_key=dg.AssetKey("clean_customers"), output_metadata=metadata)
        self.manager.dump_to_path(context, self.manager.engine.scan(self.staged), self._path)

    def load(self) -> nw.LazyFrame[Any]:
        """Give the next asset its frame."""
        context = dg.build_input_context(asset_key=dg.AssetKey("clean_customers"))
        return self.manager.load_from_path(context, self._path)

    def loaded(self) -> tuple[int, str]:
        """How many customers the next asset is given, and what their record says."""
        rows = len(self.load().collect())
        return rows, self.directory.cleaning_summary().as_of


STEPS = [("publish_record", 0), ("publish_file", 0), ("publish_record", 1), ("publish_file", 1)]
ORDERS = [
    order
    for order in permutations(STEPS)
    if all(order.index(STEPS[run]) < order.index(STEPS[run + 1]) for run in (0, 2))
]


@pytest.mark.parametrize("store", ["", "memory://"])
@pytest.mark.parametrize("order", ORDERS)
def test_runs_that_publish_at_once_read_no_mixture(
    tmp_path: Path, store: str, order: tuple[tuple[str, int], ...]
) -> None:
    """In whichever order: between any two steps, every reader has a file and the record of just that file."""
    lake = store and f"{store}lake-{time.monotonic_ns()}"
    runs = [Run(tmp_path, lake, number) for number in (2, 3)]
    before, reader = Run(tmp_path, lake, 1), Run(tmp_path, lake, 4)
    before.publish_record()
    before.publish_file()
    in_place = (1, before.made_at)
    for step, number in order:
        getattr(runs[number], step)()
        if step == "publish_file":
            in_place = (number + 2, runs[number].made_at)
        assert [each.loaded() for each in (reader, Run(tmp_path, lake, 5))] == [in_place] * 2


@pytest.mark.parametrize("link", [os.link, refuse_link])
def test_what_is_read_stays_what_it_is_though_another_run_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]
) -> None:
    """And so does what is on record of it; in a lake on another disk, too."""
    monkeypatch.setattr(os, "link", link)
    first, second = Run(tmp_path, "", 1), Run(tmp_path, "", 2)
    first.publish_record()
    first.publish_file()
    frame = first.load()
    second.publish_record()
    second.publish_file()
    assert len(frame.collect()) == 1
    assert first.directory.cleaning_summary().as_of == first.made_at
    assert first.loaded() == (2, second.made_at)


@pytest.mark.parametrize("store", ["", "memory://"])
def test_old_records_are_removed(tmp_path: Path, store: str) -> None:
    """So that they do not gather; but never the one of the file in place, and none that a run is about to use."""
    lake = store and f"{store}lake-{time.monotonic_ns()}"
    in_place = Run(tmp_path, lake, 1)
    in_place.publish_record()
    in_place.publish_file()
    others = [Run(tmp_path, lake, number) for number in range(2, KEPT + 6)]
    for each in others:
        each.publish_record()
    assert Run(tmp_path, lake, 1).loaded() == (1, in_place.made_at)
    in_place.directory.forget_old("clean_customers")
    kept = sorted((in_place.directory.lake / "records").iterdir(), key=str)
    expected = [in_place.made_at, *(each.made_at for each in others[-KEPT:])]
    assert [json.loads(path.read_bytes())["as_of"] for path in kept] == expected
    others[-1].publish_file()
    assert len(list((in_place.directory.lake / "records").iterdir())) == KEPT
    assert Run(tmp_path, lake, 1).loaded() == (KEPT + 5, others[-1].made_at)


class Refusing:
    """A store in which a method fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, *_: object, **__: object) -> None:
        """Raise it."""
        raise self._error


@pytest.mark.parametrize("error", [FileNotFoundError(), PermissionError(), RuntimeError("of the store's own")])
def test_a_record_that_cannot_be_removed_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Another run was faster, or has no right to: what was published is."""
    for number in range(1, KEPT + 3):
        last = Run(tmp_path, "", number)
        last.publish_record()
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.rm_file", Refusing(error))
    last.publish_file()
    assert Run(tmp_path, "", 1).loaded() == (KEPT + 2, last.made_at)
    warned = [record for record in caplog.records if "could not be removed" in record.message]
    assert len(warned) == (0 if isinstance(error, FileNotFoundError) else 1)


def test_a_record_that_cannot_be_looked_for_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk says is told."""
    run_ = Run(tmp_path, "", 1)
    run_.publish_record()
    run_.publish_file()
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "records")
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.ls", Refusing(denied))
    with pytest.raises(dg.Failure, match="Permission denied"):
        run_.loaded()


@pytest.mark.parametrize("last", [1, 2])
def test_of_two_records_of_one_file_the_last_is_told(tmp_path: Path, last: int) -> None:
    """Two crawls may come to the same customers, of different pages; no clock decides which was last."""
    run_ = Run(tmp_path, "", 1)
    for number in (3 - last, last):
        run_.made_at = f"run {number}"
        run_.publish_record()
    run_.publish_file()
    assert Run(tmp_path, "", 1).loaded() == (1, f"run {last}")


def test_the_check_judges_the_crawl_whose_customers_are_in_place(site: Site) -> None:
    """Not one that was killed before they were."""
    records = site.lake / "records"
    (good,) = records.glob("raw_customers.*.json")
    told = json.loads(good.read_bytes()) | {"fingerprint": "other", "missing_customers": 5, "total": 17}
    (records / f"raw_customers.000000009.{'0' * 64}.json").write_text(json.dumps(told), encoding="utf-8")
    assert site.checked("raw_customers") == {"every_customer_was_fetched": (True, "0 of 12 customers are missing")}


def test_the_report_tells_of_the_crawl_behind_the_customers(site: Site) -> None:
    """Though another crawl came since, with other records and another quarantine."""
    report = site.export.with_name("summary_report.json")
    before = json.loads(report.read_bytes())
    site.api.records += [*map(customer, range(13, 33)), {"first_name": "Nobody"}]
    assert site.run("raw_customers").success
    assert site.run("summary_report").success
    since = json.loads(report.read_bytes())
    for section in ("records", "rejected_by_reason", "crawl"):
        assert since[section] == before[section]
    assert site.run("raw_customers", "clean_customers", "summary_report").success
    after = json.loads(report.read_bytes())
    assert after["records"] == {"landed": 33, "clean": 32, "merged": 0, "rejected": 1}
    assert after["rejected_by_reason"] == {"id_missing": 1}


def test_no_report_tells_of_a_crawl_that_is_on_no_record(site: Site) -> None:
    """It says what to do."""
    site.record_of(RAW).unlink()
    assert "Materialise raw_customers and clean_customers." in failure_of(site.run("summary_report"))


def test_what_else_is_beside_records_is_none(tmp_path: Path) -> None:
    """A person's note, or another asset's."""
    run_ = Run(tmp_path, "", 1)
    run_.publish_record()
    for name in ("clean_customers.note.json", f"clean_customers.x.{'0' * 64}.json", f"x.000000009.{'0' * 64}.json"):
        (tmp_path / "lake" / "records" / name).write_text("{}", encoding="utf-8")
    assert DataDirectory(path=str(tmp_path)).cleaning_summary().as_of == run_.made_at
    Run(tmp_path, "", 2).publish_record()
    assert DataDirectory(path=str(tmp_path)).cleaning_summary().as_of == "run 2"


def test_a_record_is_for_its_owner_only(tmp_path: Path) -> None:
    """As everything in the data directory."""
    Run(tmp_path, "", 1).publish_record()
    (record,) = (tmp_path / "lake" / "records").iterdir()
    assert (record.stat().st_mode & 0o777, record.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_no_record_of_a_version_that_was_removed_is_made_up(tmp_path: Path) -> None:
    """Another version's would tell of other customers."""
    run_ = Run(tmp_path, "", 1)
    run_.publish_record()
    Run(tmp_path, "", 2).publish_record()
    next((tmp_path / "lake" / "records").glob(f"*.{file_digest(run_.staged)}.json")).unlink()
    with pytest.raises(ConfigurationError, match="Materialise clean_customers first"):
        run_.directory.cleaning_summary()


def matching_digest(path: Path) -> str:
    """Tell a file's digest by a program that is not ours."""
    return subprocess.run(["sha256sum", path], check=True, capture_output=True).stdout.decode().split()[0]
