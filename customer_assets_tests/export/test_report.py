"""The summary report: counts, and nothing that names a person."""

from customer_assets.export import DataExporter
from customer_assets.export.report import FEWEST_PER_DOMAIN, markdown
from customer_assets_tests.export.test_exporter import clean_customer


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
    assert report["customer_tiers"] == {"basic": 0, "premium": 3, "enterprise": 0}
    assert report["activity_statuses"] == {"active": 3, "inactive": 0, "unknown": 0}


def test_a_domain_of_few_is_not_named() -> None:
    """It may be a person's own."""
    customers = [clean_customer(number) for number in range(FEWEST_PER_DOMAIN)]
    customers.append(clean_customer(99, email_domain="ada-lovelace.name"))
    customers.append(clean_customer(100, email_domain="unknown"))
    report = DataExporter().generate_summary_report(customers)
    assert report["email_domains"] == {"example.org": FEWEST_PER_DOMAIN, "unknown": 1, "other": 1}


def test_nobody_is_a_report_too() -> None:
    """No mean, no division by zero."""
    report = DataExporter().generate_summary_report([])
    assert report["data_quality"]["mean_score"] is None
    assert "**0** customers, mean data quality **none**" in markdown(report)


def test_a_domain_cannot_act_as_markup() -> None:
    """Neither as HTML, as a link nor as a table."""
    hostile = "<script>|[x](javascript:a)`.org"
    customers = [clean_customer(number, email_domain=hostile) for number in range(FEWEST_PER_DOMAIN)]
    text = markdown(DataExporter().generate_summary_report(customers))
    (row,) = [line for line in text.splitlines() if "script" in line]
    assert not set("<>[]()") & set(row)
    assert row.count("`") == 2
    assert row.count("|") == 4
