"""Synchronise customers from a hostile REST API into clean, scored, trustworthy analytics data."""
