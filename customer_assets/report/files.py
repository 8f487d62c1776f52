"""Writes a report to its files: JSON and its schema for machines, HTML and Markdown for people. Decides nothing."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from customer_assets.report.document import SCHEMA_FILE
from customer_assets.report.markdown import markdown
from customer_assets.storage.publish import atomic_write

SCHEMA = Path(__file__).parent / SCHEMA_FILE
ENCODING = "utf-8"
FORMATS = (".json", ".md", ".html")
"""The suffixes of a report's files."""


def publish_report(report: Mapping[str, Any], base: Path, links: Mapping[str, str] = MappingProxyType({})) -> None:
    """Publish a report, one file per format, each atomically.

    Args:
        report: A full report.
        base: The files' path without a suffix.
        links: Further targets to link from the page, by their labels: the export, the quarantine, a runbook.

    Raises:
        PublishError: A file cannot be written; the previous one is unchanged.
    """
    from customer_assets.report.html import page  # noqa: PLC0415 - Jinja2 is loaded only when a report is written

    formats = {"this report as JSON": f"{base.name}.json", "as Markdown": f"{base.name}.md"}
    texts = {
        ".json": json.dumps(report, indent=2) + "\n",
        ".md": markdown(report),
        ".html": page(report, {**formats, **links}),
    }
    schema = base.with_name(SCHEMA_FILE)
    if not schema.exists() or schema.read_bytes() != SCHEMA.read_bytes():
        with atomic_write(schema) as temporary:
            shutil.copyfile(SCHEMA, temporary)
    for suffix, text in texts.items():
        with atomic_write(base.with_suffix(suffix)) as temporary:
            temporary.write_text(text, encoding=ENCODING)


def last_report(base: Path) -> object:
    """Read the report that was published last; None if there is none or it cannot be read."""
    try:
        return json.loads(base.with_suffix(".json").read_text(encoding=ENCODING))
    except (OSError, ValueError):
        return None
