"""Where counts become shapes: bars, stacks and columns in the units of an SVG's view box. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from customer_assets.report.tables import Row, Table

CHART_WIDTH, CHART_HEIGHT = 360, 230
PLOT_TOP, PLOT_BOTTOM = 24, 200
COLUMN_FILLS = 0.62
"""Of the place that a column has; the rest is the gap."""

AS_IT_IS_BELOW = 10_000

BAR_WIDTH = 100.0
THINNEST = 0.8
"""What is there is seen, however little it is."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stacked bar that is `BAR_WIDTH` wide.

    Attributes:
        x: Where it begins.
        width: How wide it is.
        row: What it stands for.
    """

    x: float
    width: float
    row: Row


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a chart.

    Attributes:
        x: Its left edge.
        y: Its top.
        width: How wide it is.
        height: How tall it is; 0 for none.
        middle: Where its labels are centred.
        count: Its count, short.
        row: What it stands for.
    """

    x: float
    y: float
    width: float
    height: float
    middle: float
    count: str
    row: Row


def bar(share: float) -> float:
    """Tell how long a bar is: 0 → 0, 1 → `BAR_WIDTH`; what is there is never too thin to see."""
    return round(max(share * BAR_WIDTH, THINNEST), 2) if share > 0 else 0.0


def stack(table: Table) -> list[Piece]:
    """Lay the rows side by side, without those that nobody is in."""
    pieces, x = [], 0.0
    for row in table.rows:
        if row.count:
            pieces.append(Piece(round(x, 2), round(row.share * BAR_WIDTH, 2), row))
            x += row.share * BAR_WIDTH
    return pieces


def columns(rows: Sequence[Row]) -> list[Column]:
    """Stand the rows next to each other, the largest as tall as the plot."""
    tallest = max((row.count for row in rows), default=0)
    place = CHART_WIDTH / max(len(rows), 1)
    made = []
    for index, row in enumerate(rows):
        height = (PLOT_BOTTOM - PLOT_TOP) * row.count / tallest if tallest else 0.0
        height = max(height, 2.0) if row.count else 0.0
        made.append(
            Column(
                x=round(place * (index + (1 - COLUMN_FILLS) / 2), 2),
                y=round(PLOT_BOTTOM - height, 2),
                width=round(place * COLUMN_FILLS, 2),
                height=round(height, 2),
                middle=round(place * (index + 0.5), 2),
                count=short(row.count),
                row=row,
            )
        )
    return made


def short(count: int) -> str:
    """Write a count in few characters: 9_500 → `9,500`, 12_345 → `12.3k`, 2_500_000 → `2.5M`."""
    if count < AS_IT_IS_BELOW:
        return f"{count:,}"
    value, unit = count / 1_000, "k"
    for larger in "MGT":
        if round(value, 1) < 1_000:  # noqa: PLR2004 - the next unit begins
            break
        value, unit = value / 1_000, larger
    return f"{value:.1f}{unit}"
