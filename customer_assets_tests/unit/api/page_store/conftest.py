"""Fixtures of the page stores' unit tests."""

from customer_assets_tests.harness.machines.page_stores import redis_url

__all__ = ["redis_url"]
