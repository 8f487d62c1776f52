"""What an engine is, and how one is chosen by name. The engines stand in this folder, one a file."""

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from customer_assets.core.errors import ConfigurationError, MissingDependencyError
from customer_assets.processing.rules import Frame

ENGINES = {"duckdb": "DuckDBEngine", "polars": "PolarsEngine", "pyspark": "SparkEngine"}
"""The engines by name: each in the module of its name."""
_INSTALLED_BY = {
    "duckdb": "pip install 'customer_assets'",
    "polars": "pip install 'customer_assets[polars]'",
    "pyspark": "pip install 'customer_assets[spark]'",
}
AMOUNT = re.compile(
    r"\s*(-1|none|null|\d+(\.\d+)?\s*(%|b|bytes?|[kmgt](i?b)?|(kilo|mega|giga|tera)bytes?))\s*", re.IGNORECASE
)
"""An amount of memory as DuckDB reads it (`DBConfig::ParseMemoryLimit`) and without importing DuckDB."""

_registered: "dict[str, Callable[[], Engine]]" = {}


class Engine(Protocol):
    """Opens, casts, sinks and streams frames. Decides nothing of the data."""

    name: str

    def scan(self, source: Path | str | Sequence[Path | str]) -> Frame:
        """Read Parquet files lazily, as one frame."""
        ...

    def from_arrow(self, table: pa.Table) -> Frame:
        """Take a table in memory."""
        ...

    def sink(self, frame: Frame, path: Path | str) -> None:
        """Compute the frame into one Parquet file that only its owner may read."""
        ...

    def batches(self, frame: Frame, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Compute the frame and hand it over piece by piece, in its order."""
        ...


def register_engine(name: str, opener: "Callable[[], Engine]") -> None:
    """Let `CUSTOMER_ENGINE` and `open_engine` name an engine of your own, in this process.

    Args:
        name: What the setting says.
        opener: Makes the engine; its class will do.

    Raises:
        ConfigurationError: The name is one of ours.
    """
    if name in ENGINES:
        raise ConfigurationError("CUSTOMER_ENGINE", f"{name!r} is an engine already", "Choose another name.")
    _registered[name] = opener


def engine_names() -> list[str]:
    """Name every engine: ours and those registered."""
    return [*ENGINES, *_registered]


def check_engine(name: str, memory_limit: str | None = None) -> None:
    """Check, without importing anything, that an engine can be opened.

    Raises:
        ConfigurationError: The limit is not an amount of memory.
        MissingDependencyError: The engine's package is not installed.
    """
    if name in ENGINES and find_spec(name) is None:
        raise MissingDependencyError("CUSTOMER_ENGINE", name, _INSTALLED_BY[name])
    if memory_limit is not None and not AMOUNT.fullmatch(memory_limit):
        raise ConfigurationError(
            "memory_limit", f"{memory_limit!r} is not an amount of memory", "Write it like 1GB or 512MB."
        )


def open_engine(
    name: str,
    *,
    memory_limit: str | None = None,
    spill_dir: Path | str | None = None,
    spark: Any = None,  # noqa: ANN401 - a SparkSession, whose package may not be installed
) -> Engine:
    """Open an engine.

    Args:
        name: duckdb, polars, pyspark or one that was registered.
        memory_limit: Such as `1GB`; DuckDB alone can keep one.
        spill_dir: Where DuckDB puts what exceeds its memory; None: a private directory in the user's cache, removed
            once this process has ended.
        spark: A session to use, or a Spark Connect address such as `sc://host:15002`; None: a local Spark.

    Raises:
        ConfigurationError: No engine has this name, or a setting of it cannot be used.
        MissingDependencyError: The engine's package is not installed.
    """
    if name in _registered:
        return _registered[name]()
    if name not in ENGINES:
        raise ConfigurationError(
            "CUSTOMER_ENGINE", f"there is no engine {name!r}", f"Choose one of {', '.join(engine_names())}."
        )
    try:
        module = import_module(f"customer_assets.processing.engines.{name}")
    except ImportError as error:
        raise MissingDependencyError("CUSTOMER_ENGINE", name, _INSTALLED_BY[name]) from error
    options = {"pyspark": {"spark": spark}, "duckdb": {"memory_limit": memory_limit, "spill_dir": spill_dir}}
    return cast(Engine, getattr(module, ENGINES[name])(**options.get(name, {})))
