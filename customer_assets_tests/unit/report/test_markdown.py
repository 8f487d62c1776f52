"""Markdown: readable as it stands, and nothing in it acts."""

import pytest

from customer_assets.export import DataExporter
from customer_assets.report.aggregates import FEWEST_PER_DOMAIN
from customer_assets.report.markdown import markdown
from customer_assets_tests.harness.clean_customers import clean_customer
from customer_assets_tests.harness.report_documents import report_of


def test_a_report_of_customers_alone_can_be_written() -> None:
    """What `generate_summary_report` gives is enough."""
    text = markdown(DataExporter().generate_summary_report([clean_customer(1), clean_customer(2)]))
    assert text.startswith("# Customers\n\n**2 customers, mean data quality 100.0 of 100.**\n")
    assert "| premium | 2 | 100.0 % | ████████████████████ |" in text
    assert "| basic | 0 | 0.0 % |  |" in text


@pytest.mark.smoke
def test_a_full_report_tells_how_the_records_came() -> None:
    """Changes, what became of the records, defects, reasons and the crawl."""
    text = markdown(report_of(DataExporter().generate_summary_report([clean_customer(n) for n in range(12)])))
    assert "Since the export of 24 November 2026, 03:00 UTC: 3 added, 2 changed, 1 gone, 7 unchanged." in text
    assert "| Merged into a better duplicate | 2 | 12.5 % | ██▌ |" in text
    assert "| Email missing or malformed | 4 | 28.6 % |" in text
    assert "| No id | 1 | 6.2 % |" in text
    assert "| Throttled (429) | 1 |" in text


def test_nobody_is_a_report_too() -> None:
    """No mean, no division by zero."""
    assert "**0 customers, mean data quality none of 100.**" in markdown(DataExporter().generate_summary_report([]))


def test_a_domain_cannot_act_as_markup() -> None:
    """Neither as HTML, as a link nor as a table."""
    hostile = "<script>|[x](javascript:a)`.org"
    customers = [clean_customer(number, email_domain=hostile) for number in range(FEWEST_PER_DOMAIN)]
    text = markdown(DataExporter().generate_summary_report(customers))
    (row,) = [line for line in text.splitlines() if "script" in line]
    assert not set("<>[]()") & set(row)
    assert row.count("`") == 2
    assert row.count("|") == 5
