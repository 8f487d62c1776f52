"""What differs, in words and tables."""

from datetime import timedelta

import pytest

from customer_assets.core.models import SegmentChanges
from customer_assets.report import comparisons
from customer_assets_tests.harness.reports.report_documents import NOW, report_of, sums


def test_trends_begin_with_the_second_run() -> None:
    """The latest run last, each figure rounded as everywhere."""
    first = report_of(sums(9, data_quality_score=85))
    assert comparisons.trends(first) == []
    second = report_of(sums(12, data_quality_score=90), previous=first, generated_at=NOW + timedelta(days=1))
    found = {trend.title: (trend.values, trend.written) for trend in comparisons.trends(second)}
    assert found == {
        "Customers": ((9, 12), ("9", "12")),
        "Mean data quality": ((85.0, 90.0), ("85.0", "90.0")),
        "Low quality": ((0, 0), ("0", "0")),
        "Records rejected": ((2, 2), ("2", "2")),
    }


@pytest.mark.parametrize(
    ("name", "difference", "text"),
    [("total_customers", -1_200, "−1,200"), ("mean_score", 0.04, "no change"), ("mean_score", -0.26, "−0.3")],
)
def test_differences_are_rounded_as_the_figures_are(name: str, difference: float, text: str) -> None:
    """A mean has one digit, a count none."""
    assert comparisons.delta({"since_last_report": {name: difference}}, name) == text
    assert comparisons.delta({"since_last_report": None}, name) == ""


def test_changes_are_listed_by_segment() -> None:
    """In the breakdown's order, with signs; what no customer has any more comes last; generated fields say so."""
    by_segment = {
        "customer_tier": {
            "retired": SegmentChanges(gone=1),
            "enterprise": SegmentChanges(added=1_200),
            "basic": SegmentChanges(added=1, changed=2, gone=3),
        }
    }
    report = report_of(sums(), by_segment=by_segment)
    (table,) = comparisons.segment_change_tables(report)
    assert (table.title, table.badge) == ("Customer tier", "generated")
    assert [(row.label, row.added, row.changed, row.gone) for row in table.rows] == [
        ("basic", "+1", "2", "−3"),
        ("enterprise", "+1,200", "0", "0"),
        ("retired", "0", "0", "−1"),
    ]


def test_where_nothing_changed_there_is_no_list() -> None:
    """Nor where there is nothing to compare with."""
    assert comparisons.segment_change_tables(report_of(sums(), by_segment={})) == []
    assert comparisons.segment_change_tables(report_of(sums(), published_before=False)) == []
