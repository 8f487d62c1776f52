"""The browser for tests: Debian's Chromium, driven by Playwright, with axe-core for what would stop a screen reader.

A `conftest.py` imports the fixture `browser`; a module that uses it carries the mark `service`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from customer_assets_tests.harness.services import need

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}

SCREENSHOTS = "CUSTOMER_TEST_SCREENSHOTS"
"""Names the directory for screenshots; none are kept if it is unset."""

NO_SANDBOX = "--no-sandbox"
"""Chromium's own sandbox refuses to run as root, as CI does."""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a headless Chromium. Playwright's event loop runs in this thread meanwhile: no `asyncio.run` beside it."""
    program = need("chromium", "chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=[NO_SANDBOX])
        try:
            yield chromium
        finally:
            chromium.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of one module; each opens pages of its own."""
    with running_chromium() as chromium:
        yield chromium


def violations(page: Page) -> list[str]:
    """Run all of axe-core's rules on what the page shows now; tell each breach: rule, what it means, where."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert found["passes"], "axe-core looked at nothing"
    return [
        f"{breach['id']}: {breach['help']}: {node['target']}"
        for breach in found["violations"]
        for node in breach["nodes"]
    ]


def keep_screenshot(page: Page, name: str) -> None:
    """Keep a picture of the whole page, if `CUSTOMER_TEST_SCREENSHOTS` names a directory."""
    folder = os.environ.get(SCREENSHOTS)
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
