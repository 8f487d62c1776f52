"""A report in words: the titles, labels, rows and sentences that the HTML and the Markdown have in common. Pure.

How a single figure is written belongs in `formats.py`, how a chart is drawn in `charts.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from customer_assets.core.fields import UNKNOWN
from customer_assets.core.models import SIMULATOR
from customer_assets.processing.quality import BANDS, HIGH_FROM, MEDIUM_FROM, SHARE_CHECKS, quality_band
from customer_assets.processing.rules import JUDGED_BY
from customer_assets.report import formats
from customer_assets.report.aggregates import BREAKDOWNS, FEWEST_PER_VALUE, OTHER
from customer_assets.report.formats import pluralize, sentence, words

PARTLY_GENERATED = "partly generated"

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
REASON_LABELS: Mapping[str, str] = {
    "id_missing": "No id",
    "id_not_an_integer": "Id is not an integer",
    "id_out_of_range": "Id does not fit 64 bits",
    "not_an_object": "Record is not an object",
    "unreadable": "Record is not JSON",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        label: What is counted.
        count: The count.
        share: Its share of the table's total, 0 to 1.
        tone: `high`, `medium` or `low`; empty for what is neither good nor bad.
        mean_score: The mean data quality score of these customers; empty where it says nothing.
    """

    label: str
    count: int
    share: float
    tone: str = ""
    mean_score: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Counts that belong together.

    Attributes:
        title: What they are about.
        unit: What is counted: customers or records.
        rows: The counts.
        note: What the reader must know; can be empty.
        badge: A warning in a word or two, such as `generated`; can be empty.
    """

    title: str
    unit: str
    rows: tuple[Row, ...]
    note: str = ""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One quality check.

    Attributes:
        claim: What it checks.
        result: How it ended.
        score: What was measured.
        threshold: What that was compared with.
        description: The finding as a sentence.
    """

    claim: str
    result: Literal["passed", "warning", "failed"]
    score: str
    threshold: str
    description: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the data is good.

    Attributes:
        tone: `high`, `medium` or `low`, as the quality bands.
        title: The verdict.
        text: Its reason.
        checks: The checks behind it, failed ones first.
    """

    tone: str
    title: str
    text: str
    checks: tuple[Check, ...]


def headline(report: Mapping[str, Any]) -> str:
    """Say how many customers there are and how good their data is: `12 customers, mean data quality 98.3 of 100`."""
    total = report["total_customers"]
    if not total:
        return "No customers"
    mean = formats.score(report["data_quality"]["mean_score"])
    return f"{pluralize(total, 'customer')}, mean data quality {mean} of 100"


def verdict(report: Mapping[str, Any]) -> Verdict | None:
    """Judge by the checks whether the data is good and was published; None if none was made."""
    order = ["failed", "warning", "passed"]
    checks = tuple(sorted(map(_check, report.get("checks", ())), key=lambda check: order.index(check.result)))
    if not checks:
        return None
    failed, warnings = (sum(check.result == result for check in checks) for result in ("failed", "warning"))
    if failed:
        text = f"{failed} of {pluralize(len(checks), 'check')} failed. The last good export stays in place."
        return Verdict("low", "Not published", text, checks)
    if warnings:
        text = f"{len(checks) - warnings} of {pluralize(len(checks), 'check')} passed."
        return Verdict("medium", f"Published with {pluralize(warnings, 'warning')}", text, checks)
    return Verdict("high", "Good, and published", f"All {pluralize(len(checks), 'check')} passed.", checks)


def _check(check: Mapping[str, Any]) -> Check:
    is_share = check["name"] in SHARE_CHECKS
    return Check(
        claim=sentence(words(check["name"])),
        result="passed" if check["passed"] else "failed" if check["severity"] == "ERROR" else "warning",
        score=_measure(check["score"], is_share=is_share),
        threshold=_measure(check["threshold"], is_share=is_share),
        description=sentence(check["description"]),
    )


def _measure(value: float | None, *, is_share: bool) -> str:
    if value is None or not is_share:
        stored = None if value is None else round(value, 2)  # as the report's means are, so that both round alike
        return formats.number(stored, 0 if stored is None or stored == round(stored) else 1)
    return formats.percent(value)


def origin(report: Mapping[str, Any]) -> str:
    """Say where the customers come from; empty if the report does not know."""
    source = report.get("source", "")
    if source == SIMULATOR:
        return "These customers are not real: they come from the embedded simulator."
    return f"Source: {source}" if source else ""


def quality_table(report: Mapping[str, Any]) -> Table:
    """Count customers by quality band."""
    bands: dict[str, int] = {band: report["data_quality"][f"{band}_quality"] for band in BANDS}
    rows = table("Data quality", "customers", bands, labels=BAND_LABELS).rows
    toned = tuple(replace(row, tone=band) for row, band in zip(rows, BANDS, strict=True))
    return Table("Data quality", "customers", toned, "100 points, less 10 for each defect.")


def score_table(report: Mapping[str, Any]) -> Table:
    """Count customers by score, the best first."""
    scores: Mapping[str, int] = report["quality_scores"]
    rows = table("Customers by score", "customers", scores).rows
    return Table(
        "Customers by score", "customers", tuple(replace(row, tone=quality_band(int(row.label))) for row in rows)
    )


def breakdown_tables(report: Mapping[str, Any]) -> list[Table]:
    """Count customers by each of their business fields, with the mean score of each segment."""
    return [_breakdown(report, name, column) for name, column in BREAKDOWNS.items()]


def _breakdown(report: Mapping[str, Any], name: str, column: str) -> Table:
    counts, means = report[name], report.get("mean_scores", {}).get(name, {})
    made = table(TITLES[name], "customers", counts)
    rows = (
        replace(row, mean_score=formats.score(means[value])) if value in means else row
        for row, value in zip(made.rows, counts, strict=True)
    )
    generated = report.get("generated", {}).get(column, 0)
    if not generated:
        return replace(made, rows=tuple(rows))
    badge = badge_of(report, column)
    note = "The API has no such field: these values are made up from the customers' ids."
    if badge == PARTLY_GENERATED:
        note = f"{pluralize(generated, 'record')} had nothing to judge by: their values are made up from the ids."
    return replace(made, rows=tuple(rows), note=note, badge=badge)


def badge_of(report: Mapping[str, Any], column: str) -> str:
    """Warn of a field whose values are generated; empty if they come from the API."""
    generated = report.get("generated", {}).get(column, 0)
    if not generated:
        return ""
    is_partial = "defects" in report and generated < report["records"]["clean"] + report["records"]["merged"]
    return PARTLY_GENERATED if is_partial else "generated"


def domain_table(report: Mapping[str, Any]) -> Table:
    """Count customers by the domain of their email."""
    note = f"The ten largest. A domain is named if {FEWEST_PER_VALUE} different names or more are found at it."
    return table("Top email domains", "customers", report["email_domains"], labels=DOMAIN_LABELS, note=note)


def extra_field_tables(report: Mapping[str, Any]) -> list[Table]:
    """Say for each field that the user added how many customers have it, and for small vocabularies which value."""
    total = report["total_customers"]
    made = []
    for name, field in report.get("extra_fields", {}).items():
        missing = total - field["filled"]
        share = field["filled"] / total if total else 0.0
        counts = {"filled": field["filled"]} if field["values"] is None else field["values"]
        filled = table(
            sentence(words(name)),
            "customers",
            counts,
            whole=total,
            note=f"{formats.percent(share)} of the customers have a value.",
        )
        made.append(replace(filled, rows=(*filled.rows, Row("no value", missing, missing / total if total else 0.0))))
    return made


def record_tables(report: Mapping[str, Any]) -> list[Table]:
    """Count what became of the records and what was wrong with them; nothing for a report on customers alone."""
    if "records" not in report:
        return []
    records: Mapping[str, int] = report["records"]
    landed = records["landed"]
    outcomes = {
        "Clean customers": records["clean"],
        "Merged into a better duplicate": records["merged"],
        "Rejected": records["rejected"],
    }
    if records["excluded"]:
        outcomes["Excluded by the filter"] = records["excluded"]
    reasons = report["rejected_by_reason"]
    return [
        table(
            "What became of the records",
            "records",
            outcomes,
            whole=landed,
            note=f"The API returned {pluralize(landed, 'record')}.",
        ),
        table(
            "Rejected records by reason",
            "records",
            reasons,
            whole=landed,
            labels=REASON_LABELS,
            note="" if reasons else "No record was rejected.",
        ),
    ]


def field_tables(report: Mapping[str, Any]) -> list[Table]:
    """Say how complete each field is, and which fields have defects; nothing for a report on customers alone."""
    if "defects" not in report:
        return []
    records = report["records"]["clean"] + report["records"]["merged"]
    defects: Mapping[str, int] = report["defects"]
    # A field that others are judged by is missing, but not defective, where the API did not send it.
    unsent = {JUDGED_BY[name]: count for name, count in report.get("generated", {}).items() if name in JUDGED_BY}
    usable = {name: records - count - unsent.get(name, 0) for name, count in defects.items()}
    defective = {name: count for name, count in defects.items() if count}
    return [
        table(
            "Completeness by field",
            "records",
            {sentence(words(name)): count for name, count in usable.items()},
            whole=records,
            note="Records with a usable id in which the field has a usable value.",
        ),
        table(
            "Defects by field",
            "records",
            {sentence(words(name)): count for name, count in defective.items()},
            whole=records,
            note="A value is missing, or sent but not usable. A record can have several defects."
            if defective
            else "No field has a defect.",
        ),
    ]


def crawl_facts(report: Mapping[str, Any]) -> dict[str, str]:
    """Describe the crawl, by label; nothing for a report on customers alone."""
    if "crawl" not in report:
        return {}
    crawl: Mapping[str, Any] = report["crawl"]
    missing, incremental = crawl["missing_customers"], crawl.get("incremental")
    counted, facts = "Customers", {}
    if incremental is not None:
        counted = "Customers" if incremental["total_is_of_all"] else "Changed customers"
        names = {"received": "Came", "added": "New", "replaced": "Replaced", "deleted": "Deleted"}
        names |= {"kept": "Kept as they were"}
        facts = {"Requested": "only what changed"}
        facts |= {label: formats.number(incremental[name]) for name, label in names.items()}
    return {
        **facts,
        f"{counted} according to the API": formats.number(crawl["total"]),
        "Missing" if missing >= 0 else "Returned beyond that": formats.number(abs(missing)),
        "Repeated at the source": formats.number(crawl["source_duplicates"]),
        "Pages": formats.number(crawl["pages"]),
        "Requests": formats.number(crawl["requests"]),
        "Retries": formats.number(crawl["retries"]),
        "Throttled": formats.number(crawl["throttles"]),
        "Duration": formats.duration(crawl["duration_s"]),
    }


def table(
    title: str,
    unit: str,
    counts: Mapping[str, int],
    *,
    whole: int | None = None,
    labels: Mapping[str, str] | None = None,
    note: str = "",
) -> Table:
    """Make a table of counts; shares are of `whole`, or of all counts together."""
    total = sum(counts.values()) if whole is None else whole
    known = labels or {}
    rows = (Row(known.get(name, words(name)), count, count / total if total else 0.0) for name, count in counts.items())
    return Table(title, unit, tuple(rows), note)


def sections(report: Mapping[str, Any]) -> Sequence[Table]:
    """List all tables of counts but those of the bands and scores, in the order in which people read them."""
    return [
        *breakdown_tables(report),
        domain_table(report),
        *extra_field_tables(report),
        *record_tables(report),
        *field_tables(report),
    ]
