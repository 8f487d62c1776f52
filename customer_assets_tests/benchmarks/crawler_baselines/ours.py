"""This package's crawl: into a set of ids, or stored and landed as Parquet."""

from pathlib import Path
from typing import Any

from customer_assets.api import CustomerAPIClient
from customer_assets.api.http import requests as transport
from customer_assets.api.responses.parser import records
from customer_assets.core.models import Page
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets_tests.benchmarks.crawler_baselines.measurement import measure

_ = transport  # imported before the clock starts, like the other contenders' libraries


class Ids:
    """A sink that keeps only ids."""

    def __init__(self) -> None:
        self.ids: set[int] = set()

    def start_pass(self) -> None:
        """Forget the ids of an earlier pass."""
        self.ids = set()

    def add(self, page: Page) -> None:
        """Keep a page's ids."""
        self.ids.update(record["id"] for record in records(page))

    def unique_ids(self) -> int:
        """Count them."""
        return len(self.ids)

    def landed_records(self) -> int:
        """Count them: each arrives once."""
        return len(self.ids)

    def rejected_records(self) -> int:
        """Count none: this sink rejects nothing."""
        return 0

    def fingerprint(self) -> str:
        """Identify what a pass fetched."""
        return str(hash(frozenset(self.ids)))


def crawl(options: dict[str, Any]) -> int:
    """Crawl with the client's own options."""
    folder, chosen = options.get("folder"), dict(options.get("client", {}))
    if folder:
        chosen["page_store"] = f"sqlite:///{folder}/pages.sqlite"
    with CustomerAPIClient(options["base_url"], "any", show_progress=False, **chosen) as client:
        if not folder:
            return client.crawl(Ids()).unique_ids
        with LandingWriter(Path(folder) / "raw.parquet", Path(folder) / "rejected.parquet") as landing:
            return client.crawl(landing).unique_ids


if __name__ == "__main__":
    measure(crawl)
