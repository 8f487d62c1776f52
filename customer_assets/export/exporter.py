"""Where clean customers become the published document: headed by counts, sorted by name, one customer a line."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import narwhals as nw
import pyarrow as pa
from pydantic import ValidationError

from customer_assets.errors import CustomerAssetsError
from customer_assets.export.background_writer import HashingWriter, parallel_map
from customer_assets.export.baseline import ExportBaseline, matching_digest
from customer_assets.export.json_lines import BETWEEN_LINES, json_lines, packed
from customer_assets.models import CleanCustomer
from customer_assets.processing.engines import CLEAN_SCHEMA, Engine, open_engine
from customer_assets.processing.rules import Frame
from customer_assets.report.aggregates import quality_bands, summary_report
from customer_assets.storage.publish import atomic_write

HEAD = b'{\n"metadata": %b,\n"customers": [\n'
TAIL = b"\n]\n}\n"
ROWS_AT_ONCE = 32_768
"""Their lines fit the processor's cache: twice as many take twice as long each."""


class InvalidCustomerError(CustomerAssetsError):
    """A customer handed over for export is none.

    Attributes:
        index: Its place in the list, from 0.
        fields: What is wrong with it, by field; no values.
    """

    def __init__(self, index: int, fields: Sequence[str]) -> None:
        """Name the place and the fields."""
        self.index, self.fields = index, tuple(fields)
        super().__init__(
            f"Customer {index} cannot be exported: {', '.join(fields)}. Hand over what process_customers returned."
        )


@dataclass(frozen=True, slots=True)
class ExportFigures:
    """What an export holds.

    Attributes:
        total_customers: Customers in it.
        high_quality: Of these, scoring 90 or more.
        medium_quality: Scoring 70 to 89.
        low_quality: Scoring below 70.
        digest: Hash of the customers' lines, in order: the same customers give the same.
    """

    total_customers: int
    high_quality: int
    medium_quality: int
    low_quality: int
    digest: str


class DataExporter:
    """Publishes clean customers and sums them up.

    Args:
        engine: Computes frames; None: DuckDB.
        clock: Tells the export's instant.
    """

    def __init__(
        self, engine: Engine | None = None, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine, self._clock = engine or open_engine("duckdb"), clock

    def export_customers(
        self,
        customers: Sequence[Mapping[str, Any]] | Frame,
        output_file: str | Path,
        kept: ExportBaseline | None = None,
    ) -> ExportFigures:
        """Publish the document at `output_file`, by full name in code points, then id. Streams.

        Args:
            customers: What `process_customers` returned, or a frame of clean customers.
            output_file: Where the document is published.
            kept: Keeps what the document holds, for the next run to compare with.

        Raises:
            InvalidCustomerError: An element of the list is no clean customer.
            PublishError: The file cannot be written; the one before it is unchanged.
        """
        frame = self._frame(customers)
        bands = quality_bands(frame)
        with atomic_write(Path(output_file)) as temporary, HashingWriter(temporary) as file:
            file.write(self._head(bands), hashed=False)
            for chunk in self._chunks(frame, kept):
                file.write(chunk)
            file.write(TAIL, hashed=False)
            if kept is not None:
                kept.seal(file.hexdigest())
            return ExportFigures(sum(bands), *bands, file.hexdigest())

    def generate_summary_report(self, customers: Sequence[Mapping[str, Any]] | Frame) -> dict[str, Any]:
        """Sum the customers up, by aggregation in the engine. No personal data."""
        return summary_report(self._frame(customers))

    def expected(self, customers: Frame, last_export: Path | None = None) -> ExportFigures:
        """Tell what an export of these customers must hold, without writing one.

        Args:
            customers: A frame of clean customers.
            last_export: What `ExportBaseline` kept; if it was of just these customers, they are not sorted again.
        """
        digest = None if last_export is None else matching_digest(last_export, customers, self._engine)
        bands = quality_bands(customers)
        return ExportFigures(sum(bands), *bands, digest or self._digest(customers))

    def _digest(self, customers: Frame) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(customers):
            digest.update(chunk)
        return digest.hexdigest()

    def _chunks(self, customers: Frame, kept: ExportBaseline | None = None) -> Iterator[memoryview]:
        """The customers' lines in order, piece by piece; the pieces' bounds do not matter."""
        batches = self._engine.batches(packed(customers).sort("full_name", "customer_id"), ROWS_AT_ONCE)
        if kept is not None:
            batches = _kept(batches, kept)
        between = b""
        for lines in parallel_map(json_lines, (batch for batch in batches if batch.num_rows)):
            yield memoryview(between)
            yield lines
            between = BETWEEN_LINES

    def _frame(self, customers: Sequence[Mapping[str, Any]] | Frame) -> Frame:
        if isinstance(customers, nw.LazyFrame):
            return customers
        rows = [_checked(index, customer) for index, customer in enumerate(customers)]
        return self._engine.from_arrow(pa.Table.from_pylist(rows, schema=CLEAN_SCHEMA))

    def _head(self, bands: tuple[int, int, int]) -> bytes:
        metadata = {
            "total_customers": sum(bands),
            "export_timestamp": self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data_quality_summary": dict(zip(("high_quality", "medium_quality", "low_quality"), bands, strict=True)),
        }
        return HEAD % msgspec.json.encode(metadata)


def _kept(batches: Iterator[pa.RecordBatch], kept: ExportBaseline) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        kept.add(batch)
        yield batch


def _checked(index: int, customer: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(customer) if isinstance(customer, Mapping) else customer  # strictly, only a dict will do
    try:
        return CleanCustomer.model_validate(given, strict=True).model_dump()
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['type']}" for each in error.errors()]
        raise InvalidCustomerError(index, problems) from None
