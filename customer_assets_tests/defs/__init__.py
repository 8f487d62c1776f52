"""Tests of `customer_assets.defs`."""
