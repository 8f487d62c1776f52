"""Figures: what is counted of frames."""

import math
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from customer_assets.core.models import CleaningSummary, CrawlSummary
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.landing.batches import landed_objects
from customer_assets.processing.measurement import measure_quality
from customer_assets.processing.quality import QualityMetrics, QualityThresholds, evaluate
from customer_assets.processing.rules import CleaningOptions, clean_customers
from customer_assets.processing.schemas import CLEAN_SCHEMA
from customer_assets_tests.harness.records.dirty import dirty_records
from customer_assets_tests.harness.records.reference import cleaned, is_excluded, parse_id


def _crawl(landed: int, rejected: int) -> CrawlSummary:
    return CrawlSummary(fingerprint="f1", landed=landed, rejected=rejected, total=landed, missing_customers=0)


CLEANING = CleaningSummary(as_of="", records=0, defects={}, crawl=_crawl(0, 0))


def test_figures_of_dirty_records(engine: Engine, as_of: datetime) -> None:
    """The counts are those of the plain-Python reference, and account for every record."""
    records = dirty_records(500, seed=11)
    batch, rejected = landed_objects(records)
    raw = engine.from_arrow(pa.Table.from_batches([batch]))
    clean = clean_customers(raw, CleaningOptions(as_of))
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


def test_excluded_records_are_accounted_for(engine: Engine, as_of: datetime) -> None:
    """They are dropped on purpose: neither merged nor lost."""
    options = {"exclude": {"field": "last_name", "values": ["Lovelace", 5]}}
    mapping = RecordMapping.model_validate(options)
    records = [*dirty_records(500, seed=11), *({"id": 1_000 + n % 7, "last_name": "Lovelace"} for n in range(30))]
    batch, rejected = landed_objects(records, mapping=mapping)
    raw = engine.from_arrow(pa.Table.from_batches([batch]))
    clean = clean_customers(raw, CleaningOptions(as_of, mapping=mapping))
    figures = measure_quality(raw, clean, _crawl(530, len(rejected)), CLEANING)
    usable = [record for record in records if parse_id(record) is not None]
    assert figures.excluded == sum(is_excluded(record, options) for record in usable) >= 30
    assert figures.clean == len(cleaned(records, seed=0, as_of=as_of, options=options))
    assert figures.landed == figures.clean + figures.merged + figures.excluded + figures.rejected
    found = {each.name: each for each in evaluate(figures, QualityThresholds())}["every_record_is_accounted_for"]
    assert found.passed
    assert f"{figures.excluded} excluded" in found.description


def test_figures_of_nothing(engine: Engine, as_of: datetime) -> None:
    """No records: counts of 0 and a mean that is NaN."""
    batch, _ = landed_objects([])
    raw = engine.from_arrow(pa.Table.from_batches([batch]))
    figures = measure_quality(raw, clean_customers(raw, CleaningOptions(as_of)), _crawl(0, 0), CLEANING)
    assert (figures.clean, figures.merged, figures.low_quality) == (0, 0, 0)
    assert math.isnan(figures.mean_quality)


@pytest.mark.parametrize(
    ("scores", "low"), [pytest.param([70, 100], 0, id="70 is medium"), pytest.param([69, 100], 1, id="69 is low")]
)
def test_bands(scores: list[int], low: int) -> None:
    """Low is below 70; a customer who is there twice is seen."""
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
    ],
)
def test_the_crawl_that_was_cleaned(fingerprint: str, *, same: bool) -> None:
    """Clean customers belong to a crawl of the same pages."""
    engine = open_engine("duckdb")
    raw = engine.from_arrow(pa.Table.from_batches([landed_objects([{"id": 1}])[0]]))
    clean = engine.from_arrow(pa.Table.from_pylist([], CLEAN_SCHEMA))
    cleaning = CLEANING.model_copy(update={"crawl": _crawl(1, 0).model_copy(update={"fingerprint": fingerprint})})
    assert measure_quality(raw, clean, _crawl(1, 0), cleaning).of_this_crawl is same
