"""Customers' values cannot act as markup where people read them: in Markdown, as the UI renders it, and in HTML."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from markdown_it import MarkdownIt

from customer_assets.definitions import build_definitions
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer

SHOWN_FROM = 5
"""A domain that this many customers share is named in the report."""

DOMAINS = [
    "<script>alert(1)</script>.example",
    "<img/src=x/onerror=alert(1)>.example",
    "[click](javascript:alert(1)).example",
    "![x](http://evil.example/x.png)",
    "<http://evil.example>",
    "http://evil.example/x.html",
    "www.evil.example",
    "`code`.example",
    "```mermaid.example",
    "a|b|c.example",
    "**bold**.__example__.x",
    "&lt;script&gt;.example",
    "\\<b\\>.example",
    "=1+1.example",
]
AUTOLINKED = re.compile(r"(?:https?://|www\.|mailto:|@)[-.\w]", re.IGNORECASE)
"""Plain text that GitHub's Markdown, and so Dagster's UI, turns into a link by itself."""


class Read(HTMLParser):
    """Collects an HTML document's elements, attributes, and text outside code."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text, self._code = "", 0
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        """Note its end."""
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        """Note text outside code."""
        self.text += "" if self._code else data


@pytest.fixture
def reports(serve_api: Callable[[PlainAPI], PlainAPI], resources: Callable[..., dict[str, Any]]) -> Path:
    """Publish the reports on customers of such domains, with enough of each for the domain to be named."""
    emails = [f"a{number}@{domain}" for domain in DOMAINS for number in range(SHOWN_FROM)]
    records = [customer(number, email=email) for number, email in enumerate(emails, start=1)]
    made = resources(serve_api(PlainAPI(records, per_page=100)))
    job = build_definitions(**made).resolve_job_def("customer_sync_job")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, raise_on_error=False).success
    return Path(made["data_directory"].export_file).parent


def test_no_domain_acts_in_a_report(reports: Path) -> None:
    """No element, link or picture, no additional row or column; the domains are still readable."""
    text = (reports / "summary_report.md").read_text(encoding="utf-8")
    read = Read(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    assert not read.tags & {"script", "img", "a", "b", "strong em", "pre", "svg", "iframe", "style"}
    assert not read.attributes - {"style", "src", "alt"}
    assert AUTOLINKED.findall(read.text) == []
    assert "evil" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {3, 4, 5, 6}


def test_no_domain_acts_on_the_page(reports: Path) -> None:
    """The same in the HTML report: no script, no handler, no link made by a customer's domain."""
    document = (reports / "summary_report.html").read_text(encoding="utf-8")
    read = Read(document)
    assert not read.tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert not {name for name in read.attributes if name.startswith("on") or name in ("srcdoc", "formaction")}
    assert "javascript:" not in re.sub("<[^>]*>", "", document).replace("[click](javascript:alert(1))", "")
    assert re.findall(r"<[^>]*evil\.example[^>]*>", document) == []
    assert "evil.example" in document
