"""The law of conservation, in any world: what landed is a clean customer, was merged into one, or was rejected."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import given, settings

from customer_assets.core.models import CleaningSummary, CrawlSummary, Page
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import Engine
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets.processing.measurement import measure_quality
from customer_assets.processing.quality import QualityThresholds, evaluate
from customer_assets_tests.harness.records.engines import AS_OF
from customer_assets_tests.harness.records.record_worlds import Record, pages

LENIENT = QualityThresholds(
    min_mean_quality=0, target_mean_quality=0, max_low_quality_share=1, max_rejected_share=1, lost_field_share=1
)


WORLDS = {"pyspark": 3}
"""Spark needs several seconds for each world, and runs the same expressions as the other engines."""


def test_landed_is_clean_and_merged_and_rejected(engine: Engine) -> None:
    """As counted by the product, and as counted by hand; on each engine."""

    @settings(max_examples=WORLDS.get(engine.name, 15), deadline=None)
    @given(world=pages)
    def check_any(world: list[list[Record]]) -> None:
        check(engine, world)

    check_any()


def check(engine: Engine, world: list[list[Record]]) -> None:
    """Land, clean and count one world."""
    with TemporaryDirectory() as directory:
        raw_file, rejected_file = Path(directory) / "raw.parquet", Path(directory) / "rejected.parquet"
        with LandingWriter(raw_file, rejected_file) as landing:
            landing.start_pass()
            for number, page in enumerate(world, start=1):
                data = json.dumps([record for record, _ in page]).encode()
                landing.add(Page(number, 8, 0, len(world), len(page), data))
        raw = engine.scan(raw_file)
        clean = CustomerDataProcessor(0, AS_OF, engine).process(raw)
        named = [customer for page in world for _, customer in page]
        crawl = CrawlSummary(
            fingerprint="",
            landed=len(named),
            rejected=landing.rejected_records(),
            total=len(named),
            missing_customers=0,
        )
        cleaning = CleaningSummary(as_of=AS_OF.isoformat(), records=0, defects={}, crawl=crawl)
        figures = measure_quality(raw, clean, crawl, cleaning)
        customers = {customer for customer in named if customer is not None}
        assert figures.landed == figures.clean + figures.merged + figures.rejected
        assert (figures.clean, figures.rejected) == (len(customers), named.count(None))
        assert set(clean.collect("pyarrow").to_native().column("customer_id").to_pylist()) == customers
        assert pq.read_table(rejected_file).num_rows == named.count(None)
        found = {verdict.name: verdict.passed for verdict in evaluate(figures, LENIENT)}
        assert found["every_record_is_accounted_for"]
        assert found["customer_id_is_unique"]
