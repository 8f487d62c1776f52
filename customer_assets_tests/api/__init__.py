"""Tests of `customer_assets.api`."""
