"""Where frames are kept: on this machine, in an object store, as one file or as Spark's directories."""

import json
import os
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

from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.settings import build_resources
from customer_assets.errors import ConfigurationError, PublishError
from customer_assets.models import CleaningSummary
from customer_assets.storage.object_store import open_store
from customer_assets.storage.publish import publish_to
from customer_assets_tests.harness import services
from customer_assets_tests.harness.job_runs import export_of, run
from customer_assets_tests.harness.plain_api import PlainAPI, customer

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
            services.await_port(port, server)
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            requests.put(f"http://127.0.0.1:{port}/customers", timeout=10).raise_for_status()
            yield "s3://customers/lake"
        finally:
            server.terminate()


def keeps_frames_at(url: str, made: dict[str, Any]) -> None:
    """Run the job, then one asset alone: what was published elsewhere is found again."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, instance).success
        kept = {path.name for path in open_store(url).iterdir()}
        assert kept == {"raw_customers.parquet", "clean_customers.parquet", "exported_customers.parquet", "records"}
        assert len(json.loads(export_of(made).read_bytes())["customers"]) == 7
        (event,) = run(made, instance, "clean_customers").asset_materializations_for_node("clean_customers")
        assert event.metadata["customers_unchanged"].value == 7
    assert event.metadata["dagster/row_count"].value == 7
    lake = Path(made["data_directory"].path) / "lake"
    assert not list(lake.glob("*.parquet"))
    assert {path.name for path in open_store(url).iterdir()} == kept


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
def test_a_record_that_another_machine_published_in_s3_is_found(s3: str, tmp_path: Path) -> None:
    """Though s3fs remembers what it listed. Obstore does not."""
    directory = DataDirectory(path=str(tmp_path), lake_url=f"{s3}-of-two")
    ours, theirs = (CleaningSummary(as_of=as_of, records=0, defects={}) for as_of in ("ours", "theirs"))
    directory.publish_clean_record(ours, "1" * 64)
    elsewhere = open_store(s3).fs
    path = f"{UPath(directory.lake_url).path}/records/clean_customers.000000002.{'2' * 64}.json"
    elsewhere.pipe_file(path, theirs.model_dump_json().encode())
    assert DataDirectory(path=str(tmp_path), lake_url=f"{s3}-of-two").cleaning_summary() == theirs


def test_frames_may_be_kept_in_another_directory(serve_api: Serve, resources: Resources, tmp_path: Path) -> None:
    """A mounted disk, say."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    keeps_frames_at(str(tmp_path / "mount"), resources(api, CUSTOMER_LAKE_URL=str(tmp_path / "mount")))


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
    """And the temporary object goes."""
    target = UPath(memory_store) / "x.parquet"
    for content in (b"old", b"new"):
        staged = tmp_path / "staged"
        staged.write_bytes(content)
        if content == b"new":
            monkeypatch.setattr(type(target.fs), "mv", lambda *_: os.stat(tmp_path / "missing"))  # noqa: PTH116
            with pytest.raises(PublishError, match=r"x\.parquet"):
                publish_to(staged, target)
        else:
            publish_to(staged, target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in UPath(memory_store).iterdir()] == ["x.parquet"]
