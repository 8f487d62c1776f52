"""Figures: what is counted of frames, on every engine."""

import math
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from customer_assets.models import CleaningSummary, CrawlSummary
from customer_assets.processing.engines import CLEAN_SCHEMA, Engine
from customer_assets.processing.landing.batches import landed_objects
from customer_assets.processing.quality import QualityMetrics, measure_quality
from customer_assets.processing.rules import clean_customers
from customer_assets_tests.harness.dirty import dirty_records
from customer_assets_tests.harness.reference import cleaned, parse_id


def _crawl(landed: int, rejected: int) -> CrawlSummary:
    return CrawlSummary(fingerprint="f1", landed=landed, rejected=rejected, total=landed, missing_customers=0)


CLEANING = CleaningSummary(as_of="", records=0, defects={}, fingerprint="f1")


def test_figures_of_dirty_records(engine: Engine, as_of: datetime) -> None:
    """The counts are those of the plain-Python reference, and account for every record."""
    records = dirty_records(500, seed=11)
    batch, rejected = landed_objects(records)
    raw = engine.from_arrow(pa.Table.from_batches([batch]))
    clean = clean_customers(raw, seed=0, as_of=as_of)
    expected = cleaned(records, seed=0, as_of=as_of)
    scores = [customer["data_quality_score"] for customer in expected]
    usable = [customer_id for customer_id in map(parse_id, records) if customer_id is not None]
    assert measure_quality(raw, clean, _crawl(500, len(rejected)), CLEANING) == QualityMetrics(
        landed=500,
        rejected=500 - len(usable),
        in_lake=len(usable),
        merged=len(usable) - len(set(usable)),
        clean=len(expected),
        distinct_customers=len(expected),
        mean_quality=sum(scores) / len(scores),
        low_quality=sum(score < 70 for score in scores),
        of_this_crawl=True,
    )


def test_figures_of_nothing(engine: Engine, as_of: datetime) -> None:
    """No records: counts of 0 and a mean that is NaN."""
    batch, _ = landed_objects([])
    raw = engine.from_arrow(pa.Table.from_batches([batch]))
    figures = measure_quality(raw, clean_customers(raw, seed=0, as_of=as_of), _crawl(0, 0), CLEANING)
    assert (figures.clean, figures.merged, figures.low_quality) == (0, 0, 0)
    assert math.isnan(figures.mean_quality)


@pytest.mark.parametrize(
    ("scores", "low"), [pytest.param([70, 100], 0, id="70 is medium"), pytest.param([69, 100], 1, id="69 is low")]
)
def test_bands(scores: list[int], low: int) -> None:
    """Low is below 70; a customer who is there twice is seen."""
    from customer_assets.processing.engines import open_engine  # noqa: PLC0415 - only this test needs one by name

    engine = open_engine("duckdb")
    rows: list[dict[str, Any]] = [
        {**dict.fromkeys(CLEAN_SCHEMA.names, ""), "customer_id": 1, "data_quality_score": score} for score in scores
    ]
    raw = engine.from_arrow(pa.Table.from_batches([landed_objects([{"id": 1}, {"id": 2}])[0]]))
    clean = engine.from_arrow(pa.Table.from_pylist(rows, CLEAN_SCHEMA))
    figures = measure_quality(raw, clean, _crawl(2, 0), CLEANING)
    assert (figures.low_quality, figures.clean, figures.distinct_customers) == (low, 2, 1)


@pytest.mark.parametrize(
    ("fingerprint", "same"),
    [
        pytest.param("f1", True, id="this one"),
        pytest.param("f2", False, id="another"),
        pytest.param(None, False, id="?"),
    ],
)
def test_the_crawl_that_was_cleaned(fingerprint: str | None, *, same: bool) -> None:
    """One that is not on record, as an older version leaves it, is another."""
    from customer_assets.processing.engines import open_engine  # noqa: PLC0415 - only these tests need one by name

    engine = open_engine("duckdb")
    raw = engine.from_arrow(pa.Table.from_batches([landed_objects([{"id": 1}])[0]]))
    clean = engine.from_arrow(pa.Table.from_pylist([], CLEAN_SCHEMA))
    cleaning = CLEANING.model_copy(update={"fingerprint": fingerprint})
    assert measure_quality(raw, clean, _crawl(1, 0), cleaning).of_this_crawl is same
