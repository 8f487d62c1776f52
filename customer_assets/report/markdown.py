"""The summary report as Markdown: headline figures, then tables, each row with a bar of block characters."""

from collections.abc import Mapping
from typing import Any

from customer_assets.report import tables
from customer_assets.report.tables import Row, Table

BAR_WIDTH = 20
EIGHTHS = " ▏▎▍▌▋▊▉█"


def markdown(report: Mapping[str, Any]) -> str:
    """Write a report as Markdown, readable as it stands, on paper and in the Dagster UI."""
    sections = [
        tables.quality_table(report),
        *tables.breakdown_tables(report),
        tables.domain_table(report),
        *tables.record_tables(report),
    ]
    head = [f"# Customers\n\n**{tables.headline(report)}.**\n"]
    if "changes" in report:
        head.append(f"{tables.changes(report)}\n")
    return "\n".join([*head, *map(_table, sections), *_crawl(report)])


def _table(table: Table) -> str:
    note = [f"{table.note}\n"] if table.note else []
    if not table.rows:
        return "\n".join([f"## {table.title}\n", *note])
    columns = [f"| | {table.unit} | share | |", "|---|---:|---:|:---|"]
    return "\n".join([f"## {table.title}\n", *note, *columns, *map(_row, table.rows), ""])


def _row(row: Row) -> str:
    return f"| {_plain(row.label)} | {row.count:,} | {tables.percent(row.share)} | {_bar(row.share)} |"


def _bar(share: float) -> str:
    """Draw a share with block characters, an eighth of one exactly."""
    whole, eighth = divmod(round(share * BAR_WIDTH * 8), 8)
    return "█" * whole + (EIGHTHS[eighth] if eighth else "")


def _crawl(report: Mapping[str, Any]) -> list[str]:
    facts = tables.crawl_facts(report)
    if not facts:
        return []
    rows = [f"| {label} | {value} |" for label, value in facts.items()]
    return ["\n".join(["## Crawl\n", "| | |", "|---|---:|", *rows, ""])]


def _plain(text: str) -> str:
    """Keep a name from acting as Markdown or HTML: only what a host name or a label of ours holds is left as it is.

    Names with a dot stand as code, where nothing is a link: elsewhere GitHub's Markdown makes one of `www.` by itself.
    """
    if "." in text:
        return f"`{''.join(mark if mark.isalnum() or mark in '.-_' else f'u+{ord(mark):04x}' for mark in text)}`"
    named = (mark if mark.isalnum() or mark in " ,:-_" else f"&#{ord(mark)};" for mark in text)
    return "".join(named).replace("_", r"\_")
