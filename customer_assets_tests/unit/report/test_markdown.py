"""Markdown: readable as plain text, and nothing in it acts."""

from datetime import timedelta

import pytest

from customer_assets.report.aggregates import FEWEST_PER_VALUE
from customer_assets.report.markdown import markdown
from customer_assets_tests.harness.reports.report_documents import NOW, report_of, sums, verdict


@pytest.mark.smoke
def test_a_report_on_customers_alone_can_be_rendered() -> None:
    """What `generate_summary_report` returns is enough."""
    text = markdown(sums(2))
    assert text.startswith("# Customers\n\n**2 customers, mean data quality 100.0 of 100.**\n")
    assert "| premium | 2 | 100.0 % | ████████████████████ |" in text
    assert "| basic | 0 | 0.0 % |  |" in text


def test_a_full_report_shows_how_the_records_came() -> None:
    """Changes, outcomes, completeness, defects, reasons and the crawl."""
    text = markdown(report_of(sums()))
    assert "Since the export of 24 November 2026, 03:00 UTC: 3 added, 2 changed, 1 gone, 7 unchanged." in text
    assert "| Merged into a better duplicate | 2 | 12.5 % | ██▌ |" in text
    assert "| Email | 10 | 71.4 % |" in text
    assert "| Email | 4 | 28.6 % |" in text
    assert "| No id | 1 | 6.3 % |" in text
    assert "| Throttled | 1 |" in text


def test_verdict_source_and_badges_stand_at_the_top() -> None:
    """Whether this is good, whether it is real."""
    text = markdown(report_of(sums(), verdicts=[verdict(), verdict("customer_id_is_unique", "ERROR")]))
    assert "\nThese customers are not real: they come from the embedded simulator.\n" in text
    assert "**Not published.** 1 of 2 checks failed. The last good export stays in place." in text
    assert "| Customer id is unique | failed | 96.3 | 90 | The mean score 96.25 meets the target 90 |" in text
    assert "## Customer tier (generated)" in text
    assert text.index("**Not published.**") < text.index("## Data quality")


def test_the_course_of_the_last_runs_is_drawn() -> None:
    """In blocks of eight heights."""
    report = report_of(sums(9))
    for day, count in ((1, 12), (2, 11)):
        report = report_of(sums(count), previous=report, generated_at=NOW + timedelta(days=day))
    text = markdown(report)
    assert "## The last 3 runs" in text
    assert "| Customers | ▁█▆ | 9 | 11 |" in text
    assert "| Mean data quality | ▅▅▅ | 100.0 | 100.0 |" in text


def test_no_customers_make_a_report_too() -> None:
    """No mean, no division by zero."""
    assert "**No customers.**" in markdown(sums(0))


def test_a_domain_cannot_act_as_markup() -> None:
    """Neither as HTML, as a link nor as a table."""
    text = markdown(sums(FEWEST_PER_VALUE, email_domain="<script>|[x](javascript:a)`.org"))
    (row,) = [line for line in text.splitlines() if "script" in line]
    assert not set("<>[]()") & set(row)
    assert row.count("`") == 2
    assert row.count("|") == 5


def test_no_value_can_act_as_markup() -> None:
    """Neither an extra field's value, a check's finding, nor the source."""
    hostile = "<b>|`x`"
    extra = {"country": {"filled": 9, "values": {hostile: 9}}}
    checks = [verdict(description=hostile)]
    text = markdown(report_of({**sums(), "extra_fields": extra}, verdicts=checks, source=f"https://{hostile}"))
    assert "<b>" not in text.replace("`https://<b>|x`", "")
    assert all(line.count("|") in (3, 5, 6) for line in text.splitlines() if line.startswith("| "))
