"""Writes long files fast: other threads make their pieces ahead, write and flush them. Knows nothing of customers."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.storage.private_files import with_filename

Item = TypeVar("Item")
Made = TypeVar("Made")

WORKERS = 2
ITEMS_AHEAD = 4
FLUSH_EVERY_BYTES = 64 * 2**20
"""The disk works while the file grows, so that little remains to be flushed at the end."""


def parallel_map(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Like `map`, but on other threads: results come in order, and a few are made before they are asked for."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Made]] = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > ITEMS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class HashingWriter:
    """A new file, hashed by its caller's thread while threads of its own write and flush it.

    Used as a context. At its end the file is complete and on the disk.

    Raises:
        OSError: The file could not be written or flushed. A later call raises it, the context's end at the latest.
    """

    def __init__(self, path: Path) -> None:
        """Create the file."""
        self._file = path.open("wb", buffering=0)
        self._digest = hashlib.sha256()
        self._writer, self._flusher = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()
        self._flushed = self._flush()
        self._unflushed = 0

    def write(self, piece: bytes | memoryview, *, hashed: bool = True) -> None:
        """Write the next piece, and add it to the hash if `hashed`. Waits only if several are still unwritten."""
        if hashed:
            self._digest.update(piece)
        if len(self._waiting) == ITEMS_AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._writer.submit(self._write, piece))

    def hexdigest(self) -> str:
        """Return the hash of the pieces so far."""
        return self._digest.hexdigest()

    def _write(self, piece: bytes | memoryview) -> None:
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) :]
        self._unflushed += len(piece)
        if self._unflushed >= FLUSH_EVERY_BYTES and self._flushed.done():
            self._flushed.result()
            self._flushed, self._unflushed = self._flush(), 0

    def _flush(self) -> Future[None]:
        return self._flusher.submit(os.fdatasync, self._file.fileno())

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what waits and flush it, unless the block failed; close the file."""
        try:
            if kind is None:
                for written in self._waiting:
                    written.result()
                self._flush().result()
        finally:
            self._writer.shutdown(cancel_futures=True)
            self._flusher.shutdown()
            self._file.close()


class ParquetSink:
    """A Parquet file that a thread of its own writes. A file that is there already keeps its mode and locks.

    Used as a context. At its end the file is complete; if the block failed, the file is gone.

    Args:
        path: The file.
        schema: Its schema, the metadata included.
        rows_per_group: Batches are gathered until they have this many rows; 0: each is a row group.
        **options: What `pyarrow.parquet.ParquetWriter` takes.

    Raises:
        OSError: The file could not be written; names it. A later call raises it, the context's end at the latest.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, rows_per_group: int = 0, **options: Any) -> None:  # noqa: ANN401
        self._path, self._schema, self._rows_per_group = path, schema, rows_per_group
        try:
            with with_filename(path):
                self._writer = pq.ParquetWriter(path, schema, **options)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._thread, self._written = ThreadPoolExecutor(1), Future[None]()
        self._written.set_result(None)
        self._gathered: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Write a batch; one can wait while the one before it is written."""
        with with_filename(self._path):
            self._written.result()
        self._written = self._thread.submit(self._write, batch)

    def add_metadata(self, name: str, value: str) -> None:
        """Add to the file's metadata; call it after the last batch."""
        with with_filename(self._path):
            self._written.result()
            self._writer.add_key_value_metadata({name: value})

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Make the batch that is written of the one that was added. Runs on the sink's own thread."""
        return batch

    def _write(self, batch: pa.RecordBatch) -> None:
        self._gathered.append(self.convert(batch))
        if sum(each.num_rows for each in self._gathered) >= self._rows_per_group:
            self._write_group()

    def _write_group(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._writer.write_table(pa.Table.from_batches(gathered, self._schema))

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what waits, unless the block failed; close the file."""
        is_whole = False
        try:
            with with_filename(self._path):
                if kind is None:
                    self._written.result()
                    self._write_group()
                    is_whole = True
        finally:
            self._thread.shutdown()
            self._close(is_whole=is_whole)

    def _close(self, *, is_whole: bool) -> None:
        try:
            with with_filename(self._path):
                self._writer.close()
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        if not is_whole:
            self._path.unlink(missing_ok=True)
