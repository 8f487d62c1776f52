"""The page: one file, nothing in it acts, nothing is fetched."""

import base64
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from customer_assets.report.aggregates import FEWEST_PER_VALUE
from customer_assets.report.html import page, picture
from customer_assets_tests.harness.reports.report_documents import NOW, report_of, sums, verdict

HOSTILE = "</style><script>alert(1)</script><img src=x onerror='x'>\"&.org"


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


def text_of(report: dict[str, Any]) -> str:
    """Return the page's text, without tags and with single spaces."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page(report, {}), flags=re.DOTALL).split())


def test_a_domain_cannot_act_as_markup() -> None:
    """Every value is escaped: a hostile domain gives the same tags and attributes as a harmless one."""
    harmless, hostile = (
        Tags(page(report_of(sums(FEWEST_PER_VALUE, email_domain=domain)), {})) for domain in ("example.org", HOSTILE)
    )
    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes


def test_no_value_can_act_as_markup() -> None:
    """Neither an extra field's name or value, a check's finding, nor the source."""

    def report(text: str) -> dict[str, Any]:
        extra = {text: {"filled": 9, "values": {text: 9}}}
        return report_of({**sums(), "extra_fields": extra}, verdicts=[verdict(text, description=text)], source=text)

    harmless, hostile = (Tags(page(report(text), {})) for text in ("x", HOSTILE))
    assert hostile.tags == harmless.tags
    labels = {"aria-label"}  # a table is labelled with its field
    kept = [[(name, value) for name, value in tags.attributes if name not in labels] for tags in (harmless, hostile)]
    assert kept[0] == kept[1]


def test_the_page_needs_nothing_else() -> None:
    """No script, no handler, no URL but those of the files beside it."""
    found = Tags(page(report_of(sums()), {"as JSON": "summary_report.json"}))
    assert not found.tags & {"script", "img", "iframe", "link", "object", "embed", "form"}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert [value for name, value in found.attributes if name in ("href", "src")] == ["summary_report.json"]
    assert "url(" not in page(report_of(sums()), {})


def test_the_same_report_gives_the_same_bytes() -> None:
    """No clock, no randomness."""
    assert page(report_of(sums()), {}) == page(report_of(sums()), {})


@pytest.mark.smoke
def test_the_page_shows_what_the_report_holds() -> None:
    """Verdict, headline, changes, completeness, reasons, crawl."""
    text = text_of(report_of(sums()))
    for shown in (
        "12 customers, mean data quality 100.0 of 100",
        "These customers are not real: they come from the embedded simulator.",
        "Good, and published",
        "Mean quality meets threshold The mean score 96.25 meets the target 90 passed 96.3 90",
        "3 added, 2 changed, 1 gone, 7 unchanged",
        "Customer tier generated",
        "Completeness by field",
        "Record is not an object",
        "Throttled",
    ):
        assert shown in text


def test_refused_data_is_marked_in_title_and_verdict() -> None:
    """Nobody mistakes it for what was published."""
    refused = report_of(sums(), verdicts=[verdict(severity="ERROR")])
    assert "<title>Customers: summary report (not published)</title>" in page(refused, {})
    assert "Not published 1 of 1 check failed. The last good export stays in place." in text_of(refused)
    assert "not published" not in text_of(report_of(sums()))


def test_the_course_of_the_last_runs_is_drawn() -> None:
    """Once there are two; every point is in the table as well."""
    first = report_of(sums(9), verdicts=[verdict(severity="ERROR")])
    assert " runs " not in text_of(first)
    second = report_of(sums(12), previous=first, generated_at=NOW + timedelta(days=1))
    assert "The last 2 runs Customers from 9 to 12" in text_of(second)
    assert "26 November 2026, 03:00 UTC 12 100.0 0 2" in text_of(second)
    assert "25 November 2026, 03:00 UTC, not published 9 100.0 0 2" in text_of(second)
    assert page(second, {}).count("<polyline ") == 4


def test_the_picture_is_a_standalone_image() -> None:
    """A well-formed SVG in a data URI, without script, with a text alternative."""
    found = re.fullmatch(
        r"!\[Customers by data quality score\]\(data:image/svg\+xml;base64,(.*)\)", picture(report_of(sums()))
    )
    assert found
    svg = ET.fromstring(base64.b64decode(found[1]))  # noqa: S314 - our own
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(svg.findall("{*}rect")) == 2
