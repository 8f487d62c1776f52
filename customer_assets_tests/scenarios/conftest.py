"""Fixtures of the scenarios."""

from customer_assets_tests.harness.apis.plain_api import resources, serve_api
from customer_assets_tests.harness.apis.scripted_server import serve_script
from customer_assets_tests.harness.job_runs import instance
from customer_assets_tests.harness.machines.chromium import browser
from customer_assets_tests.harness.machines.command_line import sync_environ
from customer_assets_tests.harness.machines.warm_programs import warm_programs
from customer_assets_tests.harness.records.engines import as_of, engine
from customer_assets_tests.harness.storage.file_operations import store_operations
from customer_assets_tests.harness.storage.interrupted_sync import site, store_site
from customer_assets_tests.harness.storage.process_store import process_store

__all__ = [
    "as_of",
    "browser",
    "engine",
    "instance",
    "process_store",
    "resources",
    "serve_api",
    "serve_script",
    "site",
    "store_operations",
    "store_site",
    "sync_environ",
    "warm_programs",
]
