"""A real browser for tests: Debian's Chromium, driven by Playwright, with axe-core to check accessibility.

A `conftest.py` offers the fixture `browser`. Modules that use it carry the mark `service`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from customer_assets_tests.harness.machines.services import need

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}

SCREENSHOTS = "CUSTOMER_TEST_SCREENSHOTS"
"""The variable that names a directory for screenshots. Unset: none are kept."""

NO_SANDBOX = "--no-sandbox"
"""Chromium's sandbox refuses to run as root, and CI runs as root."""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a headless Chromium. Playwright's event loop occupies this thread, so the block cannot call `asyncio.run`."""
    program = need("chromium", "chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=[NO_SANDBOX])
        try:
            yield chromium
        finally:
            chromium.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium shared by the tests of one module. Each test opens its own pages."""
    with running_chromium() as chromium:
        yield chromium


def violations(page: Page) -> list[str]:
    """Run all of axe-core's rules on the page as it is now; return one line per violation: rule, meaning, element."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert found["passes"], "axe-core checked nothing"
    return [
        f"{violation['id']}: {violation['help']}: {node['target']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def keep_screenshot(page: Page, name: str) -> None:
    """Save a screenshot of the whole page if `CUSTOMER_TEST_SCREENSHOTS` names a directory."""
    folder = os.environ.get(SCREENSHOTS)
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
