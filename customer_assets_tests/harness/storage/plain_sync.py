"""A sync without Dagster or an API: the steps that the assets take, fast enough to repeat hundreds of times."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow.parquet as pq

from customer_assets.api import CrawlStats
from customer_assets.core.models import CleaningSummary, CrawlSummary, Page
from customer_assets.defs.data_directory import DataDirectory, with_committed
from customer_assets.defs.resources import ThresholdsResource
from customer_assets.export import DataExporter
from customer_assets.export.baseline import changes_since
from customer_assets.export.formats import Format
from customer_assets.processing.defects import cleaning_summary, count_defects
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.measurement import measure_quality
from customer_assets.processing.processor import CustomerDataProcessor
from customer_assets.storage.folders import open_folder
from customer_assets.storage.versions import Table

AS_OF = datetime(2026, 11, 25, 3, 0, 7, tzinfo=UTC)


class PlainSync:
    """One run.

    Attributes:
        directory: Its data directory.
        records: What its crawl brings.
        frames: The frames that it was given, by table, for whoever wants to look at them later.
    """

    def __init__(
        self, directory: DataDirectory, records: Sequence[dict[str, Any]], engine: Engine | None = None
    ) -> None:
        self.directory, self.records, self.engine = directory, records, engine or open_engine("duckdb")
        self.frames: dict[str, nw.LazyFrame[Any]] = {}
        self._fetched: list[Path] = []

    def run(self) -> None:
        """Take all steps."""
        self.crawl()
        self.clean()
        self.export()
        self.report()

    def crawl(self) -> CrawlSummary:
        """Land all records as one page, and commit them."""
        data = json.dumps(list(self.records)).encode()
        with self.directory.landing() as landing:
            landing.writer.start_pass()
            landing.writer.add(Page(1, len(self.records), len(self.records), 1, len(self.records), data))
            rejected = landing.writer.rejected_records()
            figures = CrawlStats(pages=1, records=len(self.records), total=len(self.records), rejected=rejected)
            facts = self.directory.commit_landing(landing, figures)
            landing.raw_file.unlink()
        return facts

    def clean(self) -> CleaningSummary:
        """Clean what is committed, and commit that."""
        raw = self._load("raw_customers", self.directory.raw)
        staged = self.directory.staged_file("clean_customers.parquet")
        try:
            processor = CustomerDataProcessor(0, AS_OF, self.engine)
            self.engine.sink(processor.process(raw), staged)
            with self.directory.last_export() as last_export:
                changes = changes_since(last_export, self.engine.scan(staged), self.engine)
            crawl, defects = self.directory.crawl_summary(raw), count_defects(raw, processor.options)
            facts = cleaning_summary(defects, processor.options, changes, crawl)
            self.directory.commit_clean(staged, facts)
        finally:
            staged.unlink(missing_ok=True)
        return facts

    def load(self) -> None:
        """Load what the export is made of."""
        self._load("raw_customers", self.directory.raw)
        self._load("clean_customers", self.directory.clean)

    def export(self) -> None:
        """Publish what is committed, if it passes the gate."""
        self.load()
        self.publish()

    def publish(self) -> None:
        """Publish what was loaded before, if it passes the gate."""
        raw, clean = self.frames["raw_customers"], self.frames["clean_customers"]
        crawl, cleaning = self.directory.crawl_summary(raw), self.directory.cleaning_summary(clean)
        ThresholdsResource(max_gone_share=1, max_rejected_share=0.5).require(
            measure_quality(raw, clean, crawl, cleaning, self.directory.published()), crawl
        )
        self.directory.publish_export(DataExporter(self.engine), clean, cleaning)

    def report(self) -> None:
        """Publish the report on the clean customers."""
        clean = self._load("clean_customers", self.directory.clean)
        sums = DataExporter(self.engine).generate_summary_report(clean)
        self.directory.publish_report(sums, self.directory.cleaning_summary(clean))

    def close(self) -> None:
        """Remove what was fetched, as the IO manager does at a run's end."""
        for path in self._fetched:
            path.unlink(missing_ok=True)
        self._fetched.clear()

    def _load(self, name: str, table: Table[Any]) -> nw.LazyFrame[Any]:
        version, file = table.fetch()
        self._fetched.append(file)
        self.frames[name] = with_committed(self.engine.scan(file), version.facts)
        return self.frames[name]


def exported_ids(directory: DataDirectory) -> list[str]:
    """Read who is in the export, with a parser that is not ours."""
    document = json.loads(directory.export_file.read_bytes())
    assert document["metadata"]["total_customers"] == len(document["customers"])
    return sorted(each["customer_id"] for each in document["customers"])


def copied_ids(directory: DataDirectory) -> dict[str, list[str]]:
    """Read who is in each other format of the export, likewise."""
    files = directory.export_files()
    lines = files[Format.NDJSON].read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return {
        "ndjson": sorted(json.loads(line)["customer_id"] for line in lines),
        "parquet": sorted(map(str, pq.read_table(files[Format.PARQUET]).column("customer_id").to_pylist())),
    }


def leftovers(directory: DataDirectory) -> list[str]:
    """Name what should not be there once nothing runs."""
    root = Path(directory.path)
    hidden = [str(path) for path in root.rglob("*") if path.name.endswith((".tmp", ".claim", ".damaged"))]
    staged = [str(path) for path in (root / "lake" / ".staging").rglob("*") if path.suffix == ".parquet"]
    tables = (directory.raw, directory.clean, directory.exported)
    current = {part.file for table in tables for part in table.current().parts.values()}
    versions = [name for name in open_folder(directory.lake).names("versions") if name not in current]
    return [*hidden, *staged, *versions]
