"""The report's page as people see it: in a real Chromium, on a phone and a desktop, light and dark, and on paper."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute
import pytest
from playwright.sync_api import Browser, Page

from customer_assets.export import DataExporter
from customer_assets.processing.engines import open_engine
from customer_assets.processing.schemas import CLEAN_SCHEMA
from customer_assets.report.files import publish_report
from customer_assets.report.history import RUNS
from customer_assets_tests.harness.machines.chromium import DESKTOP, PHONE, keep_screenshot, violations
from customer_assets_tests.harness.reports.report_documents import NOW, report_of, verdict

pytestmark = pytest.mark.service

SMALL, LARGE = 12, 1_000_000
LARGEST_PAGE_BYTES = 300_000

pc: Any = pyarrow.compute


def customers(count: int) -> pa.Table:
    """Make clean customers of every kind, column by column; some domains are long and strange."""
    numbers = pa.array(range(count), pa.int64())

    def spread(*values: str | int) -> Any:
        return pa.array(list[Any](values)).take(
            pc.bit_wise_and(pc.multiply(numbers, 2_654_435_761), 2**31 - 1).cast("int64").to_numpy() % len(values)
        )

    columns = {
        "customer_id": numbers,
        "full_name": spread("Ada Lovelace", "Zoë", "李小龍"),
        "email_domain": spread(
            "example.org",
            "an-uncommonly-long-company-name.customers.example.co.uk",
            "bücher.example",
            '<b>&".example',
            "unknown",
            *(f"company-{number}.example" for number in range(20)),
        ),
        "engagement_level": spread("high", "medium", "low", "unknown"),
        "activity_status": spread("active", "active", "inactive", "unknown"),
        "acquisition_channel": spread("website", "mobile_app", "email_campaign"),
        "market_segment": spread("US-West", "US-East", "EU-Central", "APAC"),
        "customer_tier": spread("basic", "premium", "enterprise"),
        "data_quality_score": spread(100, 100, 100, 100, 90, 90, 80, 70, 60, 50, 40),
    }
    return pa.table(columns, schema=CLEAN_SCHEMA)


@pytest.fixture(scope="module", params=[SMALL, LARGE], ids=["12 customers", "1 million customers"])
def published_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish a report with everything on it: a month of runs, failed checks, extra fields, generated values."""
    base = tmp_path_factory.mktemp("export") / "summary_report"
    engine = open_engine("duckdb")
    sums = DataExporter(engine).generate_summary_report(engine.from_arrow(customers(request.param)))
    assert sums["total_customers"] == request.param
    sums["extra_fields"] = {
        "country": {"filled": request.param, "values": {"an-uncommonly-long-value-of-a-field": request.param}},
        "a_field_with_a_very_long_name_indeed": {"filled": 0, "values": None},
    }
    report = None
    for day in range(RUNS):
        report = report_of(
            sums,
            previous=report,
            merged=day % 7,
            generated_at=NOW + timedelta(days=day),
            generated={"customer_tier": 1, "market_segment": 10**9},
            verdicts=[
                verdict(),
                verdict("customer_id_is_unique", "WARN", description="An uncommonly long finding. " * 5),
                verdict("rejected_share_within_limit", "ERROR", score=0.0625, threshold=0.05),
            ],
        )
    assert report is not None
    assert len(report["history"]) == RUNS
    publish_report(report, base)
    return base.with_suffix(".html")


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Literal["light", "dark"]:
    """Choose the colour scheme that the reader's system asks for."""
    return "dark" if request.param == "dark" else "light"


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def opened(
    request: pytest.FixtureRequest, browser: Browser, published_page: Path, scheme: Literal["light", "dark"]
) -> Iterator[Page]:
    """Open the page; any request to the network and any complaint in the console fails the test."""
    with browser.new_context(viewport=request.param, color_scheme=scheme) as context:
        page = context.new_page()
        requested, complaints = [], []
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(published_page.as_uri())
        yield page
        assert requested == [published_page.as_uri()]
        assert complaints == []


def test_everybody_can_read_the_page(
    opened: Page, published_page: Path, scheme: str, request: pytest.FixtureRequest
) -> None:
    """axe-core finds nothing, nothing scrolls sideways, and the page is small."""
    keep_screenshot(opened, f"report {request.node.callspec.id}".replace(" ", "-"))
    assert violations(opened) == []
    wide, shown = opened.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= shown
    background = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background[4:-1].split(","))
    assert (brightness > 384) is (scheme == "light")
    assert published_page.stat().st_size < LARGEST_PAGE_BYTES


def test_every_chart_has_its_words(opened: Page) -> None:
    """A picture has a name and a description; one that repeats a table is hidden from screen readers."""
    for chart in opened.locator("svg").all():
        if chart.get_attribute("aria-hidden") != "true":
            assert chart.get_attribute("role") == "img"
            assert chart.locator("> title").text_content()
            assert "100 points:" in (chart.locator("> desc").text_content() or "")
        else:
            assert chart.locator("xpath=ancestor::section").locator("table").count() == 1


def test_the_verdict_is_seen_first(opened: Page) -> None:
    """Every check with its result, score and threshold, above all figures."""
    verdict = opened.get_by_role("table", name="Quality checks")
    assert verdict.get_by_role("row").count() == 4
    row = verdict.get_by_role("row", name="Rejected share within limit")
    assert [cell.inner_text() for cell in row.get_by_role("cell").all()] == ["failed", "6.3 %", "5.0 %"]
    above, below = verdict.bounding_box(), opened.get_by_label("Headline figures").bounding_box()
    assert above
    assert below
    assert above["y"] < below["y"]


def test_technical_details_are_folded(opened: Page) -> None:
    """Who wants them opens them."""
    assert not opened.get_by_text("Throttled").is_visible()
    opened.get_by_text("Technical details").click()
    assert opened.get_by_text("Throttled").is_visible()
    assert violations(opened) == []


def test_the_page_works_without_script_and_on_paper(browser: Browser, published_page: Path) -> None:
    """The headline is there; in print, black on white, nothing is cut off or folded."""
    with browser.new_context(java_script_enabled=False, color_scheme="dark") as context:
        page = context.new_page()
        page.goto(published_page.as_uri())
        assert "customers, mean data quality" in (page.locator("h1").text_content() or "")
    with browser.new_context(color_scheme="dark", viewport={"width": 700, "height": 1000}) as context:
        page = context.new_page()
        page.emulate_media(media="print")
        page.goto(published_page.as_uri())
        keep_screenshot(page, f"report-printed-{published_page.parent.name}")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.locator("details:visible").count() == 0
        assert page.pdf(format="A4").startswith(b"%PDF")
