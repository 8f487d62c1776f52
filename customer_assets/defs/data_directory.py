"""The data directory: where a sync keeps its tables, its quarantine, its export and its report.

Add a file's place here. How files are written, published and locked belongs in `storage/`.
"""

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr
from upath import UPath

from customer_assets.api import CrawlStats
from customer_assets.configuration import LocalPath, Variable
from customer_assets.defs.run_config import Resource
from customer_assets.errors import ConfigurationError
from customer_assets.export.history import keep_export
from customer_assets.models import CleaningSummary, CrawlSummary
from customer_assets.processing.defects import rejected_by_reason
from customer_assets.processing.landing.writer import LandingWriter, file_digest
from customer_assets.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.report.document import build_report
from customer_assets.report.files import last_report, publish_report
from customer_assets.storage.object_store import check_store, open_store
from customer_assets.storage.options import StorageOptions
from customer_assets.storage.private_files import private_directory
from customer_assets.storage.publish import is_local, link_or_copy, publish, publish_to
from customer_assets.storage.staging import StagingArea
from customer_assets.storage.versions import TableVersions

RAW, CLEAN = "raw_customers", "clean_customers"
"""The assets that keep a record of each version: what its rows alone do not tell."""


class DataDirectory(StorageOptions, Resource):
    """Where everything is kept: `lake/`, `quarantine/` and `export/`."""

    path: Annotated[LocalPath, Variable("CUSTOMER_DATA_DIR")] = Field(
        default="data", description="The directory; relative to where Dagster was started."
    )
    _at_hand: dict[str, str] = PrivateAttr(default_factory=dict)
    """By asset, the hash of the file that this run published or loaded last: of that file records tell."""

    def check(self) -> None:
        """Check that there is such a store as `lake_url` names, without opening it.

        Raises:
            ConfigurationError: There is none, or its package is not installed.
        """
        if self.lake_url:
            check_store(self.lake_url)

    @property
    def lake(self) -> UPath:
        """Frames that pass from asset to asset.

        Raises:
            ConfigurationError: `lake_url` names a store that is unknown, or whose package is not installed.
        """
        return open_store(self.lake_url) if self.lake_url else UPath(self._local_lake)

    @property
    def _local_lake(self) -> Path:
        return Path(self.path).absolute() / "lake"

    @property
    def quarantine_file(self) -> Path:
        """TableVersions that could not be landed, each with its reason."""
        return Path(self.path).absolute() / "quarantine" / "rejected_customers.parquet"

    @property
    def export_file(self) -> Path:
        """The published document."""
        return Path(self.path).absolute() / "export" / "customers.json"

    @property
    def report_file(self) -> Path:
        """The summary report, without its ending: one file a format."""
        return Path(self.path).absolute() / "export" / "summary_report"

    @property
    def page_store_url(self) -> str:
        """The default page store."""
        private_directory(self._local_lake)
        return f"sqlite:///{self._local_lake / 'pages.sqlite'}"

    def staged_file(self, name: str) -> Path:
        """Name a file that is written now and published later; a killed process's are swept."""
        return _staging_area(self._local_lake / ".staging").file(name)

    def landing(self, mapping: RecordMapping = DEFAULT_RECORD) -> "Landing":
        """Begin to land a crawl of records that look like this."""
        return Landing(
            self.staged_file("raw_customers.parquet"), self.staged_file("rejected_customers.parquet"), mapping
        )

    def publish_landing(self, landing: "Landing", figures: CrawlStats) -> CrawlSummary:
        """Publish what stands beside the raw lake: the quarantine and the crawl's record."""
        landing.writer.close()
        digest = file_digest(landing.raw_file)
        record = crawl_summary(landing.writer, figures, rejected_by_reason(landing.quarantine_file))
        publish(landing.quarantine_file, self.quarantine_file)
        self._crawl_records.publish(record, digest)
        self._at_hand[RAW] = digest
        return record

    def publish_clean_record(self, record: CleaningSummary, digest: str) -> None:
        """Publish what stands beside the file of clean customers with this hash."""
        self._clean_records.publish(record, digest)
        self._at_hand[CLEAN] = digest

    def publish_last_export(self, staged: Path) -> None:
        """Keep what the export that was just published holds, for the next run to compare with; and the export."""
        publish_to(staged, self._last_export_file)
        keep_export(self.export_file, self.keep_exports)

    @contextmanager
    def last_export(self) -> Iterator[Path | None]:
        """Give what the last export held, in a file that stays as it is meanwhile; None before there was one."""
        file = self._last_export_file
        if not file.exists():
            yield None
            return
        staged = self.staged_file(file.name)
        if is_local(file):
            link_or_copy(Path(file.path), staged)
        else:
            file.fs.get_file(str(file.path), str(staged))
        try:
            yield staged
        finally:
            staged.unlink()

    def publish_report(self, sums: Mapping[str, Any]) -> dict[str, Any]:
        """Put a report together from the customers' sums and what is on record, publish it, and return it."""
        clean = self.cleaning_summary()
        report = build_report(
            sums,
            crawl=self._crawl_behind(clean),
            clean=clean,
            previous=last_report(self.report_file),
            generated_at=datetime.now(UTC),
        )
        publish_report(report, self.report_file)
        return report

    def cleaning_summary(self) -> CleaningSummary:
        """Read what cleaning found: of the clean customers that this run has at hand, else of the last ones.

        Raises:
            ConfigurationError: There is no record yet, or it cannot be read.
        """
        return self._clean_records.read(self._at_hand.get(CLEAN))

    def crawl_summary(self) -> CrawlSummary:
        """Read what a crawl brought: the one whose customers this run has at hand, else the last one.

        Raises:
            ConfigurationError: There is none yet, or it cannot be read.
        """
        return self._crawl_records.read(self._at_hand.get(RAW))

    def _crawl_behind(self, clean: CleaningSummary) -> CrawlSummary:
        """Read what the crawl brought whose customers were cleaned: the last one may be another."""
        for crawl in self._crawl_records.all():
            if crawl.fingerprint == clean.fingerprint:
                return crawl
        raise ConfigurationError(
            "CUSTOMER_DATA_DIR",
            "no record tells of the crawl that clean_customers were made from",
            "Materialise raw_customers and clean_customers.",
        )

    def take_at_hand(self, asset: str, file: Path) -> bool:
        """Whether a file is just as an asset published it; if so, records tell of this one from now on.

        Any file of an asset that keeps no records is.
        """
        if asset not in self._records:
            return True
        digest = file_digest(file)
        on_record = self._records[asset].tell_of(digest)
        if on_record:
            self._at_hand[asset] = digest
        return on_record

    def forget_old(self, asset: str) -> None:
        """Remove records that nobody needs any more, now that the file at hand is in place."""
        if asset in self._records:
            self._records[asset].forget_old(self._at_hand.get(asset))

    @property
    def _records(self) -> dict[str, TableVersions[CrawlSummary] | TableVersions[CleaningSummary]]:
        return {RAW: self._crawl_records, CLEAN: self._clean_records}

    @property
    def _crawl_records(self) -> TableVersions[CrawlSummary]:
        return TableVersions(self.lake / "records", RAW, CrawlSummary, self.staged_file)

    @property
    def _clean_records(self) -> TableVersions[CleaningSummary]:
        return TableVersions(self.lake / "records", CLEAN, CleaningSummary, self.staged_file)

    @property
    def _last_export_file(self) -> UPath:
        return self.lake / "exported_customers.parquet"


class Landing:
    """A crawl on its way into the lake: the writer, and the two staged files that it fills."""

    def __init__(self, raw_file: Path, quarantine_file: Path, mapping: RecordMapping) -> None:
        """Open a writer on the two files."""
        self.raw_file, self.quarantine_file = raw_file, quarantine_file
        self.writer = LandingWriter(raw_file, quarantine_file, mapping=mapping)

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Remove both files if the block failed: what is not published is of no use to anybody."""
        if kind is not None:
            self.writer.abort()


def crawl_summary(landing: LandingWriter, figures: CrawlStats, reasons: Mapping[str, int]) -> CrawlSummary:
    """Sum up a crawl for the checks."""
    return CrawlSummary(
        fingerprint=landing.fingerprint(),
        landed=figures.records,
        rejected=figures.rejected,
        rejected_by_reason=dict(reasons),
        mapping=landing.mapping,
        total=figures.total,
        missing_customers=figures.missing_customers,
        source_duplicates=figures.source_duplicates,
        pages=figures.pages,
        requests=figures.requests,
        retries=figures.retries.total(),
        throttles=figures.throttles,
        duration_s=figures.duration_s,
    )


def _staging_area(parent: Path) -> StagingArea:
    if not _opened(parent).directory.is_dir():  # somebody tidied up
        _opened.cache_clear()
    return _opened(parent)


@cache
def _opened(parent: Path) -> StagingArea:
    area = StagingArea(parent)
    atexit.register(area.close)
    return area
