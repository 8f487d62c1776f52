"""The rules as hand-written DuckDB SQL, with every optimisation that helped."""

from pathlib import Path
from typing import Any

import duckdb

from customer_assets_tests.benchmarks.cleaning_baselines import ACTIVE_FROM, PAST_UNTIL, PRIME, SHIFTS

FIRST_SHIFT, SECOND_SHIFT = SHIFTS

_SQL = f"""
WITH ranked AS NOT MATERIALIZED (
  SELECT *,
    (email_domain IS NULL)::INT + (first_name IS NULL)::INT + (last_name IS NULL)::INT + (avatar IS NULL)::INT
    + (engagement_score_supplied AND NOT coalesce(engagement_score BETWEEN 0 AND 1, false))::INT
    + (last_active_at_supplied AND NOT coalesce(last_active_at <= TIMESTAMPTZ '{PAST_UNTIL}', false))::INT AS defects,
    (defects::BIGINT << 60) + (page::BIGINT << 29) + position AS place
  FROM read_parquet('{{source}}')
), repeated AS (
  SELECT id FROM ranked GROUP BY id HAVING count(*) > 1
), beaten AS (
  SELECT place FROM ranked SEMI JOIN repeated USING (id) QUALIFY place > min(place) OVER (PARTITION BY id)
), kept AS (
  SELECT *, ({{number}} % {PRIME} + {PRIME}) % {PRIME} AS d0 FROM ranked ANTI JOIN beaten USING (place)
), once AS (
  SELECT *, (d0 + {FIRST_SHIFT}) * (d0 + {FIRST_SHIFT}) % {PRIME} * (d0 + {FIRST_SHIFT}) % {PRIME} AS d1 FROM kept
), twice AS (
  SELECT *, (d1 + {SECOND_SHIFT}) * (d1 + {SECOND_SHIFT}) % {PRIME} * (d1 + {SECOND_SHIFT}) % {PRIME} AS d2 FROM once
)
SELECT
  id AS customer_id,
  CASE WHEN first_name IS NULL THEN coalesce(last_name, 'unknown') WHEN last_name IS NULL THEN first_name
    ELSE first_name || ' ' || last_name END AS full_name,
  coalesce(email_domain, 'unknown') AS email_domain,
  CASE WHEN NOT engagement_score_supplied
      THEN CASE d2 % 3 WHEN 0 THEN 'high' WHEN 1 THEN 'medium' ELSE 'low' END
    WHEN engagement_score BETWEEN 0.66 AND 1 THEN 'high'
    WHEN engagement_score >= 0.33 AND engagement_score < 0.66 THEN 'medium'
    WHEN engagement_score >= 0 AND engagement_score < 0.33 THEN 'low' ELSE 'unknown' END AS engagement_level,
  CASE WHEN NOT last_active_at_supplied THEN CASE d2 % 2 WHEN 0 THEN 'active' ELSE 'inactive' END
    WHEN last_active_at BETWEEN TIMESTAMPTZ '{ACTIVE_FROM}' AND TIMESTAMPTZ '{PAST_UNTIL}' THEN 'active'
    WHEN last_active_at < TIMESTAMPTZ '{ACTIVE_FROM}' THEN 'inactive' ELSE 'unknown' END AS activity_status,
  CASE WHEN d2 % 27 < 9 THEN 'website' WHEN d2 % 27 < 18 THEN 'mobile_app' ELSE 'email_campaign' END
    AS acquisition_channel,
  CASE WHEN d2 % 8 < 2 THEN 'US-West' WHEN d2 % 8 < 4 THEN 'US-East' WHEN d2 % 8 < 6 THEN 'EU-Central'
    ELSE 'APAC' END AS market_segment,
  CASE WHEN d2 % 9 < 3 THEN 'basic' WHEN d2 % 9 < 6 THEN 'premium' ELSE 'enterprise' END AS customer_tier,
  100 - 10 * defects::BIGINT AS data_quality_score{{extra_fields}}
FROM twice
"""  # noqa: S608 - constants, and a path of our own


def clean(source: Path, target: Path, engine: str, memory_limit: str | None, *, wide: bool = False) -> None:
    """Run the SQL."""
    del engine
    settings: dict[str, Any] = {"preserve_insertion_order": False}
    if memory_limit:
        settings |= {"memory_limit": memory_limit, "temp_directory": str(target.parent / "spill")}
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = _SQL.format(
            source=source,
            number="id_hash" if wide else "id",
            extra_fields=", country, total_spent, newsletter" if wide else "",
        )
        connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
