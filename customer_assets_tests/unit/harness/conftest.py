"""Fixtures of the harness's own tests."""

from customer_assets_tests.harness.machines.chromium import browser

__all__ = ["browser"]
