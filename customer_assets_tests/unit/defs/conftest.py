"""Fixtures of the unit tests of Dagster definitions."""

from customer_assets_tests.harness.job_runs import instance
from customer_assets_tests.harness.plain_api import resources, serve_api

__all__ = ["instance", "resources", "serve_api"]
