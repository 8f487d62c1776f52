"""The summary report as one HTML page, and its picture for the Dagster UI: Jinja2 templates, every value escaped.

Imported when a report is written, not before: the templates cost some hundredths of a second. The charts are SVG in the
same templates, since plotting libraries cost more and fit less: pygal puts a script, the day's date and styles for the
whole page into each chart, and neither its colours nor matplotlib's follow the reader's light or dark.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from customer_assets.report import charts, tables

TEMPLATES = Path(__file__).parent / "templates"


def page(report: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """Write a report as a page that needs no script, no network and no other file.

    Args:
        report: A full report.
        links: Files that stand beside the page, by what they are called on it.
    """
    return _environment().get_template("report.html.jinja").render(_told(report), links=links)


def picture(report: Mapping[str, Any]) -> str:
    """Draw customers by score as an image for Markdown: an SVG in a data URI, legible on light and on dark."""
    svg = _environment().get_template("picture.svg.jinja").render(_told(report))
    return f"![Customers by data quality score]({_data_uri(svg)})"


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _told(report: Mapping[str, Any]) -> dict[str, Any]:
    scores = tables.score_table(report)
    ascending = scores.rows[::-1]
    return {
        "report": report,
        "headline": tables.headline(report),
        "changes": tables.changes(report),
        "quality": tables.quality_table(report),
        "scores": scores,
        "columns": charts.columns(ascending),
        "breakdowns": tables.breakdown_tables(report),
        "domains": tables.domain_table(report),
        "records": tables.record_tables(report),
        "change_table": tables.change_table(report),
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
    environment.filters.update(percent=tables.percent, bar=charts.bar, instant=tables.instant)
    environment.globals.update(
        stack=charts.stack,
        delta=tables.delta,
        mean_score=tables.mean_score,
        width=charts.CHART_WIDTH,
        height=charts.CHART_HEIGHT,
        bottom=charts.PLOT_BOTTOM,
    )
    return environment
