"""Records of any API, from the socket to the export and what Dagster shows: by settings alone."""

import json
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from customer_assets_tests.harness.apis.plain_api import PlainAPI, with_fields
from customer_assets_tests.harness.job_runs import export_of, failure_of, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

SHOP = {
    "id_type": "text",
    "avatar": None,
    "customer_tier": {"from": "total_spent", "bands": {"basic": 0, "premium": 1000}},
    "fields": {
        "country": {"from": "address.country"},
        "total_spent": {"type": "number", "description": "In euros."},
        "phone": {"pii": True},
    },
    "exclude": {"field": "state", "values": ["deleted"]},
}


def shopper(name: str, **fields: Any) -> dict[str, Any]:
    """Make a record of the shop's."""
    record = {"id": name, "email": f"{name}@x.org", "first_name": "Ada", "last_name": name, "total_spent": "1999.65"}
    return {**record, "address": {"country": "DE"}, "phone": "+49 555", **fields}


def sync(resources: Resources, api: PlainAPI, mapping: dict[str, Any], engine: str = "duckdb") -> dict[str, Any]:
    """The resources of a sync of this API, with nothing generated."""
    made = resources(api, CUSTOMER_ENGINE=engine)
    made["customer_api"] = with_fields(made["customer_api"], api_description={"record": mapping})
    made["processing"] = with_fields(made["processing"], generate=False)
    return made


def customers(made: dict[str, Any]) -> list[dict[str, Any]]:
    """What was published."""
    return list(json.loads(export_of(made).read_bytes())["customers"])


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_shops_records_reach_the_export(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, engine: str
) -> None:
    """Text ids, extra fields of their types, a tier by bands, nothing generated; what is excluded is accounted for."""
    api = serve_api(PlainAPI([shopper("cus_b"), shopper("CUS_B"), shopper("gone", state="deleted"), shopper("cus_a")]))
    made = sync(resources, api, SHOP, engine)
    result = run(made, instance)
    assert result.success, failure_of(result)
    assert [customer["customer_id"] for customer in customers(made)] == ["CUS_B", "cus_a", "cus_b"]
    assert customers(made)[0] == {
        "customer_id": "CUS_B",
        "full_name": "Ada CUS_B",
        "email_domain": "x.org",
        "engagement_level": "unknown",
        "activity_status": "unknown",
        "acquisition_channel": "unknown",
        "market_segment": "unknown",
        "customer_tier": "premium",
        "data_quality_score": 100,
        "country": "DE",
        "total_spent": 1999.65,
        "phone": "+49 555",
    }
    report = json.loads(made["data_directory"].report_file.with_suffix(".json").read_text(encoding="utf-8"))
    assert report["records"]["excluded"] == 1
    assert report["extra_fields"]["country"]["filled"] == 3
    assert "+49 555" not in json.dumps(report)


def test_dagster_shows_fields_of_the_users_own(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """In each table's columns: described, and tagged where they are personal data."""
    made = sync(resources, serve_api(PlainAPI([shopper("cus_a")])), SHOP)
    result = run(made, instance)
    for name in ("raw_customers", "clean_customers", "customer_export"):
        (event,) = result.asset_materializations_for_node(name)
        schema: Any = event.metadata["dagster/column_schema"].value
        columns = {column.name: column for column in schema.columns}
        assert columns["total_spent"].description == "In euros."
        assert columns["country"].description == "From the API's address.country; null if missing."
        assert (columns["phone"].tags, columns["country"].tags) == ({"pii": "true"}, {})
    assert "Always `unknown`" in columns["market_segment"].description


def test_a_change_in_a_field_of_the_users_own_is_reported(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """As one in any other field is; null is no change from null."""
    api = serve_api(PlainAPI([shopper(f"cus_{number}", phone=None) for number in range(5)]))
    made = sync(resources, api, SHOP)
    assert run(made, instance).success
    api.records[0]["address"] = {"country": "AT"}
    (event,) = run(made, instance).asset_materializations_for_node("clean_customers")
    found = [event.metadata[f"customers_{kind}"].value for kind in ("added", "changed", "gone", "unchanged")]
    assert found == [0, 1, 0, 4]
