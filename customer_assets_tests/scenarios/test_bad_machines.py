"""What an operator and a machine do to a data directory: a clear error, the last export whole, the next run good."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets.definitions import build_definitions
from customer_assets.defs.assets import ASSETS
from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, customer, with_fields
from customer_assets_tests.harness.machines.services import skip_or_fail

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]
Obstacle = Callable[[Path], None]

CUSTOMERS = 7

pytestmark = pytest.mark.service


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another attempt may mend is tried again after ten seconds and more: here one is enough."""
    monkeypatch.setattr(ASSETS[0].node_def, "_retry_policy", None)


class Site:
    """A data directory and the API that fills it.

    Attributes:
        data: The directory.
        api: The API.
    """

    def __init__(self, data: Path, api: PlainAPI, resources: Resources, **environ: str) -> None:
        self.data, self.api = data, api
        self._made = resources(api, CUSTOMER_DATA_DIR=str(data), **environ)

    def run(self, *selected: str) -> list[str]:
        """Run the job, or some assets; return what the failed steps said."""
        job = build_definitions(**self._made).resolve_job_def("customer_sync_job")
        keys = [dg.AssetKey(name) for name in selected]
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=keys or None)
        told = [said(event.step_failure_data.error) for event in result.all_events if event.is_step_failure]
        assert bool(told) is not result.success
        assert KEY not in "".join(told)
        return told

    def exported(self) -> Any:
        """What is published, without its timestamp; read by a parser that is not ours."""
        document = json.loads((self.data / "export" / "customers.json").read_bytes())
        del document["metadata"]["export_timestamp"]
        return document

    def is_good_again(self) -> None:
        """The next run succeeds, publishes, and leaves nothing half-made behind."""
        assert self.run() == []
        assert self.exported()["metadata"]["total_customers"] == len(self.api.records)
        assert [path.name for path in self.data.rglob("*") if path.name.endswith(".tmp")] == []
        assert list((self.data / "lake" / ".staging").rglob("*.parquet")) == []


def said(error: Any) -> str:
    """All that an error and its causes say."""
    return "" if error is None else f"{error.message}{said(error.cause)}"


@pytest.fixture
def site(tmp_path: Path, serve_api: Serve, resources: Resources) -> Site:
    """A data directory with a good export."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, CUSTOMERS + 1)]))
    made = Site(tmp_path / "data", api, resources)
    assert made.run() == []
    return made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", path], check=False, capture_output=True)
    if mount.returncode:
        skip_or_fail(f"no disk can be mounted ({mount.stderr.decode().strip()}): run the tests as root")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextmanager
def in_the_way(path: Path, put: Obstacle) -> Iterator[None]:
    """Put something else in a path's place; take it away again."""
    aside = path.with_name(f"{path.name}.aside")
    existed = path.exists()
    if existed:
        path.rename(aside)
    put(path)
    try:
        yield
    finally:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if existed:
            aside.rename(path)


def a_file(path: Path) -> None:
    """A file where a directory should be."""
    path.write_text("in the way")


def a_directory(path: Path) -> None:
    """A directory where a file should be, and not an empty one."""
    path.mkdir()
    (path / "in the way").write_text("")


def a_loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("name", "put"),
    [
        pytest.param(".", a_file, id="a file for the data directory"),
        pytest.param(".", a_loop, id="a link to itself for the data directory"),
        pytest.param("lake", a_file, id="a file for the lake"),
        pytest.param("lake/.staging", a_file, id="a file for the staging area"),
        pytest.param("quarantine", a_file, id="a file for the quarantine"),
        pytest.param("export", a_file, id="a file for the export's directory"),
        pytest.param("quarantine/rejected_customers.parquet", a_directory, id="a directory for the quarantine's file"),
        pytest.param("lake/raw_customers.parquet", a_directory, id="a directory for the raw lake"),
        pytest.param("lake/versions", a_file, id="a file for the versions"),
        pytest.param("lake/raw_customers.json", a_directory, id="a directory for the pointer"),
        pytest.param("lake/clean_customers.parquet", a_directory, id="a directory for the clean customers"),
        pytest.param("export/customers.json", a_directory, id="a directory for the export"),
        pytest.param("export/summary_report.md", a_directory, id="a directory for the report"),
    ],
)
def test_what_stands_in_the_way_is_named(site: Site, name: str, put: Obstacle) -> None:
    """By its path, with what to do; once it is gone, all is well."""
    before = site.exported()
    with in_the_way(site.data / name, put):
        told = site.run()
        if (site.data / "export" / "customers.json").is_file():
            assert site.exported() == before
    assert told
    for each in told:
        assert str(site.data) in each
        assert re.search("Fix that, then run again|free or make writable|Materialise", each), each
    assert site.exported() == before
    site.is_good_again()


def test_a_page_store_in_the_way_is_left(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The crawl goes on without it, and says so."""
    with in_the_way(site.data / "lake" / "pages.sqlite", a_directory):
        assert site.run() == []
    assert any("goes on without it" in record.getMessage() for record in caplog.records)
    site.is_good_again()


@pytest.mark.parametrize("name", [".", "lake", "export", "lake/.staging"])
def test_what_is_missing_is_made_anew(site: Site, name: str) -> None:
    """Whatever somebody tidied away between two runs, of one process even."""
    path = site.data / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    site.is_good_again()


def test_a_disk_that_cannot_be_written_is_named(disk: Path, serve_api: Serve, resources: Resources) -> None:
    """Its path and why; the last export stands."""
    site = Site(disk / "data", serve_api(PlainAPI([customer(number) for number in range(1, 8)])), resources)
    assert site.run() == []
    before = site.exported()
    for options in (["--bind", str(disk)], ["-o", "remount,ro,bind"]):
        subprocess.run(["mount", *options, disk], check=True)
    for selected in ((), ("clean_customers",), ("customer_export",), ("summary_report",)):
        (told,) = site.run(*selected)
        assert "Read-only file system" in told
        assert str(disk) in told
        assert site.exported() == before
    subprocess.run(["umount", disk], check=True)
    site.is_good_again()


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_full_disk_is_named(disk: Path, serve_api: Serve, resources: Resources, engine: str) -> None:
    """In whichever step it fills up; the last export stands, and the next run on a freed disk needs no other help."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 1_001)], per_page=500))
    site = Site(disk / "data", api, resources, CUSTOMER_ENGINE=engine)
    assert site.run() == []
    before = site.exported()
    for selected, free in (
        ((), 0),
        (("clean_customers",), 0),
        (("customer_export",), 0),
        (("customer_export",), 120_000),
        (("summary_report",), 0),
    ):
        with filled(disk, free):
            (told,) = site.run(*selected)
        assert "No space left on device" in told, told
        assert str(disk) in told, told
        assert "Fix that, then run again" in told or "free or make writable" in told, told
        assert site.exported() == before
    site.is_good_again()


@contextmanager
def filled(disk: Path, free: int) -> Iterator[None]:
    """Fill a disk but for so many bytes."""
    filling = disk / "filling"
    available = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filling.write_bytes(bytes(max(available - free, 0)))
    yield
    filling.unlink()


def truncated(path: Path) -> None:
    """Cut a file off in its middle."""
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    """Leave a file of nothing."""
    os.truncate(path, 0)


def scrambled(path: Path) -> None:
    """Damage what is in a file, not its end."""
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(byte ^ 0x5A for byte in content[4:400]) + content[400:])


def of_another_version(path: Path) -> None:
    """A file that has a column less, and another one more."""
    table = pq.read_table(path)
    first, *kept = table.column_names
    pq.write_table(table.select(kept).append_column("from_the_future", pa.array(["x"] * table.num_rows)), path)
    assert first not in pq.read_schema(path).names


@pytest.mark.parametrize(
    ("damage", "engine"),
    [
        (truncated, "duckdb"),
        (emptied, "duckdb"),
        (of_another_version, "duckdb"),
        (scrambled, "duckdb"),
        (scrambled, "polars"),  # the ends of a file are looked at before any engine is: only this reaches one
    ],
)
@pytest.mark.parametrize(
    ("name", "reader"), [("raw_customers", "clean_customers"), ("clean_customers", "customer_export")]
)
def test_a_damaged_lake_is_named(
    site: Site, resources: Resources, damage: Callable[[Path], None], name: str, reader: str, engine: str
) -> None:
    """By whichever asset reads it, with what to do; the last export stands, and the next whole run mends it."""
    site = Site(site.data, site.api, resources, CUSTOMER_ENGINE=engine)
    before = site.exported()
    damage(site.data / "lake" / f"{name}.parquet")
    (told,) = site.run(reader)
    assert "aterialise" in told, told
    assert name in told, told
    assert site.exported() == before
    site.is_good_again()


@pytest.mark.parametrize("content", [b"", b'{"version": 99}', b"[" * 100_000])
def test_a_damaged_record_of_the_crawl_is_named(site: Site, content: bytes) -> None:
    """Cut off, empty or of another version."""
    before = site.exported()
    pointer = site.data / "lake" / "raw_customers.json"
    pointer.write_bytes(content)
    (told,) = site.run("customer_export")
    assert f"{pointer} cannot be read: it is damaged or cut off. Materialise raw_customers again." in told
    assert site.exported() == before
    site.is_good_again()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00" + b"nonsense" * 1_000])
def test_a_damaged_page_store_costs_nothing(site: Site, content: bytes) -> None:
    """It is emptied or made anew."""
    (site.data / "lake" / "pages.sqlite").write_bytes(content)
    site.is_good_again()


def test_a_page_store_of_another_version_costs_nothing(site: Site) -> None:
    """Its pages are asked for again."""
    with sqlite3.connect(site.data / "lake" / "pages.sqlite") as connection:
        connection.execute("DROP TABLE pages")
        connection.execute("CREATE TABLE pages (from_the_future TEXT)")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    site.is_good_again()


def test_a_clock_that_was_set_back_costs_nothing(site: Site, resources: Resources) -> None:
    """Pages and files from the future are no newer: a kept crawl is read again, and what is published is today's."""
    kept = Site(site.data, site.api, lambda api, **environ: caching(resources(api, **environ)))
    for _ in range(2):
        assert kept.run() == []
    asked = len(site.api.asked)
    with sqlite3.connect(site.data / "lake" / "pages.sqlite") as connection:
        connection.execute("UPDATE pages SET put_at = put_at + 86400, expires_at = expires_at + 86400")
    connection.close()
    for path in site.data.rglob("*"):
        os.utime(path, (4_000_000_000, 4_000_000_000))
    site.api.records[0]["first_name"] = "Renamed"
    assert kept.run() == []
    assert len(site.api.asked) > asked
    assert "Renamed" in str(site.exported())


def caching(resources: dict[str, Any]) -> dict[str, Any]:
    """Keep a finished crawl's pages for an hour."""
    return {**resources, "customer_api": with_fields(resources["customer_api"], cache_ttl_s=3_600.0)}
