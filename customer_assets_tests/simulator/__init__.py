"""Tests of `customer_assets.simulator`."""
