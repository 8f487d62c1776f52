"""Counts what the checks judge: frames in, figures out. Thresholds and verdicts belong in `quality.py`."""

import math

import narwhals as nw

from customer_assets.core.models import CleaningSummary, CrawlSummary
from customer_assets.processing.comparison import last_export, shares, unmapped
from customer_assets.processing.quality import MEDIUM_FROM, QualityMetrics
from customer_assets.processing.rules import Frame


def measure_quality(
    raw: Frame | None,
    clean: Frame,
    crawl: CrawlSummary,
    cleaning: CleaningSummary,
    published: CleaningSummary | None = None,
) -> QualityMetrics:
    """Count the raw table and the clean customers, beside what the crawl and cleaning noted.

    Args:
        raw: The raw table; None: that is gone, and what the crawl and cleaning noted of it counts.
        clean: The clean customers.
        crawl: What the crawl noted.
        cleaning: What cleaning noted.
        published: What was noted of the last export's customers; None: nothing was published yet.
    """
    score = nw.col("data_quality_score")
    counted = clean.select(rows=nw.len(), mean=score.mean(), low=(score < MEDIUM_FROM).cast(nw.Int64).sum())
    customers, mean, low = counted.collect().row(0)
    distinct = _distinct(clean, "customer_id")
    rows, left, merged = crawl.landed - crawl.rejected, cleaning.records, cleaning.records - distinct
    if raw is not None:
        kept = raw.filter(~nw.col("excluded")) if "excluded" in raw.collect_schema().names() else raw
        rows, left = _rows(raw), _rows(kept)
        merged = left - _distinct(kept, "id")
    return QualityMetrics(
        landed=crawl.landed,
        rejected=crawl.rejected,
        in_lake=rows,
        excluded=rows - left,
        merged=merged,
        clean=int(customers),
        distinct_customers=distinct,
        mean_quality=math.nan if mean is None else float(mean),
        low_quality=int(low or 0),
        of_this_crawl=cleaning.crawl.fingerprint == crawl.fingerprint,
        source=crawl.source,
        missing=shares(cleaning.defects, cleaning.records),
        unsent=shares(cleaning.unsent, cleaning.records),
        unmapped=unmapped(crawl),
        optional=cleaning.mapping.optional_fields,
        last_export=None if published is None else last_export(published, cleaning, int(customers)),
        upsert=None if crawl.sync is None else crawl.sync.upsert,
    )


def _rows(frame: Frame) -> int:
    return int(frame.select(nw.len()).collect().item())


def _distinct(frame: Frame, column: str) -> int:
    """Count distinct values apart from other aggregates: on DuckDB in 1.0 s for 10 million, together in 2.5 s."""
    return _rows(frame.select(column).unique())
