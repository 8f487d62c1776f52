"""The component: what its YAML may say, and the sync that comes of it."""

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTree
from pydantic import ValidationError

from customer_assets.components import CustomerSyncComponent
from customer_assets.defs.resources import CustomerAPIResource
from customer_assets.errors import ConfigurationError
from customer_assets.field_mapping import DEFAULT_MAPPING
from customer_assets_tests.harness.acme import ACME_KEY, ACME_YAML, AcmeAPI, serve_acme

# Dagster reads YAML by a function that pydantic has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")


def built(yaml: str) -> dg.Definitions:
    """Load a component from its YAML, and build its definitions."""
    component: CustomerSyncComponent = CustomerSyncComponent.resolve_from_yaml(yaml)
    return component.build_defs(ComponentTree.for_test().load_context)


@pytest.mark.smoke
def test_a_name_is_enough() -> None:
    """Everything else has a default; the API is the embedded simulator."""
    defs = built("name: shop")
    dg.Definitions.validate_loadable(defs)
    assert {key.to_user_string() for key in defs.resolve_all_asset_keys()} == {
        "shop/raw_customers",
        "shop/clean_customers",
        "shop/customer_export",
        "shop/summary_report",
    }
    assert defs.resolve_schedule_def("shop_schedule").cron_schedule == "0 3 * * *"
    resource = (defs.resources or {})["shop_customer_api"]
    assert isinstance(resource, CustomerAPIResource)
    assert (resource.base_url, resource.shape()) == ("", DEFAULT_MAPPING)


def test_each_attribute_reaches_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key stays in its variable."""
    monkeypatch.setenv("ACME_URL", "https://acme.example")
    component = CustomerSyncComponent.resolve_from_yaml(
        ACME_YAML
        + """
thresholds: {min_mean_quality: 50, target_mean_quality: 60, max_low_quality_share: 0.5, max_rejected_share: 0.4}
schedule: {cron: "30 * * * *", timezone: Europe/Berlin, late_after_hours: 1, missed_after_hours: 2}
engine: polars
data_directory: /var/lib/acme
lake_url: s3://bucket/acme
generation_seed: 7
executor: multiprocess
""",
    )
    made = component.resources(Path("/project"))
    assert made["customer_api"].api_key == dg.EnvVar("ACME_KEY")
    assert made["customer_api"].base_url == "https://acme.example"
    assert made["customer_api"].shape().record.email == "contact.email"
    assert made["customer_api"].shape().answer.total == "meta.total"
    assert made["quality_thresholds"].thresholds().max_rejected_share == 0.4
    assert (made["processing"].engine, made["processing"].generation_seed) == ("polars", 7)
    assert (made["data_directory"].path, made["data_directory"].lake_url) == ("/var/lib/acme", "s3://bucket/acme")
    sync = component.sync()
    assert (sync.cron_schedule, sync.execution_timezone) == ("30 * * * *", "Europe/Berlin")
    assert (sync.late_after, sync.missed_after) == (timedelta(hours=1), timedelta(hours=2))


def test_data_stays_in_the_project() -> None:
    """Unless the YAML names another place: each sync has a folder of its own."""
    resources = CustomerSyncComponent(name="shop").resources(Path("/project"))
    assert resources["data_directory"].path == "/project/data/shop"


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        pytest.param("nam: a", "name at", id="no name"),
        pytest.param("name: a b", "name at", id="a name that assets cannot have"),
        pytest.param("name: a\nengine: pandas", "engine at", id="an unknown engine"),
        pytest.param("name: a\napi: {bas_url: x}", "api.bas_url at", id="a misspelt attribute"),
        pytest.param("name: a\napi: {page_size: many}", "api.page_size at", id="a size in words"),
        pytest.param("name: a\napi: {first_page: 2}", "api.first_page at", id="pages from 2"),
        pytest.param("name: a\napi: {record: {idd: x}}", "api.record.idd at", id="a misspelt field"),
        pytest.param("name: a\napi: {record: {id: x.}}", "api.record at .*\n.*id: 'x.' is no name", id="no field"),
        pytest.param("name: a\napi: {record: {id: null}}", "api.record.id at", id="no id"),
        pytest.param("name: a\napi: {answer: {total: null}}", "api.answer.total at", id="no total"),
        pytest.param("name: a\nthresholds: {min_mean_quality: 101}", "thresholds.min_mean_quality at", id="score"),
        pytest.param("name: a\nthresholds: {max_rejected_share: .nan}", "thresholds.max_rejected_share at", id="NaN"),
        pytest.param("name: a\nthresholds: {min_mean_quality: 95}", "thresholds at .*\n.*target_mean", id="target"),
        pytest.param("name: a\nschedule: {cron: '* *'}", "schedule at .*\n.*cron: ", id="no cron"),
        pytest.param("name: a\nschedule: {timezone: Mars}", "schedule at .*\n.*timezone: ", id="no time zone"),
        pytest.param("name: a\nschedule: {late_after_hours: 40}", "schedule at .*\n.*late_after_hours", id="late"),
    ],
)
def test_what_the_yaml_may_not_say_is_named_where_it_stands(yaml: str, told: str) -> None:
    """By its path, and by its line."""
    with pytest.raises(ValidationError, match=told) as caught:
        built(yaml)
    assert "<string>:" in str(caught.value)


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        pytest.param("base_url: 'ftp://x.org', key_variable: K", "a: api.base_url", id="no address"),
        pytest.param("base_url: 'http://x.org', key_variable: K", "a: api.base_url", id="the key sent openly"),
        pytest.param("key_variable: K, base_url: 'https://x.org', path: users", "a: api.path", id="no path"),
        pytest.param("key_variable: K, base_url: 'https://x.org', key_header: Host", "a: api.key_header", id="header"),
        pytest.param("key_variable: K, base_url: 'https://x.org', page_parameter: 'a&b'", "a: api.page_pa", id="name"),
        pytest.param("key_variable: K, base_url: 'https://x.org', answer: {per_page: null}", "a: api.page", id="size"),
        pytest.param("base_url: 'https://x.org'", "a: api.key_variable", id="no key"),
    ],
)
def test_an_api_that_cannot_be_asked_is_refused_when_it_is_loaded(attributes: str, field: str) -> None:
    """Before anything runs, by the rules of the client itself."""
    with pytest.raises(ConfigurationError, match=f"^{field}"):
        built(f"name: a\napi: {{{attributes}}}")


@pytest.mark.parametrize(
    ("attribute", "missing"),
    [("lake_url: 'nope://x'", ""), ("lake_url: 'gcs://x'", "gcsfs"), ("engine: polars", "polars")],
)
def test_what_the_machine_does_not_have_is_refused_when_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch, attribute: str, missing: str
) -> None:
    """A store or an engine; by the attribute's name."""
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=f"^a: {attribute.partition(':')[0]}"):
        built(f"name: a\n{attribute}")


@pytest.mark.parametrize("attribute", ["pushgateway_url", "alert_webhook_url"])
def test_who_cannot_be_told_is_refused_when_it_is_loaded(attribute: str) -> None:
    """By the attribute's name, not by the address: it may be a secret."""
    with pytest.raises(ConfigurationError, match=f"^a: monitoring.{attribute}") as caught:
        built(f"name: a\nmonitoring: {{{attribute}: 'canary://hooks.example'}}")
    assert "canary" not in str(caught.value)


def test_who_is_told_of_failed_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor watches this sync's own job, and is on where somebody listens."""
    monkeypatch.setenv("HOOK", "https://hooks.example/secret")
    told, untold = (
        built(f"name: a\nmonitoring: {{alert_webhook_url: '{url}'}}").resolve_sensor_def("a_notify_failed_runs")
        for url in ("{{ env.HOOK }}", "")
    )
    assert told.default_status is dg.DefaultSensorStatus.RUNNING
    assert untold.default_status is dg.DefaultSensorStatus.STOPPED


def test_a_key_in_the_variables_place_is_not_told() -> None:
    """Somebody may have written the key itself."""
    with pytest.raises(ConfigurationError, match="key_variable") as caught:
        built("name: a\napi: {base_url: 'https://x.org', key_variable: canary-key-c0ffee}")
    assert "canary" not in str(caught.value)


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Iterator[AcmeAPI]:
    """An API of another shape, on loopback, and where it is in the environment."""
    with serve_acme(customers=25) as api:
        monkeypatch.setenv("ACME_URL", api.url)
        monkeypatch.setenv("ACME_KEY", ACME_KEY)
        yield api


@pytest.mark.usefixtures("acme")
@pytest.mark.smoke
def test_an_api_of_another_shape_is_synced(tmp_path: Path) -> None:
    """Through the job, its checks and its gate; the key reaches the API and nothing else."""
    component = CustomerSyncComponent.resolve_from_yaml(f"{ACME_YAML}\ndata_directory: {tmp_path}")
    job = component.build_defs(ComponentTree.for_test().load_context).resolve_job_def("acme_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    assert len(result.get_asset_check_evaluations()) == 7
    document = json.loads((tmp_path / "export" / "customers.json").read_text(encoding="utf-8"))
    assert {each["customer_id"] for each in document["customers"]} == {f"cust_{n:03}" for n in range(1, 26)}
    first = next(each for each in document["customers"] if each["customer_id"] == "cust_001")
    assert (first["full_name"], first["email_domain"], first["engagement_level"]) == (
        "Given1 Family1",
        "acme.example",
        "high",
    )
    assert ACME_KEY not in str([event.event_specific_data for event in result.all_events])


@pytest.mark.usefixtures("acme")
def test_other_names_make_other_data_of_the_same_pages(tmp_path: Path) -> None:
    """So that what follows is known to be stale."""
    versions = []
    for yaml in (ACME_YAML, ACME_YAML, ACME_YAML.replace("family", "clan")):
        component = CustomerSyncComponent.resolve_from_yaml(
            f"{yaml}\ndata_directory: {tmp_path}\nthresholds: {{min_mean_quality: 0}}"
        )
        job = component.build_defs(ComponentTree.for_test().load_context).resolve_job_def("acme_job")
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(["acme", "raw_customers"])])
        (event,) = result.asset_materializations_for_node("acme__raw_customers")
        versions.append((event.tags or {})["dagster/data_version"])
    assert versions[0] == versions[1] != versions[2]
