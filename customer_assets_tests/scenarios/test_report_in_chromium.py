"""The page as a person sees it: in a real Chromium, on a phone and a desk, in light and dark, on paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute
import pytest
from playwright.sync_api import Browser, Page

from customer_assets.export import DataExporter
from customer_assets.processing.engines import CLEAN_SCHEMA, open_engine
from customer_assets.report.files import publish_report
from customer_assets_tests.harness.chromium import DESKTOP, PHONE, keep_screenshot, violations
from customer_assets_tests.harness.report_documents import report_of

pytestmark = pytest.mark.service

SMALL, LARGE = 12, 1_000_000
LARGEST_PAGE_BYTES = 300_000

pc: Any = pyarrow.compute


def customers(count: int) -> pa.Table:
    """Clean customers of every kind, made column by column; some domains are long and strange."""
    numbers = pa.array(range(count), pa.int64())

    def dealt(*values: str | int) -> Any:
        return pa.array(list[Any](values)).take(
            pc.bit_wise_and(pc.multiply(numbers, 2_654_435_761), 2**31 - 1).cast("int64").to_numpy() % len(values)
        )

    columns = {
        "customer_id": numbers,
        "full_name": dealt("Ada Lovelace", "Zoë", "李小龍"),
        "email_domain": dealt(
            "example.org",
            "an-uncommonly-long-company-name.customers.example.co.uk",
            "bücher.example",
            '<b>&".example',
            "unknown",
            *(f"company-{number}.example" for number in range(20)),
        ),
        "engagement_level": dealt("high", "medium", "low", "unknown"),
        "activity_status": dealt("active", "active", "inactive", "unknown"),
        "acquisition_channel": dealt("website", "mobile_app", "email_campaign"),
        "market_segment": dealt("US-West", "US-East", "EU-Central", "APAC"),
        "customer_tier": dealt("basic", "premium", "enterprise"),
        "data_quality_score": dealt(100, 100, 100, 100, 90, 90, 80, 70, 60, 50, 40),
    }
    return pa.table(columns, schema=CLEAN_SCHEMA)


@pytest.fixture(scope="module", params=[SMALL, LARGE], ids=["12 customers", "1 million customers"])
def published_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a report on so many customers, with an earlier report to compare with."""
    base = tmp_path_factory.mktemp("export") / "summary_report"
    engine = open_engine("duckdb")
    sums = DataExporter(engine).generate_summary_report(engine.from_arrow(customers(request.param)))
    assert sums["total_customers"] == request.param
    publish_report(report_of(sums, previous=report_of(sums, merged=9)), base)
    return base.with_suffix(".html")


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Literal["light", "dark"]:
    """What the person's system asks for."""
    return "dark" if request.param == "dark" else "light"


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def opened(
    request: pytest.FixtureRequest, browser: Browser, published_page: Path, scheme: Literal["light", "dark"]
) -> Iterator[Page]:
    """The page, opened; whatever it asks the network for, or complains about, fails the test."""
    with browser.new_context(viewport=request.param, color_scheme=scheme) as context:
        page = context.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(published_page.as_uri())
        yield page
        assert asked == [published_page.as_uri()]
        assert complaints == []


def test_the_page_is_legible_by_everybody(
    opened: Page, published_page: Path, scheme: str, request: pytest.FixtureRequest
) -> None:
    """axe-core finds nothing, nothing needs scrolling sideways, and it is light to load."""
    keep_screenshot(opened, f"report {request.node.callspec.id}".replace(" ", "-"))
    assert violations(opened) == []
    wide, shown = opened.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= shown
    background = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background[4:-1].split(","))
    assert (brightness > 384) is (scheme == "light")
    assert published_page.stat().st_size < LARGEST_PAGE_BYTES


def test_every_chart_has_its_words(opened: Page) -> None:
    """A picture is named and described; one that a table says in full is passed over."""
    for chart in opened.locator("svg").all():
        if chart.get_attribute("aria-hidden") != "true":
            assert chart.get_attribute("role") == "img"
            assert chart.locator("> title").text_content()
            assert "100 points:" in (chart.locator("> desc").text_content() or "")
        else:
            assert chart.locator("xpath=ancestor::section").locator("table").count() == 1


def test_the_page_works_without_script_and_on_paper(browser: Browser, published_page: Path) -> None:
    """The headline is there; printed, black on white, nothing is cut off."""
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
        assert page.pdf(format="A4").startswith(b"%PDF")
