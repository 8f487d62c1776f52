"""Where frames are counted for the quality checks: one aggregation a frame."""

import math

import narwhals as nw

from customer_assets.models import CrawlRecord
from customer_assets.processing.quality import QualityFigures
from customer_assets.processing.rules import Frame

LOW_BELOW = 70


def quality_figures(raw: Frame, clean: Frame, crawl: CrawlRecord) -> QualityFigures:
    """Count the raw lake and the clean customers beside what the crawl says it handed over."""
    rows, ids = raw.select(rows=nw.len(), ids=nw.col("id").n_unique()).collect().row(0)
    score = nw.col("data_quality_score")
    counted = clean.select(
        clean=nw.len(),
        distinct=nw.col("customer_id").n_unique(),
        mean=score.mean(),
        low=(score < LOW_BELOW).cast(nw.Int64).sum(),
    )
    customers, distinct, mean, low = counted.collect().row(0)
    return QualityFigures(
        landed=crawl.landed,
        rejected=crawl.rejected,
        merged=rows - (ids or 0),
        clean=customers,
        distinct_customers=distinct or 0,
        mean_quality=math.nan if mean is None else float(mean),
        low_quality=int(low or 0),
    )
