"""Fixtures of the processing unit tests."""

from customer_assets_tests.harness.records.engines import as_of, engine

__all__ = ["as_of", "engine"]
