"""What Dagster shows while a crawl runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.api import progress
from customer_assets.defs import metadata
from customer_assets.defs.assets import ASSETS
from customer_assets_tests.harness.plain_api import PlainAPI, customer, with_fields


def observations_of(resources: dict[str, Any], instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    """Crawl, and collect what was observed meanwhile."""
    result = dg.materialize([ASSETS[0]], resources=resources, instance=instance)
    assert result.success
    found = instance.fetch_observations(dg.AssetKey("raw_customers"), limit=100).records
    return [record.event_log_entry.asset_observation for record in found if record.event_log_entry.asset_observation]


def test_a_long_crawl_is_observed(
    serve_api: Callable[[PlainAPI], PlainAPI], resources: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its numbers are recorded while it runs, and count up."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.001)
    monkeypatch.setattr(metadata, "OBSERVE_EVERY_S", 0.002)
    api = serve_api(PlainAPI([customer(number) for number in range(1, 101)], per_page=1))
    made = resources(api)
    slow = {**made, "customer_api": with_fields(made["customer_api"], max_concurrency=1)}
    with dg.DagsterInstance.ephemeral() as instance:
        seen = observations_of(slow, instance)
    pages = [int(observation.metadata["pages"].value) for observation in reversed(seen)]  # type: ignore[arg-type] # an int
    assert len(pages) > 1
    assert pages == sorted(pages)
    assert pages[-1] > pages[0]
    assert {"pages_total", "requests", "retries", "throttles", "running_s", "pages_per_second"} < set(seen[0].metadata)


def test_a_short_crawl_is_not_observed(
    serve_api: Callable[[PlainAPI], PlainAPI], resources: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Its materialization says it all."""
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        assert observations_of(resources(serve_api(PlainAPI([customer(1)]))), instance) == []
