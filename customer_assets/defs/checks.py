"""The asset checks: the rooms' verdicts, told to Dagster. A check's name is the claim it holds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import narwhals as nw

from customer_assets.defs.blueprint import Blueprint
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.errors import as_dagster_failures
from customer_assets.defs.metadata import check_result, crawl_record_metadata, export_metadata
from customer_assets.defs.resources import ProcessingResource, ThresholdsResource
from customer_assets.defs.sync import Sync
from customer_assets.export import DataExporter
from customer_assets.export.verify import UnreadableExportError, read_export
from customer_assets.processing.quality import CHECK_DESCRIPTIONS, completeness, measure_quality

BLUEPRINT: Blueprint[dg.AssetChecksDefinition] = Blueprint()
"""The checks below are this project's own; it builds the same ones for another sync."""


def clean_checks(sync: Sync) -> list[dg.AssetCheckSpec]:
    """Tell which checks of the clean customers there are."""
    clean, raw = sync.key("clean_customers"), sync.key("raw_customers")
    return [
        dg.AssetCheckSpec(name, asset=clean, blocking=True, description=description, additional_deps=[raw])
        for name, description in CHECK_DESCRIPTIONS.items()
    ]


@BLUEPRINT.of(lambda sync: dg.asset_check(asset=sync.key("raw_customers"), blocking=True))
def every_customer_was_fetched(
    raw_customers: nw.LazyFrame,  # noqa: ARG001 - the record is that of what was loaded
    data_directory: DataDirectory,
) -> dg.AssetCheckResult:
    """The API handed over as many customers as it says it has."""
    with as_dagster_failures():
        record = data_directory.crawl_summary()
    return check_result(completeness(record), metadata=crawl_record_metadata(record))


@BLUEPRINT.of(
    lambda sync: dg.multi_asset_check(
        name=sync.op("clean_customers_are_fit_to_publish"),
        specs=clean_checks(sync),
        ins=sync.ins("raw_customers", "clean_customers"),
    )
)
def clean_customers_are_fit_to_publish(
    raw_customers: nw.LazyFrame,
    clean_customers: nw.LazyFrame,
    data_directory: DataDirectory,
    quality_thresholds: ThresholdsResource,
) -> Iterator[dg.AssetCheckResult]:
    """Judge the clean customers against the thresholds, each score beside its threshold."""
    with as_dagster_failures():
        crawl, cleaning = data_directory.crawl_summary(), data_directory.cleaning_summary()
        figures = measure_quality(raw_customers, clean_customers, crawl, cleaning)
    for verdict in quality_thresholds.evaluate(figures):
        yield check_result(verdict)


@BLUEPRINT.of(
    lambda sync: dg.asset_check(asset=sync.key("customer_export"), additional_ins=sync.ins("clean_customers"))
)
def export_matches_clean_customers(
    clean_customers: nw.LazyFrame, data_directory: DataDirectory, processing: ProcessingResource
) -> dg.AssetCheckResult:
    """The published file, read again, holds just the clean customers, whole and in order."""
    with as_dagster_failures(), ThreadPoolExecutor(1) as aside, data_directory.last_export() as last_export:
        mapping = data_directory.cleaning_summary().mapping
        reading = aside.submit(read_export, data_directory.export_file, mapping)
        expected = DataExporter(processing.open_engine(), mapping=mapping).expected(clean_customers, last_export)
    try:
        found = reading.result()
    except UnreadableExportError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    return dg.AssetCheckResult(
        passed=found == expected,
        description=f"{found.total_customers} customers in the file, {expected.total_customers} clean ones.",
        metadata=export_metadata(found, data_directory.export_file),
    )


CHECKS = (every_customer_was_fetched, clean_customers_are_fit_to_publish, export_matches_clean_customers)
