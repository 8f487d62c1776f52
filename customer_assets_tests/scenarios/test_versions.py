"""What ties rows, facts and export together: only what belongs together is judged, reported and published."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.api import CrawlStats
from customer_assets.core.errors import NotMaterializedError, QualityGateError, SupersededError
from customer_assets.definitions import build_definitions
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.processing.engines import open_engine
from customer_assets.processing.remedies import MADE_FROM_ANOTHER_CRAWL
from customer_assets.storage.versions import Table
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer
from customer_assets_tests.harness.job_runs import export_of, failure_of, run
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.plain_sync import PlainSync, exported_ids

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

RAW, CLEAN = "raw_customers", "clean_customers"
NAMES = {RAW: "first_name", CLEAN: "full_name"}
READERS = [pytest.param(RAW, "clean_customers", id="raw"), pytest.param(CLEAN, "customer_export", id="clean")]


class Site:
    """A data directory of twelve customers, all published.

    Attributes:
        lake: Where its tables are.
        export: The published document.
    """

    def __init__(self, api: PlainAPI, made: dict[str, Any], instance: dg.DagsterInstance) -> None:
        self.api, self.made, self._instance = api, made, instance
        self.lake, self.export = Path(made["data_directory"].path) / "lake", export_of(made)
        assert self.run().success

    def run(self, *selected: str) -> dg.ExecuteInProcessResult:
        """Run the job, or some assets."""
        return run(self.made, self._instance, *selected)

    def checked(self, asset: str = CLEAN) -> dict[str, tuple[bool, str | None]]:
        """Run the checks of an asset alone; return what each found."""
        job = build_definitions(**self.made).resolve_implicit_global_asset_job_def()
        keys = {key for key in job.asset_layer.asset_graph.asset_check_keys if asset in key.asset_key.path}
        alone = job.get_subset(asset_check_selection=keys, asset_selection=set())
        result = alone.execute_in_process(instance=self._instance, raise_on_error=False)
        return {each.check_name: (each.passed, each.description) for each in result.get_asset_check_evaluations()}

    def shown(self, table: str) -> Path:
        """The file under the name that stays; on this disk, the version itself by another name."""
        return self.lake / f"{table}.parquet"

    def rewrite_pointer(self, table: str, **facts: object) -> None:
        """Describe a version anew, as only a run of ours would: with the file's hash and a checksum that fit."""
        pointer = self.lake / f"{table}.json"
        body = json.loads(pointer.read_bytes())["version"]
        body["parts"][table]["sha256"] = hashlib.sha256(
            (self.lake / body["parts"][table]["file"]).read_bytes()
        ).hexdigest()
        body["facts"] |= facts
        checksum = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        pointer.write_text(json.dumps({"checksum": checksum, "version": body}))

    def swap_a_customer(self) -> None:
        """Let the API have another customer in the last one's place: no count changes."""
        self.api.records[-1] = customer(777)


@pytest.fixture
def site(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> Site:
    """A data directory with a good export."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 13)]))
    return Site(api, resources(api), instance)


def alter(path: Path) -> None:
    """Write a file anew in its place, as good as before but for one name: what a flipped bit can come to."""
    table = pq.read_table(path)
    column = NAMES[path.stem]
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


def test_facts_that_name_no_crawl_are_another_versions(site: Site) -> None:
    """The gate cannot judge them; the whole job mends it."""
    site.rewrite_pointer(CLEAN, crawl=None)
    message = failure_of(site.run("customer_export"))
    assert f"{site.lake / CLEAN}.json cannot be read: another version of customer_assets wrote it" in message
    assert site.run().success


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize(("name", "reader"), READERS)
def test_a_file_that_was_altered_is_refused(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, name: str, reader: str, engine: str
) -> None:
    """Though every engine reads it without complaint; the whole job mends it."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    site = Site(api, resources(api, CUSTOMER_ENGINE=engine), instance)
    good = site.export.read_bytes()
    alter(site.shown(name))
    message = failure_of(site.run(reader))
    assert f"{site.shown(name)} cannot be read: " in message
    assert f"Materialise {name} again" in message
    assert site.export.read_bytes() == good
    assert site.run().success
    assert b"Someone Else" not in site.export.read_bytes()


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_facts_that_were_altered_are_refused(site: Site, name: str, reader: str) -> None:
    """A shortfall that became none would let the rest through the gate."""
    pointer = site.lake / f"{name}.json"
    pointer.write_bytes(pointer.read_bytes().replace(b'"missing_customers": 0', b'"missing_customers": 8'))
    good = site.export.read_bytes()
    message = failure_of(site.run(reader))
    assert f"{pointer} cannot be read: its checksum does not match" in message
    assert f"Materialise {name} again" in message
    assert site.export.read_bytes() == good
    assert site.run().success


@pytest.mark.parametrize("names", [(RAW,), (CLEAN,), (RAW, CLEAN)])
def test_a_file_whose_publishing_was_killed_is_the_one_before(site: Site, names: tuple[str, ...]) -> None:
    """As long as its pointer is not replaced: what is read passes for no customers of the new crawl."""
    good = site.export.read_bytes()
    before = {path: path.read_bytes() for path in site.lake.rglob("*") if path.stem.partition("-")[0] in names}
    site.swap_a_customer()
    assert site.run("raw_customers", "clean_customers").success
    for path, content in before.items():
        path.unlink(missing_ok=True)
        path.write_bytes(content)
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
def test_a_file_without_facts_is_refused(site: Site, name: str, reader: str) -> None:
    """Whoever put it there."""
    (site.lake / f"{name}.json").unlink()
    message = failure_of(site.run(reader))
    assert f"There is no {name}.json in {site.lake}: {name} was never materialised there. " in message
    assert f"Materialise {name} first" in message
    assert site.run().success


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_several_parts_are_read_with_the_facts_that_were_committed_last(site: Site, name: str, reader: str) -> None:
    """Another program's, such as Spark's."""
    table = pq.read_table(site.shown(name))
    site.shown(name).unlink()
    site.shown(name).mkdir()
    message = failure_of(site.run(reader))
    assert f"{site.shown(name)} cannot be read: it is a directory without a Parquet file" in message
    for number, part in enumerate((table.slice(0, 5), table.slice(5))):
        pq.write_table(part, site.shown(name) / f"part-{number}.parquet")
    assert site.run(reader).success


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_what_an_engine_says_of_a_strange_lake_is_not_kept(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, name: str, reader: str
) -> None:
    """DuckDB quotes text that is not UTF-8; Dagster keeps the class of its error, and no customer."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 13)]))
    site = Site(api, resources(api, CUSTOMER_ENGINE="duckdb"), instance)
    path = site.shown(name)
    table = pq.read_table(path)
    strange = pa.array([b"Canary\xff"] * table.num_rows, pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index(NAMES[name]), NAMES[name], strange), path)
    site.rewrite_pointer(name)
    result = site.run(reader)
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert failed.step_failure_data.error is not None
    message = failed.step_failure_data.error.to_string()
    assert "Canary" not in message
    assert "InvalidInputException" in message


def test_a_lake_that_lost_rows_is_not_published(site: Site) -> None:
    """Though raw lake and clean customers agree with each other."""
    for name in (RAW, CLEAN):
        pq.write_table(pq.read_table(site.shown(name)).slice(0, 11), site.shown(name))
        site.rewrite_pointer(name)
    assert "the raw lake holds 11 of them: materialise raw_customers" in failure_of(site.run("customer_export"))


def test_the_check_judges_the_crawl_whose_customers_were_committed(site: Site) -> None:
    """Not one that was killed before they were, though its files are there."""
    (good,) = (site.lake / "versions").glob("raw_customers-*")
    good.with_name(good.name.replace("0", "1")).write_bytes(good.read_bytes()[:100])
    assert site.checked("raw_customers") == {"every_customer_was_fetched": (True, "0 of 12 customers are missing")}


def test_the_report_describes_the_crawl_behind_the_customers(site: Site) -> None:
    """Though another crawl came since, with other records and another quarantine; or its facts were lost."""
    report = site.export.with_name("summary_report.json")
    before = json.loads(report.read_bytes())
    site.api.records += [*map(customer, range(13, 33)), {"first_name": "Nobody"}]
    assert site.run("raw_customers").success
    for _ in range(2):
        assert site.run("summary_report").success
        since = json.loads(report.read_bytes())
        for section in ("records", "rejected_by_reason", "crawl"):
            assert since[section] == before[section]
        (site.lake / "raw_customers.json").unlink(missing_ok=True)
    assert site.run("raw_customers", "clean_customers", "summary_report").success
    after = json.loads(report.read_bytes())
    assert after["records"] == {"landed": 33, "clean": 32, "merged": 0, "rejected": 1, "excluded": 0}
    assert after["rejected_by_reason"] == {"id_missing": 1}


FLIPS = 5
"""`unit/storage/test_versions.py` flips every bit of a file; here it is about what the sync does then."""


def test_a_damaged_last_export_stops_nothing(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It only serves to compare with: whichever bit is flipped, it is set aside with a warning, and counts nothing."""
    site.run()
    kept = site.lake / "exported_customers.parquet"
    good, directory = kept.read_bytes(), site.made["data_directory"]
    monkeypatch.chdir(site.lake)
    for flip in range(FLIPS):
        flipped = bytearray(good)
        flipped[len(good) * flip // FLIPS] ^= 1 << flip % 8
        caplog.clear()
        kept.write_bytes(flipped)
        sync = PlainSync(directory, site.api.records, open_engine("polars"))
        assert sync.clean().changes is None
        assert f"{kept} cannot be read" in caplog.text
        assert "set aside" in caplog.text
        assert kept.with_name(f"{kept.name}.damaged").read_bytes() == flipped
        sync.export()
        sync.close()
        assert not list(site.lake.glob("*.damaged"))
        changes = sync.clean().changes
        assert changes is not None
        assert changes.unchanged == 12
        good = kept.read_bytes()
    kept.write_bytes(b"PAR1")
    assert site.run().success
    pointer = site.lake / "exported_customers.json"
    pointer.write_bytes(pointer.read_bytes()[:100])
    assert site.run().success


def people(*ids: int) -> list[dict[str, Any]]:
    """Make records."""
    return [customer(number) for number in ids]


def names(*ids: int) -> list[str]:
    """Write ids as the export does."""
    return sorted(f"cust_{number:03}" for number in ids)


LAKES = ("directory", "memory")


@pytest.fixture(params=LAKES)
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> DataDirectory:
    """A data directory with its lake on this disk, or in an object store."""
    lake = f"memory://lake-{time.monotonic_ns()}" if request.param == "memory" else ""
    return DataDirectory(path=str(tmp_path / "data"), lake_url=lake)


ORDERS = [
    order
    for order in permutations([(step, number) for number in (0, 1) for step in ("crawl", "clean", "load", "publish")])
    if all(
        order.index((before, number)) < order.index((after, number))
        for number in (0, 1)
        for before, after in (("crawl", "clean"), ("clean", "load"), ("load", "publish"))
    )
]
"""Every way to shuffle the steps of two runs: 70."""


@pytest.mark.parametrize(
    ("directory", "order"),
    [
        (lake, order)
        for order in ORDERS
        for lake in LAKES
        if os.environ.get(file_operations.EVERY) or lake == LAKES[order[0][1]]
    ],
    indirect=["directory"],
)
def test_runs_that_publish_at_once_read_no_mixture(
    directory: DataDirectory, order: tuple[tuple[str, int], ...]
) -> None:
    """In whichever order: every reader has rows and the facts of just those rows, and no older export replaces a newer.

    Orders that differ only in which run is which are tried on one kind of lake each; `EVERY_FILE_OPERATION` tries all
    of them on both.

    A run that was overtaken is refused; what is published in the end is one run's, and never the older crawl's once
    the newer one's was published.
    """
    worlds = [(1, 2, 3), (1, 2, 4, 5)]
    runs = [PlainSync(directory, people(*ids), open_engine("polars")) for ids in worlds]
    first, second = (order.index(("crawl", number)) for number in (0, 1))
    newer = 1 if second > first else 0
    published: list[list[str]] = []
    refused: set[int] = set()
    for step, number in order:
        if number in refused:
            continue
        try:
            getattr(runs[number], step)()
        except (SupersededError, QualityGateError):
            refused.add(number)
        if step == "publish" and number not in refused:
            published.append(exported_ids(directory))
        with suppress(NotMaterializedError):
            assert rows(directory.raw) == directory.raw.current().facts.landed
            assert rows(directory.clean) == directory.clean.current().facts.crawl.landed
    assert published
    assert all(ids in [names(*world) for world in worlds] for ids in published)
    if names(*worlds[newer]) in published:
        assert exported_ids(directory) == names(*worlds[newer])
    for each in runs:
        each.close()


def rows(table: Table[Any]) -> int:
    """Count the rows of the version that a reader is given."""
    _, file = table.fetch()
    try:
        return pq.read_metadata(file).num_rows
    finally:
        file.unlink()


def test_a_run_that_was_held_up_publishes_no_older_customers(directory: DataDirectory) -> None:
    """It says why; the newer export stays, byte for byte."""
    held_up, other = PlainSync(directory, people(1, 2, 3)), PlainSync(directory, people(1, 2, 4))
    held_up.crawl()
    held_up.clean()
    held_up.load()
    other.run()
    published = directory.export_file.read_bytes()
    with pytest.raises(SupersededError, match=r"customers\.json was not replaced: customers of a newer crawl"):
        held_up.publish()
    assert directory.export_file.read_bytes() == published
    assert sorted(path.name for path in directory.export_file.parent.iterdir() if path.name.startswith(".")) == []


def test_a_crawl_that_was_overtaken_is_not_committed(directory: DataDirectory) -> None:
    """Nor are clean customers of it. The same customers again are never older."""
    sync = PlainSync(directory, people(1, 2, 3))
    late = directory.landing()
    sync.run()
    early = sync.directory.raw.current()
    with late as landing:
        landing.number = early.facts.number - 1
        landing.writer.start_pass()
        landing.writer.close()
        with pytest.raises(SupersededError, match="raw_customers"):
            directory.commit_landing(landing, CrawlStats())
    assert directory.raw.current() == early


def test_what_a_step_was_given_is_what_it_judges(directory: DataDirectory) -> None:
    """Whatever another run commits meanwhile, and whatever else this process has loaded."""
    first, second = PlainSync(directory, people(1, 2, 3)), PlainSync(directory, people(1, 2, 3, 4))
    first.run()
    second.run()
    second.load()
    first.crawl()
    first.clean()
    first.load()
    for sync, landed in ((second, 4), (first, 3)):
        assert directory.crawl_summary(sync.frames["raw_customers"]).landed == landed
        assert directory.cleaning_summary(sync.frames["clean_customers"]).crawl.landed == landed
        assert sync.frames["clean_customers"].collect().shape[0] == landed


ENGINE = open_engine("polars")


class OwnIOManager(dg.IOManager):
    """A user's: knows nothing of facts, and keeps a table in memory."""

    def __init__(self) -> None:
        self.tables: dict[dg.AssetKey, pa.Table] = {}

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        if obj is not None:
            self.tables[context.asset_key] = obj.collect("pyarrow").to_native()

    def load_input(self, context: dg.InputContext) -> Any:
        return ENGINE.from_arrow(self.tables[context.asset_key])


def test_a_users_own_io_manager_works(serve_api: Serve, resources: Resources, instance: dg.DagsterInstance) -> None:
    """Step by step, too; the gate judges what was committed last."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 13)]))
    made = {**resources(api, CUSTOMER_ENGINE="polars"), "customer_io_manager": OwnIOManager()}
    assert run(made, instance).success
    api.records[-1] = customer(777)
    for step in ("raw_customers", "clean_customers", "customer_export", "summary_report"):
        assert run(made, instance, step).success
    assert b"cust_777" in export_of(made).read_bytes()


def test_a_notebook_can_load_a_table(site: Site) -> None:
    """Lazily: the frame is read after the call, and though a run supersedes it."""
    defs = build_definitions(**site.made)
    frame: Any = defs.load_asset_value("clean_customers")
    site.swap_a_customer()
    assert site.run().success
    assert 12 in frame.collect()["customer_id"].to_list()
