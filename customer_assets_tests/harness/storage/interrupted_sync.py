"""A data directory in which a sync is interrupted, and what must hold of it afterwards."""

import atexit
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from customer_assets.defs.data_directory import DataDirectory
from customer_assets.processing.engines import open_engine
from customer_assets.storage import staging
from customer_assets_tests.harness.apis.plain_api import customer
from customer_assets_tests.harness.storage.plain_sync import PlainSync, copied_ids, exported_ids, leftovers

OLD = [customer(number) for number in (1, 2, 3)] + [{"first_name": "Nobody"}]
NEW = [customer(number) for number in (1, 2, 4, 5)]
FORMATS = ["json", "ndjson", "parquet"]
OLD_IDS, NEW_IDS = ["cust_001", "cust_002", "cust_003"], ["cust_001", "cust_002", "cust_004", "cust_005"]


class Site:
    """A data directory whose export is good, until a sync is interrupted in it.

    Attributes:
        directory: The data directory.
        root: The same, as a path.
    """

    def __init__(self, root: Path, lake_url: str = "") -> None:
        self.root = root
        self.directory = DataDirectory(path=str(root), lake_url=lake_url, keep_exports=1, export_formats=FORMATS)
        self.run(OLD)

    def run(self, people: list[dict[str, Any]], engine: str = "polars") -> None:
        """Run a whole sync, with the engine that does so little work in the least time."""
        sync = PlainSync(self.directory, people, open_engine(engine))
        try:
            sync.run()
        finally:
            sync.close()

    def check_readers(self) -> None:
        """Check that every reader sees a whole version: the old one or the new one."""
        assert exported_ids(self.directory) in (OLD_IDS, NEW_IDS)
        for ids in copied_ids(self.directory).values():
            assert ids in (OLD_IDS, NEW_IDS)
        raw, clean = self.directory.raw.current(), self.directory.clean.current()
        assert (raw.facts.landed - raw.facts.rejected, raw.facts.rejected) in ((3, 1), (4, 0))
        assert (clean.facts.records, clean.facts.crawl.rejected) in ((3, 1), (4, 0))
        for table, rows in (
            (self.directory.raw, raw.facts.landed - raw.facts.rejected),
            (self.directory.clean, clean.facts.records),
            (self.directory.exported, self.directory.exported.current().facts.customers),
        ):
            version, file = table.fetch()
            assert pq.read_metadata(file).num_rows == rows
            file.unlink()
            assert table.name in version.parts
        shown = pq.read_metadata(self.root / "quarantine" / "rejected_customers.parquet").num_rows
        assert shown in (0, 1)
        if shown == 0:  # it never runs ahead of the table that it belongs to
            assert raw.facts.rejected == 0
        report = json.loads((self.root / "export" / "summary_report.json").read_bytes())
        assert report["total_customers"] in (3, 4)

    def check_next_run(self) -> None:
        """Run once more as if nothing had happened; check that everything is right, and nothing is left over."""
        with captured_log() as log:
            self.run(OLD)
        assert exported_ids(self.directory) == OLD_IDS
        assert copied_ids(self.directory) == {"ndjson": OLD_IDS, "parquet": OLD_IDS}
        assert self.directory.exported.current().facts.formats == tuple(FORMATS)
        assert json.loads((self.root / "export" / "summary_report.json").read_bytes())["total_customers"] == 3
        assert pq.read_metadata(self.root / "quarantine" / "rejected_customers.parquet").num_rows == 1
        assert leftovers(self.directory) == []
        changes = self.directory.clean.current().facts.changes
        assert changes is not None, log
        assert changes.added + changes.changed + changes.unchanged == 3
        kept = sorted(path.suffix for path in (self.root / "export" / "history").iterdir())
        assert kept == [".json", ".ndjson", ".parquet"]

    def end_process(self) -> None:
        """Let go of the staging area's lock, as the end of a process does."""
        area = staging._areas.pop((os.getpid(), self.directory.layout.staging))
        atexit.unregister(area.close)
        os.close(area._lock)


@contextmanager
def captured_log() -> Iterator[list[str]]:
    """Collect what the package logs in the block, for a test to show when it fails."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign] # all it has to do
    logger = logging.getLogger("customer_assets")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A data directory with a good export, on this disk."""
    return Site(tmp_path / "data")


@pytest.fixture
def store_site(tmp_path: Path, store_operations: None) -> Site:  # noqa: ARG001 - it patches
    """One whose lake is in an object store."""
    return Site(tmp_path / "data", f"memory://lake-{time.monotonic_ns()}")
