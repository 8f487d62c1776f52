"""Airbyte: its CDK reads the three listings of `benchmarks.chains` by a declarative manifest, as connectors do."""

import logging
from typing import Any

from airbyte_cdk.models import (
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from customer_assets_tests.benchmarks.crawler_baselines.measurement import measure

SIZE = 100


def request_option(name: str) -> dict[str, Any]:
    """A query parameter."""
    return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}


PAGINATORS: dict[str, dict[str, Any]] = {
    "cursor": {
        "page_token_option": request_option("after"),
        "pagination_strategy": {
            "type": "CursorPagination",
            "cursor_value": "{{ response.get('next', '') }}",
            "stop_condition": "{{ not response.get('next') }}",
            "page_size": SIZE,
        },
    },
    "offset": {
        "page_token_option": request_option("offset"),
        "pagination_strategy": {"type": "OffsetIncrement", "page_size": SIZE, "inject_on_first_request": True},
    },
    "number": {
        "page_token_option": request_option("page"),
        "pagination_strategy": {
            "type": "PageIncrement",
            "start_from_page": 1,
            "page_size": SIZE,
            "inject_on_first_request": True,
        },
    },
}
"""By the path of the listing."""


def manifest(base_url: str, listing: str, ranges: list[str]) -> dict[str, Any]:
    """Make the connector's manifest.

    Args:
        base_url: Of the API.
        listing: Which listing to read.
        ranges: Read them side by side, such as `0-1000`; empty: everything in one stream of pages.
    """
    ends = [f"{{{{ stream_partition['range'].split('-')[{place}] }}}}" for place in (0, 1)]
    retriever: dict[str, Any] = {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester",
            "url_base": base_url,
            "path": f"/{listing}",
            "http_method": "GET",
            "request_headers": {"x-api-key": "any"},
            "request_parameters": {"id_from": ends[0], "id_to": ends[1]} if ranges else {},
        },
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
        },
        "paginator": {
            "type": "DefaultPaginator",
            "page_size_option": request_option("limit"),
            **PAGINATORS[listing],
        },
    }
    if ranges:
        retriever["partition_router"] = {"type": "ListPartitionRouter", "values": ranges, "cursor_field": "range"}
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "email": {"type": "string"}}}
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["users"]},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 8, "max_concurrency": 8},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "users",
                "primary_key": ["id"],
                "retriever": retriever,
                "schema_loader": {"type": "InlineSchemaLoader", "schema": schema},
            }
        ],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def crawl(options: dict[str, Any]) -> list[int]:
    """Read a listing; return the ids."""
    stream = AirbyteStream(name="users", json_schema={}, supported_sync_modes=[SyncMode.full_refresh])
    catalog = ConfiguredAirbyteCatalog(
        streams=[ConfiguredAirbyteStream(stream, SyncMode.full_refresh, DestinationSyncMode.overwrite)]
    )
    described = manifest(options["base_url"], options["listing"], options.get("ranges", []))
    source = ConcurrentDeclarativeSource(catalog=catalog, config={}, state=[], source_config=described)
    logger = logging.getLogger("airbyte")
    logger.setLevel(logging.CRITICAL)
    messages = source.read(logger, {}, catalog, [])
    return [int(message.record.data["id"]) for message in messages if message.record is not None]


if __name__ == "__main__":
    measure(crawl)
