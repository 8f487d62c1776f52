"""The browser fixture: it sees what is there."""

import pytest
from playwright.sync_api import Browser

from customer_assets_tests.harness.machines.chromium import violations

pytestmark = pytest.mark.service


def test_breaches_are_found_and_told(browser: Browser) -> None:
    """A page without a title and language, and a picture without words."""
    page = browser.new_page()
    page.set_content("<html><body><main><h1>Hello</h1><img src='data:,'></main></body></html>")
    rules = {breach.partition(":")[0] for breach in violations(page)}
    assert {"document-title", "html-has-lang", "image-alt"} <= rules
    page.set_content("<html lang='en'><title>T</title><body><main><h1>Hello</h1></main></body></html>")
    assert violations(page) == []
    page.close()
