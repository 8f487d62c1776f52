"""What the export's tests share: each engine, and a Chromium."""

from customer_assets_tests.chromium import browser
from customer_assets_tests.processing.conftest import engine

__all__ = ["browser", "engine"]
