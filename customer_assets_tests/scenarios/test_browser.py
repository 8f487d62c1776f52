"""The Dagster UI as a newcomer walks through it, in a real Chromium."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, customer
from customer_assets_tests.harness.machines.chromium import browser, keep_screenshot
from customer_assets_tests.harness.machines.command_line import BIN, PROJECT, environment
from customer_assets_tests.harness.machines.services import free_port, wait_until
from customer_assets_tests.harness.machines.ui import UI

__all__ = ["browser"]

Serve = Callable[[PlainAPI], PlainAPI]

WINDOW = ViewportSize(width=1920, height=1080)
"""The lineage shows counts and states only in a window at least this wide."""

START_S = 180
A_RUN_MS = 180_000
A_PAGE_MS = 60_000

SHOWN: dict[str, dict[str, str]] = {
    "raw_customers": {"records": "12", "unique_customers": "12", "rejected": "0", "missing_customers": "0"},
    "clean_customers": {"landed": "12", "clean": "12", "mean_quality": "100", "low_quality_share": "0"},
    "customer_export": {"total_customers": "12", "high_quality": "12", "low_quality": "0"},
    "summary_report": {"total_customers": "12", "mean_score": "100"},
}
"""Metadata of each asset's latest materialization after a sync of the embedded simulator's customers."""

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]


def test_a_newcomer_walks_through_the_ui(browser: Browser, serve_api: Serve, tmp_path: Path) -> None:
    """Sync all, look at each asset, see the gate refuse bad data, switch the schedule on, open the report."""
    export = tmp_path / "data" / "export" / "customers.json"
    spoilt = serve_api(
        PlainAPI([customer(n, email=None, first_name="", last_name=" ", avatar=None) for n in range(1, 13)])
    )
    keys = {"CUSTOMER_API_KEY": "another", "SPOILT_KEY": KEY, "CUSTOMER_API_RUN_KEYS": f"SPOILT_KEY={spoilt.url}"}
    with dagster_dev(tmp_path, **keys) as address, opened(browser, address) as page:
        page.get_by_role("button", name="Skip").click()
        materialize_all(page)
        for name, figures in SHOWN.items():
            open_asset(page, address, name, figures)
        open_report(page)
        open_published_report(page, export.with_name("summary_report.html"))
        good = export.read_bytes()
        sync_from(page, address, spoilt.url)
        gate_is_shut(page, address)
        assert export.read_bytes() == good
        switch_the_schedule_on(page)


WITH_A_FIELD = """
name: acme
api:
  base_url: {url}
  key_variable: CUSTOMER_API_KEY
  record: {{fields: {{country: {{from: address.country}}}}}}
data_directory: {folder}/data
"""
FROM_YAML = """
from pathlib import Path
from dagster.components.core.component_tree import ComponentTree
from customer_assets.components import CustomerSyncComponent
text = Path(__file__).with_name("acme.yaml").read_text(encoding="utf-8")
defs = CustomerSyncComponent.resolve_from_yaml(text).build_defs(ComponentTree.for_test().load_context)
"""
COUNTRIES = ["Austria", "Bhutan"] * 6


def test_a_field_added_in_yaml_alone_is_seen_everywhere(browser: Browser, serve_api: Serve, tmp_path: Path) -> None:
    """In the export, in the columns that the UI shows, and in the report."""
    records = [customer(number, address={"country": COUNTRIES[number - 1]}) for number in range(1, 13)]
    api = serve_api(PlainAPI(records))
    (tmp_path / "acme.yaml").write_text(WITH_A_FIELD.format(url=api.url, folder=tmp_path), encoding="utf-8")
    (tmp_path / "acme.py").write_text(FROM_YAML, encoding="utf-8")
    project = ("-f", str(tmp_path / "acme.py"))
    with dagster_dev(tmp_path, *project, CUSTOMER_API_KEY=KEY) as address, opened(browser, address) as page:
        page.get_by_role("button", name="Skip").click()
        materialize_all(page)
        page.goto(f"{address}/assets/acme/customer_export")
        expect(page.get_by_text("country", exact=True).first).to_be_visible()
        keep_screenshot(page, "a_field_of_the_users_own")
    exported = json.loads((tmp_path / "data" / "export" / "customers.json").read_bytes())["customers"]
    assert sorted(each["country"] for each in exported) == sorted(COUNTRIES)
    with closing(browser.new_page()) as page:
        page.goto((tmp_path / "data" / "export" / "summary_report.html").as_uri())
        expect(page.get_by_text("country", exact=False).first).to_be_visible()


@contextmanager
def dagster_dev(folder: Path, *project: str, **environ: str) -> Iterator[str]:
    """Run `dagster dev` in a home of its own until the block ends; yield its URL once it shows the assets."""
    home, port = folder / "home", free_port()
    home.mkdir()
    with subprocess.Popen(
        [BIN / "dagster", "dev", "--port", str(port), *project],
        cwd=PROJECT,
        env=environment(folder, DAGSTER_HOME=str(home), **environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            wait_until(UI(port).is_loaded, START_S, "dagster dev shows no code location")
            yield f"http://127.0.0.1:{port}"
            server.terminate()
            server.wait(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)  # left by a failed test or a stubborn service


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """Open a window, and close it before the web server is stopped: the server waits for open connections."""
    with closing(browser.new_page(viewport=WINDOW)) as page:
        page.set_default_timeout(A_PAGE_MS)
        expect.set_options(timeout=A_PAGE_MS)
        page.goto(address)
        yield page


def materialize_all(page: Page) -> None:
    """Click Materialize all, and wait for green: every asset, every check."""
    page.get_by_role("link", name="Lineage", exact=False).last.click()
    page.get_by_role("button", name="Materialize all").click()
    graph = page.locator("foreignObject")
    expect(graph.get_by_text("Materialized", exact=True)).to_have_count(4, timeout=A_RUN_MS)
    for checks in ("8 / 8 Passed", "1 / 1 Passed"):
        expect(graph.get_by_text(checks).first).to_be_visible(timeout=A_RUN_MS)
    expect(graph.get_by_text("1 / 1 Passed")).to_have_count(2)
    keep_screenshot(page, "lineage")


def open_asset(page: Page, address: str, name: str, figures: dict[str, str]) -> None:
    """Open an asset's page, and read the figures of its latest materialization."""
    page.goto(f"{address}/assets/{name}")
    for key, value in figures.items():
        expect(metadata(page, key)).to_have_text(value)
    keep_screenshot(page, f"asset_{name}")


def metadata(page: Page, key: str) -> Locator:
    """Find the value beside this key in the table of metadata."""
    return page.get_by_role("row").filter(has=page.get_by_text(key, exact=True)).get_by_role("cell").last


def open_report(page: Page) -> None:
    """Open the report that the asset's page shows."""
    page.get_by_text("[Show Markdown]").click()
    report = page.get_by_role("dialog")
    expect(report.get_by_role("heading", name="Customers")).to_be_visible()
    expect(report.get_by_role("heading", name="Market segment")).to_be_visible()
    keep_screenshot(page, "report_in_the_ui")
    report.get_by_role("button", name="Close").click()


def open_published_report(page: Page, file: Path) -> None:
    """Open the published page, to which the asset's metadata leads."""
    expect(metadata(page, "page")).to_contain_text(str(file))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text("12 customers")
    expect(page.get_by_role("heading", name="Market segment")).to_be_visible()
    keep_screenshot(page, "report")


def sync_from(page: Page, address: str, base_url: str) -> None:
    """Materialize all from the launchpad with another API and its own key; the launchpad must not show a key."""
    page.goto(f"{address}/asset-groups")
    page.locator("button:right-of(:text('Materialize all'))").first.click()
    page.get_by_text("Open launchpad").click()
    launchpad = page.get_by_role("dialog")
    editor = launchpad.locator(".CodeMirror").last
    expect(launchpad.get_by_text("No errors")).to_be_visible()
    config = str(editor.evaluate("each => each.CodeMirror.getValue()"))
    assert KEY not in config
    edited = config.replace('base_url: ""', f"base_url: {base_url}")
    edited = edited.replace("key_variable: CUSTOMER_API_KEY", "key_variable: SPOILT_KEY")
    assert "SPOILT_KEY" in edited
    assert base_url in edited
    editor.evaluate("(each, text) => each.CodeMirror.setValue(text)", edited)
    launchpad.get_by_role("button", name=re.compile("Materialize$")).click()
    expect(page).to_have_url(re.compile("/runs/"))
    expect(page.get_by_text("Failure", exact=True).first).to_be_visible(timeout=A_RUN_MS)
    keep_screenshot(page, "failed_run")


def gate_is_shut(page: Page, address: str) -> None:
    """See which check is red, its score beside its threshold."""
    page.goto(f"{address}/assets/clean_customers?view=checks&checkDetail=mean_quality_meets_threshold")
    expect(page.get_by_text("the mean score 60.00 is below the floor 80")).to_be_visible()
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    keep_screenshot(page, "gate")


def switch_the_schedule_on(page: Page) -> None:
    """Find the schedule under Automation and switch it on: it shows when it runs next."""
    page.get_by_text("Automation", exact=True).first.click()
    page.get_by_text("daily_customer_sync").click()
    running = page.get_by_role("row", name="Running")
    running.locator("label").click()
    expect(running.get_by_role("checkbox")).to_be_checked()
    expect(page.get_by_role("row", name="Next tick")).to_contain_text("3:00")
    keep_screenshot(page, "schedule")
