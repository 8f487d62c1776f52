"""Renders the summary report as one HTML page, and its picture for the Dagster UI: Jinja2 templates, fully escaped.

Imported only when a report is written, because Jinja2 takes some hundredths of a second to load. The charts are SVG in
the same templates. Plotting libraries cost more and fit less: pygal puts a script, today's date and page-wide styles
into each chart, and neither its colours nor matplotlib's follow the reader's light or dark scheme.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from customer_assets.report import charts, comparisons, formats, tables

TEMPLATES = Path(__file__).parent / "templates"


def page(report: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """Render a report as a page that needs no script, no network and no other file.

    Args:
        report: A full report.
        links: Files beside the page, by their labels.
    """
    return _environment().get_template("report.html.jinja").render(_context(report), links=links)


def picture(report: Mapping[str, Any]) -> str:
    """Draw customers by score as a Markdown image: an SVG in a data URI, legible on light and on dark."""
    svg = _environment().get_template("picture.svg.jinja").render(_context(report))
    return f"![Customers by data quality score](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def _context(report: Mapping[str, Any]) -> dict[str, Any]:
    scores = tables.score_table(report)
    return {
        "report": report,
        "headline": tables.headline(report),
        "origin": tables.origin(report),
        "changes": comparisons.changes(report),
        "verdict": tables.verdict(report),
        "trends": comparisons.trends(report),
        "quality": tables.quality_table(report),
        "scores": scores,
        "columns": charts.columns(scores.rows[::-1]),
        "breakdowns": tables.breakdown_tables(report),
        "domains": tables.domain_table(report),
        "extra_fields": tables.extra_field_tables(report),
        "records": tables.record_tables(report),
        "fields": tables.field_tables(report),
        "change_table": comparisons.change_table(report),
        "segment_changes": comparisons.segment_change_tables(report),
        "crawl": tables.crawl_facts(report),
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        bar=charts.bar,
        instant=formats.instant,
        number=formats.number,
        percent=formats.percent,
        score=formats.score,
        sparkline=charts.sparkline,
    )
    environment.globals.update(
        bottom=charts.PLOT_BOTTOM,
        delta=comparisons.delta,
        height=charts.CHART_HEIGHT,
        line_height=charts.LINE_HEIGHT,
        stack=charts.stack,
        width=charts.CHART_WIDTH,
    )
    return environment
