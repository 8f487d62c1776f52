"""What people usually write: a loop over Pydantic models, with the best record of each id in a dict."""

import re
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from customer_assets_tests.benchmarks.cleaning_baselines import ACTIVE_FROM, PAST_UNTIL, PRIME, SHIFTS, WELL_FORMED


class Raw(BaseModel):
    """One row of the raw lake."""

    id: int
    email: str | None
    first_name: str | None
    last_name: str | None
    avatar: str | None
    engagement_score: float | None
    engagement_score_supplied: bool
    last_active_at: datetime | None
    last_active_at_supplied: bool


class Clean(BaseModel):
    """One customer."""

    customer_id: int
    full_name: str
    email_domain: str
    engagement_level: str
    activity_status: str
    acquisition_channel: str
    market_segment: str
    customer_tier: str
    data_quality_score: int


well_formed = re.compile(WELL_FORMED)


def level(raw: Raw, dice: int) -> str:
    """Grade the score."""
    score = raw.engagement_score
    if not raw.engagement_score_supplied:
        return ("high", "medium", "low")[dice % 3]
    if score is None or not 0 <= score <= 1:
        return "unknown"
    return "high" if score >= 0.66 else "medium" if score >= 0.33 else "low"


def status(raw: Raw, dice: int) -> str:
    """Grade the date."""
    if not raw.last_active_at_supplied:
        return ("active", "inactive")[dice % 2]
    if raw.last_active_at is None or raw.last_active_at > PAST_UNTIL:
        return "unknown"
    return "active" if raw.last_active_at >= ACTIVE_FROM else "inactive"


def clean_one(raw: Raw) -> Clean:
    """Clean one record."""
    dice = raw.id % PRIME
    for shift in SHIFTS:
        dice = pow(dice + shift, 3, PRIME)
    fine = raw.email is not None and well_formed.match(raw.email) is not None
    unknown = [raw.engagement_score_supplied and level(raw, dice) == "unknown"]
    unknown += [raw.last_active_at_supplied and status(raw, dice) == "unknown"]
    missing = [not fine, not raw.first_name, not raw.last_name, not raw.avatar, *unknown]
    return Clean(
        customer_id=raw.id,
        full_name=" ".join(filter(None, (raw.first_name, raw.last_name))) or "unknown",
        email_domain=(raw.email or "").split("@")[-1] if fine else "unknown",
        engagement_level=level(raw, dice),
        activity_status=status(raw, dice),
        acquisition_channel=("website", "mobile_app", "email_campaign")[dice % 27 // 9],
        market_segment=("US-West", "US-East", "EU-Central", "APAC")[dice % 8 // 2],
        customer_tier=("basic", "premium", "enterprise")[dice % 9 // 3],
        data_quality_score=100 - 10 * sum(missing),
    )


def clean(source: Path, target: Path, engine: str, memory_limit: str | None) -> None:
    """Run it."""
    del engine, memory_limit
    best: dict[int, Clean] = {}
    for batch in pq.ParquetFile(source).iter_batches():
        for row in batch.to_pylist():
            customer = clean_one(Raw(**row))
            known = best.get(customer.customer_id)
            if known is None or customer.data_quality_score > known.data_quality_score:
                best[customer.customer_id] = customer
    pq.write_table(pa.Table.from_pylist([customer.model_dump() for customer in best.values()]), target)
