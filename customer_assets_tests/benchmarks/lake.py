"""Makes a raw lake of any size from DuckDB's hash function: the same size always gives the same rows."""

from pathlib import Path

import duckdb

from customer_assets.core.record_mapping import ExtraField, RecordMapping

FIRST_NAMES = ["George", "Janet", "Emma", "Eve", "Charles", "Tracey", "Michael", "Lindsay", "Tobias", "José", "Rachel"]
LAST_NAMES = ["Bluth", "Weaver", "Wong", "Holt", "Morris", "Ramos", "Lawson", "Ferguson", "Funke", "Fields", "Howell"]
DOMAINS = ["example.org", "mail.example.com", "reqres.in", "x.co"]

_LAKE = """
COPY (
  SELECT
    (n // 1000 + 1)::INT AS page,
    (n % 1000)::INT AS position,
    {id},
    CASE a % 50 WHEN 7 THEN NULL WHEN 8 THEN 'broken.address'
      ELSE lower(first) || '.' || lower(last) || n || '@' || ({domains})[1 + a % {domain_count}] END AS email,
    CASE WHEN a % 50 NOT IN (7, 8) THEN ({domains})[1 + a % {domain_count}] END AS email_domain,
    CASE WHEN a % 61 <> 3 THEN first END AS first_name,
    CASE WHEN a % 67 <> 3 THEN last || (b % 1000) END AS last_name,
    CASE WHEN a % 71 <> 3 THEN 'https://reqres.in/img/faces/' || n || '-image.jpg' END AS avatar,
    CASE WHEN a % 3 = 0 THEN (b % 1200) / 1000 END AS engagement_score,
    a % 3 = 0 OR a % 41 = 0 AS engagement_score_supplied,
    CASE WHEN a % 5 < 2 THEN make_timestamptz((1700000000 + b % 110000000) * 1000000) END AS last_active_at,
    a % 5 < 2 OR a % 43 = 0 AS last_active_at_supplied{extra_fields}
  FROM (
    SELECT n, a, b, ({firsts})[1 + (a // 7) % {first_count}] AS first, ({lasts})[1 + (b // 7) % {last_count}] AS last
    FROM (SELECT n, (hash(n) >> 1)::BIGINT AS a, (hash(n + 77777777777) >> 1)::BIGINT AS b FROM range({rows}) r(n))
  )
) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)
"""


_ID = "(CASE WHEN a % 100 < 3 THEN b % {rows} ELSE n END)::BIGINT"
_INTEGER_ID = f"{_ID} AS id, 0::INT AS id_spelling"
_TEXT_ID = f"'cus_' || {_ID} AS id, (hash({_ID}) >> 32)::BIGINT AS id_hash"
_EXTRA_FIELDS = """,
    CASE WHEN a % 11 < 9 THEN ['DE', 'AT', 'CH', 'US', 'JP'][1 + b % 5] END AS country,
    CASE WHEN a % 13 < 9 THEN (b % 1000000) / 100 END AS total_spent,
    CASE WHEN a % 17 < 9 THEN b % 2 = 0 END AS newsletter"""

WIDE = RecordMapping(
    id_type="text",
    fields={
        "country": ExtraField(type="text"),
        "total_spent": ExtraField(type="number"),
        "newsletter": ExtraField(type="boolean"),
    },
)
"""How a wide lake's records were read: text ids, and three fields of the user's own."""


def make_lake(path: Path, rows: int, *, wide: bool = False) -> None:
    """Write a raw lake: 3 % of the ids repeat, 2 % of each field are missing or broken, a third has a score.

    Args:
        path: The Parquet file; one that exists is kept.
        rows: How many.
        wide: With text ids, and the three extra fields of `WIDE`.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            _LAKE.format(
                rows=rows,
                id=(_TEXT_ID if wide else _INTEGER_ID).format(rows=rows),
                extra_fields=_EXTRA_FIELDS if wide else "",
                path=path,
                domains=DOMAINS,
                domain_count=len(DOMAINS),
                firsts=FIRST_NAMES,
                first_count=len(FIRST_NAMES),
                lasts=LAST_NAMES,
                last_count=len(LAST_NAMES),
            )
        )
