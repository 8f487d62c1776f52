"""Fixtures of the export's unit tests."""

from customer_assets_tests.harness.records.engines import engine

__all__ = ["engine"]
