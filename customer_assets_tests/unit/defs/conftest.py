"""Fixtures of the unit tests of Dagster definitions."""

from customer_assets_tests.harness.apis.plain_api import resources, serve_api
from customer_assets_tests.harness.job_runs import empty_dagster_home, home, instance

__all__ = ["empty_dagster_home", "home", "instance", "resources", "serve_api"]
