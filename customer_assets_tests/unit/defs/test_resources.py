"""What assets are given, and what it refuses."""

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import customer_assets
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.core.errors import ConfigurationError, NotMaterializedError
from customer_assets.definitions import build_definitions, defs
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.resources import NOT_REAL, CustomerAPIResource, EmbeddedSimulator, ProcessingResource
from customer_assets.defs.settings import build_resources
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer
from customer_assets_tests.harness.job_runs import export_of, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


@pytest.mark.smoke
def test_without_an_address_the_simulator_is_the_api() -> None:
    """Twelve customers; some of its requests fail, all of its customers come."""
    resource = CustomerAPIResource(retry_waits_s=[0.001, 0.001, 0.001])
    sink = CustomerCollector()
    with resource.client("memory://") as client:
        client.crawl(sink)
    assert [each["id"] for each in sink.customers()] == list(range(1, 13))


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_customers_are_not_taken_for_real(
    serve_api: Serve, resources: Resources, capsys: pytest.CaptureFixture[str], *, simulated: bool
) -> None:
    """A run that asks the embedded simulator warns of it, once; one that asks an API does not."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    made = resources(api)
    if simulated:
        made["customer_api"] = CustomerAPIResource(simulator=EmbeddedSimulator(failure_rate=0))
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, instance).success
    told = [line for line in capsys.readouterr().err.splitlines() if NOT_REAL in line]
    assert [" - WARNING - " in line for line in told] == [True] * simulated


@pytest.mark.smoke
def test_a_real_api_needs_a_key() -> None:
    """Before anything is sent."""
    with (
        pytest.raises(ConfigurationError, match="CUSTOMER_API_KEY"),
        CustomerAPIResource(base_url="https://x.org").client("memory://"),
    ):
        pass


def test_the_key_is_in_no_definition() -> None:
    """It is read when a run starts."""
    resource = build_resources({"CUSTOMER_API_KEY": "canary-key-c0ffee"})["customer_api"]
    assert "canary-key-c0ffee" not in repr(resource) + str(resource.model_dump()) + str(vars(resource))


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-01-31T00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T01:00:00+01:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_the_as_of_instant_is_iso_8601(written: str, instant: datetime) -> None:
    """Without an offset: UTC."""
    assert ProcessingResource(as_of=written).instant() == instant


def test_an_instant_that_is_none_is_refused() -> None:
    """By its name."""
    with pytest.raises(ConfigurationError, match="as_of"):
        ProcessingResource(as_of="yesterday").instant()


def test_nothing_was_crawled_yet(tmp_path: Path) -> None:
    """The error says what to do."""
    with pytest.raises(NotMaterializedError, match="Materialise raw_customers first"):
        DataDirectory(path=str(tmp_path)).raw.current()


def test_a_damaged_export_is_noticed(serve_api: Serve, resources: Resources) -> None:
    """The check reads the published file again."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])))
    job = build_definitions(**made).resolve_implicit_global_asset_job_def()
    check = dg.AssetCheckKey(dg.AssetKey("customer_export"), "export_matches_clean_customers")
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, instance).success
        for damage in (b"", export_of(made).read_bytes().replace(b"First1", b"Frist1")):
            export_of(made).write_bytes(damage)
            alone = job.get_subset(asset_check_selection={check}, asset_selection=set())
            result = alone.execute_in_process(instance=instance, raise_on_error=False)
            (evaluation,) = result.get_asset_check_evaluations()
            assert not evaluation.passed


def test_missing_customers_are_not_published(serve_api: Serve, resources: Resources) -> None:
    """An API that counts more customers than it hands over."""

    class Boastful(PlainAPI):
        def page(self, number: int) -> dict[str, Any]:
            return {**super().page(number), "total": len(self.records) + 2}

    made = resources(serve_api(Boastful([customer(number) for number in range(1, 7)])))
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(made, instance)
    assert not result.success
    failed = {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
    assert failed == {"every_customer_was_fetched"}
    assert not export_of(made).exists()


def test_a_frame_of_any_asset_is_published_and_scanned(tmp_path: Path, resources: Resources) -> None:
    """The IO manager computes frames that were not staged."""
    made = resources(PlainAPI([], url="http://127.0.0.1:1/api"))

    @dg.asset(required_resource_keys={"processing"}, io_manager_key="customer_io_manager")
    def someone_elses(context: dg.AssetExecutionContext) -> Any:
        frame = context.resources.processing.open_engine()
        return frame.scan(str(tmp_path / "source.parquet"))

    pq.write_table(pa.table({"x": [1, 2, 3]}), tmp_path / "source.parquet")
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([someone_elses], resources=made, instance=instance)
    (event,) = result.asset_materializations_for_node("someone_elses")
    assert event.metadata["dagster/row_count"].value == 3
    published = Path(made["data_directory"].lake) / "someone_elses.parquet"
    assert published.stat().st_mode & 0o077 == 0


@pytest.mark.smoke
def test_the_package_shows_the_definitions() -> None:
    """`-m customer_assets` works; importing the library parts does not load them."""
    assert customer_assets.code_location is defs
    assert "code_location" in dir(customer_assets)
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = customer_assets.nothing_of_that_name


def test_the_report_is_for_people_and_machines(serve_api: Serve, resources: Resources) -> None:
    """HTML, Markdown and JSON are published, and shown in the UI with a picture; none names a customer."""
    made = resources(serve_api(PlainAPI([customer(number) for number in range(1, 8)])))
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(made, instance)
        assert result.success
    report = made["data_directory"].report_file
    assert json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))["total_customers"] == 7
    texts = [report.with_suffix(ending).read_text(encoding="utf-8") for ending in (".json", ".md", ".html")]
    (event,) = result.asset_materializations_for_node("summary_report")
    shown = str(event.metadata["summary"].value)
    assert shown.startswith("![Customers by data quality score](data:image/svg+xml;base64,")
    assert shown.endswith(texts[1])
    assert event.metadata["page"].value == str(report.with_suffix(".html"))
    for text in [*texts, shown]:
        assert not re.search(r"(First|Last|person)\d", text)


def test_an_engine_spills_into_the_staging_area(tmp_path: Path) -> None:
    """Unless a setting names a place: private, and swept with the rest that a killed run leaves."""
    directory = DataDirectory(path=str(tmp_path / "data"))
    for processing, expected in (
        (ProcessingResource(), directory.spill_dir),
        (ProcessingResource(spill_dir=str(tmp_path / "own")), tmp_path / "own"),
    ):
        engine = processing.open_engine(directory)
        assert processing.processor(None, directory=directory).engine is engine
        found = engine.connection.execute("SELECT current_setting('temp_directory')").fetchone()  # type: ignore[attr-defined]
        assert found == (str(expected),)
    assert directory.spill_dir.parent.parent == tmp_path / "data" / "lake" / ".staging"


@pytest.mark.parametrize("name", [b"caf\xe9", b"\xff", b"a\xc3"])
def test_a_directory_whose_name_is_not_utf_8_is_refused_by_its_name(tmp_path: Path, name: bytes) -> None:
    """No table, report or event could name it."""
    path = f"{tmp_path}/{os.fsdecode(name)}"
    with pytest.raises(ConfigurationError, match=r"CUSTOMER_DATA_DIR: .* is not UTF-8. Rename the directory"):
        DataDirectory(path=path).check()
