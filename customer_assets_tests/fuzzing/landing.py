"""Fuzzes how a page's records land: each in the raw lake or in the quarantine, as JSON and as Python objects alike."""

import json
from typing import Any

from customer_assets.processing.landing.batches import quarantine_batch, raw_batch
from customer_assets.processing.landing.parser import ParsedPage, parse_objects, parse_page
from customer_assets_tests.fuzzing.running import fuzz


def check(data: bytes) -> None:
    """Any bytes are a page of records; what another parser reads from them lands as they do."""
    page = parse_page(1, data)
    landed, rejected = raw_batch([page]), quarantine_batch(page.rejected)
    landed.validate(full=True)
    rejected.validate(full=True)
    positions = [*page.positions, *(record.position for record in page.rejected)]
    assert sorted(positions) == list(range(len(positions)))
    objects = _objects(data)
    if objects is not None:
        assert _outcome(parse_objects(1, objects)) == _outcome(page)


def _objects(data: bytes) -> list[Any] | None:
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _outcome(page: ParsedPage) -> tuple[Any, ...]:
    return raw_batch([page]), [(record.position, record.reason_code, record.reason) for record in page.rejected]


if __name__ == "__main__":
    fuzz(check)
