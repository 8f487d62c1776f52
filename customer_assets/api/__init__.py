"""The third party's REST API, read page by page: whole, politely and as fast as it allows."""

from customer_assets.api.client import CustomerAPIClient
from customer_assets.api.crawl.consistency import PageSink
from customer_assets.api.runner.stats import CrawlStats

__all__ = ["CrawlStats", "CustomerAPIClient", "PageSink"]
