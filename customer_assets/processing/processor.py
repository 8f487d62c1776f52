"""The processor: lists or frames of raw customers in, clean customers out, by the rules on a chosen engine."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from customer_assets.errors import ConfigurationError
from customer_assets.field_mapping import DEFAULT_MAPPING, RecordFields
from customer_assets.models import RejectedRecord
from customer_assets.processing.engines import Engine, open_engine
from customer_assets.processing.landing.batches import landed_objects
from customer_assets.processing.rules import POSITION, Frame, clean_customers, clean_with_position


class CustomerDataProcessor:
    """Cleans, scores and deduplicates customers.

    Args:
        seed: Chooses the generated values; the same seed gives the same values.
        as_of: The instant from which activity is judged, with a time zone; None: when the method is called.
        engine: duckdb, polars or pyspark, or an engine that is open already.
        memory_limit: How much memory DuckDB may take, such as `1GB`.
        spill_dir: Where DuckDB puts what exceeds it.
        clock: Tells the present instant.

    Raises:
        ConfigurationError: `as_of` has no time zone.
    """

    def __init__(
        self,
        seed: int = 0,
        as_of: datetime | None = None,
        engine: str | Engine = "duckdb",
        *,
        memory_limit: str | None = None,
        spill_dir: Path | str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if as_of is not None and as_of.utcoffset() is None:
            problem = f"{as_of.isoformat()} has no time zone, so it is no instant"  # engines would disagree on it
            raise ConfigurationError("as_of", problem, "Give it one, such as datetime(2026, 1, 31, tzinfo=UTC).")
        self.seed, self._as_of, self._clock = seed, as_of, clock
        self._engine = engine
        self._memory_limit, self._spill_dir = memory_limit, spill_dir
        self.rejected: Sequence[RejectedRecord] = ()
        """What the last call of `process_customers` rejected, with the reasons."""

    @property
    def engine(self) -> Engine:
        """The engine, opened when first asked for."""
        if isinstance(self._engine, str):
            self._engine = open_engine(self._engine, memory_limit=self._memory_limit, spill_dir=self._spill_dir)
        return self._engine

    def process_customers(
        self, raw_customers: Iterable[object], names: RecordFields = DEFAULT_MAPPING.record
    ) -> list[dict[str, Any]]:
        """Turn records as the API sends them into clean customers, one per id.

        They come in the order of the records that they were taken from. TableVersions without a usable id are left out;
        see `rejected`.

        Args:
            raw_customers: The records.
            names: What their API calls the fields.
        """
        batch, self.rejected = landed_objects(raw_customers, names=names)
        raw = self.engine.from_arrow(pa.Table.from_batches([batch]))
        placed = clean_with_position(raw, seed=self.seed, as_of=self._instant())
        ordered = placed.sort(*POSITION).drop(*POSITION)
        return [row for piece in self.engine.batches(ordered) for row in piece.to_pylist()]

    def process(self, raw: Frame) -> Frame:
        """Turn the raw lake into clean customers, lazily; in no particular order."""
        return clean_customers(raw, seed=self.seed, as_of=self._instant())

    def _instant(self) -> datetime:
        return self._clock() if self._as_of is None else self._as_of
