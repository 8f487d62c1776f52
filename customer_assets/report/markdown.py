"""Renders the summary report as Markdown: verdict, figures and tables, each row with a bar of block characters."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from customer_assets.report import comparisons, formats, tables
from customer_assets.report.tables import Table, Verdict

BAR_WIDTH = 20
EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"

_URL = re.compile(r"https?://[^\s,;]+")
"""Written as code, in which GitHub's Markdown makes no link: an API is no page to open."""


def markdown(report: Mapping[str, Any]) -> str:
    """Render a report as Markdown, readable as plain text, on paper and in the Dagster UI."""
    blocks = [f"# Customers\n\n**{tables.headline(report)}.**\n"]
    if origin := tables.origin(report):
        blocks.append(f"{_origin(origin)}\n")
    if verdict := tables.verdict(report):
        blocks.append(_verdict(verdict))
    if "changes" in report:
        blocks.append(f"{comparisons.changes(report)}\n")
    if changed := comparisons.segment_change_tables(report):
        rows = [
            [f"{table.title}: {_plain(row.label)}", row.added, row.changed, row.gone]
            for table in changed
            for row in table.rows
        ]
        blocks.append(_grid("Change by segment", ["", "added", "changed", "gone"], rows))
    if trends := comparisons.trends(report):
        rows = [[trend.title, _sparkline(trend.values), trend.written[0], trend.written[-1]] for trend in trends]
        blocks.append(_grid(f"The last {len(trends[0].values)} runs", ["", "course", "first", "last"], rows))
    blocks += map(_table, [tables.quality_table(report), *tables.sections(report)])
    if facts := tables.crawl_facts(report):
        blocks.append(_grid("Crawl", ["", ""], [[label, value] for label, value in facts.items()]))
    return "\n".join(blocks)


def _origin(origin: str) -> str:
    """Write a URL as code: an API is no link to follow."""
    label, colon, url = origin.partition(": ")
    return f"{label}{colon}`{url.replace('`', '')}`" if "://" in url else origin


def _verdict(verdict: Verdict) -> str:
    rows = [
        [check.claim, check.result, check.score, check.threshold, _sentence(check.description)]
        for check in verdict.checks
    ]
    grid = _grid("Checks", ["", "result", "score", "threshold", "finding"], rows, ":---")
    return f"**{verdict.title}.** {verdict.text}\n\n{grid}"


def _table(table: Table) -> str:
    badge = f" ({table.badge})" if table.badge else ""
    heading = f"## {_plain(table.title)}{badge}\n"
    note = [f"{table.note}\n"] if table.note else []
    if not table.rows:
        return "\n".join([heading, *note])
    lines = [f"| | {table.unit} | share | |", "|---|---:|---:|:---|"]
    for row in table.rows:
        whole, eighth = divmod(round(row.share * BAR_WIDTH * 8), 8)
        bar = "█" * whole + (EIGHTHS[eighth] if eighth else "")
        lines.append(f"| {_plain(row.label)} | {row.count:,} | {formats.percent(row.share)} | {bar} |")
    return "\n".join([heading, *note, *lines, ""])


def _grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], last: str = "---:") -> str:
    head = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 2)}{last}|"]
    return "\n".join([f"## {title}\n", *head, *(f"| {' | '.join(row)} |" for row in rows), ""])


def _sparkline(values: Sequence[float | None]) -> str:
    """Draw a figure's course with blocks of eight heights; a run without a value is a space."""
    known = [value for value in values if value is not None]
    least, range_ = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)
    top = len(LEVELS) - 1
    heights = (None if value is None else (value - least) / range_ if range_ else 0.5 for value in values)
    return "".join(" " if height is None else LEVELS[round(height * top)] for height in heights)


def _sentence(text: str) -> str:
    """Escape a sentence of ours, which can quote a number or a column but nothing of a customer's."""
    escaped = escape(text, quote=False).replace("|", "&#124;").replace("_", r"\_")
    return _URL.sub(lambda url: f"`{url[0].replace('`', '').replace(chr(92), '')}`", escaped)


def _plain(text: str) -> str:
    """Keep a value from acting as Markdown or HTML: only what a host name or a label of ours contains stays as it is.

    Names with a dot become code, in which nothing is a link: elsewhere GitHub's Markdown links `www.` by itself.
    """
    if "." in text:
        return f"`{''.join(mark if mark.isalnum() or mark in '.-_' else f'u+{ord(mark):04x}' for mark in text)}`"
    escaped = (mark if mark.isalnum() or mark in " ,:-_" else f"&#{ord(mark)};" for mark in text)
    return "".join(escaped).replace("_", r"\_")
