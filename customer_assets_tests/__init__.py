"""The tests of customer_assets, laid out as its rooms are."""
