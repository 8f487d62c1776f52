"""Fixtures of the scenarios."""

from customer_assets_tests.harness.chromium import browser
from customer_assets_tests.harness.command_line import sync_environ
from customer_assets_tests.harness.engines import as_of, engine
from customer_assets_tests.harness.file_operations import store_operations
from customer_assets_tests.harness.job_runs import instance
from customer_assets_tests.harness.plain_api import resources, serve_api
from customer_assets_tests.harness.scripted_server import serve_script

__all__ = [
    "as_of",
    "browser",
    "engine",
    "instance",
    "resources",
    "serve_api",
    "serve_script",
    "store_operations",
    "sync_environ",
]
