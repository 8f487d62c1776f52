"""Writes clean customers as the published document: counts at the head, then one customer a line, sorted by name."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import narwhals as nw
import pyarrow as pa
from pydantic import BaseModel, ValidationError

from customer_assets.core.errors import ConfigurationError, CustomerAssetsError
from customer_assets.core.fields import names_of
from customer_assets.core.models import clean_customer_model
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.export.background_writer import HashingWriter, parallel_map
from customer_assets.export.baseline import ExportBaseline, matching_digest
from customer_assets.export.formats import Copy, Format, open_copy, paths_of
from customer_assets.export.json_lines import BETWEEN_LINES, LineFormat
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.rules import Frame
from customer_assets.processing.schemas import clean_schema
from customer_assets.report.aggregates import quality_bands, summary_report
from customer_assets.storage.publish import atomic_write
from customer_assets.storage.succession import Succession

HEAD = b'{\n"metadata": %b,\n"customers": [\n'
TAIL = b"\n]\n}\n"
ROWS_AT_ONCE = 32_768
"""Their lines fit the processor's cache: twice as many take twice as long each."""


class InvalidCustomerError(CustomerAssetsError):
    """What was handed over for export is not a clean customer.

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
        high_quality: Of these, the ones of high quality.
        medium_quality: Of medium quality.
        low_quality: Of low quality.
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
        mapping: What the customers' records look like; the same that the processor was given.
        clock: Returns the export's instant.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        mapping: RecordMapping = DEFAULT_RECORD,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine, self._mapping, self._clock = engine or open_engine("duckdb"), mapping, clock
        self._format = LineFormat(mapping.clean_fields)

    def __repr__(self) -> str:
        """Name the engine, and the fields that the users added."""
        return f"DataExporter(engine={self._engine.name!r}, extra_fields={[*self._mapping.fields]})"

    def export_customers(
        self,
        customers: Sequence[Mapping[str, Any]] | pa.Table | Frame,
        output_file: str | Path,
        kept: ExportBaseline | None = None,
        succession: Succession | None = None,
        *,
        formats: Sequence[str] = (Format.JSON,),
    ) -> ExportFigures:
        """Publish the document at `output_file`, by full name in code points, then id. Streams.

        Args:
            customers: What `process_customers` or `to_arrow` returned, or a frame of clean customers: of narwhals,
                Arrow, pandas or Polars.
            output_file: Where the document is published; a leading `~` is the home directory.
            kept: Keeps what the document holds, for the next run to compare with.
            succession: Refuses to replace a document of newer customers.
            formats: Further files to publish beside the document: `ndjson`, `parquet`. All are complete before the
                first is put in place; the document is the last.

        Raises:
            TypeError: A text or a mapping was given in place of a list of customers.
            InvalidCustomerError: An element of the list is not a clean customer.
            ConfigurationError: The frame's columns are not those of the mapping, or a format is unknown.
            PublishError: A file cannot be written; the one before it is unchanged.
            SupersededError: Newer customers are published already.
        """
        frame, paths = self._frame(customers), paths_of(Path(output_file).expanduser(), formats)
        bands = quality_bands(frame)
        with ExitStack() as publishing:
            temporaries = {form: publishing.enter_context(atomic_write(at, succession)) for form, at in paths.items()}
            with ExitStack() as writing:
                file = writing.enter_context(HashingWriter(temporaries.pop(Format.JSON)))
                copies = [
                    writing.enter_context(open_copy(form, path, self._mapping)) for form, path in temporaries.items()
                ]
                sinks: list[ExportBaseline | Copy] = [*copies] if kept is None else [kept, *copies]
                file.write(self._head(bands), hashed=False)
                for chunk in self._chunks(frame, sinks):
                    file.write(chunk)
                    for copy in copies:
                        copy.write(chunk)
                file.write(TAIL, hashed=False)
                if kept is not None:
                    kept.seal(file.hexdigest())
            return ExportFigures(sum(bands), *bands, file.hexdigest())

    def generate_summary_report(self, customers: Sequence[Mapping[str, Any]] | pa.Table | Frame) -> dict[str, Any]:
        """Sum the customers up, by aggregation in the engine. No personal data."""
        return summary_report(self._frame(customers), self._mapping.extra_fields)

    def expected(self, customers: Frame, last_export: Path | None = None) -> ExportFigures:
        """Return what an export of these customers must hold, without writing one.

        Args:
            customers: A frame of clean customers.
            last_export: What `ExportBaseline` kept; if it was of just these customers, they are not sorted again.
        """
        digest = None if last_export is None else matching_digest(last_export, customers, self._engine, self._mapping)
        bands = quality_bands(customers)
        return ExportFigures(sum(bands), *bands, digest or self._digest(customers))

    def _digest(self, customers: Frame) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(customers):
            digest.update(chunk)
        return digest.hexdigest()

    def _chunks(self, customers: Frame, sinks: Sequence[ExportBaseline | Copy] = ()) -> Iterator[memoryview]:
        """The customers' lines in order, piece by piece; the pieces' bounds do not matter.

        Args:
            customers: Clean customers.
            sinks: Are given the batches that the lines are made of.
        """
        in_order = self._format.pack(customers).sort("full_name", "customer_id")
        batches = _feed(self._engine.batches(in_order, ROWS_AT_ONCE), sinks)
        between = b""
        for lines in parallel_map(self._format.json_lines, (batch for batch in batches if batch.num_rows)):
            if between:
                yield memoryview(between)
            yield lines
            between = BETWEEN_LINES

    def _frame(self, customers: Sequence[Mapping[str, Any]] | pa.Table | Frame) -> Frame:
        if isinstance(customers, nw.LazyFrame):
            self._validate_columns(customers)
            return customers
        table = nw.from_native(customers, pass_through=True)
        if isinstance(table, nw.DataFrame):
            self._validate_columns(table.lazy())
            schema = clean_schema(self._mapping)
            return self._engine.from_arrow(table.to_arrow().select(schema.names).cast(schema))
        if isinstance(customers, str | bytes | bytearray | Mapping):
            raise TypeError(
                f"DataExporter takes a list or a frame of clean customers, not {type(customers).__name__}. "
                "Give it what process_customers or to_arrow returned."
            )
        model = clean_customer_model(self._mapping.clean_fields)
        rows = [
            _valid_row(index, customer, model)
            for index, customer in enumerate(cast(Sequence[Mapping[str, Any]], customers))
        ]
        return self._engine.from_arrow(pa.Table.from_pylist(rows, schema=clean_schema(self._mapping)))

    def _validate_columns(self, customers: Frame) -> None:
        found, expected = customers.collect_schema().names(), names_of(self._mapping.clean_fields)
        if set(found) != set(expected):
            differing = ", ".join(sorted({*found} ^ {*expected}))
            raise ConfigurationError(
                "record", f"clean_customers and the mapping differ in {differing}", "Materialise clean_customers."
            )

    def _head(self, bands: tuple[int, int, int]) -> bytes:
        metadata = {
            "total_customers": sum(bands),
            "export_timestamp": self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data_quality_summary": dict(zip(("high_quality", "medium_quality", "low_quality"), bands, strict=True)),
        }
        return HEAD % msgspec.json.encode(metadata)


def _feed(batches: Iterator[pa.RecordBatch], sinks: Sequence[ExportBaseline | Copy]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for sink in sinks:
            sink.add(batch)
        yield batch


def _valid_row(index: int, customer: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    given = dict(customer) if isinstance(customer, Mapping) else customer  # strictly, only a dict will do
    try:
        return model.model_validate(given, strict=True).model_dump(by_alias=True)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['type']}" for each in error.errors()]
        raise InvalidCustomerError(index, problems) from None
