"""What cleaning found: defects, generated values and odd ids, counted in the engine by the rules' own expressions.

Which figures forbid publishing belongs in `quality.py`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import narwhals as nw
import pyarrow.parquet as pq

from customer_assets.core.fields import BUSINESS_FIELDS
from customer_assets.core.models import ENOUGH_TO_JUDGE, Changes, CleaningSummary, CrawlSummary
from customer_assets.core.record_mapping import DEFAULT_RECORD
from customer_assets.processing.comparison import add_shares, shares
from customer_assets.processing.rules import (
    JUDGED_BY,
    RULES_VERSION,
    CleaningOptions,
    Frame,
    defects_by_field,
    gaps_by_field,
    generated_fields,
    is_inactive,
    is_undated,
    without_excluded,
)

NEARLY_ALL, MOST = 0.99, 0.5
"""A field is lost if this share of the changed records lacks it, and no larger share of the stored ones than that."""


@dataclass(frozen=True, slots=True)
class DefectCounts:
    """What was counted in the raw table, of the records that the filter leaves in.

    Attributes:
        records: Records, duplicates included.
        defects: How many have a defect, by field.
        generated: How many have nothing to judge by, so that the field is generated; by field.
        unsent: How many lack a field that need not be there, by field.
        inactive: How many were last active too long ago.
        undated: How many have a date of last activity that is unusable or lies ahead.
        respelled_ids: Ids that were written in more than one way, such as `7` and `"007"`.
    """

    records: int
    defects: Mapping[str, int]
    generated: Mapping[str, int]
    inactive: int
    undated: int
    respelled_ids: int = 0
    unsent: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> dict[str, float]:
        """The share of the records that lack a field, whether it need be there or not, by field."""
        return add_shares(shares(self.defects, self.records), shares(self.unsent, self.records))


def count_defects(raw: Frame, options: CleaningOptions) -> DefectCounts:
    """Count the raw table's defects as the rules see them, in one aggregation."""
    kept = without_excluded(raw, options.mapping)
    defects = defects_by_field(options)
    gaps = gaps_by_field(options)
    counts = {f"_defect_{name}": _how_many(defect) for name, defect in (defects | gaps).items()}
    unsupplied = {f"_unsupplied_{name}": _how_many(~nw.col(f"{source}_supplied")) for name, source in JUDGED_BY.items()}
    dates = {"_inactive": _how_many(is_inactive(options.as_of)), "_undated": _how_many(is_undated(options.as_of))}
    counted = kept.select(_records=nw.len(), **dates, **counts, **unsupplied)
    found = {name: int(count or 0) for name, count in counted.collect().rows(named=True)[0].items()}
    return DefectCounts(
        records=found["_records"],
        defects={name: found[f"_defect_{name}"] for name in defects},
        generated={
            name: found.get(f"_unsupplied_{name}", found["_records"])
            for name in BUSINESS_FIELDS
            if name in generated_fields(options)
        },
        inactive=found["_inactive"],
        undated=found["_undated"],
        respelled_ids=_count_respelled_ids(kept, options),
        unsent={source: found[f"_unsupplied_{name}"] for name, source in JUDGED_BY.items()}
        | {name: found[f"_defect_{name}"] for name in gaps},
    )


def _count_respelled_ids(kept: Frame, options: CleaningOptions) -> int:
    """Count ids that were written in more than one way; usually all are written alike, and one look is enough."""
    if options.mapping.id_type == "text":
        return 0
    spelling = nw.col("id_spelling")
    ((shortest, longest),) = kept.select(_min=spelling.min(), _max=spelling.max()).collect().iter_rows()
    if shortest == longest:
        return 0
    by_id = kept.group_by("id").agg(_min=spelling.min(), _max=spelling.max())
    return int(by_id.filter(nw.col("_min") != nw.col("_max")).select(nw.len()).collect().item())


def lost_fields(changed: Frame, stored: Frame, options: CleaningOptions) -> dict[str, float]:
    """Return the fields that nearly all changed records lack and most stored ones have, each with the share that does.

    Nothing, if too few records changed. A field that an API stops sending would otherwise show in a table that
    incremental crawls keep only when most of its records have changed.
    """
    came = count_defects(changed, options)
    nearly_all = {each: share for each, share in came.missing.items() if share >= NEARLY_ALL}
    if came.records < ENOUGH_TO_JUDGE or not nearly_all:
        return {}
    before = count_defects(stored, options).missing
    return {each: share for each, share in nearly_all.items() if before.get(each, 1.0) <= MOST}


def cleaning_summary(
    figures: DefectCounts, options: CleaningOptions, changes: Changes | None, crawl: CrawlSummary
) -> CleaningSummary:
    """Sum up what cleaning found, and in which crawl."""
    return CleaningSummary(
        as_of=options.as_of.isoformat(),
        records=figures.records,
        defects=dict(figures.defects),
        generated=dict(figures.generated),
        unsent=dict(figures.unsent),
        respelled_ids=figures.respelled_ids,
        changes=changes,
        crawl=crawl,
    )


def clean_version(raw_version: str, options: CleaningOptions, figures: DefectCounts) -> str:
    """Name what the clean customers follow from: the same name, the same customers, on every engine.

    They follow from the raw data, the rules, the options and the instant from which activity is judged. As time goes
    by, a date only ever passes from the future to active to inactive; so with the same raw data, as many future dates
    and as many inactive ones mean that each record is judged alike. An instant that changes no verdict changes no
    version.
    """
    facts = [RULES_VERSION, raw_version, options.seed, figures.inactive, figures.undated]
    if not options.generate or options.mapping != DEFAULT_RECORD:
        facts += [options.generate, options.mapping.digest]
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
