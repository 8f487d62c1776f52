"""A report in words: verdict, tables and sentences."""

from collections.abc import Mapping

import pytest

from customer_assets.report import tables
from customer_assets.report.tables import Check, Row
from customer_assets_tests.harness.reports.report_documents import INCREMENTAL, report_of, sums, verdict


@pytest.mark.parametrize(
    ("severities", "tone", "title", "text"),
    [
        ([None, None], "high", "Good, and published", "All 2 checks passed."),
        ([None, "WARN", None], "medium", "Published with 1 warning", "2 of 3 checks passed."),
        (
            ["WARN", "ERROR", None],
            "low",
            "Not published",
            "1 of 3 checks failed. The last good export stays in place.",
        ),
    ],
)
def test_the_verdict_says_whether_this_is_good(severities: list[str | None], tone: str, title: str, text: str) -> None:
    """At a glance, with the number of checks behind it."""
    found = tables.verdict(report_of(sums(), verdicts=[verdict(severity=severity) for severity in severities]))
    assert found
    assert (found.tone, found.title, found.text) == (tone, title, text)
    assert len(found.checks) == len(severities)


def test_without_checks_there_is_no_verdict() -> None:
    """A report on customers alone, or one that nobody judged."""
    assert tables.verdict(report_of(sums(), verdicts=())) is None
    assert tables.verdict(sums()) is None


def test_checks_show_score_and_threshold_the_failed_ones_first() -> None:
    """Shares as percentages, scores with one digit, counts without."""
    found = tables.verdict(
        report_of(
            sums(),
            verdicts=[
                verdict(),
                verdict("rejected_share_within_limit", "WARN", score=0.0625, threshold=0.05),
                verdict("no_field_is_lost", "WARN", score=0.0254, threshold=0.99),
                verdict("customer_id_is_unique", "ERROR", score=12.0, threshold=1_200.0, description="ids repeat"),
                verdict("low_quality_share_within_limit", score=float("nan"), threshold=0.1),
            ],
        )
    )
    assert found
    assert [(check.claim, check.result, check.score, check.threshold) for check in found.checks] == [
        ("Customer id is unique", "failed", "12", "1,200"),
        ("Rejected share within limit", "warning", "6.3 %", "5.0 %"),
        ("No field is lost", "warning", "2.5 %", "99.0 %"),
        ("Mean quality meets threshold", "passed", "96.3", "90"),
        ("Low quality share within limit", "passed", "–", "10.0 %"),
    ]
    assert found.checks[0] == Check("Customer id is unique", "failed", "12", "1,200", "Ids repeat")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("embedded simulator", "These customers are not real: they come from the embedded simulator."),
        ("https://api.example.org", "Source: https://api.example.org"),
        ("", ""),
    ],
)
def test_the_source_is_named(source: str, text: str) -> None:
    """Above all if the customers are not real."""
    assert tables.origin(report_of(sums(), source=source)) == text


@pytest.mark.parametrize(
    ("generated", "badge", "note"),
    [
        ({}, "", ""),
        (
            {"customer_tier": 14},
            "generated",
            "The API has no such field: these values are made up from the customers' ids.",
        ),
        (
            {"customer_tier": 3},
            "partly generated",
            "3 records had nothing to judge by: their values are made up from the ids.",
        ),
    ],
)
def test_generated_values_carry_a_badge(generated: Mapping[str, int], badge: str, note: str) -> None:
    """Nobody takes them for facts about customers."""
    found = {table.title: table for table in tables.breakdown_tables(report_of(sums(), generated=generated))}
    assert (found["Customer tier"].badge, found["Customer tier"].note) == (badge, note)
    assert found["Market segment"].badge == ""


def test_segments_are_crossed_with_quality() -> None:
    """The mean score of the customers of each value."""
    found = {table.title: table for table in tables.breakdown_tables(report_of(sums(4, data_quality_score=85)))}
    assert [(row.label, row.count, row.mean_score) for row in found["Customer tier"].rows] == [
        ("basic", 0, "–"),
        ("premium", 4, "85.0"),
        ("enterprise", 0, "–"),
    ]


def test_completeness_and_defects_follow_from_the_defect_counts() -> None:
    """For whatever fields there are; what the API never sent is missing, though it is no defect."""
    report = report_of(sums(), generated={"engagement_level": 10})
    report["defects"] = {"email": 7, "engagement_score": 1, "loyalty_points": 0}
    complete, defective = tables.field_tables(report)
    assert complete.rows == (
        Row("Email", 7, 0.5),
        Row("Engagement score", 3, 3 / 14),
        Row("Loyalty points", 14, 1.0),
    )
    assert defective.rows == (Row("Email", 7, 0.5), Row("Engagement score", 1, 1 / 14))
    report["defects"] = {"email": 0}
    assert tables.field_tables(report)[1].note == "No field has a defect."


def test_extra_fields_show_their_share_and_small_vocabularies() -> None:
    """A value called like one of our own labels stays apart from it."""
    extra = {
        "country": {"filled": 9, "values": {"DE": 6, "no value": 3}},
        "total_spent": {"filled": 12, "values": None},
    }
    country, spent = tables.extra_field_tables(report_of({**sums(), "extra_fields": extra}))
    assert (country.title, country.note) == ("Country", "75.0 % of the customers have a value.")
    assert country.rows == (Row("DE", 6, 0.5), Row("no value", 3, 0.25), Row("no value", 3, 0.25))
    assert spent.title == "Total spent"
    assert spent.rows == (Row("filled", 12, 1.0), Row("no value", 0, 0.0))


def test_excluded_records_are_shown_if_there_are_any() -> None:
    """A sync without a filter need not read of it."""
    report = report_of(sums())
    assert "Excluded by the filter" not in {row.label for row in tables.record_tables(report)[0].rows}
    report["records"]["excluded"] = 3
    assert Row("Excluded by the filter", 3, 3 / 16) in tables.record_tables(report)[0].rows


@pytest.mark.parametrize(
    ("missing", "fact"),
    [(3, ("Missing", "3")), (0, ("Missing", "0")), (-3, ("Returned beyond that", "3"))],
)
def test_an_api_can_return_more_than_it_counts(missing: int, fact: tuple[str, str]) -> None:
    """Nobody has to interpret a negative number of missing customers."""
    report = report_of(sums())
    report["crawl"] = {**report["crawl"], "missing_customers": missing}
    assert fact in tables.crawl_facts(report).items()


def test_what_an_incremental_crawl_brought_is_told_from_what_was_kept() -> None:
    facts = tables.crawl_facts(report_of(sums(12), sync=INCREMENTAL))
    assert list(facts.items())[:7] == [
        ("Requested", "only what changed"),
        ("Came", "5"),
        ("New", "1"),
        ("Replaced", "3"),
        ("Deleted", "0"),
        ("Kept as they were", "8"),
        ("Changed customers according to the API", "12"),
    ]
