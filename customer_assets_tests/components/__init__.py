"""Tests of `customer_assets.components`."""
