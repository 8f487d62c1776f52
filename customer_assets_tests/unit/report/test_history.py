"""A report's figures over time."""

from datetime import timedelta

import pytest

from customer_assets.report.history import FIGURES, RUNS, compare, extend_history
from customer_assets_tests.harness.reports.report_documents import NOW, report_of, sums


def test_differences_from_the_last_report() -> None:
    """Now minus then, figure by figure."""
    before = report_of(sums(9, data_quality_score=60), merged=5)
    assert report_of(sums(12), previous=before)["since_last_report"] == {
        "generated_at": before["generated_at"],
        "total_customers": 3,
        "mean_score": 40.0,
        "high_quality": 12,
        "medium_quality": 0,
        "low_quality": -9,
        "merged": -3,
        "rejected": 0,
    }


@pytest.mark.parametrize(
    "previous",
    [None, [], "text", 7, {}, {"generated_at": 7}, {"generated_at": "2026", "total_customers": "12", "records": []}],
)
def test_there_is_no_comparison_with_what_is_not_a_report(previous: object) -> None:
    """One of an older version, a broken one or none is never an error."""
    found = compare(previous, report_of(sums(1)))
    assert found is None or set(found.values()) == {"2026", None}


def test_each_report_carries_the_history_on() -> None:
    """The oldest run first, this one last."""
    report = report_of(sums(1))
    for day in (1, 2):
        report = report_of(sums(1 + day), previous=report, generated_at=NOW + timedelta(days=day))
    assert [entry["total_customers"] for entry in report["history"]] == [1, 2, 3]
    assert report["history"][0] == {
        "generated_at": "2026-11-25T03:00:07Z",
        "published": True,
        "total_customers": 1,
        "mean_score": 100.0,
        "high_quality": 1,
        "medium_quality": 0,
        "low_quality": 0,
        "merged": 2,
        "rejected": 2,
    }


def test_the_history_stays_short() -> None:
    """The oldest run goes when one more comes."""
    report = report_of(sums(1))
    earlier = [{**report["history"][0], "generated_at": f"run {number}"} for number in range(RUNS)]
    history = extend_history(earlier, report)
    assert len(history) == RUNS
    assert [history[0]["generated_at"], history[-1]["generated_at"]] == ["run 1", report["generated_at"]]


@pytest.mark.parametrize("earlier", [None, {}, "text", [None], [7], [{}], [{"generated_at": None}]])
def test_a_history_that_cannot_be_read_begins_again(earlier: object) -> None:
    """It must not stop a sync."""
    assert len(extend_history(earlier, report_of(sums(1)))) == 1


def test_a_figure_that_is_not_a_number_is_null() -> None:
    """In the place of an older or a foreign version's."""
    (entry, _) = extend_history(
        [{"generated_at": "2026", "total_customers": "12", "rejected": True}], report_of(sums(1))
    )
    assert entry == {"generated_at": "2026", "published": True, **dict.fromkeys(FIGURES)}
