"""What people usually write with pandas: columns, a sort and drop_duplicates, all in memory."""

from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped] # its stubs would serve this file only

from customer_assets_tests.benchmarks.cleaning_baselines import ACTIVE_FROM, PAST_UNTIL, PRIME, SHIFTS, WELL_FORMED


def clean(source: Path, target: Path, engine: str, memory_limit: str | None) -> None:
    """Run it."""
    del engine, memory_limit
    raw = pd.read_parquet(source)
    fine = raw["email"].str.contains(WELL_FORMED).fillna(value=False).to_numpy(bool)
    score, date = raw["engagement_score"].to_numpy(float, na_value=np.nan), raw["last_active_at"]
    has_score, has_date = (raw[f"{name}_supplied"].to_numpy(bool) for name in ("engagement_score", "last_active_at"))
    past, recent = ((date <= PAST_UNTIL).fillna(value=False).to_numpy(bool), (date >= ACTIVE_FROM).fillna(value=False))
    defects = sum(raw[name].isna().to_numpy(int) for name in ("first_name", "last_name", "avatar"))
    defects = defects + ~fine + (has_score & ~((score >= 0) & (score <= 1))) + (has_date & ~past)
    dice = raw["id"].to_numpy() % PRIME
    for shift in SHIFTS:
        dice = (dice + shift) * (dice + shift) % PRIME * (dice + shift) % PRIME
    names = raw["first_name"].fillna("").str.cat(raw["last_name"].fillna(""), sep=" ").str.strip()
    levels = [~has_score, score > 1, score >= 0.66, score >= 0.33, score >= 0]
    clean = pd.DataFrame(
        {
            "page": raw["page"],
            "position": raw["position"],
            "customer_id": raw["id"],
            "full_name": names.where(names != "", "unknown"),
            "email_domain": raw["email"].str.split("@").str[-1].where(fine, "unknown"),
            "engagement_level": np.select(
                levels, [np.array(["high", "medium", "low"])[dice % 3], "unknown", "high", "medium", "low"], "unknown"
            ),
            "activity_status": np.select(
                [~has_date, ~past, recent.to_numpy(bool)],
                [np.array(["active", "inactive"])[dice % 2], "unknown", "active"],
                "inactive",
            ),
            "acquisition_channel": np.array(["website", "mobile_app", "email_campaign"])[dice % 27 // 9],
            "market_segment": np.array(["US-West", "US-East", "EU-Central", "APAC"])[dice % 8 // 2],
            "customer_tier": np.array(["basic", "premium", "enterprise"])[dice % 9 // 3],
            "data_quality_score": 100 - 10 * defects,
        }
    )
    ordered = clean.sort_values(["data_quality_score", "page", "position"], ascending=[False, True, True])
    ordered.drop_duplicates("customer_id").drop(columns=["page", "position"]).to_parquet(target, index=False)
