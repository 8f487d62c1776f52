"""dlt: its `rest_api` source, by default or tuned as its documentation advises; or a fan-out over pages by hand."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from customer_assets_tests.benchmarks.crawler_baselines.measurement import measure

options = json.loads(sys.argv[1])
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
if "workers" in options:
    os.environ["EXTRACT__WORKERS"] = str(options["workers"])
    os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = str(2 * options["workers"])
if "backoff_factor" in options:
    os.environ["RUNTIME__REQUEST_BACKOFF_FACTOR"] = str(options["backoff_factor"])
    os.environ["RUNTIME__REQUEST_MAX_ATTEMPTS"] = str(options["attempts"])

import dlt  # noqa: E402 - it reads its settings when it is imported
import pyarrow.parquet as pq  # noqa: E402
from dlt.sources.helpers import requests  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

HEADERS = {"x-api-key": "any"}
Source = Iterable[dict[str, Any]]


PAGINATORS: dict[str, dict[str, Any]] = {
    "users": {"type": "page_number", "base_page": 1, "total_path": "total_pages"},
    "cursor": {"type": "cursor", "cursor_path": "next", "cursor_param": "after"},
    "offset": {"type": "offset", "limit": 100, "total_path": "total"},
    "number": {"type": "page_number", "base_page": 1, "total_path": None},
}
"""By the path of the listing."""


def rest_api(base_url: str, listing: str) -> Source:
    """Make the declarative source."""
    source: Source = rest_api_source(
        {
            "client": {"base_url": f"{base_url}/", "headers": HEADERS, "paginator": PAGINATORS[listing]},
            "resources": [{"name": "users", "endpoint": {"path": listing, "data_selector": "data"}}],
        }
    )
    return source


def fan_out(base_url: str) -> Source:
    """Make a source that fetches each page on a thread pool."""

    def page_of(number: int) -> dict[str, Any]:
        return dict(requests.get(f"{base_url}/users", params={"page": number}, headers=HEADERS).json())

    def pages() -> Iterator[int]:
        yield from range(1, page_of(1)["total_pages"] + 1)

    def users(number: int) -> list[dict[str, Any]]:
        return list(page_of(number)["data"])

    source: Source = dlt.transformer(dlt.defer(users), data_from=dlt.resource(pages))
    return source


def crawl(options: dict[str, Any]) -> list[int]:
    """Extract only, or load into Parquet files as well."""
    base_url, listing = options["base_url"], options.get("listing", "users")
    source = fan_out(base_url) if options.get("fan_out") else rest_api(base_url, listing)
    if "folder" not in options:
        return [record["id"] for record in source]
    pipeline = dlt.pipeline(
        "crawl",
        destination=dlt.destinations.filesystem(options["folder"]),
        dataset_name="lake",
        pipelines_dir=f"{options['folder']}/work",
    )
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
    files = Path(options["folder"]).glob("lake/users/*.parquet")
    ids = (pq.read_table(file, columns=["id"])["id"].to_pylist() for file in files)
    return [number for numbers in ids for number in numbers if number is not None]


if __name__ == "__main__":
    measure(crawl)
