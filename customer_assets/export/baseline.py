"""What is another than in the last published export: what it held is kept, packed, and compared in the engine."""

import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.export.json_lines import FIELDS, packed
from customer_assets.models import Changes
from customer_assets.processing.engines import Engine
from customer_assets.processing.rules import Frame
from customer_assets.storage.private_files import make_private, with_filename

_KEPT: list[tuple[str, pa.DataType]] = [
    ("customer_id", pa.int64()),
    ("full_name", pa.string()),
    ("email_domain", pa.string()),
    ("packed", pa.int64()),
]
KEPT_SCHEMA = pa.schema(_KEPT)
"""One row per exported customer; `packed` is told by `packing`."""

PACKING = hashlib.sha256(repr(FIELDS).encode()).hexdigest()
"""Files of another packing cannot be compared."""

_EXPORTED_AT, _PACKING, _DIGEST = b"exported_at", b"packing", b"digest"

_logger = logging.getLogger(__name__)


class ExportBaseline:
    """Keeps an export's customers in a Parquet file while the export is written, on a thread of its own.

    Used as a context; at its end the file is whole. What it says is just what the export says, since both are made of
    the same batches.

    Args:
        path: The file; only its owner may read it.
        clock: Tells when the export was made.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        make_private(path)
        exported_at = clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {_EXPORTED_AT: exported_at.encode(), _PACKING: PACKING.encode()}
        self._path = path
        try:
            with with_filename(path):
                self._writer = pq.ParquetWriter(
                    path,
                    KEPT_SCHEMA.with_metadata(told),
                    compression="snappy",
                    use_dictionary=["email_domain"],  # type: ignore[arg-type] # Arrow takes names, its stubs do not know
                    write_statistics=False,
                )
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._thread, self._waiting = ThreadPoolExecutor(1), Future[None]()
        self._waiting.set_result(None)

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep a batch of packed customers; one may wait while the one before it is written."""
        with with_filename(self._path):
            self._waiting.result()
        self._waiting = self._thread.submit(self._write, batch)

    def seal(self, digest: str) -> None:
        """Keep the digest of the lines that the export made of the batches; call it after the last."""
        with with_filename(self._path):
            self._waiting.result()
            self._writer.add_key_value_metadata({_DIGEST.decode(): digest})

    def _write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch.select(KEPT_SCHEMA.names).cast(KEPT_SCHEMA))

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what waits, unless the block failed; close the file."""
        try:
            with with_filename(self._path):
                if kind is None:
                    self._waiting.result()
        except BaseException:
            kind = OSError
            raise
        finally:
            self._thread.shutdown()
            self._close(is_whole=kind is None)

    def _close(self, *, is_whole: bool) -> None:
        try:
            with with_filename(self._path):
                self._writer.close()
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        if not is_whole:
            self._path.unlink(missing_ok=True)


def changes_since(last_export: Path | None, customers: Frame, engine: Engine) -> Changes | None:
    """Count what was added, changed and gone since an export was kept, whichever engine did either.

    None if there was none, or none that can be compared: that must not stop a sync, and is told in the log.
    """
    if last_export is None:
        return None
    try:
        since, rows = _told(last_export)
    except (OSError, ValueError) as error:
        _logger.warning("The last export's customers cannot be compared with: %s", type(error).__name__)
        return None
    before, now = engine.scan(last_export), packed(customers)
    # Most customers are just as they were: they leave at once, and only the others are looked up by their id.
    others = now.join(before, on=KEPT_SCHEMA.names, how="anti").select("customer_id")
    known = before.select("customer_id", known=nw.col("customer_id"))
    counted = others.join(known, on="customer_id", how="left").select(others=nw.len(), changed=nw.col("known").count())
    other, changed = (int(count or 0) for count in counted.collect().row(0))
    unchanged = _rows(customers) - other
    return Changes(
        since=since,
        added=other - changed,
        changed=changed,
        gone=rows - unchanged - changed,
        unchanged=unchanged,
    )


def matching_digest(last_export: Path, customers: Frame, engine: Engine) -> str | None:
    """Tell the digest of the lines that an export of just these customers has, if the last one was of just these.

    They are compared value by value: much less work than to sort and to write them again. None: they are others, or
    what the last export was is not on record.
    """
    if _rows(customers.select("customer_id").unique()) != _rows(customers):  # one twice may hide one gone
        return None
    changes = changes_since(last_export, customers, engine)
    if changes is None or changes.added or changes.changed or changes.gone:
        return None
    with pq.ParquetFile(last_export) as file:
        digest = (file.metadata.metadata or {}).get(_DIGEST)
    return None if digest is None else digest.decode()


def _told(path: Path) -> tuple[str, int]:
    """Read when an export was made and how many customers it had.

    Raises:
        ValueError: It was packed otherwise, or is no such file.
        OSError: It cannot be read.
    """
    with pq.ParquetFile(path) as file:
        facts = file.schema_arrow.metadata or {}
        if facts.get(_PACKING) != PACKING.encode():
            raise ValueError
        return facts[_EXPORTED_AT].decode(), file.metadata.num_rows


def _rows(frame: Frame) -> int:
    return int(frame.select(nw.len()).collect().item())
