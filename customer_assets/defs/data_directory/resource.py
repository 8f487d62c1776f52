"""The data directory resource: a sync's tables, its quarantine, its export and its report.

Add a place in `storage/layout.py`, and here what commits or reads it. How files are written, published and locked
belongs in `storage/`; what a frame holds, in `processing/`.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from os.path import relpath
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, field_validator
from upath import UPath

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import EVERYTHING, CrawlPlan, plan_crawl
from customer_assets.api.options import ApiSettings
from customer_assets.core.configuration import LocalPath, Settings, Variable, validate_choice
from customer_assets.core.errors import (
    ConfigurationError,
    DamagedTableError,
    NotMaterializedError,
    SupersededError,
    TableError,
)
from customer_assets.core.models import CleaningSummary, CrawlSummary
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.core.urls import validate_url
from customer_assets.defs.data_directory.committed import carried_facts
from customer_assets.defs.data_directory.landing import sum_up
from customer_assets.defs.run_config import Resource
from customer_assets.export import DataExporter, ExportFigures
from customer_assets.export.baseline import ExportBaseline
from customer_assets.export.formats import Format, paths_of
from customer_assets.export.history import keep_export
from customer_assets.processing.landing.staged import LANDING_VERSION, Landing, StoredCustomers
from customer_assets.processing.quality import CheckResult
from customer_assets.processing.rules import Frame
from customer_assets.report.document import build_report
from customer_assets.report.files import FORMATS, last_report, publish_report
from customer_assets.storage.folders import open_folder
from customer_assets.storage.layout import Layout
from customer_assets.storage.object_store import check_store
from customer_assets.storage.private_files import private_directory
from customer_assets.storage.staging import StagingArea, staging_area, sweep
from customer_assets.storage.succession import Edition, Succession, newest_claim
from customer_assets.storage.versions import Table

RAW, CLEAN, EXPORTED, REJECTED = "raw_customers", "clean_customers", "exported_customers", "rejected_customers"

Facts = TypeVar("Facts", bound=BaseModel)

_logger = logging.getLogger(__name__)


class StorageOptions(Settings):
    """Where a sync keeps its tables and exports, beside its data directory."""

    lake_url: LocalPath = Field(
        default="",
        description="Where the tables are kept: a path, or an object store such as s3://bucket/customers. "
        "Empty: lake/ in the data directory.",
    )
    keep_exports: int = Field(default=0, ge=0, description="Past exports to keep in export/history/.")
    export_formats: list[str] = Field(
        default=[Format.JSON.value],
        description="What the customers are published as, beside the document (json): ndjson, parquet.",
        json_schema_extra={"items": {"type": "string", "enum": [*Format]}},
    )
    report_url: str = Field(
        default="",
        description="Where a web server of yours shows the folder export/, such as https://reports.example/customers; "
        "Dagster then links to the report. Empty: no link.",
    )

    @field_validator("export_formats")
    @classmethod
    def validate_formats(cls, formats: list[str]) -> list[str]:
        """Refuse a format that nobody knows. It keeps its length: Dagster compares it with what was configured."""
        return [validate_choice(each, Format) for each in formats]


class DataDirectory(StorageOptions, Resource):
    """Where everything is kept: `lake/`, `quarantine/` and `export/`."""

    PLACES = ("path", "lake_url", "report_url")

    path: Annotated[LocalPath, Variable("CUSTOMER_DATA_DIR")] = Field(
        default="data", description="The directory, relative to where Dagster was started."
    )

    def check(self) -> None:
        """Check what can be checked without opening anything.

        Raises:
            ConfigurationError: The path is not UTF-8, or `lake_url` or `report_url` cannot be used.
        """
        try:
            self.path.encode()
        except UnicodeEncodeError:
            raise ConfigurationError(
                "CUSTOMER_DATA_DIR", f"{self.path!r} is not UTF-8", "Rename the directory, or set another."
            ) from None
        if self.lake_url:
            check_store(self.lake_url)
        if self.report_url:
            validate_url("CUSTOMER_REPORT_URL", self.report_url)

    @property
    def layout(self) -> Layout:
        """Where everything is."""
        return Layout(Path(self.path).absolute(), self.lake_url)

    @property
    def lake(self) -> UPath:
        """Where tables are."""
        return self.layout.lake

    @property
    def export_file(self) -> Path:
        """The published document."""
        return self.layout.export_file

    @property
    def formats(self) -> list[str]:
        """What the customers are published as: the document is always among them, and comes first."""
        return list(dict.fromkeys([Format.JSON.value, *self.export_formats]))

    def export_files(self, formats: Sequence[str] | None = None) -> dict[Format, Path]:
        """Return where the export is published, by format; None: the formats of the setting."""
        return paths_of(self.export_file, self.formats if formats is None else formats)

    @property
    def report_file(self) -> Path:
        """The summary report, without an ending: one file per format."""
        return self.layout.report_file

    @property
    def page_store_url(self) -> str:
        """The default page store."""
        private_directory(self.layout.local_lake)
        return f"sqlite:///{self.layout.pages_file}"

    @property
    def raw(self) -> Table[CrawlSummary]:
        """The raw customers, and the quarantine that belongs to them."""
        return self._table(RAW, CrawlSummary, {REJECTED: self.layout.quarantine_file})

    @property
    def clean(self) -> Table[CleaningSummary]:
        """The clean customers. Their file bears the table's name once they passed the gate, not before."""
        return self._table(CLEAN, CleaningSummary, is_gated=True)

    @property
    def exported(self) -> Table[CleaningSummary]:
        """The customers of the last export, for the next run to compare with; the facts are those of the clean ones."""
        return self._table(EXPORTED, CleaningSummary)

    def staged_file(self, name: str) -> Path:
        """Return the path of a new file, to be written now and published later; a killed process's are swept."""
        return self._staging().file(name)

    @property
    def spill_dir(self) -> Path:
        """Where an engine puts what exceeds its memory: private, and swept once its process is gone."""
        return self._staging().directory / "spill"

    @contextmanager
    def new_file(self, name: str) -> Iterator[Path]:
        """Give the block a staged file to write, and remove it if the block fails."""
        staged = self.staged_file(name)
        try:
            yield staged
        except BaseException:
            staged.unlink(missing_ok=True)
            raise

    def landing(self, mapping: RecordMapping = DEFAULT_RECORD, source: str = "") -> Landing:
        """Begin to land a crawl of records that look like this; first remove what killed runs had staged."""
        self._staging()
        sweep(self.layout.staging)
        crawl, published = _facts_of(self.raw), self._published_edition()
        claims = map(newest_claim, self.export_files([*Format]).values())
        known = (crawl.number if crawl else 0, published.number if published else 0, *claims)
        number = max(time.time_ns() // 1_000, max(known) + 1)  # grows even if the clock is put back
        return Landing(self.staged_file, mapping, number, source)

    def plan_crawl(
        self, settings: ApiSettings, source: str, *, full_refresh: bool = False, now: datetime | None = None
    ) -> tuple[CrawlPlan, StoredCustomers | None]:
        """Decide what to request; return the plan, and the customers that changes are to be merged into.

        A table that cannot be read is replaced by reading everything.

        Args:
            settings: The API's.
            source: Where the customers come from, without a secret. Another one means that all are requested.
            full_refresh: Whether to read everything in any case.
            now: The current instant; None: by this machine's clock.
        """
        facts = None if settings.incremental is None else _facts_of(self.raw)
        plan = plan_crawl(
            settings.incremental,
            facts,
            {**settings.row_inputs, "source": source, "landing": LANDING_VERSION},
            now or datetime.now(UTC),
            full_refresh=full_refresh,
            oldest_page=timedelta(seconds=settings.resume_ttl_s + settings.cache_ttl_s),
        )
        if plan.since is None:
            return plan, None
        try:
            version, files = self.raw.fetch_parts([RAW, REJECTED])
        except TableError as error:
            _logger.warning("%s All customers are requested.", error)
            return plan.as_full("the raw table is damaged"), None
        return plan, StoredCustomers(files[RAW], files[REJECTED], version.facts)

    def commit_landing(
        self,
        landing: Landing,
        figures: CrawlStats,
        plan: CrawlPlan = EVERYTHING,
        stored: StoredCustomers | None = None,
    ) -> CrawlSummary:
        """Commit what landed: the raw customers, the quarantine and the facts of the crawl, in one step.

        Args:
            landing: What landed.
            figures: What the crawl did.
            plan: What it requested.
            stored: The customers that changes are merged into.

        Raises:
            SupersededError: Another run has committed other customers meanwhile.
            PublishError: They could not be committed.
        """
        facts = sum_up(landing, figures, plan, stored)
        current = _facts_of(self.raw)
        _refuse_older(facts, self.raw, current)
        if stored is not None and current != stored.facts:  # or the merge would undo what was committed, or erased
            raise SupersededError(self.raw.file)
        self.raw.commit(landing.raw_file, facts, {REJECTED: landing.quarantine_file})
        landing.quarantine_file.unlink()
        return facts

    def commit_clean(self, staged: Path, facts: CleaningSummary) -> None:
        """Commit clean customers.

        Raises:
            SupersededError: Customers of a later crawl were committed meanwhile.
            PublishError: They could not be committed.
        """
        before = _facts_of(self.clean)
        _refuse_older(facts.crawl, self.clean, None if before is None else before.crawl)
        self.clean.commit(staged, facts)

    def publish_export(self, exporter: DataExporter, customers: Frame, facts: CleaningSummary) -> ExportFigures:
        """Publish the document and its other formats, and commit what they hold for the next run to compare with.

        A format that was published last time and is no longer asked for is removed, so that nobody mistakes old
        customers for current ones.

        Raises:
            SupersededError: Customers of a later crawl are published already.
            PublishError: Something could not be published; says what is in place.
        """
        staged = self.staged_file(f"{EXPORTED}.parquet")
        try:
            with Succession(_edition(facts.crawl), self._published_edition) as succession:
                with ExportBaseline(staged, mapping=facts.mapping) as baseline:
                    figures = exporter.export_customers(
                        customers, self.export_file, baseline, succession, formats=self.formats
                    )
                published = self.published()
                before = self.export_files(published.formats if published else ())
                for form in before.keys() - self.export_files().keys():
                    before[form].unlink(missing_ok=True)
                noted = {"customers": figures.total_customers, "formats": tuple(self.formats)}
                self.exported.commit(staged, facts.model_copy(update=noted))
        finally:
            staged.unlink(missing_ok=True)
        self.clean.show(facts)
        self.exported.remove_set_aside()
        for path in self.export_files().values():
            keep_export(path, self.keep_exports)
        return figures

    def published(self) -> CleaningSummary | None:
        """Return the facts of the last export's customers; None if there was none, or they cannot be read."""
        return _facts_of(self.exported)

    @contextmanager
    def last_export(self) -> Iterator[Path | None]:
        """Give the block the customers of the last export; None if there was none, or it cannot be read.

        They serve for comparison only, so whatever is wrong with them is a warning.
        """
        file = self._fetch_last_export()
        try:
            yield file
        finally:
            if file is not None:
                file.unlink(missing_ok=True)

    def publish_report(
        self, sums: Mapping[str, Any], facts: CleaningSummary, verdicts: Sequence[CheckResult] = ()
    ) -> tuple[dict[str, Any], Path]:
        """Build a report from the customers' sums and the facts about them; publish it, and say where.

        A report on customers that the gate holds back has a file of its own: the published one describes the export.

        Args:
            sums: What `generate_summary_report` counted.
            facts: What cleaning noted.
            verdicts: What the checks found.
        """
        report = build_report(
            sums,
            crawl=facts.crawl,
            clean=facts,
            previous=last_report(self.report_file),
            generated_at=datetime.now(UTC),
            verdicts=[asdict(verdict) for verdict in verdicts],
            source=facts.crawl.source,
        )
        path, unpublished = self.report_file, self.layout.unpublished_report_file
        if not report["published"]:
            path = unpublished
        places = {"the export": self.export_file, "rejected records": self.layout.quarantine_file}
        links = {label: relpath(place, path.parent) for label, place in places.items() if place.exists()}
        publish_report(report, path, links)
        if report["published"]:
            for suffix in FORMATS:
                unpublished.with_suffix(suffix).unlink(missing_ok=True)
        return report, path

    def crawl_summary(self, raw: Frame) -> CrawlSummary:
        """Return the facts of just the raw customers that a frame holds.

        A frame from another IO manager carries none: then it is the facts that were committed last.

        Raises:
            TableError: Nothing was committed, or it is damaged.
        """
        return carried_facts(raw, CrawlSummary) or self.raw.current().facts

    def cleaning_summary(self, clean: Frame) -> CleaningSummary:
        """Return the facts of just the clean customers that a frame holds; see `crawl_summary`."""
        return carried_facts(clean, CleaningSummary) or self.clean.current().facts

    def _table(
        self, name: str, facts: type[Facts], shown: Mapping[str, Path] | None = None, *, is_gated: bool = False
    ) -> Table[Facts]:
        return Table(open_folder(self.lake), name, facts, self._staging, shown, is_gated=is_gated)

    def _staging(self) -> StagingArea:
        return staging_area(self.layout.staging)

    def _published_edition(self) -> Edition | None:
        facts = _facts_of(self.exported)
        return None if facts is None else _edition(facts.crawl)

    def _fetch_last_export(self) -> Path | None:
        try:
            return self.exported.fetch()[1]
        except NotMaterializedError:
            return None
        except DamagedTableError as error:
            with suppress(OSError):
                self.exported.set_aside()
            _logger.warning("%s Until then nothing is compared with the last export; it was set aside.", error)
        except OSError as error:
            _logger.warning("The last export's customers cannot be read, so nothing is compared with them: %s.", error)
        return None


def _edition(crawl: CrawlSummary) -> Edition:
    return Edition(crawl.number, crawl.fingerprint)


def _facts_of(table: Table[Facts]) -> Facts | None:
    """Return a table's facts, to compare with; None if there are none that can be read."""
    try:
        return table.current().facts
    except TableError:
        return None


def _refuse_older(crawl: CrawlSummary, table: Table[Any], before: CrawlSummary | None) -> None:
    if before is not None and _edition(crawl).is_older_than(_edition(before)):
        raise SupersededError(table.file)
