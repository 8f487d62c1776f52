"""Where frames are kept: on this machine, in an object store, as one file or as Spark's directories."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from upath import UPath

from customer_assets.core.errors import ConfigurationError, PublishError
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.settings import build_resources
from customer_assets.defs.sync import DEFAULT_SYNC
from customer_assets.storage.object_store import open_store
from customer_assets.storage.publish import publish_to
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer
from customer_assets_tests.harness.job_runs import export_of, failure_of, run
from customer_assets_tests.harness.machines import services
from customer_assets_tests.harness.storage.tables import cleaning

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


@pytest.fixture
def memory_store() -> Iterator[str]:
    """An object store in memory."""
    url = f"memory://lake-{time.monotonic_ns()}"
    yield url
    store = UPath(url)
    if store.exists():
        store.rmdir(recursive=True)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket behind a real socket that speaks S3."""
    services.need_module("moto", "pip install 'customer_assets[dev]'")
    services.need_module("obstore", "pip install 'customer_assets[s3]'")
    port = services.free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)]
    log = (tmp_path_factory.mktemp("s3") / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as server, pytest.MonkeyPatch.context() as patch:
        try:
            services.wait_for_port(port, server)
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            requests.put(f"http://127.0.0.1:{port}/customers", timeout=10).raise_for_status()
            yield "s3://customers/lake"
        finally:
            server.terminate()


TABLES = ("raw_customers", "clean_customers", "exported_customers")


def names_in(url: str) -> set[str]:
    """List the files below an address; of versions, only the parts that they hold."""
    store = open_store(url)
    found = {path.removeprefix(store.path).strip("/") for path in store.fs.find(store.path)}
    return {name.partition("-")[0] for name in found}


def keeps_frames_at(url: str, made: dict[str, Any]) -> None:
    """Run the job, then one asset alone: what was published elsewhere is found again."""
    expected = {f"versions/{name}" for name in (*TABLES, "rejected_customers")}
    expected |= {f"{name}{ending}" for name in TABLES for ending in (".json", ".parquet")}
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, instance).success
        assert names_in(url) == expected
        assert len(json.loads(export_of(made).read_bytes())["customers"]) == 7
        (event,) = run(made, instance, "clean_customers").asset_materializations_for_node("clean_customers")
        assert event.metadata["customers_unchanged"].value == 7
    assert event.metadata["dagster/row_count"].value == 7
    lake = Path(made["data_directory"].path) / "lake"
    assert not list(lake.glob("*.parquet"))
    assert names_in(url) == expected


def test_frames_may_be_kept_in_an_object_store(serve_api: Serve, resources: Resources, memory_store: str) -> None:
    """Each step fetches what it needs; nothing half-written is left there."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    keeps_frames_at(memory_store, resources(api, CUSTOMER_LAKE_URL=memory_store))


@pytest.mark.service
def test_frames_may_be_kept_in_s3(serve_api: Serve, resources: Resources, s3: str) -> None:
    """The same over a socket."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    keeps_frames_at(s3, resources(api, CUSTOMER_LAKE_URL=s3))


@pytest.mark.service
def test_a_version_that_another_machine_committed_in_s3_is_found(s3: str, tmp_path: Path) -> None:
    """And the version that it supersedes is removed, though this machine wrote it."""
    ours, theirs = (DataDirectory(path=str(tmp_path / name), lake_url=f"{s3}-of-two") for name in ("ours", "theirs"))
    for number, directory in enumerate((ours, theirs, ours), start=1):
        staged = directory.staged_file("clean_customers.parquet")
        pq.write_table(pa.table({"x": [number]}), staged)
        directory.commit_clean(staged, cleaning(f"run {number}"))
        for each in (ours, theirs):
            version, file = each.clean.fetch()
            assert (version.facts.as_of, pq.read_table(file)["x"].to_pylist()) == (f"run {number}", [number])
    assert len(open_store(f"{s3}-of-two/versions").fs.find(f"{UPath(ours.lake_url).path}/versions")) == 1


def test_frames_may_be_kept_in_another_directory(serve_api: Serve, resources: Resources, tmp_path: Path) -> None:
    """A mounted disk, say."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    keeps_frames_at(str(tmp_path / "mount"), resources(api, CUSTOMER_LAKE_URL=str(tmp_path / "mount")))


@pytest.mark.parametrize("value", [[1], None, pa.table({"a": [1]})], ids=["a list", "nothing", "an Arrow table"])
def test_what_is_no_lazy_frame_is_refused_by_its_type(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, value: Any
) -> None:
    """With what to return, or to set; at once, and with nothing written."""
    made = resources(serve_api(PlainAPI([])))

    @dg.asset(io_manager_key=DEFAULT_SYNC.io_manager)
    def mine() -> Any:
        return value

    failure = failure_of(dg.materialize([mine], resources=made, instance=instance, raise_on_error=False))
    assert f"mine returned a {type(value).__name__}, and this IO manager keeps lazy frames" in failure
    assert not list(made["data_directory"].layout.local_lake.glob("mine*"))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("store", ["directory", "memory"])
def test_a_directory_of_parts_is_one_frame(
    resources: Resources, memory_store: str, tmp_path: Path, engine: str, store: str
) -> None:
    """Spark writes such, marker files and all."""
    url = memory_store if store == "memory" else str(tmp_path / "parts")
    made = resources(PlainAPI([], url="http://127.0.0.1:1/api"), CUSTOMER_LAKE_URL=url, CUSTOMER_ENGINE=engine)
    parts = UPath(url) / "sparks.parquet"
    parts.mkdir(parents=True)
    for number in (0, 1):
        with (parts / f"part-0000{number}.snappy.parquet").open("wb") as file:
            pq.write_table(pa.table({"x": [2 * number, 2 * number + 1]}), file)
    (parts / "_SUCCESS").write_text("")
    found: list[int] = []

    @dg.asset(ins={"sparks": dg.AssetIn(input_manager_key="customer_io_manager")})
    def reader(sparks: Any) -> None:
        found.extend(sparks.collect("pyarrow").to_native().column("x").to_pylist())

    sparks = dg.AssetSpec("sparks")
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([reader, sparks], selection=[reader], resources=made, instance=instance).success
    assert sorted(found) == [0, 1, 2, 3]


@pytest.mark.parametrize("url", ["nostore://bucket/x", "gcs://bucket/x"])
def test_a_store_that_cannot_be_used_is_named(url: str) -> None:
    """Unknown, or its package is missing; before anything is sent."""
    if url.startswith("gcs"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "gcsfs", None)
            with pytest.raises(ConfigurationError, match="CUSTOMER_LAKE_URL"):
                _ = build_resources({"CUSTOMER_LAKE_URL": url})["data_directory"].lake
    else:
        with pytest.raises(ConfigurationError, match="CUSTOMER_LAKE_URL"):
            _ = build_resources({"CUSTOMER_LAKE_URL": url})["data_directory"].lake


def test_a_store_that_fails_keeps_what_it_had(
    tmp_path: Path, memory_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the object and the kind of trouble."""
    target, staged = UPath(memory_store) / "x.parquet", tmp_path / "staged"

    def refuse(*_: object) -> None:
        raise RuntimeError("in words that can hold anything")

    for content in (b"old", b"new"):
        staged.write_bytes(content)
        if content == b"new":
            monkeypatch.setattr(type(target.fs), "put_file", refuse)
            with pytest.raises(PublishError, match=r"x\.parquet was not published: RuntimeError"):
                publish_to(staged, target)
        else:
            publish_to(staged, target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in UPath(memory_store).iterdir()] == ["x.parquet"]
