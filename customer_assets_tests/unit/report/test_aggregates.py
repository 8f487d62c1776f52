"""Counting clean customers for the report: whole, equal on all engines, and without naming a person."""

from typing import Any

import pyarrow as pa
import pytest

from customer_assets.core.fields import Field, Kind
from customer_assets.export import DataExporter
from customer_assets.processing.engines import Engine
from customer_assets.processing.quality import quality_band
from customer_assets.processing.schemas import CLEAN_SCHEMA
from customer_assets.report.aggregates import FEWEST_PER_VALUE, MAX_VOCABULARY, PLAINLY_SHARED, summary_report
from customer_assets_tests.harness.records.clean_customers import clean_customer


def test_every_value_is_counted_even_if_no_customer_has_it() -> None:
    """The counts of a breakdown add up to the total."""
    customers = [clean_customer(number, data_quality_score=score) for number, score in enumerate([100, 80, 60])]
    report = DataExporter().generate_summary_report(customers)
    assert report["total_customers"] == 3
    assert report["data_quality"] == {
        "mean_score": 80.0,
        "high_quality": 1,
        "medium_quality": 1,
        "low_quality": 1,
    }
    assert report["quality_scores"] == {"100": 1, "90": 0, "80": 1, "70": 0, "60": 1, "50": 0, "40": 0}
    assert report["customer_tiers"] == {"basic": 0, "premium": 3, "enterprise": 0}
    assert report["activity_statuses"] == {"active": 3, "inactive": 0, "unknown": 0}


def test_each_segment_has_its_mean_score() -> None:
    """None where there is no customer."""
    scores = {"basic": [100, 70, 70], "premium": [90]}
    customers = [
        clean_customer(10 * len(tier) + place, customer_tier=tier, data_quality_score=score)
        for tier, given in scores.items()
        for place, score in enumerate(given)
    ]
    means = DataExporter().generate_summary_report(customers)["mean_scores"]
    assert means["customer_tiers"] == {"basic": 80.0, "premium": 90.0, "enterprise": None}
    assert means["market_segments"] == {"US-West": 82.5, "US-East": None, "EU-Central": None, "APAC": None}


def test_engines_agree(engine: Engine) -> None:
    """The same customers give the same report."""
    customers = [
        clean_customer(number, data_quality_score=100 - 10 * (number % 7), email_domain=f"d{number % 4}.example")
        for number in range(50)
    ]
    frame = engine.from_arrow(pa.Table.from_pylist(customers, CLEAN_SCHEMA))
    assert DataExporter(engine).generate_summary_report(frame) == DataExporter().generate_summary_report(customers)


def test_a_score_that_no_rule_gives_is_counted_too() -> None:
    """A list can hold any from 0 to 100."""
    customers = [clean_customer(number, data_quality_score=score) for number, score in enumerate([95, 3])]
    report = DataExporter().generate_summary_report(customers)
    assert list(report["quality_scores"].items())[:3] == [("100", 0), ("95", 1), ("90", 0)]
    assert report["quality_scores"]["3"] == 1


@pytest.mark.parametrize(("score", "band"), [(100, "high"), (90, "high"), (89, "medium"), (70, "medium"), (69, "low")])
def test_bands(score: int, band: str) -> None:
    """High from 90, medium from 70, low below."""
    assert quality_band(score) == band


def test_a_domain_of_few_customers_is_not_named() -> None:
    """It may be a person's own."""
    customers = [clean_customer(number, f"Ada {number}") for number in range(FEWEST_PER_VALUE)]
    customers.append(clean_customer(99, email_domain="ada-lovelace.name"))
    customers.append(clean_customer(100, email_domain="unknown"))
    report = DataExporter().generate_summary_report(customers)
    assert report["email_domains"] == {"example.org": FEWEST_PER_VALUE, "unknown": 1, "other": 1}


def test_a_segment_of_the_apis_own_is_named_if_enough_customers_share_it(engine: Engine) -> None:
    """It follows the usual values; the others are counted together."""
    tiers = ["gold"] * FEWEST_PER_VALUE + ["ada's plan", "basic", "other"]
    customers = [clean_customer(number, customer_tier=tier) for number, tier in enumerate(tiers)]
    report = summary_report(engine.from_arrow(pa.Table.from_pylist(customers, CLEAN_SCHEMA)))
    assert report["customer_tiers"] == {
        "basic": 1,
        "premium": 0,
        "enterprise": 0,
        "gold": FEWEST_PER_VALUE,
        "other": 2,
    }


@pytest.mark.parametrize("names", [["Ada Lovelace"], ["Ada Lovelace", "ADA LOVELACE", "Ann Lovelace"], ["unknown"]])
@pytest.mark.parametrize("ids", [5, 6, 200])
def test_a_domain_of_one_person_with_many_ids_is_not_named(engine: Engine, names: list[str], ids: int) -> None:
    """People are counted by their names; upper and lower case are the same."""
    own = [
        clean_customer(number, full_name=names[number % len(names)], email_domain="ada-lovelace.name")
        for number in range(ids)
    ]
    shared = [clean_customer(1_000 + number, full_name=f"P {number}") for number in range(FEWEST_PER_VALUE)]
    frame = engine.from_arrow(pa.Table.from_pylist(own + shared, CLEAN_SCHEMA))
    report = DataExporter(engine).generate_summary_report(frame)
    assert report["email_domains"] == {"example.org": FEWEST_PER_VALUE, "other": ids}


def test_a_large_domain_is_named_without_counting_names() -> None:
    """The rule for those below holds beside it."""
    large = [clean_customer(number, email_domain="large.example") for number in range(PLAINLY_SHARED)]
    few = [clean_customer(10_000 + number, email_domain="ada.name", full_name="Ada") for number in range(9)]
    report = DataExporter().generate_summary_report(large + few)
    assert report["email_domains"] == {"large.example": PLAINLY_SHARED, "other": 9}


def test_a_domain_called_other_is_not_mistaken_for_the_rest() -> None:
    """Nor does it hide the rest."""
    customers = [clean_customer(number, email_domain="other") for number in range(FEWEST_PER_VALUE)]
    customers.append(clean_customer(99, email_domain="ada-lovelace.name"))
    report: dict[str, Any] = DataExporter().generate_summary_report(customers)
    assert report["email_domains"] == {"other": FEWEST_PER_VALUE + 1}


def test_no_customers_make_a_report_too() -> None:
    """No mean, no division by zero."""
    report = DataExporter().generate_summary_report([])
    assert report["data_quality"]["mean_score"] is None
    assert sum(report["quality_scores"].values()) == 0


EXTRA = (
    Field("country", Kind.TEXT, "The customer's country."),
    Field("newsletter", Kind.BOOLEAN, "Whether the customer reads it."),
    Field("phone", Kind.TEXT, "A phone number.", pii=True),
    Field("note", Kind.TEXT, "Free text."),
    Field("total_spent", Kind.NUMBER, "In euros."),
)
TYPES = {
    "country": pa.string(),
    "newsletter": pa.bool_(),
    "phone": pa.string(),
    "note": pa.string(),
    "total_spent": pa.float64(),
}


def test_extra_fields_are_counted_and_never_shown_if_personal(engine: Engine) -> None:
    """Small vocabularies are broken down; personal data, numbers and free text are not."""
    customers = [
        clean_customer(
            number,
            country=[None, "DE", "DE", "FR"][number % 4] if number else "Tuvalu",
            newsletter=number < 2 if number < 20 else None,
            phone=f"+49 {number}",
            note=f"note {number % (MAX_VOCABULARY + 1)}",
            total_spent=float(number),
        )
        for number in range(40)
    ]
    schema = pa.schema([*CLEAN_SCHEMA, *TYPES.items()])
    frame = engine.from_arrow(pa.Table.from_pylist(customers, schema))
    assert summary_report(frame, EXTRA)["extra_fields"] == {
        "country": {"filled": 31, "values": {"DE": 20, "FR": 10, "other": 1}},
        "newsletter": {"filled": 20, "values": {"false": 18, "true": 2}},
        "phone": {"filled": 40, "values": None},
        "note": {"filled": 40, "values": None},
        "total_spent": {"filled": 40, "values": None},
    }
