"""Turns counts into shapes: bars, stacks, columns and sparklines, in the units of an SVG's view box. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from customer_assets.report.tables import Row, Table

CHART_WIDTH, CHART_HEIGHT = 360, 230
PLOT_TOP, PLOT_BOTTOM = 24, 200
COLUMN_SHARE = 0.62
"""How much of its slot a column fills; the rest is the gap."""
SHORTEST_COLUMN = 2.0

SHORTENED_FROM = 10_000
"""Counts from here on are shortened above a column."""

BAR_WIDTH = 100.0
THINNEST_BAR = 0.8
"""Keeps even the smallest share visible."""

LINE_WIDTH, LINE_HEIGHT, LINE_PADDING = 100.0, 24.0, 3.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stacked bar that is `BAR_WIDTH` wide.

    Attributes:
        x: Its left edge.
        width: Its width.
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
        width: Its width.
        height: Its height; 0 if it stands for nobody.
        middle: Where its labels are centred.
        count: Its count, shortened.
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
    """Return how long a bar is: 0 → 0, 1 → `BAR_WIDTH`."""
    return round(max(share * BAR_WIDTH, THINNEST_BAR), 2) if share > 0 else 0.0


def stack(table: Table) -> list[Piece]:
    """Place the rows side by side, without empty ones."""
    pieces, x = [], 0.0
    for row in table.rows:
        if row.count:
            pieces.append(Piece(round(x, 2), round(row.share * BAR_WIDTH, 2), row))
            x += row.share * BAR_WIDTH
    return pieces


def columns(rows: Sequence[Row]) -> list[Column]:
    """Place the rows as columns side by side, the largest as tall as the plot."""
    tallest = max((row.count for row in rows), default=0)
    slot = CHART_WIDTH / max(len(rows), 1)
    made = []
    for index, row in enumerate(rows):
        height = max((PLOT_BOTTOM - PLOT_TOP) * row.count / tallest, SHORTEST_COLUMN) if row.count else 0.0
        made.append(
            Column(
                x=round(slot * (index + (1 - COLUMN_SHARE) / 2), 2),
                y=round(PLOT_BOTTOM - height, 2),
                width=round(slot * COLUMN_SHARE, 2),
                height=round(height, 2),
                middle=round(slot * (index + 0.5), 2),
                count=shorten(row.count),
                row=row,
            )
        )
    return made


def sparkline(values: Sequence[float | None]) -> str:
    """Draw a figure's course as the points of an SVG polyline, from its least value to its greatest.

    A run without a value leaves a gap that the line bridges. A figure that never changes runs along the middle.
    """
    known = [value for value in values if value is not None]
    least, range_ = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)
    step = LINE_WIDTH / max(len(values) - 1, 1)
    points = []
    for index, value in enumerate(values):
        if value is not None:
            relative = (value - least) / range_ if range_ else 0.5
            y = LINE_HEIGHT - LINE_PADDING - relative * (LINE_HEIGHT - 2 * LINE_PADDING)
            points.append(f"{index * step:.2f},{y:.2f}")
    return " ".join(points)


def shorten(count: int) -> str:
    """Write a count in few characters: 9_500 → `9,500`, 12_345 → `12.3k`, 2_500_000 → `2.5M`."""
    if count < SHORTENED_FROM:
        return f"{count:,}"
    value, unit = count / 1_000, "k"
    for larger in "MGT":
        if round(value, 1) < 1_000:  # noqa: PLR2004 - from here on, the next unit is shorter
            break
        value, unit = value / 1_000, larger
    return f"{value:.1f}{unit}"
