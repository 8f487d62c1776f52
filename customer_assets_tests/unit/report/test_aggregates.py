"""The summary report: counts, and nothing that names a person."""

from typing import Any

import pyarrow as pa
import pytest

from customer_assets.export import DataExporter
from customer_assets.processing.engines import CLEAN_SCHEMA, Engine
from customer_assets.report.aggregates import FEWEST_PER_DOMAIN, quality_band
from customer_assets_tests.harness.clean_customers import clean_customer


def test_every_value_is_counted_whether_anybody_has_it_or_not() -> None:
    """Breakdowns are whole: their counts add up to the total."""
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


def test_engines_agree(engine: Engine) -> None:
    """The same customers, the same report."""
    customers = [
        clean_customer(number, data_quality_score=100 - 10 * (number % 7), email_domain=f"d{number % 4}.example")
        for number in range(50)
    ]
    frame = engine.from_arrow(pa.Table.from_pylist(customers, CLEAN_SCHEMA))
    assert DataExporter(engine).generate_summary_report(frame) == DataExporter().generate_summary_report(customers)


def test_a_score_that_no_rule_gives_is_counted_too() -> None:
    """A list may hold any from 0 to 100."""
    customers = [clean_customer(number, data_quality_score=score) for number, score in enumerate([95, 3])]
    report = DataExporter().generate_summary_report(customers)
    assert list(report["quality_scores"].items())[:3] == [("100", 0), ("95", 1), ("90", 0)]
    assert report["quality_scores"]["3"] == 1


@pytest.mark.parametrize(("score", "band"), [(100, "high"), (90, "high"), (89, "medium"), (70, "medium"), (69, "low")])
def test_bands(score: int, band: str) -> None:
    """High from 90, medium from 70, low below."""
    assert quality_band(score) == band


def test_a_domain_of_few_is_not_named() -> None:
    """It may be a person's own."""
    customers = [clean_customer(number) for number in range(FEWEST_PER_DOMAIN)]
    customers.append(clean_customer(99, email_domain="ada-lovelace.name"))
    customers.append(clean_customer(100, email_domain="unknown"))
    report = DataExporter().generate_summary_report(customers)
    assert report["email_domains"] == {"example.org": FEWEST_PER_DOMAIN, "unknown": 1, "other": 1}


def test_a_domain_called_other_is_not_mistaken_for_the_rest() -> None:
    """Nor does it hide it: all customers are told."""
    customers = [clean_customer(number, email_domain="other") for number in range(FEWEST_PER_DOMAIN)]
    customers.append(clean_customer(99, email_domain="ada-lovelace.name"))
    report: dict[str, Any] = DataExporter().generate_summary_report(customers)
    assert report["email_domains"] == {"other": FEWEST_PER_DOMAIN + 1}


def test_nobody_is_a_report_too() -> None:
    """No mean, no division by zero."""
    report = DataExporter().generate_summary_report([])
    assert report["data_quality"]["mean_score"] is None
    assert sum(report["quality_scores"].values()) == 0
