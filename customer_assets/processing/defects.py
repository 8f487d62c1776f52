"""Where defects are counted, and what the clean customers follow from: by the rules' own expressions, in the engine."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import narwhals as nw
import pyarrow.parquet as pq

from customer_assets.models import Changes, CleaningSummary
from customer_assets.processing.rules import (
    RULES_VERSION,
    Frame,
    defects_by_field,
    is_inactive,
    with_well_formed_emails,
)


@dataclass(frozen=True, slots=True)
class DefectCounts:
    """What was counted in the raw lake.

    Attributes:
        records: TableVersions with a usable id, duplicates included.
        defects: How many have a defect, by field.
        inactive: How many were last active too long ago.
    """

    records: int
    defects: Mapping[str, int]
    inactive: int


def count_defects(raw: Frame, as_of: datetime) -> DefectCounts:
    """Count the raw lake's defects as the rules see them at an instant, in one aggregation."""
    fields = defects_by_field(as_of)
    counts = {name: _how_many(defect) for name, defect in fields.items()}
    counted = with_well_formed_emails(raw).select(records=nw.len(), **counts, inactive=_how_many(is_inactive(as_of)))
    records, *defects, inactive = (int(count or 0) for count in counted.collect().row(0))
    return DefectCounts(records, dict(zip(fields, defects, strict=True)), inactive)


def cleaning_summary(
    figures: DefectCounts, as_of: datetime, changes: Changes | None, fingerprint: str
) -> CleaningSummary:
    """Sum up what cleaning found, and in which crawl."""
    return CleaningSummary(
        as_of=as_of.isoformat(),
        records=figures.records,
        defects=dict(figures.defects),
        changes=changes,
        fingerprint=fingerprint,
    )


def clean_version(raw_version: str, seed: int, figures: DefectCounts) -> str:
    """Name what the clean customers follow from: the same name, the same customers, on every engine.

    They follow from the raw data, the rules, the seed and the instant from which activity is judged. As time goes by, a
    date only ever passes from the future to active to inactive; so with the same raw data, as many future dates and
    as many inactive ones mean that each record is judged alike. An instant that changes no verdict changes no version.
    """
    facts = (RULES_VERSION, raw_version, seed, figures.inactive, figures.defects["last_active_at"])
    return hashlib.sha256(":".join(map(str, facts)).encode()).hexdigest()


def rejected_by_reason(quarantine: Path) -> dict[str, int]:
    """Count quarantined records by their reason's code, the most frequent first; no file: none."""
    if not quarantine.exists():
        return {}
    counts = Counter[str]()
    with pq.ParquetFile(quarantine) as file:
        for batch in file.iter_batches(columns=["reason_code"]):
            counts.update(map(str, batch.column(0).to_pylist()))
    return dict(sorted(counts.items(), key=lambda reason: (-reason[1], reason[0])))


def _how_many(condition: nw.Expr) -> nw.Expr:
    return condition.cast(nw.Int64).sum()  # Spark sums no booleans
