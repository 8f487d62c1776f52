"""Tests of `customer_assets.processing`."""
