"""The metadata that Dagster shows: schemas, lineage, counts, and a crawl's progress. Never a value of a customer's.

Add metadata of an asset here. What is counted belongs in the rooms below; descriptions of columns, in `fields.py`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg

from customer_assets.api import CrawlStats, CustomerAPIClient
from customer_assets.api.crawl.events import Snapshot
from customer_assets.api.incremental import CrawlPlan
from customer_assets.api.runner.progress import OnProgress, line, summary
from customer_assets.core.fields import RAW_FIELDS, RECORD_COLUMNS, Kind
from customer_assets.core.fields import Field as FieldDefinition
from customer_assets.core.models import Changes, CleaningSummary, CrawlSummary
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.export import ExportFigures
from customer_assets.export.formats import Format
from customer_assets.monitoring.alerts import CHECK_FAILED, RUNBOOKS
from customer_assets.processing.quality import CheckResult, QualityMetrics, Severity
from customer_assets.processing.remedies import REMEDIES
from customer_assets.processing.rules import CleaningOptions
from customer_assets.processing.rules import lineage as rule_lineage
from customer_assets.report.markdown import markdown

NOT_NUMBERS = {
    "number",
    "fingerprint",
    "rejected_by_reason",
    "mapping",
    "source",
    "absent_paths",
    "keys",
    "sync",
    "total_is_of_all",
}
"""What a crawl's summary has besides the figures that are plotted."""


def table_columns(asset: dg.AssetKey, types: Mapping[str, object], facts: object = None) -> dict[str, dg.MetadataValue]:
    """Describe the columns of an asset's table, and what they follow from.

    Args:
        asset: The asset.
        types: Its columns, in order.
        facts: The facts that were committed with its rows; None: it is not a table of this package.
    """
    fields: Sequence[FieldDefinition] = ()
    noted: Mapping[str, str] = {}
    lineage: dict[str, dg.MetadataValue] = {}
    if isinstance(facts, CrawlSummary):
        fields, noted = (*RAW_FIELDS, *facts.mapping.extra_fields), RECORD_COLUMNS
    elif isinstance(facts, CleaningSummary):
        generate = bool(facts.generated)
        fields = facts.mapping.describe_clean_fields(generated=generate)
        lineage = column_lineage(asset, facts.mapping, generate=generate)
    schema = column_schema(types, fields, noted)
    return {"dagster/column_schema": dg.MetadataValue.table_schema(schema), **lineage}


def exported_columns(asset: dg.AssetKey, facts: CleaningSummary) -> dict[str, dg.MetadataValue]:
    """Describe the customers of the published document, and what their fields follow from."""
    fields = facts.mapping.describe_clean_fields(generated=bool(facts.generated))
    types = {field.name: exported_type(field) for field in fields}
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(types, fields)),
        **column_lineage(asset, facts.mapping),
    }


def column_schema(
    types: Mapping[str, object], fields: Sequence[FieldDefinition], noted: Mapping[str, str] = MappingProxyType({})
) -> dg.TableSchema:
    """Describe columns by name and type, personal data tagged.

    Args:
        types: The columns, in order.
        fields: The fields among them.
        noted: What the others are.
    """
    known = {field.name: field for field in fields}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=str(dtype),
                description=known[name].description if name in known else noted.get(name),
                tags={"pii": "true"} if name in known and known[name].pii else {},
            )
            for name, dtype in types.items()
        ]
    )


def check_result(
    verdict: CheckResult, *, metadata: Mapping[str, dg.MetadataValue] | None = None
) -> dg.AssetCheckResult:
    """Turn a check's result into Dagster's, with the score beside its threshold."""
    return dg.AssetCheckResult(
        check_name=verdict.name,
        passed=bool(verdict.passed),
        severity=dg.AssetCheckSeverity.WARN if verdict.severity is Severity.WARN else dg.AssetCheckSeverity.ERROR,
        description=verdict.description,
        metadata={**numeric(verdict.figures), **(metadata or {}), **_remedy(verdict)},
    )


def _remedy(verdict: CheckResult) -> dict[str, dg.MetadataValue]:
    if verdict.passed:
        return {}
    return {
        "what_to_do": dg.MetadataValue.text(REMEDIES.get(verdict.name, "")),
        "runbook": dg.MetadataValue.text(RUNBOOKS[CHECK_FAILED]),
    }


def api_metadata(crawl: CrawlSummary) -> dict[str, dg.MetadataValue]:
    """Return what a crawl found out about the API: how many customers it counts, if it does."""
    return numeric({"customers": crawl.total if crawl.total_is_of_all else None})


def quarantine_metadata(crawl: CrawlSummary) -> dict[str, dg.MetadataValue]:
    """Return how many of a crawl's records cannot be used, and why."""
    reasons = {f"rejected_{code}": count for code, count in crawl.rejected_by_reason.items()}
    return numeric({"dagster/row_count": crawl.rejected, **reasons})


def crawl_metadata(figures: CrawlStats) -> dict[str, dg.MetadataValue]:
    """Return what a crawl did."""
    shares = {"success_rate": figures.success_rate, "records_per_second": _rate(figures.records, figures.duration_s)}
    latencies = {f"latency_p{share}_s": figures.latencies.percentile_s(share / 100) for share in (50, 95, 99)}
    retries = {f"retries_{cause.value}": count for cause, count in figures.retries.items()}
    statuses = {f"answers_{status or 'none'}": count for status, count in figures.statuses.items()}
    counts = {
        "pages": figures.pages,
        "pages_from_store": figures.pages_from_store,
        "records": figures.records,
        "unique_customers": figures.unique_ids,
        "rejected": figures.rejected,
        "missing_customers": figures.missing_customers,
        "source_duplicates": figures.source_duplicates,
        "passes": figures.passes,
        "requests": figures.requests,
        "throttles": figures.throttles,
        "waiting_s": figures.waiting_s,
        "bytes": figures.bytes,
        "duration_s": figures.duration_s,
    }
    figures_of_all = {**counts, **shares, **latencies, **retries, **statuses}
    # Digits that no clock measures would only widen the UI's tables.
    return numeric({name: round(value, 6) if value else value for name, value in figures_of_all.items()})


def describe_plan(plan: CrawlPlan) -> str:
    """Say what a run requests, and why."""
    if plan.since is None:
        return f"Requesting all customers: {plan.reason}."
    return f"Requesting the customers that changed since {plan.since:%Y-%m-%d %H:%M:%S} UTC."


def sync_metadata(plan: CrawlPlan, crawl: CrawlSummary) -> dict[str, dg.MetadataValue]:
    """Return what was requested, and what that changed in the raw table; nothing where every run reads everything."""
    if crawl.sync is None:
        return {}
    upsert = crawl.sync.upsert
    rows = (
        {} if upsert is None else {f"rows_{name}": count for name, count in upsert.model_dump(exclude={"lost"}).items()}
    )
    if upsert is not None:  # what the table holds, as after a full crawl; what came is in rows_received
        rows |= {"rows_kept": upsert.kept, "rows_after": upsert.after, "records": crawl.landed}
        rows |= {"rejected": crawl.rejected, "unique_customers": crawl.sync.customers}
    return {
        "crawl": dg.MetadataValue.text("full" if upsert is None else "incremental"),
        "requested": dg.MetadataValue.text(describe_plan(plan)),
        "watermark": dg.MetadataValue.timestamp(crawl.sync.watermark),
        "last_full_crawl": dg.MetadataValue.timestamp(crawl.sync.full_at),
        **numeric(rows),
    }


def progress_metadata(snapshot: Snapshot, running_s: float) -> dict[str, dg.MetadataValue]:
    """Return how far a crawl has come."""
    return numeric(
        {
            "pages": snapshot.pages_arrived + snapshot.pages_held,
            "pages_total": snapshot.total_pages,
            "requests": snapshot.requests,
            "retries": sum(snapshot.retries.values()),
            "throttles": snapshot.throttles,
            "waiting_s": snapshot.waiting_s,
            "running_s": running_s,
            "pages_per_second": _rate(snapshot.pages_arrived, running_s),
        }
    )


def crawl_summary_metadata(record: CrawlSummary) -> dict[str, dg.MetadataValue]:
    """Return the summary of a crawl."""
    return numeric(record.model_dump(exclude=NOT_NUMBERS))


def rejected_metadata(crawl: CrawlSummary, quarantine: Path) -> dict[str, dg.MetadataValue]:
    """Count the rejected records by their reason, and say where they are."""
    if not crawl.rejected:
        return {}
    counts = {f"rejected_{reason}": count for reason, count in crawl.rejected_by_reason.items()}
    return {**numeric(counts), "quarantine": dg.MetadataValue.path(quarantine)}


def export_metadata(figures: ExportFigures, files: Mapping[Format, Path]) -> dict[str, dg.MetadataValue]:
    """Return what an export holds, and where it is in each format."""
    path = files[Format.JSON]
    copies = {f"file_{form}": dg.MetadataValue.path(at) for form, at in files.items() if form is not Format.JSON}
    counts = {name: value for name, value in asdict(figures).items() if isinstance(value, int)}
    return {
        **numeric(counts),
        "digest": dg.MetadataValue.text(figures.digest),
        "file": dg.MetadataValue.path(path),
        **copies,
        "dagster/uri": dg.MetadataValue.text(path.as_uri()),
    }


def clean_metadata(figures: QualityMetrics, record: CleaningSummary) -> dict[str, dg.MetadataValue]:
    """Return what cleaning found: counts, the records with each defect, and what changed since the last export."""
    defects = {f"records_with_defective_{name}": count for name, count in record.defects.items()}
    generated = {f"records_with_generated_{name}": count for name, count in record.generated.items()}
    ids = {"ids_with_several_spellings": record.respelled_ids}
    return numeric({**figures.as_dict(), **defects, **generated, **ids, **_changes(record.changes)})


def report_metadata(report: Mapping[str, Any], path: Path, url: str = "") -> dict[str, dg.MetadataValue]:
    """Show a report, and where it is.

    Args:
        report: A full report.
        path: Its file.
        url: Where a web server shows that file's folder; "" if none does.
    """
    from customer_assets.report.html import picture  # noqa: PLC0415 - Jinja2 is loaded when a report is written

    changes = None if report["changes"] is None else Changes.model_validate(report["changes"])
    return {
        **numeric({"total_customers": report["total_customers"], **report["data_quality"], **_changes(changes)}),
        "summary": dg.MetadataValue.md(f"{picture(report)}\n\n{markdown(report)}"),
        "page": dg.MetadataValue.path(path.with_suffix(".html")),
        "file": dg.MetadataValue.path(path.with_suffix(".md")),
        "dagster/uri": dg.MetadataValue.text(path.with_suffix(".md").as_uri()),
        **({"link": dg.MetadataValue.url(f"{url.rstrip('/')}/{path.with_suffix('.html').name}")} if url else {}),
    }


def _changes(changes: Changes | None) -> dict[str, int]:
    names = ("added", "changed", "gone", "unchanged")
    return {} if changes is None else {f"customers_{name}": getattr(changes, name) for name in names}


def numeric(figures: Mapping[str, float | None]) -> dict[str, dg.MetadataValue]:
    """Turn figures into metadata that the UI plots, without those that are None or not finite."""
    return {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(float(value))
        for name, value in figures.items()
        if value is not None and math.isfinite(value)  # Dagster stores NaN as it is, and its plots break
    }


def _rate(count: int, seconds: float) -> float | None:
    return count / seconds if seconds else None


# --- lineage -----------------------------------------------------------------------------------------------


def column_lineage(
    asset: dg.AssetKey, mapping: RecordMapping = DEFAULT_RECORD, *, generate: bool = True
) -> dict[str, dg.MetadataValue]:
    """Return what an asset's columns follow from; nothing for what comes from the API."""
    *prefix, name = asset.path
    if name == "clean_customers":
        source, columns = "raw_customers", clean_from_raw(mapping, generate=generate)
    elif name == "customer_export":
        source, columns = "clean_customers", {field.name: (field.name,) for field in mapping.clean_fields}
    else:
        return {}
    key = dg.AssetKey([*prefix, source])
    deps = {
        name: [dg.TableColumnDep(asset_key=key, column_name=column) for column in from_columns]
        for name, from_columns in columns.items()
    }
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


def clean_from_raw(mapping: RecordMapping = DEFAULT_RECORD, *, generate: bool = True) -> Mapping[str, Sequence[str]]:
    """Return what each clean column is computed from; generated values follow from the id (and the seed)."""
    return rule_lineage(CleaningOptions(datetime.now(UTC), generate=generate, mapping=mapping))


_EXPORTED_TYPES = {
    Kind.INTEGER: "Int64",
    Kind.NUMBER: "Float64",
    Kind.BOOLEAN: "Boolean",
}


def exported_type(field: FieldDefinition) -> str:
    """Name the type of a field in the published document, where ids are written `cust_001` and instants are text."""
    return "String" if field.name == "customer_id" else _EXPORTED_TYPES.get(field.kind, "String")


# --- while a crawl runs --------------------------------------------------------------------------------------

OBSERVE_EVERY_S = 60.0
"""A crawl that ends sooner leaves no observation: its materialization says it all."""


def observer(context: dg.AssetExecutionContext) -> OnProgress:
    """Make a callback that records an observation of the asset once a minute."""
    due_s = OBSERVE_EVERY_S

    def observe(snapshot: Snapshot, running_s: float) -> None:
        nonlocal due_s
        if running_s >= due_s:
            due_s = running_s + OBSERVE_EVERY_S
            metadata = progress_metadata(snapshot, running_s)
            context.log_event(dg.AssetObservation(context.asset_key, line(snapshot, running_s), metadata=metadata))

    return observe


@contextmanager
def log_crawl_summary(context: dg.AssetExecutionContext, client: CustomerAPIClient) -> Iterator[None]:
    """Log what a crawl did. If it failed, record that as an observation: nothing is materialised then."""
    try:
        yield
    except Exception:
        if client.figures.requests:
            context.log_event(
                dg.AssetObservation(context.asset_key, summary(client.figures), metadata=crawl_metadata(client.figures))
            )
        raise
    context.log.info(summary(client.figures))
