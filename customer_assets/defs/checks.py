"""The asset checks: the verdicts of the rooms below, reported to Dagster. A check's name is the claim that it makes.

Add a check of the clean customers in `processing/quality.py`, where the export's gate finds it too; add one here only
if it needs what Dagster or the published files know.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import narwhals as nw

from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.errors import as_dagster_failures
from customer_assets.defs.metadata import check_result, crawl_summary_metadata, export_metadata, rejected_metadata
from customer_assets.defs.resources import ProcessingResource, ThresholdsResource
from customer_assets.defs.sync import DEFAULT_SYNC, Sync, with_resource_keys
from customer_assets.export.formats import Format
from customer_assets.export.verify import UnreadableExportError, read_copy, read_export
from customer_assets.processing.measurement import measure_quality
from customer_assets.processing.quality import CHECK_DESCRIPTIONS, blocking_failures, completeness


def build_checks(sync: Sync) -> list[dg.AssetChecksDefinition]:
    """Build a sync's checks."""
    return [_check_of_raw_customers(sync), _checks_of_clean_customers(sync), _check_of_the_export(sync)]


def _check_of_raw_customers(sync: Sync) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=sync.key("raw_customers"), blocking=True)
    @with_resource_keys(sync)
    def every_customer_was_fetched(
        raw_customers: nw.LazyFrame, data_directory: DataDirectory, quality_thresholds: ThresholdsResource
    ) -> dg.AssetCheckResult:
        """The API returned as many customers as it says it has."""
        with as_dagster_failures():
            crawl = data_directory.crawl_summary(raw_customers)
        return check_result(completeness(crawl, quality_thresholds), metadata=crawl_summary_metadata(crawl))

    return every_customer_was_fetched


def _checks_of_clean_customers(sync: Sync) -> dg.AssetChecksDefinition:
    clean, raw = sync.key("clean_customers"), sync.key("raw_customers")

    @dg.multi_asset_check(
        name=sync.op("clean_customers_are_fit_to_publish"),
        specs=[
            dg.AssetCheckSpec(name, asset=clean, blocking=True, description=description, additional_deps=[raw])
            for name, description in CHECK_DESCRIPTIONS.items()
        ],
        ins=sync.ins("raw_customers", "clean_customers"),
        can_subset=True,  # so that a changed threshold can be judged without another crawl
    )
    @with_resource_keys(sync)
    def clean_customers_are_fit_to_publish(
        context: dg.AssetCheckExecutionContext,
        raw_customers: nw.LazyFrame,
        clean_customers: nw.LazyFrame,
        data_directory: DataDirectory,
        processing: ProcessingResource,
        quality_thresholds: ThresholdsResource,
    ) -> Iterator[dg.AssetCheckResult]:
        """Judge the clean customers by the thresholds, each score beside its threshold.

        If that holds them back, `summary_report` does not run: the report that says why is made here.
        """
        with as_dagster_failures():
            crawl = data_directory.crawl_summary(raw_customers)
            cleaning = data_directory.cleaning_summary(clean_customers)
            published = data_directory.published()
            figures = measure_quality(raw_customers, clean_customers, crawl, cleaning, published)
            rejected = rejected_metadata(crawl, data_directory.layout.quarantine_file)
            verdicts = quality_thresholds.judge(figures, crawl)
            if blocking_failures(verdicts):
                exporter = processing.exporter(data_directory, cleaning.mapping)
                sums = exporter.generate_summary_report(clean_customers)
                _, report = data_directory.publish_report(sums, cleaning, verdicts)
                context.log.warning("Not published; the report is %s.", report.with_suffix(".html"))
        selected = {key.name for key in context.selected_asset_check_keys}
        for verdict in verdicts:
            if verdict.name in selected:
                is_about_rejected = verdict.name == "rejected_share_within_limit"
                yield check_result(verdict, metadata=rejected if is_about_rejected else None)

    return clean_customers_are_fit_to_publish


def _check_of_the_export(sync: Sync) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=sync.key("customer_export"), additional_ins=sync.ins("clean_customers"))
    @with_resource_keys(sync)
    def export_matches_clean_customers(
        clean_customers: nw.LazyFrame, data_directory: DataDirectory, processing: ProcessingResource
    ) -> dg.AssetCheckResult:
        """The published files, read again, hold exactly the clean customers, complete and in order."""
        with as_dagster_failures(), ThreadPoolExecutor(1) as aside, data_directory.last_export() as last_export:
            mapping = data_directory.cleaning_summary(clean_customers).mapping
            published = data_directory.published()
            files = data_directory.export_files(published.formats if published else None)
            document = files.pop(Format.JSON)
            reading = aside.submit(read_export, document, mapping)
            copies = {path: aside.submit(read_copy, path, form, mapping) for form, path in files.items()}
            exporter = processing.exporter(data_directory, mapping)
            expected = exporter.expected(clean_customers, last_export)
        try:
            found = reading.result()
            differing = [path.name for path, copy in copies.items() if copy.result() != expected]
        except UnreadableExportError as error:
            return dg.AssetCheckResult(passed=False, description=str(error))
        text = f"{found.total_customers} customers in the file, {expected.total_customers} clean ones."
        if differing:
            text += f" {', '.join(differing)} differ: materialise customer_export again."
        return dg.AssetCheckResult(
            passed=found == expected and not differing,
            description=text,
            metadata=export_metadata(found, {Format.JSON: document, **files}),
        )

    return export_matches_clean_customers


CHECKS = build_checks(DEFAULT_SYNC)
"""This project's own."""
