"""The four assets: names and wiring.

Add an asset here if it belongs to every sync. What an asset does stands in the rooms below.
"""

from datetime import datetime
from pathlib import Path

import dagster as dg
import narwhals as nw

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import CrawlPlan, why_unreliable
from customer_assets.core.models import CrawlSummary
from customer_assets.defs.data_directory import DataDirectory, with_committed
from customer_assets.defs.errors import as_dagster_failures
from customer_assets.defs.metadata import (
    api_metadata,
    clean_metadata,
    crawl_metadata,
    describe_plan,
    export_metadata,
    exported_columns,
    log_crawl_summary,
    observer,
    quarantine_metadata,
    report_metadata,
    sync_metadata,
)
from customer_assets.defs.resources import CustomerAPIResource, ProcessingResource, ThresholdsResource
from customer_assets.defs.sync import DEFAULT_SYNC, Sync, with_resource_keys
from customer_assets.export.baseline import changes_since
from customer_assets.processing.defects import clean_version, cleaning_summary, count_defects, lost_fields
from customer_assets.processing.landing.staged import Landing, StoredCustomers
from customer_assets.processing.measurement import measure_quality
from customer_assets.processing.rules import RULES_VERSION
from customer_assets.report.document import report_version

EXPORT_VERSION = f"1, rules {RULES_VERSION}"
REPORT_VERSION = f"4, rules {RULES_VERSION}"
"""Dagster marks an asset as stale when its code version changes: other rules change even what people read."""
PERSONAL_DATA = {"pii": "true"}

API, QUARANTINE = "customer_api", "rejected_records"
"""What surrounds a sync in the lineage, though no run materializes it."""

RESUME_THE_CRAWL = dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""Each retry requests only the pages that are still missing."""


def build_assets(sync: Sync) -> list[dg.AssetsDefinition]:
    """Build a sync's assets."""
    return [_raw_customers(sync), _clean_customers(sync), _customer_export(sync), _summary_report(sync)]


def build_external_assets(sync: Sync, source: str, quarantine: str) -> list[dg.AssetSpec]:
    """Describe the API and the quarantine.

    Args:
        sync: Names them.
        source: What the records come from, in words.
        quarantine: Where rejected records are.
    """
    return [
        dg.AssetSpec(
            sync.key(API),
            group_name=sync.group,
            owners=sync.owners,
            kinds={"api"},
            tags=PERSONAL_DATA,
            description=f"The source of the customers: {source}. Each sync observes how many customers it counts.",
        ),
        dg.AssetSpec(
            sync.key(QUARANTINE),
            deps=[sync.key("raw_customers")],
            group_name=sync.group,
            owners=sync.owners,
            kinds={"parquet"},
            tags=PERSONAL_DATA,
            description=(
                "Records that cannot be used, each with its page, position and reason. Written together with "
                f"raw_customers, to {quarantine}."
            ),
        ),
    ]


def _raw_customers(sync: Sync) -> dg.AssetsDefinition:
    @dg.asset(
        key_prefix=sync.key_prefix,
        deps=[sync.key(API)],
        group_name=sync.group,
        io_manager_key=sync.io_manager,
        owners=sync.owners,
        kinds={"python", "parquet"},
        tags=PERSONAL_DATA,
        retry_policy=RESUME_THE_CRAWL,
        pool=sync.pool,
        freshness_policy=sync.freshness,
    )
    @with_resource_keys(sync)
    def raw_customers(
        context: dg.AssetExecutionContext,
        customer_api: CustomerAPIResource,
        data_directory: DataDirectory,
        processing: ProcessingResource,
    ) -> dg.MaterializeResult[nw.LazyFrame]:
        """Customers as the API sent them, typed and trimmed.

        One row per record with a usable id. The others are in the quarantine, each with its reason.
        """
        with as_dagster_failures():
            plan, stored = data_directory.plan_crawl(
                customer_api.settings(), customer_api.identity, full_refresh=customer_api.full_refresh
            )
            try:
                landed = _land(context, customer_api, data_directory, processing, plan, stored)
            finally:
                if stored is not None:
                    stored.remove()
            if isinstance(landed, str):
                plan = plan.as_full(landed)
                landed = _land(context, customer_api, data_directory, processing, plan)
            assert not isinstance(landed, str)  # noqa: S101 - nothing is wrong with a crawl that reads everything
            figures, crawl, file = landed
            for name, metadata in ((API, api_metadata(crawl)), (QUARANTINE, quarantine_metadata(crawl))):
                context.log_event(dg.AssetObservation(sync.key(name), metadata=metadata))
            return dg.MaterializeResult(
                value=with_committed(processing.open_engine(data_directory).scan(file), crawl, file),
                metadata={**crawl_metadata(figures), **sync_metadata(plan, crawl)},
                data_version=dg.DataVersion(crawl.fingerprint),
            )

    return raw_customers


def _land(
    context: dg.AssetExecutionContext,
    api: CustomerAPIResource,
    directory: DataDirectory,
    processing: ProcessingResource,
    plan: CrawlPlan,
    stored: StoredCustomers | None = None,
) -> tuple[CrawlStats, CrawlSummary, Path] | str:
    """Request what a plan says, and commit what came; or say why everything has to be requested."""
    if plan.settings is not None:
        context.log.info(describe_plan(plan))
    settings = api.settings()

    def shows_changes(since: datetime) -> bool:
        with api.client(directory.page_store_url, settings=settings.updated_since(since)) as client:
            return bool(client._fetch_page(1)["data"])  # noqa: SLF001 - specified so; no page but the first is needed

    with (
        directory.landing(settings.mapping, api.source) as landing,
        api.client(directory.page_store_url, observer(context), settings.updated_since(plan.since)) as client,
    ):
        deletions = None if plan.since is None else _land_deletions(api, directory, landing, plan.since)
        with log_crawl_summary(context, client):
            figures = client.crawl(landing.writer)
        if deletions is not None:
            figures.add_earlier(deletions)
        if reason := why_unreliable(plan, figures, shows_changes):
            landing.writer.abort()
            return reason
        if stored is not None:
            landing.writer.close()
            engine, mapping = processing.open_engine(directory), landing.writer.mapping
            options = processing.processor(processing.instant(), mapping, directory).options
            landing.lost = lost_fields(engine.scan(landing.raw_file), engine.scan(stored.raw_file), options)
        return figures, directory.commit_landing(landing, figures, plan, stored), landing.raw_file


def _land_deletions(
    api: CustomerAPIResource, directory: DataDirectory, landing: Landing, since: datetime
) -> CrawlStats | None:
    """Request who was deleted since an instant; None if the API has no list of them."""
    settings = api.settings().deleted_since(since)
    if settings is None:
        return None
    with api.client(directory.page_store_url, settings=settings) as client:
        return client.crawl(landing.open_deletions(settings.record))


def _clean_customers(sync: Sync) -> dg.AssetsDefinition:
    @dg.asset(
        key_prefix=sync.key_prefix,
        ins=sync.ins("raw_customers"),
        group_name=sync.group,
        io_manager_key=sync.io_manager,
        owners=sync.owners,
        kinds={sync.engine, "parquet"},
        tags=PERSONAL_DATA,
        code_version=RULES_VERSION,
    )
    @with_resource_keys(sync)
    def clean_customers(
        raw_customers: nw.LazyFrame, data_directory: DataDirectory, processing: ProcessingResource
    ) -> dg.MaterializeResult[nw.LazyFrame]:
        """Clean customers: one row each, with a data quality score. The rules give the same result on every engine."""
        with as_dagster_failures(), data_directory.new_file("clean_customers.parquet") as staged:
            crawl, engine = data_directory.crawl_summary(raw_customers), processing.open_engine(data_directory)
            processor = processing.processor(processing.instant(), crawl.mapping, data_directory)
            engine.sink(processor.process(raw_customers), staged)
            clean, defects = engine.scan(staged), count_defects(raw_customers, processor.options)
            with data_directory.last_export() as last_export:
                changes = changes_since(last_export, clean, engine, crawl.mapping)
            cleaning = cleaning_summary(defects, processor.options, changes, crawl)
            figures = measure_quality(raw_customers, clean, crawl, cleaning)
            data_directory.commit_clean(staged, cleaning)
        return dg.MaterializeResult(
            value=with_committed(clean, cleaning, staged),
            metadata=clean_metadata(figures, cleaning),
            data_version=dg.DataVersion(clean_version(crawl.fingerprint, processor.options, defects)),
        )

    return clean_customers


def _customer_export(sync: Sync) -> dg.AssetsDefinition:
    @dg.asset(
        key_prefix=sync.key_prefix,
        ins=sync.ins("raw_customers", "clean_customers"),
        group_name=sync.group,
        owners=sync.owners,
        kinds={"python", "json"},
        tags=PERSONAL_DATA,
        code_version=EXPORT_VERSION,
        freshness_policy=sync.freshness,  # what the gate holds back is fetched in time, and published late
    )
    @with_resource_keys(sync)
    def customer_export(
        context: dg.AssetExecutionContext,
        raw_customers: nw.LazyFrame,
        clean_customers: nw.LazyFrame,
        data_directory: DataDirectory,
        processing: ProcessingResource,
        quality_thresholds: ThresholdsResource,
    ) -> dg.MaterializeResult[None]:
        """The published document: all customers, and their counts. Data that fails the quality gate is not published.

        The export evaluates the gate itself, because Dagster's checks guard only the run that they are part of.
        """
        with as_dagster_failures():
            crawl = data_directory.crawl_summary(raw_customers)
            cleaning = data_directory.cleaning_summary(clean_customers)
            published = data_directory.published()
            quality_thresholds.require(
                measure_quality(raw_customers, clean_customers, crawl, cleaning, published), crawl
            )
            exporter = processing.exporter(data_directory, cleaning.mapping)
            exported = data_directory.publish_export(exporter, clean_customers, cleaning)
        return dg.MaterializeResult(
            metadata={
                **export_metadata(exported, data_directory.export_files()),
                **exported_columns(context.asset_key, cleaning),
            },
            data_version=dg.DataVersion(exported.digest),
        )

    return customer_export


def _summary_report(sync: Sync) -> dg.AssetsDefinition:
    @dg.asset(
        key_prefix=sync.key_prefix,
        ins=sync.ins("clean_customers"),
        group_name=sync.group,
        owners=sync.owners,
        kinds={"python", "html"},
        code_version=REPORT_VERSION,
    )
    @with_resource_keys(sync)
    def summary_report(
        clean_customers: nw.LazyFrame,
        data_directory: DataDirectory,
        processing: ProcessingResource,
        quality_thresholds: ThresholdsResource,
    ) -> dg.MaterializeResult[None]:
        """The customers in numbers, and what changed since the last export, as HTML, Markdown and JSON. No names.

        If the gate holds customers back, a report under another name says so, and why.
        """
        with as_dagster_failures():
            cleaning = data_directory.cleaning_summary(clean_customers)
            metrics = measure_quality(None, clean_customers, cleaning.crawl, cleaning, data_directory.published())
            exporter = processing.exporter(data_directory, cleaning.mapping)
            report, path = data_directory.publish_report(
                exporter.generate_summary_report(clean_customers),
                cleaning,
                quality_thresholds.judge(metrics, cleaning.crawl),
            )
        return dg.MaterializeResult(
            metadata=report_metadata(report, path, data_directory.report_url),
            data_version=dg.DataVersion(report_version(report)),
        )

    return summary_report


ASSETS = build_assets(DEFAULT_SYNC)
"""This project's own."""
