"""From counts to shapes."""

import pytest

from customer_assets.report.charts import Piece, bar, columns, shorten, sparkline, stack
from customer_assets.report.tables import Row, table


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (999_960, "1.0M"), (2_500_000, "2.5M")]
)
def test_long_counts_are_shortened(count: int, text: str) -> None:
    """Nine digits do not fit above a column."""
    assert shorten(count) == text


def test_bars_show_even_the_smallest_share() -> None:
    """But nothing where there is nothing."""
    assert (bar(0.0), bar(1e-9), bar(0.5), bar(1.0)) == (0.0, 0.8, 50.0, 100.0)


def test_a_stack_fills_its_width() -> None:
    """Empty rows take no space."""
    made = table("T", "customers", {"a": 1, "none": 0, "b": 3})
    assert stack(made) == [Piece(0.0, 25.0, Row("a", 1, 0.25)), Piece(25.0, 75.0, Row("b", 3, 0.75))]


def test_columns_stand_on_the_axis() -> None:
    """The largest fills the plot, the smallest is visible, an empty one has no height; together they fill the width."""
    rows = table("T", "customers", {"40": 0, "50": 1, "60": 1_000_000}).rows
    none, least, most = columns(rows)
    assert (none.height, least.height, most.height) == (0.0, 2.0, 176.0)
    assert {column.y + column.height for column in (none, least, most)} == {200.0}
    assert [column.middle for column in (none, least, most)] == [60.0, 180.0, 300.0]
    assert columns([]) == []


@pytest.mark.parametrize(
    ("values", "points"),
    [
        pytest.param([1, 3, 2], "0.00,21.00 50.00,3.00 100.00,12.00", id="from the least to the greatest"),
        pytest.param([5, 5], "0.00,12.00 100.00,12.00", id="never changed"),
        pytest.param([1, None, 2], "0.00,21.00 100.00,3.00", id="a gap"),
        pytest.param([7], "0.00,12.00", id="one run"),
        pytest.param([None, None], "", id="nothing known"),
        pytest.param([], "", id="no run"),
    ],
)
def test_a_sparkline_shows_the_course(values: list[float | None], points: str) -> None:
    """The first run on the left, the last on the right."""
    assert sparkline(values) == points
