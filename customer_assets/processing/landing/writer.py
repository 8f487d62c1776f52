"""Writes pages to files: the raw table and the quarantine. `parser` and `batches` decide what is in them."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.core.models import Page, RejectedRecord, Repetition
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.processing.landing.batches import quarantine_batch, raw_batch
from customer_assets.processing.landing.parser import ParsedPage, RecordParser
from customer_assets.processing.landing.sample import PageSample, sample_page
from customer_assets.processing.schemas import QUARANTINE_SCHEMA, raw_schema
from customer_assets.storage.parquet import escape_glob
from customer_assets.storage.private_files import make_private, with_filename

ROWS_PER_GROUP = 32_768
ROWS_PER_BATCH = 8_192
"""Records that wait as Python objects: so few stay in the processor's cache until they become columns."""
REJECTED_PER_GROUP = 4_096
BYTES_PER_GROUP = 64 * 2**20
"""As JSON. Rows of usual size never come near; an Arrow column of text holds two gigabytes at most."""
FIRST_OF_OTHERS = 2**30
"""Pages of slices and former versions of pages have higher numbers than the table's 31 bits can hold.

They are numbered again from here, in the order in which they arrive. Of two equal records of a customer, the one on an
ordinary page is therefore kept.
"""
_FINGERPRINT_BITS = 128
_REPETITIVE = ("page", "email_domain", "first_name", "last_name", "id_spelling", "reason_code", "reason")
"""Columns worth a dictionary. Trying one on every column, as is the default, takes twice the time."""

_BLOCKS_COUNTED_AT_ONCE = 1_000_000
_TEXTS_COUNTED_AT_ONCE = 1_000_000
_COUNTING = {"memory_limit": "128MB", "threads": 1, "preserve_insertion_order": False}
_BLOCKS = "SELECT approx_count_distinct(id >> 6) FROM read_parquet(?)"
_DISTINCT_IDS = """
SELECT coalesce(sum(bit_count(ids)), 0)
FROM (
  SELECT bit_or(1::UBIGINT << (id & 63)) AS ids
  FROM read_parquet($path) WHERE $parts = 1 OR hash(id >> 6) % $parts = $part GROUP BY id >> 6
)
"""
"""Ids in blocks of 64, a bit each: where ids are dense, as they mostly are, that takes a 64th of the groups.

Hashing takes four times as long as everything else, and is left out where all ids are counted at once.
"""


_TEXTS = "SELECT approx_count_distinct(id) FROM read_parquet(?)"
_DISTINCT_TEXTS = """
SELECT count(DISTINCT id) FROM read_parquet($path) WHERE $parts = 1 OR hash(id) % $parts = $part
"""


_REPEATED_PAGES = """
SELECT DISTINCT min(page) FROM read_parquet($path) GROUP BY id HAVING count(DISTINCT page) > 1 ORDER BY 1
"""
_WHOLE_PAGES = """
SELECT count(*) - count(DISTINCT ids)
FROM (
  SELECT concat(sum(hash(id)), '-', count(*)) AS ids
  FROM (SELECT DISTINCT page, id FROM read_parquet($path)) GROUP BY page HAVING count(*) > 1
)
"""


class LandingWriter:
    """Lands pages in the raw table as they come: a sink for a crawl.

    Holds two row groups at most, however many pages there are: one fills while the other is written, on a thread of
    its own; of Python objects, a few pages' worth. Publishing both files is up to the caller: write to staging paths.
    Not to be shared between threads.

    Args:
        raw_path: The raw table's file; overwritten by each pass.
        quarantine_path: The rejected records' file, the same.
        rows_per_group: Rows to gather before they are written.
        mapping: What the API's records look like.
    """

    def __init__(
        self,
        raw_path: Path | str,
        quarantine_path: Path | str,
        *,
        rows_per_group: int = ROWS_PER_GROUP,
        mapping: RecordMapping = DEFAULT_RECORD,
    ) -> None:
        self.mapping = mapping
        self._digest, self._sampled = 0, b""
        self._raw = _ParquetFile(Path(raw_path), raw_schema(mapping))
        self._quarantine = _ParquetFile(Path(quarantine_path), QUARANTINE_SCHEMA)
        self.raw_path, self.quarantine_path = self._raw.path, self._quarantine.path
        self._rows_per_group = rows_per_group
        self._parser = RecordParser(mapping)
        self._forget()

    def __repr__(self) -> str:
        """Show what has landed."""
        return f"<LandingWriter landed={self._landed} rejected={self._rejected_count}>"

    def __enter__(self) -> Self:
        """Write until the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the files, or remove them if the block failed."""
        if kind is None:
            self.close()
        else:
            self.abort()

    def start_pass(self) -> None:
        """Forget everything so far; the pages of a new pass follow."""
        self._forget()
        self._raw.start()
        self._quarantine.start()

    def add(self, page: Page) -> None:
        """Land one page. Pages may come in any order, each once a pass.

        Raises:
            ValueError: No pass was started, or this one is complete already.
        """
        if not self._raw.is_open:
            raise ValueError("No pass is open: call start_pass() first.")
        number = page.number
        if number >= FIRST_OF_OTHERS:
            number = FIRST_OF_OTHERS + self._others
            self._others += 1
        parsed = self._parser.parse_page(number, page.data)
        self._sampled = self._sampled or page.data
        self._digest = (self._digest + int.from_bytes(page.digest)) % 2**_FINGERPRINT_BITS
        rows = len(parsed.positions)
        self._landed += rows
        self._waiting.append(parsed)
        self._waiting_rows += rows
        self._group_rows += rows
        self._group_bytes += len(page.data)
        self._reject(parsed.rejected)
        if self._waiting_rows >= ROWS_PER_BATCH:
            self._batch()
        if self._group_rows >= self._rows_per_group or self._group_bytes >= BYTES_PER_GROUP:
            self._flush()

    def rejected_records(self) -> int:
        """Count the records of this pass without a usable id."""
        return self._rejected_count

    def sample(self) -> PageSample:
        """Say how the mapping fits the records of the page that came first."""
        return sample_page(self._sampled, self.mapping)

    def unique_ids(self) -> int:
        """Complete both files, and count the distinct ids of this pass, out of core."""
        self.close()
        return _distinct_ids(self.raw_path, self.mapping)

    def repetition(self, most: int) -> Repetition:
        """Say how customers repeat over the pages of this pass; complete both files."""
        self.close()
        return _repetition(self.raw_path, most)

    def fingerprint(self) -> str:
        """Return the hash of this pass's pages, whatever order they came in, and of the mapping they were read by."""
        return f"{self._digest:0{_FINGERPRINT_BITS // 4}x}"

    def close(self) -> None:
        """Complete both files; calling it again does nothing."""
        self._flush()
        self._flush_rejected()
        self._raw.finish()
        self._quarantine.finish()

    def abort(self) -> None:
        """Remove both files."""
        self._forget()
        self._raw.discard()
        self._quarantine.discard()

    def _forget(self) -> None:
        self._waiting: list[ParsedPage] = []
        self._group: list[pa.RecordBatch] = []
        self._waiting_rows = self._group_rows = self._group_bytes = 0
        self._waiting_rejected: list[RejectedRecord] = []
        self._waiting_rejected_bytes = 0
        self._landed = 0
        self._others = 0
        self._rejected_count = 0
        self._sampled = b""
        # Another mapping makes another table of the same pages. The default one counts for nothing.
        self._digest = 0 if self.mapping == DEFAULT_RECORD else int(self.mapping.digest[:32], 16)

    def _reject(self, rejected: Sequence[RejectedRecord]) -> None:
        self._rejected_count += len(rejected)
        self._waiting_rejected.extend(rejected)
        self._waiting_rejected_bytes += sum(len(each.record) for each in rejected)
        if len(self._waiting_rejected) >= REJECTED_PER_GROUP or self._waiting_rejected_bytes >= BYTES_PER_GROUP:
            self._flush_rejected()

    def _batch(self) -> None:
        if self._waiting:
            self._group.append(raw_batch(self._waiting, self.mapping))
        self._waiting, self._waiting_rows = [], 0

    def _flush(self) -> None:
        self._batch()
        if self._group:
            self._raw.write(pa.Table.from_batches(self._group))
        self._group, self._group_rows, self._group_bytes = [], 0, 0

    def _flush_rejected(self) -> None:
        if self._waiting_rejected:
            self._quarantine.write(pa.Table.from_batches([quarantine_batch(self._waiting_rejected)]))
        self._waiting_rejected, self._waiting_rejected_bytes = [], 0


class _ParquetFile:
    """One Parquet file under construction, readable by its owner only; written on a thread of its own."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._schema = path, schema
        self._writer: pq.ParquetWriter | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def start(self) -> None:
        self.discard()
        make_private(self.path)
        with with_filename(self.path):
            self._writer = pq.ParquetWriter(
                self.path,
                self._schema,
                compression="zstd",
                use_dictionary=[name for name in _REPETITIVE if name in self._schema.names],  # type: ignore[arg-type] # Arrow takes names, its stubs do not know
                write_statistics=["page"],
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="landing")

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    def write(self, group: pa.Table) -> None:
        """Write a row group on the file's thread. Raises if writing the one before it failed."""
        self._wait()
        if self._writer is not None and self._thread is not None:
            self._writing = self._thread.submit(self._writer.write_table, group)

    def finish(self) -> None:
        try:
            self._wait()
        finally:
            self._close()

    def discard(self) -> None:
        with suppress(OSError):  # a full disk must not keep the file from being removed
            self.finish()
        self.path.unlink(missing_ok=True)

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            with with_filename(self.path):
                writing.result()

    def _close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with with_filename(self.path):
                writer.close()


def _repetition(path: Path, most: int) -> Repetition:
    import duckdb  # noqa: PLC0415 - as below

    with TemporaryDirectory(dir=path.parent) as spill_dir:
        settings: dict[str, Any] = {"temp_directory": spill_dir, **_COUNTING}
        with duckdb.connect(config=settings) as connection:
            file = {"path": escape_glob(path)}
            pages = [page for (page,) in connection.execute(_REPEATED_PAGES, file).fetchall()]
            ((whole,),) = connection.execute(_WHOLE_PAGES, file).fetchall()
    return Repetition.of(pages, whole, most)


def _distinct_ids(path: Path, mapping: RecordMapping) -> int:
    """Count in a few megabytes where ids are dense integers, and in some more, part by part, where they are not."""
    import duckdb  # noqa: PLC0415 - loaded when the first crawl ends, not when the program starts

    is_text = mapping.id_type == "text"
    estimate, count, at_once = (
        (_TEXTS, _DISTINCT_TEXTS, _TEXTS_COUNTED_AT_ONCE)
        if is_text
        else (_BLOCKS, _DISTINCT_IDS, _BLOCKS_COUNTED_AT_ONCE)
    )
    file = escape_glob(path)
    with TemporaryDirectory(dir=path.parent) as spill_dir:
        settings: dict[str, Any] = {"temp_directory": spill_dir, **_COUNTING}
        with duckdb.connect(config=settings) as connection:
            ((groups,),) = connection.execute(estimate, [file]).fetchall()
            parts = groups // at_once + 1
            return sum(
                int(found)
                for part in range(parts)
                for (found,) in connection.execute(count, {"path": file, "parts": parts, "part": part}).fetchall()
            )
