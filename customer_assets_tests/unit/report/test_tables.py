"""A report in words: how numbers, shares and instants are written."""

import pytest

from customer_assets.report import tables as view
from customer_assets.report.charts import Piece, bar, columns, short, stack
from customer_assets.report.tables import Row, table


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0.0, "0.0 %"),
        (0.000_1, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.417, "41.7 %"),
        (0.999_99, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_shares(part: float, text: str) -> None:
    """What is there is not told as nothing, nor what is missing as all."""
    assert view.percent(part) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (95.4, "95 s"), (119.6, "2 min 0 s"), (725.0, "12 min 5 s")],
)
def test_durations(seconds: float, text: str) -> None:
    """Digits that say something."""
    assert view.duration(seconds) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [(None, ""), (0, "no change"), (0.0, "no change"), (1_200, "+1,200"), (-3, "-3"), (-0.25, "-0.25")],
)
def test_differences(difference: float | None, text: str) -> None:
    """With their sign; what there is none of, is not told."""
    assert view.delta({"since_last_report": {"total_customers": difference}}, "total_customers") == text


def test_what_is_no_instant_is_told_as_it_is() -> None:
    """A report of before may hold anything."""
    assert view.instant("2026-11-05T03:04:05Z") == "5 November 2026, 03:04 UTC"
    assert view.instant("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (999_960, "1.0M"), (2_500_000, "2.5M")]
)
def test_short_counts(count: int, text: str) -> None:
    """Nine digits do not fit over a column."""
    assert short(count) == text


def test_bars_show_what_is_there() -> None:
    """However little: and nothing where there is nothing."""
    assert (bar(0.0), bar(1e-9), bar(0.5), bar(1.0)) == (0.0, 0.8, 50.0, 100.0)


def test_a_stack_fills_its_width() -> None:
    """Without those that nobody is in."""
    made = table("T", "customers", {"a": 1, "none": 0, "b": 3})
    assert stack(made) == [Piece(0.0, 25.0, Row("a", 1, 0.25)), Piece(25.0, 75.0, Row("b", 3, 0.75))]


def test_columns_stand_on_the_axis() -> None:
    """The largest fills the plot, the least is seen, nobody's has no height; side by side they fill the width."""
    rows = table("T", "customers", {"40": 0, "50": 1, "60": 1_000_000}).rows
    none, least, most = columns(rows)
    assert (none.height, least.height, most.height) == (0.0, 2.0, 176.0)
    assert {column.y + column.height for column in (none, least, most)} == {200.0}
    assert [column.middle for column in (none, least, most)] == [60.0, 180.0, 300.0]
    assert columns([]) == []
