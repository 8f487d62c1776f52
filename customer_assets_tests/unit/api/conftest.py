"""Fixtures of the client's unit tests."""

from customer_assets_tests.harness.apis.scripted_server import serve_script

__all__ = ["serve_script"]
