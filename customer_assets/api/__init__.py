"""The third party's REST API, read page by page: whole, politely and as fast as it allows."""

from customer_assets.api.client import CustomerAPIClient
from customer_assets.api.figures import CrawlFigures
from customer_assets.api.passes import PageSink

__all__ = ["CrawlFigures", "CustomerAPIClient", "PageSink"]
