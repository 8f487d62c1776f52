"""The page: one file, nothing in it acts, nothing is fetched."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from customer_assets.errors import PublishError
from customer_assets.export import DataExporter
from customer_assets.report.aggregates import FEWEST_PER_DOMAIN
from customer_assets.report.document import SCHEMA_FILE
from customer_assets.report.files import SCHEMA, last_report, publish_report
from customer_assets.report.html import page, picture
from customer_assets_tests.harness.clean_customers import clean_customer
from customer_assets_tests.harness.report_documents import report_of

HOSTILE = "</style><script>alert(1)</script><img src=x onerror='x'>\"&.org"


def report(count: int = 12, **fields: Any) -> dict[str, Any]:
    """A full report on some customers."""
    return report_of(DataExporter().generate_summary_report([clean_customer(n, **fields) for n in range(count)]))


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.attributes.extend(attrs)


def test_a_domain_cannot_act_as_markup() -> None:
    """Every value is escaped: the same tags and attributes as with a harmless domain, one row for one row."""
    harmless, hostile = (
        Tags(page(report(FEWEST_PER_DOMAIN, email_domain=domain), {})) for domain in ("example.org", HOSTILE)
    )
    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes


def test_the_page_needs_nothing_else() -> None:
    """No script, no handler, no address but those of the files beside it."""
    found = Tags(page(report(), {"as JSON": "summary_report.json"}))
    assert not found.tags & {"script", "img", "iframe", "link", "object", "embed", "form"}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert [value for name, value in found.attributes if name in ("href", "src")] == ["summary_report.json"]
    assert "url(" not in page(report(), {})


def test_the_same_report_gives_the_same_bytes() -> None:
    """No clock, no dice."""
    assert page(report(), {}) == page(report(), {})


@pytest.mark.smoke
def test_the_page_tells_what_the_report_holds() -> None:
    """Headline, change, defects, reasons, crawl."""
    text = re.sub(r"<[^>]*>", " ", page(report(), {}))
    for told in (
        "12 customers, mean data quality 100.0 of 100",
        "3 added, 2 changed, 1 gone, 7 unchanged",
        "Engagement score supplied, not usable",
        "Record is no object",
        "Throttled (429)",
    ):
        assert told in text


def test_the_picture_is_an_image_of_its_own() -> None:
    """A well-formed SVG in a data URI, without script, its text alternative before it."""
    found = re.fullmatch(r"!\[Customers by data quality score\]\(data:image/svg\+xml;base64,(.*)\)", picture(report()))
    assert found
    svg = ET.fromstring(base64.b64decode(found[1]))  # noqa: S314 - our own
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(svg.findall("{*}rect")) == 2


def test_a_report_is_published_whole(tmp_path: Path) -> None:
    """HTML, Markdown, JSON and its schema, for their owner only; nothing else is left."""
    base = tmp_path / "export" / "summary_report"
    made = report()
    for _ in range(2):
        publish_report(made, base)
    names = {path.name for path in base.parent.iterdir()}
    assert names == {"summary_report.json", "summary_report.md", "summary_report.html", SCHEMA_FILE}
    assert {path.stat().st_mode & 0o777 for path in base.parent.iterdir()} == {0o600}
    assert last_report(base) == made
    assert base.with_name(SCHEMA_FILE).read_bytes() == SCHEMA.read_bytes()


def test_a_report_that_cannot_be_published_is_an_error(tmp_path: Path) -> None:
    """Which names the file; the last report stays."""
    base = tmp_path / "summary_report"
    publish_report(report(3), base)
    base.with_suffix(".html").unlink()
    base.with_suffix(".html").mkdir()
    with pytest.raises(PublishError, match=r"summary_report\.html"):
        publish_report(report(4), base)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"null"])
def test_a_last_report_that_cannot_be_read_is_none(tmp_path: Path, content: bytes | None) -> None:
    """It must not stop a sync."""
    if content is not None:
        (tmp_path / "summary_report.json").write_bytes(content)
    assert last_report(tmp_path / "summary_report") is None
