"""A report in words and shares: the titles, labels and sentences that HTML and Markdown have in common. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customer_assets.fields import UNKNOWN
from customer_assets.processing.quality import BANDS, HIGH_FROM, MEDIUM_FROM, quality_band
from customer_assets.report.aggregates import BREAKDOWNS, FEWEST_PER_DOMAIN, OTHER

NOTHING_BEFORE = "Nothing was published before, so there is nothing to compare with yet."

TITLES: Mapping[str, str] = {
    "engagement_levels": "Engagement",
    "activity_statuses": "Activity",
    "acquisition_channels": "Acquisition channel",
    "market_segments": "Market segment",
    "customer_tiers": "Customer tier",
}
BAND_LABELS: Mapping[str, str] = {
    "high": f"High: {HIGH_FROM} and above",
    "medium": f"Medium: {MEDIUM_FROM} to {HIGH_FROM - 1}",
    "low": f"Low: below {MEDIUM_FROM}",
}
DOMAIN_LABELS: Mapping[str, str] = {UNKNOWN: "no well-formed email", OTHER: "other domains"}
DEFECT_LABELS: Mapping[str, str] = {
    "email": "Email missing or malformed",
    "first_name": "First name missing",
    "last_name": "Last name missing",
    "avatar": "Avatar missing",
    "engagement_score": "Engagement score supplied, not usable",
    "last_active_at": "Last activity supplied, not usable",
}
REASON_LABELS: Mapping[str, str] = {
    "id_missing": "No id",
    "id_not_an_integer": "Id is no integer",
    "id_out_of_range": "Id does not fit 64 bits",
    "not_an_object": "Record is no object",
    "unreadable": "Record is not JSON",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        label: What is counted.
        count: How many.
        share: Of the table's whole, 0 to 1.
        tone: `high`, `medium`, `low`, or empty for what is neither good nor bad.
    """

    label: str
    count: int
    share: float
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Counts that belong together.

    Attributes:
        title: What they say.
        unit: What is counted: customers or records.
        rows: The counts.
        note: What a reader must know; may be empty.
    """

    title: str
    unit: str
    rows: tuple[Row, ...]
    note: str = ""


def headline(report: Mapping[str, Any]) -> str:
    """Say how many customers there are and how good their data is: `12 customers, mean data quality 98.3 of 100`."""
    total = report["total_customers"]
    return f"{pluralize(total, 'customer')}, mean data quality {mean_score(report)} of 100"


def mean_score(report: Mapping[str, Any]) -> str:
    """Write the mean score with one digit; `none` of no customers."""
    mean = report["data_quality"]["mean_score"]
    return "none" if mean is None else f"{mean:.1f}"


def changes(report: Mapping[str, Any]) -> str:
    """Say what is another than in the last published export."""
    found = report.get("changes")
    if found is None:
        return NOTHING_BEFORE
    parts = (f"{found[name]:,} {name}" for name in ("added", "changed", "gone", "unchanged"))
    return f"Since the export of {instant(found['since'])}: {', '.join(parts)}."


def change_table(report: Mapping[str, Any]) -> Table | None:
    """Count what changed; None if there is nothing to compare with."""
    found = report.get("changes")
    if found is None:
        return None
    names = ("added", "changed", "gone", "unchanged")
    return table("Change since the last export", "customers", {name: found[name] for name in names})


def quality_table(report: Mapping[str, Any]) -> Table:
    """Count customers by band."""
    bands: dict[str, int] = {band: report["data_quality"][f"{band}_quality"] for band in BANDS}
    rows = table("Data quality", "customers", bands, labels=BAND_LABELS).rows
    toned = tuple(Row(row.label, row.count, row.share, band) for row, band in zip(rows, BANDS, strict=True))
    return Table("Data quality", "customers", toned, "100 points less 10 for each defect.")


def score_table(report: Mapping[str, Any]) -> Table:
    """Count customers by score, from the best."""
    scores: Mapping[str, int] = report["quality_scores"]
    rows = table("Customers by score", "customers", scores).rows
    toned = tuple(Row(row.label, row.count, row.share, quality_band(int(row.label))) for row in rows)
    return Table("Customers by score", "customers", toned)


def breakdown_tables(report: Mapping[str, Any]) -> list[Table]:
    """Count customers by each thing they are grouped by."""
    return [table(TITLES[name], "customers", report[name]) for name in BREAKDOWNS]


def domain_table(report: Mapping[str, Any]) -> Table:
    """Count customers by the domain of their email."""
    note = f"The ten largest. A domain that fewer than {FEWEST_PER_DOMAIN} customers share is not named."
    return table("Top email domains", "customers", report["email_domains"], labels=DOMAIN_LABELS, note=note)


def record_tables(report: Mapping[str, Any]) -> list[Table]:
    """Count what became of the records, and what was wrong with them; none for a report of customers alone."""
    if "records" not in report:
        return []
    records: Mapping[str, int] = report["records"]
    landed = records["landed"]
    outcomes = {
        "Clean customers": records["clean"],
        "Merged into a better duplicate": records["merged"],
        "Rejected": records["rejected"],
    }
    return [
        table(
            "What became of the records",
            "records",
            outcomes,
            whole=landed,
            note=f"{pluralize(landed, 'record')} came from the API.",
        ),
        table(
            "Defects by kind",
            "records",
            report["defects"],
            whole=landed - records["rejected"],
            labels=DEFECT_LABELS,
            note="Share of the records with a usable id; one record may have several defects.",
        ),
        table(
            "Rejected records by reason",
            "records",
            report["rejected_by_reason"],
            whole=landed,
            labels=REASON_LABELS,
            note="" if report["rejected_by_reason"] else "None was rejected.",
        ),
    ]


def crawl_facts(report: Mapping[str, Any]) -> dict[str, str]:
    """Tell how the crawl went, by label; nothing for a report of customers alone."""
    if "crawl" not in report:
        return {}
    crawl: Mapping[str, Any] = report["crawl"]
    return {
        "Customers by the API's count": f"{crawl['total']:,}",
        "Missing of these": f"{crawl['missing_customers']:,}",
        "Repeated at the source": f"{crawl['source_duplicates']:,}",
        "Pages": f"{crawl['pages']:,}",
        "Requests": f"{crawl['requests']:,}",
        "Retries": f"{crawl['retries']:,}",
        "Throttled (429)": f"{crawl['throttles']:,}",
        "Duration": duration(crawl["duration_s"]),
    }


def delta(report: Mapping[str, Any], name: str) -> str:
    """Tell a figure's difference from the last report: `+3`, `-0.5`, `no change`; empty if there is none."""
    found = report.get("since_last_report")
    difference = None if found is None else found.get(name)
    if difference is None:
        return ""
    if difference == 0:
        return "no change"
    return f"{difference:+,}"


def table(
    title: str,
    unit: str,
    counts: Mapping[str, int],
    *,
    whole: int | None = None,
    labels: Mapping[str, str] | None = None,
    note: str = "",
) -> Table:
    """Make a table of counts; `whole`: what shares are of, all counts together if None."""
    of = sum(counts.values()) if whole is None else whole
    named = labels or {}
    rows = (Row(named.get(name, plain(name)), count, count / of if of else 0.0) for name, count in counts.items())
    return Table(title, unit, tuple(rows), note)


def pluralize(count: int, unit: str) -> str:
    """Write a count with its unit: `1 customer`, `1,200 customers`."""
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def percent(part: float) -> str:
    """Write a share: 0.417 → `41.7 %`. What is there is not told as nothing, nor what is missing as all."""
    written = f"{part * 100:.1f}"
    if written == "0.0" and part > 0:
        return "< 0.1 %"
    return "> 99.9 %" if written == "100.0" and part < 1 else f"{written} %"


def instant(iso: str) -> str:
    """Write an instant for people: `24 November 2026, 03:00 UTC`; what is none as it is."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def duration(seconds: float) -> str:
    """Write a duration: `0.4 s`, `95 s`, `12 min 5 s`."""
    if round(seconds, 1) < 10:  # noqa: PLR2004 - a digit behind the point says nothing from here on
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes > 1 else f"{round(seconds)} s"


def plain(name: str) -> str:
    """Write a name of ours as words: `mobile_app` → `mobile app`."""
    return name.replace("_", " ")
