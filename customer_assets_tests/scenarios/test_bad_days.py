"""Seven stories of data that is wrong, lost, foreign or made up: what is published, what is not, and what is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.components import CustomerSyncComponent
from customer_assets.components.attributes import Api
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, with_fields
from customer_assets_tests.harness.job_runs import export_of, failure_of, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]


def mapped(made: dict[str, Any], **record: Any) -> dict[str, Any]:
    """Let the API's records be read by another mapping."""
    return {**made, "customer_api": with_fields(made["customer_api"], api_description={"record": record})}


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return what each failed check said."""
    return {each.check_name: each.description or "" for each in result.get_asset_check_evaluations() if not each.passed}


def exported(made: dict[str, Any]) -> list[dict[str, Any]]:
    """Read the published customers."""
    found: list[dict[str, Any]] = json.loads(export_of(made).read_bytes())["customers"]
    return found


@pytest.mark.smoke
def test_a_mapping_with_a_typo_publishes_nothing(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Though nothing else is wrong; the path is named with the keys that there are, in the checks and at the gate."""
    api = serve_api(PlainAPI([{**customer(number), "contact": {"email": "a@x.org"}} for number in range(1, 8)]))
    made = mapped(resources(api), email="contact.mail")
    failed = failed_checks(run(made, instance))
    assert list(failed) == ["no_field_is_lost"]
    assert failed["no_field_is_lost"].startswith(
        "email is missing or unusable in 100.00% of the records: no record looked at has contact.mail; the keys there "
        "are id, email, first_name, last_name, avatar, contact.email; "
    )
    assert not export_of(made).exists()
    assert failed["no_field_is_lost"] in failure_of(run(made, instance, "customer_export"))
    assert not export_of(made).exists()
    mended = mapped(made, email="contact.email")
    assert run(mended, instance).success
    assert {each["email_domain"] for each in exported(mended)} == {"x.org"}


@pytest.mark.parametrize(
    ("fields", "day_one", "day_two"),
    [
        pytest.param({}, {}, {"avatar": None}, id="expected"),
        pytest.param({"country": {}}, {"country": "DE"}, {"country": None}, id="of one's own"),
        pytest.param({}, {"engagement_score": 0.9}, {}, id="no longer sent, so that it would be generated"),
    ],
)
def test_a_field_that_is_lost_on_the_second_day_is_not_published(
    serve_api: Serve,
    resources: Resources,
    instance: dg.DagsterInstance,
    fields: dict[str, Any],
    day_one: dict[str, Any],
    day_two: dict[str, Any],
) -> None:
    """It is missing from 40 in 100 records more than in the last export: that stays, byte for byte."""
    api = serve_api(PlainAPI([customer(number, **day_one) for number in range(1, 11)], per_page=10))
    made = mapped(resources(api), fields=fields)
    assert run(made, instance).success
    good = export_of(made).read_bytes()
    api.records[:4] = [customer(number, **day_two) for number in range(1, 5)]
    (name,) = {**day_one, **day_two}
    assert failed_checks(run(made, instance)) == {
        "no_field_is_lost": f"{name} is missing or unusable in 40.00% of the records, after 0.00% in the last export"
    }
    assert export_of(made).read_bytes() == good
    assert run(mapped(resources(api, CUSTOMER_MAX_MISSING_INCREASE="0.4"), fields=fields), instance).success


def test_text_ids_are_published_as_they_are(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Those of a default mapping are all rejected: the checks say so, and never "nan"."""
    records = [{**customer(number), "id": f"cus_{number}"} for number in range(81, 84)]
    made = resources(serve_api(PlainAPI(records)))
    failed = failed_checks(run(made, instance))
    assert failed["rejected_share_within_limit"] == "100.00% of the records have no usable id, 5.00% are allowed"
    assert failed["mean_quality_meets_threshold"] == "there is no customer to score"
    assert not [text for text in failed.values() if "nan" in text]
    text_ids = mapped(made, id_type="text")
    assert run(text_ids, instance).success
    assert [each["customer_id"] for each in exported(text_ids)] == ["cus_81", "cus_82", "cus_83"]


def test_nothing_is_generated_for_a_real_api_of_a_component(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """What the API has is mapped, and the rest is unknown."""
    component = CustomerSyncComponent(name="shop", api=Api(base_url="https://x.org", key_variable="SHOP_KEY"))
    records = [customer(number, via="ios" if number < 3 else "web") for number in range(1, 4)]
    made = resources(serve_api(PlainAPI(records)))
    made["processing"] = component.resources(tmp_path)["processing"]
    channel = {"from": "via", "values": {"web": "website", "ios": "mobile_app"}}
    assert run(mapped(made, acquisition_channel=channel), instance).success
    assert [
        [each[name] for name in ("acquisition_channel", "market_segment", "customer_tier")] for each in exported(made)
    ] == [["mobile_app", "unknown", "unknown"]] * 2 + [["website", "unknown", "unknown"]]


def test_a_source_that_shrinks_overnight_is_not_published(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """From 1,000 customers to 10: the last export stays; one run can be allowed to publish it."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 1_001)], per_page=500))
    made = resources(api)
    assert run(made, instance).success
    good = export_of(made).read_bytes()
    api.records = api.records[:10]
    assert failed_checks(run(made, instance)) == {
        "no_mass_deletion": "99.00% of the last export's 1000 customers are gone, 30.00% are allowed"
    }
    assert "no_mass_deletion" in failure_of(run(made, instance, "customer_export"))
    assert export_of(made).read_bytes() == good
    assert run(resources(api, CUSTOMER_MAX_GONE_SHARE="1"), instance).success
    assert len(exported(made)) == 10


def test_a_report_says_what_was_held_back_and_why(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Beside the published report, which stays with the published export, however the report is made."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 11)], per_page=10))
    made = resources(api)
    assert run(made, instance).success
    published = made["data_directory"].report_file.with_suffix(".json")
    held_back = made["data_directory"].layout.unpublished_report_file.with_suffix(".json")
    good = published.read_bytes()
    verdicts = json.loads(good)["checks"]
    assert json.loads(good)["published"] is True
    assert json.loads(good)["source"] == api.url.removesuffix("/api")
    assert (len(verdicts), [each["name"] for each in verdicts if not each["passed"]]) == (9, [])
    assert not held_back.exists()
    records, api.records = api.records, api.records[:2]
    for selected in ((), ("summary_report",)):
        held_back.unlink(missing_ok=True)
        run(made, instance, *selected)
        report = json.loads(held_back.read_bytes())
        assert report["published"] is False
        (failed,) = (each for each in report["checks"] if not each["passed"])
        assert (failed["name"], failed["score"], failed["threshold"]) == ("no_mass_deletion", 0.8, 0.3)
        page = held_back.with_suffix(".html").read_text(encoding="utf-8")
        assert "(not published)" in page
        assert 'href="customers.json"' in page
        assert published.read_bytes() == good
    api.records = records
    assert run(made, instance).success
    assert not list(held_back.parent.glob(f"{held_back.stem}*"))


def test_the_simulator_never_replaces_a_real_export(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """Nor does another API, unless one run allows it; a real API takes the simulator's place at once."""
    simulator = PlainAPI([])
    quiet = {"CUSTOMER_SIMULATOR_FAILURE_RATE": "0"}
    assert run(resources(simulator, **quiet), instance).success
    api = serve_api(PlainAPI([customer(number) for number in range(1, 4)]))
    made = resources(api)
    assert run(made, instance).success
    assert len(exported(made)) == 3
    good = export_of(made).read_bytes()
    origin = api.url.removesuffix("/api")
    assert failed_checks(run(resources(simulator, **quiet), instance)) == {
        "source_is_the_same": "the customers come from the embedded simulator, those of the last export came from "
        f"{origin}; set allow_other_source for one run if that is meant"
    }
    other = serve_api(PlainAPI([customer(number) for number in range(1, 9)]))
    assert list(failed_checks(run(resources(other), instance))) == ["source_is_the_same"]
    assert export_of(made).read_bytes() == good
    assert run(resources(other, CUSTOMER_ALLOW_OTHER_SOURCE="true"), instance).success
    assert len(exported(made)) == 8


def test_fields_of_ones_own_are_in_the_export(
    serve_api: Serve, resources: Resources, instance: dg.DagsterInstance
) -> None:
    """A country and an amount, by configuration alone."""
    records = [{**customer(1), "address": {"country": "DE"}, "total_spent": "199.65"}, customer(2)]
    fields = {"country": {"from": "address.country"}, "total_spent": {"type": "number"}}
    made = mapped(resources(serve_api(PlainAPI(records))), fields=fields)
    assert run(made, instance).success
    assert [(each["country"], each["total_spent"]) for each in exported(made)] == [("DE", 199.65), (None, None)]
