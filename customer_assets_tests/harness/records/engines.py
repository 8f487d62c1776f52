"""Fixtures for cleaning on every engine: the engine, and the instant from which activity is judged."""

from datetime import UTC, datetime

import pytest

from customer_assets.processing.engines import Engine, open_engine
from customer_assets_tests.harness.machines.services import need, need_module

AS_OF = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="session", params=["duckdb", "polars", pytest.param("pyspark", marks=pytest.mark.service)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn. Spark needs Java, and counts as a service."""
    if request.param == "pyspark":
        need_module("pyspark", "pip install 'customer_assets[spark]'")
        need("java", "openjdk-17-jre-headless")
    return open_engine(request.param)


on_embedded_engines = pytest.mark.parametrize("engine", ["duckdb", "polars"], indirect=True)
"""For many small cases of what another test shows on Spark, too: it takes seconds for what others do in a moment."""


@pytest.fixture(scope="session")
def as_of() -> datetime:
    """The instant from which activity is judged."""
    return AS_OF
