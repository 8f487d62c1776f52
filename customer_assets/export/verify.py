"""Reads published files again: parses every line, keeps nothing, trusts nothing."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.core.errors import CustomerAssetsError
from customer_assets.core.fields import CLEAN_FIELDS, Field, Kind, names_of
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.export.exporter import ROWS_AT_ONCE, TAIL, ExportFigures
from customer_assets.export.formats import Format
from customer_assets.export.json_lines import BETWEEN_LINES, SCORE, LineFormat
from customer_assets.processing.quality import HIGH_FROM, MEDIUM_FROM

BLOCK_BYTES = 2**18
"""Its customers fit the processor's cache: four times as many take half as long again each."""
OPENING = b"{\n"
CUSTOMERS_FOLLOW = b'"customers": [\n'
PARQUET_MAGIC = b"PAR1"


class UnreadableExportError(CustomerAssetsError):
    """A published document is not what an export looks like.

    Attributes:
        path: The file.
        problem: What is wrong with it, without its content.
    """

    def __init__(self, path: str, problem: str) -> None:
        """Name the file and what is wrong."""
        self.path, self.problem = path, problem
        super().__init__(f"{path} is not an export: {problem}. Materialise customer_export again.")


class _Summary(msgspec.Struct, forbid_unknown_fields=True):
    high_quality: int
    medium_quality: int
    low_quality: int


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    total_customers: int
    export_timestamp: str
    data_quality_summary: _Summary


_metadata = msgspec.json.Decoder(_Metadata)


def read_export(path: Path, mapping: RecordMapping = DEFAULT_RECORD) -> ExportFigures:
    """Count what a published document holds.

    Args:
        path: The document.
        mapping: What the customers' records look like; says which fields each line must have.

    Raises:
        UnreadableExportError: It is missing, malformed, or its head counts other customers than it holds.
    """
    customer = _customer_type(mapping.clean_fields)
    try:
        with path.open("rb") as file:
            claimed = _metadata.decode(_head(file))
            found = _body(file, customer)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise UnreadableExportError(str(path), type(error).__name__) from None
    summary = claimed.data_quality_summary
    bands = (summary.high_quality, summary.medium_quality, summary.low_quality)
    if (claimed.total_customers, *bands) != (
        found.total_customers,
        found.high_quality,
        found.medium_quality,
        found.low_quality,
    ):
        raise UnreadableExportError(str(path), "its metadata counts other customers than it holds")
    return found


def read_copy(path: Path, form: Format, mapping: RecordMapping = DEFAULT_RECORD) -> ExportFigures:
    """Count what a published file of another format holds; what it should hold is what `read_export` returns.

    Args:
        path: The file.
        form: Its format.
        mapping: What the customers' records look like.

    Raises:
        UnreadableExportError: It is missing or malformed.
    """
    fields = mapping.clean_fields
    try:
        if form is Format.PARQUET:
            return _read_parquet(path, fields)
        with path.open("rb") as file:
            return _count(_ndjson_lines(file), _customer_type(fields))
    except (OSError, ValueError, msgspec.DecodeError, pa.ArrowException) as error:
        raise UnreadableExportError(str(path), type(error).__name__) from None


def _read_parquet(path: Path, fields: Sequence[Field]) -> ExportFigures:
    form = LineFormat(fields)
    with path.open("rb") as raw:
        if raw.read(len(PARQUET_MAGIC)) != PARQUET_MAGIC:  # Arrow does not look, other readers do
            raise ValueError
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.schema_arrow != form.exported_schema:
            raise ValueError
        lines = (bytes(form.lines_of_columns(batch)) for batch in file.iter_batches(ROWS_AT_ONCE) if batch.num_rows)
        return _count(lines, _customer_type(fields))


def read_metadata(file: BinaryIO) -> dict[str, Any]:
    """Read a document's metadata, and leave the file where its customers begin.

    Raises:
        ValueError: It is not an export.
    """
    head = _head(file)
    _metadata.decode(head)
    found: dict[str, Any] = msgspec.json.decode(head)
    return found


def _head(file: BinaryIO) -> bytes:
    if file.readline() != OPENING:
        raise ValueError
    metadata = file.readline().removeprefix(b'"metadata": ').removesuffix(b",\n")
    if file.readline() != CUSTOMERS_FOLLOW:
        raise ValueError
    return metadata


def _customer_type(fields: Sequence[Field]) -> type[msgspec.Struct]:
    """Make the type of a customer's line: these fields, each of its kind, and no others."""
    return msgspec.defstruct(
        "Customer",
        [(f"f{place}", _line_type(field)) for place, field in enumerate(fields)],
        rename={f"f{place}": field.name for place, field in enumerate(fields)},
        forbid_unknown_fields=True,
        gc=False,
    )


def _line_type(field: Field) -> Any:  # noqa: ANN401 - a type
    if field.name == "customer_id":
        return str
    if field.values:
        return Literal[field.values]
    kind = {Kind.INTEGER: int, Kind.NUMBER: float, Kind.BOOLEAN: bool, Kind.INSTANT: datetime}.get(field.kind, str)
    return kind if field.name in names_of(CLEAN_FIELDS) else kind | None


def _body(file: BinaryIO, customer: type[msgspec.Struct]) -> ExportFigures:
    return _count(_lines(file), customer)


def _count(pieces: Iterable[bytes], customer: type[msgspec.Struct]) -> ExportFigures:
    """Parse customers' lines, many at once, and hash them as the export did."""
    decode = msgspec.json.Decoder(list[customer]).decode  # type: ignore[valid-type] # made now
    score_of = attrgetter(next(field.name for field in msgspec.structs.fields(customer) if field.encode_name == SCORE))
    digest, scores, between = hashlib.sha256(), Counter[int](), b""
    for lines in pieces:
        scores.update(map(score_of, decode(b"[%b]" % lines)))
        digest.update(between)
        digest.update(lines)
        between = BETWEEN_LINES
    high = sum(count for score, count in scores.items() if score >= HIGH_FROM)
    low = sum(count for score, count in scores.items() if score < MEDIUM_FROM)
    return ExportFigures(scores.total(), high, scores.total() - high - low, low, digest.hexdigest())


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines of the document, many at once, without what stands between and behind them."""
    parts: list[bytes] = []
    while block := file.read(BLOCK_BYTES):
        lines, between, begun = block.rpartition(BETWEEN_LINES)
        if between:
            yield b"".join([*parts, lines])
            parts = []
        parts.append(begun)
    last = b"".join(parts)
    if not last.endswith(TAIL):
        raise ValueError
    if last != TAIL:
        yield last.removesuffix(TAIL)


def _ndjson_lines(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines of NDJSON, many at once, with what the document has between them."""
    begun = b""
    while block := file.read(BLOCK_BYTES):
        lines, end, rest = block.rpartition(b"\n")
        if end:
            yield (begun + lines).replace(b"\n", BETWEEN_LINES)
            begun = rest
        else:
            begun += block
    if begun:
        raise ValueError
