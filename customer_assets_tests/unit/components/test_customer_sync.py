"""The component: what its YAML may say, and the sync that comes of it."""

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml as pyyaml
from dagster.components.core.component_tree import ComponentTree
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from customer_assets.api.auth.settings import BearerAuth
from customer_assets.api.options import ApiSettings
from customer_assets.api.paging import PageNumber, Single
from customer_assets.components import CustomerSyncComponent
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.record_mapping import FieldSource
from customer_assets.defs.resources import CustomerAPIResource
from customer_assets_tests.harness.apis.acme import ACME_KEY, ACME_YAML, AcmeAPI, serve_acme

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
        "shop/customer_api",
        "shop/raw_customers",
        "shop/rejected_records",
        "shop/clean_customers",
        "shop/customer_export",
        "shop/summary_report",
    }
    assert defs.resolve_schedule_def("shop_schedule").cron_schedule == "0 3 * * *"
    resource = (defs.resources or {})["shop_customer_api"]
    assert isinstance(resource, CustomerAPIResource)
    assert (resource.base_url, resource.settings().paging) == ("", PageNumber())


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
    made: dict[str, Any] = component.resources(Path("/project"))
    assert made["customer_api"].api_key == dg.EnvVar("ACME_KEY")
    assert made["customer_api"].base_url == "https://acme.example"
    assert made["customer_api"].settings().record.email == FieldSource(path="contact.email")
    assert made["customer_api"].settings().answer.total == "meta.total"
    assert made["quality_thresholds"].max_rejected_share == 0.4
    assert (made["processing"].engine, made["processing"].generation_seed) == ("polars", 7)
    assert (made["data_directory"].path, made["data_directory"].lake_url) == ("/var/lib/acme", "s3://bucket/acme")
    sync = component.sync()
    assert (sync.timing.cron, sync.timing.timezone) == ("30 * * * *", "Europe/Berlin")
    assert (sync.timing.late_after, sync.timing.missed_after) == (timedelta(hours=1), timedelta(hours=2))


def test_every_setting_of_the_environment_is_an_attribute_too(tmp_path: Path) -> None:
    """Those of the API in its section; a path may begin with a tilde, and the executor's file is in the project."""
    (tmp_path / "executor.yaml").write_text("execution: {config: {max_concurrent: 3}}", encoding="utf-8")
    component = CustomerSyncComponent.resolve_from_yaml(
        """
name: shop
api:
  timeout_s: 5
  retry_waits_s: [0.5]
  rounds: 1
  max_pause_s: 7
  max_body_bytes: 1000
  resume_ttl_s: 8
  cache_ttl_s: 9
  page_store: memory://
  simulator: {customers: 3, failure_rate: 0}
owners: [team:crm, ada@x.org]
executor: multiprocess
executor_config: executor.yaml
keep_exports: 2
export_formats: [parquet]
memory_limit: 1GB
spill_dir: ~/spill
as_of: 2026-01-31
"""
    )
    made: dict[str, Any] = component.resources(tmp_path)
    api = made["customer_api"]
    assert (api.timeout_s, api.retry_waits_s, api.rounds, api.max_pause_s) == (5.0, [0.5], 1, 7.0)
    assert (api.max_body_bytes, api.resume_ttl_s, api.cache_ttl_s, api.page_store) == (1000, 8.0, 9.0, "memory://")
    assert (api.simulator.customers, api.simulator.failure_rate, api.simulator.rate_limit) == (3, 0.0, 50.0)
    processing = made["processing"]
    assert (processing.memory_limit, processing.spill_dir) == ("1GB", str(Path("~/spill").expanduser()))
    assert processing.instant().isoformat() == "2026-01-31T00:00:00+00:00"
    assert made["data_directory"].keep_exports == 2
    assert made["data_directory"].export_formats == ["parquet"]
    assert component.sync().owners == ("team:crm", "ada@x.org")
    assert component.executor_definition(tmp_path).name == "multiprocess"


def test_records_of_any_shape_are_described_in_yaml(tmp_path: Path) -> None:
    """Dagster looks up each key's line, however deep it stands."""
    component = CustomerSyncComponent.resolve_from_yaml(
        """
name: acme
api:
  base_url: https://api.acme.example
  key_variable: ACME_API_KEY
  record:
    id_type: text
    avatar: null
    engagement_score: {from: score, scale: 100}
    market_segment: {from: segment, values: {eu: EU-Central}}
    customer_tier: {from: spent, bands: {basic: 0, premium: 1000}}
    fields: {country: {from: address.country}, spent: {from: total, type: number, expected: true}}
    exclude: {field: status, values: [deleted]}
"""
    )
    mapping = component.resources(tmp_path)["customer_api"].settings().record
    assert (mapping.id_type, mapping.avatar) == ("text", None)
    assert [(field.name, field.kind) for field in mapping.extra_fields] == [("country", "text"), ("spent", "number")]
    assert component.api.record["fields"]["spent"]["from"] == "total"


def test_two_fields_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML keeps the last of them, and Dagster hands over no other: the file itself is looked at."""
    text = "name: a\napi:\n  record:\n    fields:\n      plan: tier\n      plan: {type: number}\n"
    monkeypatch.chdir(tmp_path)
    built(text)
    (tmp_path / "defs.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"^a: plan: .*defs\.yaml, line 6 has it for the second time"):
        built(text)


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, and by the place that needs it; a default is no mistake."""
    monkeypatch.delenv("ACME_HOST", raising=False)
    for text in ("{{ env.ACME_HOST }}", "https://{{ env.ACME_HOST }}/api"):
        with pytest.raises(ConfigurationError, match=r"^api.base_url: the environment variable ACME_HOST is not set"):
            built(f'name: a\napi: {{key_variable: K, base_url: "{text}"}}')
    component = CustomerSyncComponent.resolve_from_yaml(
        "name: a\napi: {key_variable: K, base_url: \"{{ env('ACME_HOST', 'https://x.org') }}\"}"
    )
    assert component.api.base_url == "https://x.org"


def test_two_syncs_do_not_share_a_data_directory(tmp_path: Path) -> None:
    """One would overwrite the other's tables and export; the same sync may be built again."""
    first = [built(f"name: one\ndata_directory: {tmp_path}") for _ in range(2)]
    with pytest.raises(ConfigurationError, match=r"^two: data_directory: two_job and one_job both keep their data in "):
        built(f"name: two\ndata_directory: {tmp_path}/.")
    del first
    assert built(f"name: two\ndata_directory: {tmp_path}")


def test_data_stays_in_the_project() -> None:
    """Unless the YAML names another place: each sync has a folder of its own."""
    resources: dict[str, Any] = CustomerSyncComponent(name="shop").resources(Path("/project"))
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
        pytest.param("name: a\napi: {record: {id: x.}}", "api.record.id at .*\n.*'x.' is not a path", id="no path"),
        pytest.param("name: a\napi: {record: {id: null}}", "api.record.id at", id="no id"),
        pytest.param("name: a\napi: {answer: {totl: n}}", "api.answer.totl at", id="a misspelt name"),
        pytest.param("name: a\nthresholds: {min_mean_quality: 101}", "thresholds.min_mean_quality at", id="score"),
        pytest.param("name: a\nthresholds: {max_rejected_share: .nan}", "thresholds.max_rejected_share at", id="NaN"),
        pytest.param("name: a\nthresholds: {min_mean_quality: 95}", "thresholds at .*\n.*target_mean", id="target"),
        pytest.param("name: a\nschedule: {cron: '* *'}", "schedule.cron at .*\n.*not a valid cron", id="no cron"),
        pytest.param(
            "name: a\nschedule: {timezone: Mars}", "schedule.timezone at .*\n.*no time zone", id="no time zone"
        ),
        pytest.param("name: a\nowners: [ada]", "owners at .*\n.*'ada' is not an owner", id="no owner"),
        pytest.param("name: a\nexecutor: dask", "executor at .*\n.*'dask' is unknown", id="an unknown executor"),
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
        pytest.param(
            "key_variable: K, base_url: 'https://x.org', pages: {type: link_header}", "a: api.answer.records", id="list"
        ),
        pytest.param("key_variable: K, base_url: 'https://x.org', body: {a: 1}", "a: api.method", id="a body of a GET"),
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
    assert len(result.get_asset_check_evaluations()) == 10
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


@pytest.mark.parametrize(
    "section",
    [
        "pages: {type: cursor, from: paging.next.after, parameter: after}, answer: {records: data, total: null}",
        "pages: {type: page_number, parameter: page}, answer: {records: data, total: total}",
        "pages: {type: link_header}, answer: {records: ''}, auth: {type: bearer}, params: {a: b}, headers: {X-A: b}",
        "method: POST, body: {query: q}, pages: {type: single}, answer: {records: rows}, auth: {type: none}",
        "auth: {type: oauth2_client_credentials, token_url: /oauth/token, body: {audience: x}}",
    ],
)
def test_the_description_of_an_api_reaches_its_client(section: str) -> None:
    """Through the component and its resource, whatever equals a default included."""
    settings = pyyaml.safe_load(f"{{{section}}}")
    defs = built(f"name: a\napi: {{base_url: 'https://x.org', key_variable: K, {section}}}")
    resource = (defs.resources or {})["a_customer_api"]
    assert isinstance(resource, CustomerAPIResource)
    made = resource.settings()
    expected = ApiSettings(base_url="https://x.org", **settings)
    assert (made.paging, made.answer, made.auth) == (expected.paging, expected.answer, expected.auth)
    assert (made.method, made.params, made.headers, made.body) == (
        expected.method,
        expected.params,
        expected.headers,
        expected.body,
    )


def api_of(section: str) -> CustomerAPIResource:
    """The API's resource of a component with this section."""
    defs = built(f"name: a\napi: {{{section}}}")
    resource = (defs.resources or {})["a_customer_api"]
    assert isinstance(resource, CustomerAPIResource)
    return resource


def test_a_preset_is_one_line() -> None:
    """With the usual variables for its secrets, or the component's own; nothing is generated."""
    api = api_of("preset: stripe")
    assert (api.source, api.settings().path, api.api_key) == ("https://api.stripe.com", "/v1/customers", "")
    assert api.settings().authentication.key_variable == "CUSTOMER_API_KEY"
    assert api_of("preset: stripe, key_variable: STRIPE_KEY").api_key == dg.EnvVar("STRIPE_KEY")
    own = api_of("preset: hubspot, auth: {type: bearer, token_variable: HUBSPOT_TOKEN}")
    assert own.settings().authentication.key_variable == "HUBSPOT_TOKEN"
    component = CustomerSyncComponent.resolve_from_yaml("name: a\napi: {preset: stripe}")
    made: dict[str, Any] = component.resources(Path("/project"))
    assert made["processing"].generate is False


def test_what_a_preset_leaves_open_can_be_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """And settings override the preset, key by key."""
    monkeypatch.setenv("SHOP", "acme")
    section = 'preset: shopify, preset_values: {shop: "{{ env.SHOP }}"}, page_size: 50, record: {fields: {tags: tags}}'
    settings = api_of(section).settings()
    assert (settings.base_url, settings.paging.size) == ("https://acme.myshopify.com", 50)
    assert (settings.record.fields["tags"].path, settings.record.avatar) == ("tags", None)


def test_a_part_overrides_the_presets_key_by_key() -> None:
    """Its other keys stay the preset's, unless its type is another."""
    settings = api_of("preset: hubspot, pages: {size: 7}, auth: {token_variable: MINE}, params: {a: b}").settings()
    assert settings.paging == ApiSettings(preset="hubspot").paging.model_copy(update={"size": 7})
    assert settings.authentication == BearerAuth.model_validate({"token_variable": "MINE"})
    settings = api_of("preset: shopify, preset_values: {shop: a}, incremental: {full_every: 1d}").settings()
    usual = ApiSettings(preset="shopify", preset_values={"shop": "a"}).incremental
    assert usual is not None
    assert settings.incremental == usual.model_copy(update={"full_every": timedelta(days=1)})
    assert api_of("preset: hubspot, pages: {type: single}").settings().paging == Single()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("preset: shopify", "a: api.preset_values: the preset shopify needs shop, the shop, as in https://acme"),
        ("preset: shopfy", "a: api.preset: there is no preset 'shopfy'. Did you mean shopify?"),
        ("preset: shopify, preset_values: {sop: acme}", "a: api.preset_values: the preset shopify has no value 'sop'"),
        ("preset: stripe, key_variable: canary-key", "a: api.key_variable: it is missing, or not the name"),
    ],
)
def test_what_a_preset_misses_is_named(section: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        api_of(section)
    assert str(caught.value).startswith(message)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ("preset: stripe", None),
        ("preset: shopify, preset_values: shop=acme", None),
        ("preset: shopify, preset_values: {shop: acme}, answer: {total: null}", None),
        ("preset: hubspot, pages: {size: 5}, auth: {token_variable: X}", None),
        ("preset: shopify, incremental: {full_every: 1d}, slices: {step: 30d}", None),
        ("pages: {size: 5}", ["api", "pages"]),
        ("answer: {data: people}", None),
        ("preset: strpe", ["api", "preset"]),
        ("pages: {type: cursor, size: 5}", ["api", "pages"]),
        ("auth: {type: bearer, token: x}", ["api", "auth"]),
        ("record: {exclude: {field: a}}", ["api", "record", "exclude"]),
    ],
)
def test_the_schema_knows_what_can_be(section: str, place: list[str] | None) -> None:
    """`dg check yaml` and editors go by it, and show the line."""
    schema = CustomerSyncComponent.model().model_json_schema()
    errors = list(Draft202012Validator(schema).iter_errors(pyyaml.safe_load(f"{{name: a, api: {{{section}}}}}")))
    assert [list(error.path)[: len(place or [])] for error in errors] == ([place] if place else [])
