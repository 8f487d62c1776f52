"""Frames in, frames out: landing, rules, quality, engines."""

from customer_assets.processing.processor import CustomerDataProcessor

__all__ = ["CustomerDataProcessor"]
