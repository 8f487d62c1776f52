"""Fixtures of the harness's own tests."""

from customer_assets_tests.harness.machines.chromium import browser
from customer_assets_tests.harness.machines.warm_programs import warm_programs

__all__ = ["browser", "warm_programs"]
