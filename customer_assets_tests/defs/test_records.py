"""What ties the raw lake, the clean customers and their records together: only what belongs together is published."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from customer_assets.definitions import build_definitions
from customer_assets.defs.io_managers import WAITS_S, ParquetIOManager
from customer_assets.processing.engines import open_engine
from customer_assets.processing.quality import MADE_FROM_ANOTHER_CRAWL
from customer_assets_tests.defs.conftest import PlainAPI, customer
from customer_assets_tests.defs.test_assets import export_of, failure_of, instance, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

RAW, CLEAN = "raw_customers.parquet", "clean_customers.parquet"
CRAWL_RECORD, CLEAN_RECORD = "raw_customers.crawl.json", "clean_customers.record.json"
NAMES = {RAW: "first_name", CLEAN: "full_name"}
READERS = [pytest.param(RAW, "clean_customers", id="raw"), pytest.param(CLEAN, "customer_export", id="clean")]

__all__ = ["instance"]


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

    def checked(self) -> dict[str, tuple[bool, str | None]]:
        """Run the checks of the clean customers alone; tell what each found."""
        job = build_definitions(**self._made).resolve_implicit_global_asset_job_def()
        keys = {key for key in job.asset_layer.asset_graph.asset_check_keys if "clean_customers" in key.asset_key.path}
        alone = job.get_subset(asset_check_selection=keys, asset_selection=set())
        result = alone.execute_in_process(instance=self._instance, raise_on_error=False)
        return {each.check_name: (each.passed, each.description) for each in result.get_asset_check_evaluations()}

    def swap_a_customer(self) -> None:
        """Let the API have another customer in the last one's place: no count changes."""
        self.api.records[-1] = customer(777)


@pytest.fixture
def site(serve: Serve, resources: Resources, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A data directory with a good export, into which no other run publishes: there is nothing to wait for."""
    monkeypatch.setattr("customer_assets.defs.io_managers.WAITS_S", (0.0,))
    api = serve(PlainAPI([customer(number) for number in range(1, 13)]))
    return Site(api, resources(api), instance)


def altered(path: Path) -> None:
    """Write a file anew, as good as before but for one name: what a flipped bit may come to."""
    table = pq.read_table(path)
    column = NAMES[path.name]
    values = ["Someone Else", *table.column(column).to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index(column), column, pa.array(values)), path)


def without(record: Path, *fields: str) -> None:
    """Take fields out of a record, as an older version would have written it."""
    kept = {name: value for name, value in json.loads(record.read_bytes()).items() if name not in fields}
    record.write_text(json.dumps(kept), encoding="utf-8")


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
    without(site.lake / CLEAN_RECORD, "fingerprint")
    assert MADE_FROM_ANOTHER_CRAWL in failure_of(site.run("customer_export"))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize(("name", "reader"), READERS)
def test_a_file_that_was_altered_is_refused(
    serve: Serve, resources: Resources, instance: dg.DagsterInstance, name: str, reader: str, engine: str
) -> None:
    """Though every engine reads it without complaint; the whole job mends it."""
    api = serve(PlainAPI([customer(number) for number in range(1, 8)]))
    site = Site(api, resources(api, CUSTOMER_ENGINE=engine), instance)
    good = site.export.read_bytes()
    altered(site.lake / name)
    told = failure_of(site.run(reader))
    assert f"Materialise {name.removesuffix('.parquet')} again" in told
    assert str(site.lake / name) in told
    assert site.export.read_bytes() == good
    assert site.run().success
    assert b"Someone Else" not in site.export.read_bytes()


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_a_file_whose_publishing_was_killed_is_refused(site: Site, name: str, reader: str) -> None:
    """Its record is new, itself it is the one before: old customers must not pass for those of the new crawl."""
    good, old = site.export.read_bytes(), (site.lake / name).read_bytes()
    site.swap_a_customer()
    assert site.run("raw_customers", "clean_customers").success
    (site.lake / name).write_bytes(old)
    told = failure_of(site.run(reader))
    assert "not put in place by a killed run" in told
    assert site.export.read_bytes() == good


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_a_file_of_which_no_record_tells_is_read(site: Site, name: str, reader: str) -> None:
    """An older version's records tell no digest."""
    without(site.lake / {RAW: CRAWL_RECORD, CLEAN: CLEAN_RECORD}[name], "digest")
    altered(site.lake / name)
    assert site.run(reader).success


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
    without(site.lake / {RAW: CRAWL_RECORD, CLEAN: CLEAN_RECORD}[name], "digest")
    table = pq.read_table(site.lake / name)
    strange = pa.array([b"Canary\xff"] * table.num_rows, pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index(NAMES[name]), NAMES[name], strange), site.lake / name)
    result = site.run(reader)
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert failed.step_failure_data.error is not None
    told = failed.step_failure_data.error.to_string()
    assert "Canary" not in told
    assert "InvalidInputException" in told


def test_a_lake_that_lost_rows_is_not_published(site: Site) -> None:
    """Though raw lake and clean customers agree with each other."""
    for record in (CRAWL_RECORD, CLEAN_RECORD):
        without(site.lake / record, "digest")
    for name in (RAW, CLEAN):
        pq.write_table(pq.read_table(site.lake / name).slice(0, 11), site.lake / name)
    assert "the raw lake holds 11 of them: materialise raw_customers" in failure_of(site.run("customer_export"))


class Publishing:
    """A sync that is between a record and its file: the file comes while somebody waits."""

    def __init__(self, path: Path, staged: Path, at_wait: int) -> None:
        self._path, self._staged, self._at_wait = path, staged, at_wait
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Wait; put the file in place at the wait that was named."""
        self.waits.append(seconds)
        if len(self.waits) == self._at_wait:
            self._staged.replace(self._path)


@pytest.mark.parametrize(("at_wait", "waits"), [(1, 1), (3, 3), (9, len(WAITS_S))])
def test_another_run_that_is_just_publishing_is_waited_for(tmp_path: Path, at_wait: int, waits: int) -> None:
    """For less than a second."""
    old, new = tmp_path / "x.parquet", tmp_path / "new.parquet"
    for path, value in ((old, 1), (new, 2)):
        pq.write_table(pa.table({"x": [value]}), path)
    publishing = Publishing(old, new, at_wait)
    digest = digest_of(new)
    manager = ParquetIOManager(
        UPath(tmp_path), open_engine("duckdb"), lambda name: tmp_path / f"1-{name}", lambda _: digest, publishing.sleep
    )
    context = dg.build_input_context(asset_key=dg.AssetKey("x"))
    if at_wait > len(WAITS_S):
        with pytest.raises(dg.Failure, match="Materialise x again"):
            manager.load_from_path(context, UPath(old))
    else:
        assert manager.load_from_path(context, UPath(old)).collect().item() == 2
    assert publishing.waits == list(WAITS_S[:waits])
    assert sum(WAITS_S) < 1


def digest_of(path: Path) -> str:
    """Tell a file's digest by a program that is not ours."""
    return subprocess.run(["sha256sum", path], check=True, capture_output=True).stdout.decode().split()[0]
