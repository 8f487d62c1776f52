"""Tests of `customer_assets.export`."""
