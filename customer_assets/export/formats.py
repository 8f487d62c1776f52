"""The formats of an export: what NDJSON and Parquet make of the customers that the JSON document holds.

Both are written while the document is, from the same batches in the same order. How a customer becomes a line belongs
in `json_lines.py`; reading a format back, in `verify.py`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

import pyarrow as pa

from customer_assets.core.errors import ConfigurationError
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.export.background_writer import HashingWriter, ParquetSink
from customer_assets.export.json_lines import BETWEEN_LINES, LineFormat

ROWS_PER_GROUP = 131_072
"""Readers skip and parallelise by row groups: DuckDB's own have 122,880 rows."""


class Format(StrEnum):
    """How customers can be published. A format's name is its file's suffix."""

    JSON = "json"
    """The document: counts at its head, then the customers. Always published; the others stand beside it."""
    NDJSON = "ndjson"
    """One JSON object a line, and nothing else."""
    PARQUET = "parquet"
    """Typed columns."""


class Copy(AbstractContextManager["Copy"], Protocol):
    """A further file of the customers. At the end of its context the file is complete."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next packed customers, sorted."""

    def write(self, piece: memoryview) -> None:
        """Take the next piece of the document's lines."""


class NdjsonCopy:
    """The document's lines, without the commas between them."""

    def __init__(self, path: Path) -> None:
        self._file, self._is_empty = HashingWriter(path), True

    def add(self, batch: pa.RecordBatch) -> None:
        """Do nothing: the lines are made of the same batches."""

    def write(self, piece: memoryview) -> None:
        # Within a JSON string a line break is escaped, so one that is not ends a line.
        self._file.write(bytes(piece).replace(BETWEEN_LINES, b"\n"), hashed=False)
        self._is_empty = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None and not self._is_empty:
            self._file.write(b"\n", hashed=False)
        self._file.__exit__(*failure)


class ParquetCopy(ParquetSink):
    """The customers in typed columns, their ids written as in the document."""

    def __init__(self, path: Path, mapping: RecordMapping) -> None:
        self._format = LineFormat(mapping.clean_fields)
        super().__init__(
            path,
            self._format.exported_schema,
            rows_per_group=ROWS_PER_GROUP,
            compression="zstd",
            write_page_checksum=True,
        )

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return self._format.unpack_columns(batch)

    def write(self, piece: memoryview) -> None:
        """Do nothing: columns are made of the batches."""


def open_copy(form: Format, path: Path, mapping: RecordMapping) -> Copy:
    """Open a further file of the customers.

    Args:
        form: Any but the document's own.
        path: The new file.
        mapping: What the customers' records look like.
    """
    return ParquetCopy(path, mapping) if form is Format.PARQUET else NdjsonCopy(path)


def paths_of(document: Path, formats: Sequence[str]) -> dict[Format, Path]:
    """Return where each format is published: the document first, the others beside it, by their suffixes.

    Raises:
        ConfigurationError: There is no such format, or its file would be the document itself.
    """
    paths = {Format.JSON: document}
    for form in formats:
        if form not in [*Format]:
            raise ConfigurationError("formats", f"{form!r} is unknown", f"Choose among {', '.join(Format)}.")
        if form != Format.JSON:
            paths[Format(form)] = document.with_suffix(f".{form}")
    if len({*paths.values()}) < len(paths):
        raise ConfigurationError(
            "output_file", f"{document.name} is the name of another format's file", "Let it end with .json."
        )
    return paths
