"""A report's figures over time: the differences from the last report, and those of the last runs. Pure.

Each report carries the history on from the one before, so nothing else has to be stored.
"""

from collections.abc import Mapping, Sequence
from typing import Any

RUNS = 30
"""A month of daily runs."""

FIGURES: Mapping[str, Sequence[str]] = {
    "total_customers": ("total_customers",),
    "mean_score": ("data_quality", "mean_score"),
    "high_quality": ("data_quality", "high_quality"),
    "medium_quality": ("data_quality", "medium_quality"),
    "low_quality": ("data_quality", "low_quality"),
    "merged": ("records", "merged"),
    "rejected": ("records", "rejected"),
}
"""The figures that are compared over time, and where a report holds each."""


def compare(previous: object, report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Subtract an earlier report's figures from this one's; None if `previous` is not a report."""
    if not isinstance(previous, dict) or not isinstance(previous.get("generated_at"), str):
        return None
    differences = {
        name: None if now is None or before is None else round(now - before, 2)
        for name, path in FIGURES.items()
        for now, before in [(_figure(report, path), _figure(previous, path))]
    }
    return {"generated_at": previous["generated_at"], **differences}


def extend_history(earlier: object, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Append a report's figures to those of earlier runs, and keep the last `RUNS`.

    Args:
        earlier: The history as it was read, the oldest run first. Anything that is not an entry is dropped: a file of
            an older version must not stop a sync.
        report: The report to append, with `generated_at` and `published`.
    """
    found = [entry for entry in earlier if isinstance(entry, dict)] if isinstance(earlier, list) else []
    entries = [_entry(entry) for entry in found if isinstance(entry.get("generated_at"), str)]
    figures = {name: _figure(report, path) for name, path in FIGURES.items()}
    return [*entries, _entry({**report, **figures})][-RUNS:]


def _entry(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "generated_at": fields["generated_at"],
        "published": fields.get("published") is not False,
        **{name: _figure(fields, (name,)) for name in FIGURES},
    }


def _figure(report: Mapping[str, Any], path: Sequence[str]) -> float | None:
    found: Any = report
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None
