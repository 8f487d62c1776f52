"""The processor: lists or frames of raw customers in, clean customers out, by the rules on a chosen engine."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa

from customer_assets.core.configuration import rename_fields, variables
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.models import REJECTIONS, RejectedRecord
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.landing.batches import landed_objects
from customer_assets.processing.options import ProcessingOptions
from customer_assets.processing.rules import POSITION, CleaningOptions, Frame, clean_customers, clean_with_position
from customer_assets.processing.schemas import clean_schema, raw_schema

_logger = logging.getLogger(__name__)


class CustomerDataProcessor:
    """Cleans, scores and deduplicates customers.

    Args:
        seed: Chooses the generated values; the same seed gives the same values.
        as_of: The instant from which activity is judged, with a time zone; None: when the method is called.
        engine: duckdb, polars or pyspark, or an engine that is open already.
        mapping: What the API's records look like; by default, they have our own names.
        generate: Whether business fields are generated where the API has nothing to judge by; else they are `unknown`.
        memory_limit: How much memory DuckDB may take, such as `1GB`.
        spill_dir: Where DuckDB puts what exceeds it.
        clock: Returns the present instant.

    Raises:
        ConfigurationError: `as_of` has no time zone.
        TypeError: `as_of` is no instant, or `mapping` no mapping of records.
    """

    def __init__(
        self,
        seed: int = 0,
        as_of: datetime | None = None,
        engine: str | Engine = "duckdb",
        *,
        mapping: RecordMapping = DEFAULT_RECORD,
        generate: bool = True,
        memory_limit: str | None = None,
        spill_dir: Path | str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not isinstance(as_of, datetime | None):
            raise TypeError(f"as_of takes a datetime with a time zone, not {type(as_of).__name__}.")
        if not isinstance(mapping, RecordMapping):
            raise TypeError(f"mapping takes a RecordMapping, not {type(mapping).__name__}.")
        if as_of is not None and as_of.utcoffset() is None:
            problem = f"{as_of.isoformat()} has no time zone, so it is not an instant"  # engines would disagree on it
            raise ConfigurationError("as_of", problem, "Give it one, such as datetime(2026, 1, 31, tzinfo=UTC).")
        self.seed, self._as_of, self._clock = seed, as_of, clock
        self.mapping, self.generate = mapping, generate
        self._engine = engine
        self._memory_limit, self._spill_dir = memory_limit, spill_dir
        self.rejected: Sequence[RejectedRecord] = ()
        """What the last call of `process_customers` rejected, with the reasons."""

    def __repr__(self) -> str:
        """Name what the customers follow from."""
        engine = self._engine if isinstance(self._engine, str) else self._engine.name
        as_of = "now" if self._as_of is None else self._as_of.isoformat()
        return (
            f"CustomerDataProcessor(engine={engine!r}, as_of={as_of!r}, seed={self.seed}, generate={self.generate}, "
            f"extra_fields={[*self.mapping.fields]})"
        )

    @property
    def engine(self) -> Engine:
        """The engine, opened when first asked for.

        Raises:
            ConfigurationError: It cannot be opened; names the argument.
        """
        if isinstance(self._engine, str):
            arguments = variables(ProcessingOptions)
            with rename_fields(lambda field: arguments.get(field, field)):
                self._engine = open_engine(self._engine, memory_limit=self._memory_limit, spill_dir=self._spill_dir)
        return self._engine

    @property
    def options(self) -> CleaningOptions:
        """What the customers follow from, as of this instant."""
        as_of = self._clock() if self._as_of is None else self._as_of
        return CleaningOptions(as_of, self.seed, self.generate, self.mapping)

    def process_customers(self, raw_customers: Iterable[object]) -> list[dict[str, Any]]:
        """Turn records as the API sends them into clean customers, one per id.

        They come in the order of the records that they were taken from. Records without a usable id are left out; a
        warning counts them by reason, and `rejected` has them.

        Raises:
            TypeError: A text, a mapping or a frame was given in place of a list of records.
        """
        return [row for piece in self._clean(raw_customers) for row in piece.to_pylist()]

    def to_arrow(self, raw_customers: Iterable[object]) -> pa.Table:
        """Do what `process_customers` does, and return the customers as an Arrow table, each column of its type.

        pandas, Polars, DuckDB and the exporter take it as it is.
        """
        schema = clean_schema(self.mapping)
        return pa.Table.from_batches([piece.cast(schema) for piece in self._clean(raw_customers)], schema)

    def _clean(self, raw_customers: Iterable[object]) -> Iterator[pa.RecordBatch]:
        _validate_records(raw_customers)
        batch, self.rejected = landed_objects(raw_customers, mapping=self.mapping)
        if self.rejected:
            _logger.warning("%s", rejection_summary(Counter(record.reason_code for record in self.rejected)))
        raw = self.engine.from_arrow(pa.Table.from_batches([batch]))
        ordered = clean_with_position(raw, self.options).sort(*POSITION).drop(*POSITION)
        return self.engine.batches(ordered)

    def process(self, raw: Frame) -> Frame:
        """Turn the raw table into clean customers, lazily; in no particular order.

        Raises:
            ConfigurationError: The table was landed by another mapping, and lacks a column.
        """
        found = set(raw.collect_schema().names())
        absent = [name for name in raw_schema(self.mapping).names if name not in found]
        if absent:
            problem = f"the raw table has no column {', '.join(absent)}: it was landed by another mapping"
            raise ConfigurationError("record", problem, "Materialise raw_customers.")
        return clean_customers(raw, self.options)


def rejection_summary(counts: Mapping[str, int]) -> str:
    """Say how many records were rejected and why, and what to do: `2 records were rejected. 2 id_missing: …`."""
    ordered = sorted(counts.items(), key=lambda reason: (-reason[1], reason[0]))
    total = sum(counts.values())
    reasons = " ".join(f"{count:,} {code}: {REJECTIONS.get(code, code)}" for code, count in ordered)
    return f"{total:,} {'record was' if total == 1 else 'records were'} rejected. {reasons}"


def _validate_records(records: object) -> None:
    frame = nw.from_native(records, pass_through=True, allow_series=True)
    is_frame = isinstance(frame, nw.DataFrame | nw.LazyFrame | nw.Series)
    is_array = hasattr(records, "__arrow_c_array__") or hasattr(records, "__array__")
    if is_frame or is_array or isinstance(records, str | bytes | bytearray | memoryview | Mapping):
        raise TypeError(
            f"process_customers takes a list of records, not {type(records).__name__}. "
            "Give it a list of dicts; for a frame of the raw table, call process()."
        )
