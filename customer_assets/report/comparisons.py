"""Says in words what differs: from the last export, from the last report, and over the last runs. Pure.

The differences themselves come from `export/baseline.py` and `history.py`; tables of one run belong in `tables.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from customer_assets.report import formats
from customer_assets.report.aggregates import BREAKDOWNS
from customer_assets.report.formats import words
from customer_assets.report.tables import TITLES, Table, badge_of, table

NOTHING_BEFORE = "Nothing was published before that these customers can be compared with."

TRENDS: Mapping[str, tuple[str, int]] = {
    "total_customers": ("Customers", 0),
    "mean_score": ("Mean data quality", 1),
    "low_quality": ("Low quality", 0),
    "rejected": ("Records rejected", 0),
}
"""The figures whose course is drawn, with their titles and decimals."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """What changed among the customers of one segment.

    Attributes:
        label: The segment.
        added: Customers added to it, written.
        changed: Changed customers who are in it now.
        gone: Customers who were in it.
    """

    label: str
    added: str
    changed: str
    gone: str


@dataclass(frozen=True, slots=True)
class ChangeTable:
    """What changed, by the segments of one business field.

    Attributes:
        title: The field.
        rows: The segments in which anything changed.
        badge: As of a `Table`.
    """

    title: str
    rows: tuple[ChangeRow, ...]
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """The course of one figure.

    Attributes:
        title: What it is.
        values: One per run, the latest last; None where a run has none.
        written: The same as text.
    """

    title: str
    values: tuple[float | None, ...]
    written: tuple[str, ...]


def changes(report: Mapping[str, Any]) -> str:
    """Say what differs from the last published export."""
    found = report.get("changes")
    if found is None:
        return NOTHING_BEFORE
    parts = (f"{found[name]:,} {name}" for name in ("added", "changed", "gone", "unchanged"))
    return f"Since the export of {formats.instant(found['since'])}: {', '.join(parts)}."


def change_table(report: Mapping[str, Any]) -> Table | None:
    """Count what changed; None if there is nothing to compare with."""
    found = report.get("changes")
    if found is None:
        return None
    names = ("added", "changed", "gone", "unchanged")
    return table("Change since the last export", "customers", {name: found[name] for name in names})


def segment_change_tables(report: Mapping[str, Any]) -> list[ChangeTable]:
    """Count what changed by segment, in the order of the breakdowns; nothing if nothing changed."""
    found = (report.get("changes") or {}).get("by_segment", {})
    made = []
    for name in BREAKDOWNS:
        segments: Mapping[str, Mapping[str, int]] = found.get(name, {})
        ordered = [value for value in report[name] if value in segments]
        ordered += sorted(segments.keys() - ordered)
        rows = tuple(
            ChangeRow(
                words(value),
                formats.difference(segments[value]["added"], none="0"),
                formats.number(segments[value]["changed"]),
                formats.difference(-segments[value]["gone"], none="0"),
            )
            for value in ordered
        )
        if rows:
            made.append(ChangeTable(TITLES[name], rows, badge_of(report, BREAKDOWNS[name])))
    return made


def trends(report: Mapping[str, Any]) -> list[Trend]:
    """Follow the main figures over the last runs; nothing before the second run."""
    history = report.get("history", ())
    if len(history) < 2:  # noqa: PLR2004 - one point is not a course
        return []
    return [
        Trend(
            title,
            tuple(entry[name] for entry in history),
            tuple(formats.number(entry[name], digits) for entry in history),
        )
        for name, (title, digits) in TRENDS.items()
    ]


def delta(report: Mapping[str, Any], name: str) -> str:
    """Write a figure's difference from the last report: `+3`, `no change`; empty if there is nothing to compare."""
    found = report.get("since_last_report")
    return "" if found is None else formats.difference(found.get(name), 1 if name == "mean_score" else 0)
