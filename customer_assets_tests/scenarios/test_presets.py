"""Every preset reads every customer of its API, once each: 41 imitations, made from the vendors' own documents.

In virtual time, so that faults, throttling and pauses cost nothing; a few run over real sockets as well.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTree

from customer_assets.api import CustomerAPIClient
from customer_assets.apis import load_preset, open_client, preset_names
from customer_assets.components import CustomerSyncComponent
from customer_assets.core.paths import ABSENT, follow, parse_path
from customer_assets_tests.harness.apis.scripted_server import EPOCH
from customer_assets_tests.harness.vendors import VENDORS, Population, VendorAPI
from customer_assets_tests.harness.vendors.base import BORN, ENVIRON, KEY, Customer, Faults
from customer_assets_tests.harness.vendors.serve import serve_vendor
from customer_assets_tests.harness.vendors.trials import STRICT, Trial
from customer_assets_tests.harness.vendors.virtual import ids_of, open_vendor_client, preset_overrides, read_changes

SMALL_PAGE = 20


def sized(name: str, size: int) -> dict[str, Any]:
    """The setting of a page size, where an API has one."""
    pages = load_preset(name).api["pages"]
    return {"page_size": size} if pages.get("size_parameter") or pages.get("format") else {}


def read(name: str, api: VendorAPI, tmp: Path, **options: Any) -> list[Any]:
    """Read everybody; return their ids."""
    with open_vendor_client(name, api, tmp=tmp, **options) as (client, _):
        ids = ids_of(client.fetch_all_customers(), client.options.record)
        assert client.figures.missing_customers == client.figures.rejected == client.figures.source_duplicates == 0
    return ids


def everybody(api: VendorAPI) -> list[Any]:
    """Everybody's id."""
    return [api.key(customer) for customer in api.customers]


def same(found: list[Any], expected: list[Any]) -> bool:
    """The same customers, once each, in whatever order the API has."""
    return sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("name", preset_names())
def test_faults_and_throttling_cost_no_customer(name: str, tmp_path: Path) -> None:
    """20 % of the requests fail, and the API's own limiter refuses more than ten a second."""
    api = VENDORS[name](Population(523), faults=Faults(0.2, seed=1))
    assert same(read(name, api, tmp_path, limit=(10.0, 5), **sized(name, SMALL_PAGE)), everybody(api))


@pytest.mark.parametrize("name", preset_names())
def test_a_clamped_page_size_costs_no_customer(name: str, tmp_path: Path) -> None:
    """Where more is asked for than comes; strict APIs are asked for an odd size instead."""
    api = VENDORS[name](Population(523))
    assert same(read(name, api, tmp_path, **sized(name, 37 if name in STRICT else 5_000)), everybody(api))


@pytest.mark.parametrize("name", preset_names())
def test_customers_who_stay_are_read_while_others_come_and_go(name: str, tmp_path: Path) -> None:
    """Before the sixth request one joins, before the tenth one leaves."""
    api = VENDORS[name](Population(523, joins_at=5, leaves_at=9))
    found = read(name, api, tmp_path, **sized(name, SMALL_PAGE))
    assert {api.key(customer) for customer in api.population.stayed} <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("customers", [0, 1])
def test_an_empty_shop_and_a_shop_with_one_customer(name: str, customers: int, tmp_path: Path) -> None:
    api = VENDORS[name](Population(customers))
    assert read(name, api, tmp_path) == everybody(api)


@pytest.mark.parametrize("name", preset_names())
def test_a_multiple_of_the_page_size(name: str, tmp_path: Path) -> None:
    """The last page is full, and no request goes on for ever."""
    size = load_preset(name).api["pages"].get("size") or VENDORS[name].default_size
    api = VENDORS[name](Population(2 * size))
    assert same(read(name, api, tmp_path), everybody(api))
    passes = 2 if load_preset(name).api["pages"].get("verify") else 1
    assert len(api.requests) <= passes * (2 + 9)


@pytest.mark.parametrize("name", preset_names())
def test_random_trials(name: str, tmp_path: Path) -> None:
    """Any size, count, faults and limits; `trials.py` runs as many of them as you like."""
    for seed in range(3):
        trial = Trial.random(name, seed)
        assert trial.run(tmp_path) is None, trial


WITH_A_LIST_OF_DELETIONS = [
    name for name in preset_names() if (load_preset(name).api.get("incremental") or {}).get("deleted")
]


@pytest.mark.parametrize("name", WITH_A_LIST_OF_DELETIONS)
def test_deletions_are_listed(name: str, tmp_path: Path) -> None:
    """First nobody left, then one did."""
    api = VENDORS[name](Population(523, leaves_at=9))
    environ = {**ENVIRON, "XDG_STATE_HOME": str(tmp_path)}
    with serve_vendor(api) as url:
        overrides = preset_overrides(name, api, {"page_store": "memory://"})
        with open_client(name, base_url=url, environ=environ, **overrides) as client:
            settings = client.options.deleted_since(BORN)
        assert settings is not None
        options = dict(settings)
        del options["base_url"]
        for expected in ([], [api.key(Customer(175))]):
            with CustomerAPIClient(url, KEY, environ=environ, **options) as client:
                assert ids_of(client.fetch_all_customers(), settings.record) == expected
            while not api.population.gone:
                api.population.on_request()


# --- filters --------------------------------------------------------------------------------------------------

INCREMENTAL = [name for name in preset_names() if "incremental" in load_preset(name).api]
SLICED = [name for name in preset_names() if "slices" in load_preset(name).api]


@pytest.mark.parametrize("name", INCREMENTAL)
def test_an_incremental_run_reads_what_changed(name: str, tmp_path: Path) -> None:
    """A full run, then one with a customer who changed and one who joined: the API's own filter returns these two."""
    api = VENDORS[name](Population(123))
    with open_vendor_client(name, api, tmp=tmp_path) as (client, _):
        assert same(ids_of(client.fetch_all_customers(), client.options.record), everybody(api))
        api.population.change(17, EPOCH + timedelta(hours=1))
        api.population.join(EPOCH + timedelta(hours=1))
        changed = read_changes(client, api, EPOCH, tmp_path)
        expected = [api.key(api.customers[16]), api.key(api.customers[-1])]
        assert same(ids_of(changed, client.options.record), expected)
        field = client.options.incremental.field  # type: ignore[union-attr] # all of these have it
        assert all(follow(record, parse_path(str(field))) is not ABSENT for record in changed), "where the preset says"


@pytest.mark.parametrize("name", INCREMENTAL)
def test_nothing_has_changed(name: str, tmp_path: Path) -> None:
    """No customers, and no error."""
    api = VENDORS[name](Population(123))
    with open_vendor_client(name, api, tmp=tmp_path) as (client, _):
        assert read_changes(client, api, EPOCH, tmp_path) == []


@pytest.mark.parametrize("name", SLICED)
def test_a_preset_reads_slices(name: str, tmp_path: Path) -> None:
    """Customers of nine hours, in slices of one; 20 % of the requests fail."""
    api = VENDORS[name](Population(523), faults=Faults(0.2, seed=1))
    slices = {"start": "2024-01-01", "step": "1d"}
    found = read(name, api, tmp_path, **sized(name, SMALL_PAGE), slices=slices)
    assert same(found, everybody(api))
    assert len({str(request.query) for request in api.requests}) > 700


@pytest.mark.parametrize(("name", "customers"), [("auth0", 1_500), ("commercetools", 15_000)])
def test_a_listing_beyond_the_window_is_split(name: str, customers: int, tmp_path: Path) -> None:
    """One line of YAML reads what the API would cut off."""
    api = VENDORS[name](Population(customers))
    assert same(read(name, api, tmp_path), everybody(api))


# --- over real sockets ----------------------------------------------------------------------------------------

ONE_OF_EACH_WAY = ("reqres", "ecwid", "hubspot", "stripe", "klaviyo", "shopify", "jsonplaceholder", "shopify_graphql")


@pytest.mark.parametrize("transport", ["requests", "aiohttp"])
@pytest.mark.parametrize("name", [*ONE_OF_EACH_WAY, "auth0", "zoho"])
def test_a_preset_works_over_real_sockets(name: str, transport: Any, tmp_path: Path) -> None:
    """With faults; each way of paging, and both kinds of OAuth2."""
    api = VENDORS[name](Population(523), faults=Faults(0.2, seed=2))
    with (
        serve_vendor(api) as url,
        open_client(
            name,
            base_url=url,
            environ={**ENVIRON, "XDG_STATE_HOME": str(tmp_path)},
            transport=transport,
            retry_waits_s=(0.001, 0.002, 0.004),
            **preset_overrides(name, api, sized(name, 50)),
        ) as client,
    ):
        assert same(ids_of(client.fetch_all_customers(), client.options.record), everybody(api))


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")  # by Dagster
@pytest.mark.parametrize("name", ["stripe", "shopify", "hubspot", "woocommerce"])
def test_one_line_publishes_everybody(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A component with a preset, through job, checks and gate; the address is the imitation's."""
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    api = VENDORS[name](Population(523))
    with serve_vendor(api) as url:
        component = CustomerSyncComponent.resolve_from_yaml(
            f"name: shop\ndata_directory: {tmp_path}\napi: {{preset: {name}, base_url: '{url}'}}"
        )
        job = component.build_defs(ComponentTree.for_test().load_context).resolve_job_def("shop_job")
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(instance=instance)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    published = json.loads((tmp_path / "export" / "customers.json").read_text(encoding="utf-8"))["customers"]
    assert len(published) == 523
    assert {each["full_name"] for each in published} == {customer.name for customer in api.customers}
    assert {each["email_domain"] for each in published} == {"example.org"}
    assert {each["customer_tier"] for each in published} == {"unknown"}, "nothing is made up"
