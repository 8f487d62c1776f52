"""The IO manager: how frames pass from asset to asset, as Parquet files.

`raw_customers` and `clean_customers` are tables: their assets commit rows and facts in one step, and the IO manager
reads them back together (`storage/versions/`). Any other asset's frame is one file, replaced atomically.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import narwhals as nw
import pyarrow.parquet as pq
from pydantic import BaseModel
from upath import UPath

from customer_assets.defs.data_directory import CLEAN, RAW, committed, with_committed
from customer_assets.defs.errors import as_dagster_failures
from customer_assets.defs.metadata import table_columns
from customer_assets.defs.sync import Sync
from customer_assets.processing.engines import Engine
from customer_assets.processing.schemas import CLEAN_SCHEMA, RAW_SCHEMA
from customer_assets.storage.folders import open_folder
from customer_assets.storage.parquet import problem_of
from customer_assets.storage.publish import publish_to
from customer_assets.storage.versions import Table

COLUMNS = {RAW: [name for name in RAW_SCHEMA.names if name != "id_spelling"], CLEAN: CLEAN_SCHEMA.names}
"""What a table's file must hold, whatever the mapping: another version of this package can have written it."""


class ParquetIOManager(dg.UPathIOManager):
    """Lazy frames in, lazy frames out. Readers see the old version or the new one, whole.

    A directory of Parquet files in a file's place, such as Spark writes, is read as one frame.

    Args:
        base_dir: Where the files are.
        open_engine: Opens what reads and writes them, once a frame is read or written.
        staged_file: Names a new file of this process.
        tables: The assets that are tables.
    """

    extension = ".parquet"

    def __init__(
        self,
        base_dir: UPath,
        open_engine: Callable[[], Engine],
        staged_file: Callable[[str], Path],
        tables: Mapping[dg.AssetKey, Table[Any]] | None = None,
    ) -> None:
        self._open_engine, self._staged_file, self._tables = open_engine, staged_file, tables or {}
        self._fetched: list[Path] = []
        super().__init__(base_path=base_dir)

    @cached_property
    def engine(self) -> Engine:
        """Reads and writes the files. Opening it takes a place to spill to, which can fail like any other file."""
        return self._open_engine()

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:  # noqa: ANN401 - as Dagster has it
        """Publish a frame; one that is committed already needs no more than its metadata."""
        table, found = self._table(context), committed(obj)
        if table is None:
            super().handle_output(context, obj)
        elif found is None or found.staged is None:
            raise dg.Failure(
                f"{table.name} must be committed together with its facts, which only this package's own asset does. "
                "Give yours another name.",
                allow_retries=False,
            )
        else:
            described = self._describe(context, found.staged, found.facts)
            context.add_output_metadata({"path": dg.MetadataValue.path(table.path), **described})
            found.staged.unlink()

    def load_input(self, context: dg.InputContext) -> Any:  # noqa: ANN401 - as Dagster has it
        """Scan what was published."""
        table = self._table(context)
        if table is None:
            return super().load_input(context)
        path = self._base_path / f"{table.name}{self.extension}"
        with as_dagster_failures():
            if path.is_dir():
                return self._load_parts(table.name, path, table)
            version, file = table.fetch()
            self._fetched.append(file)
            frame = self._scan(table.name, table.file, [file], COLUMNS[table.name])
            return with_committed(frame, version.facts)

    def dump_to_path(self, context: dg.OutputContext, obj: object, path: UPath) -> None:
        """Compute the frame and publish it at `path`.

        Raises:
            Failure: It is no lazy frame.
        """
        if not isinstance(obj, nw.LazyFrame):
            raise dg.Failure(
                f"{context.asset_key.to_user_string()} returned a {type(obj).__name__}, and this IO manager keeps lazy "
                f"frames of narwhals on {self.engine.name}. Return one, or give the asset another io_manager_key.",
                allow_retries=False,
            )
        staged = self._staged_file(path.name)
        try:
            with as_dagster_failures():
                self.engine.sink(obj, staged)
            publish_to(staged, path)
        finally:
            staged.unlink(missing_ok=True)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> nw.LazyFrame:
        """Scan what was published at `path`.

        Raises:
            Failure: Nothing was published there yet, or it cannot be read.
        """
        name = context.asset_key.to_user_string()
        path.fs.invalidate_cache()  # another machine may have published
        if not path.exists():
            raise dg.Failure(
                f"{name} was never materialised below {path.parent}. Materialise it first, or all assets at once.",
                allow_retries=False,
            )
        with as_dagster_failures():
            return self._load_parts(name, path)

    def get_metadata(
        self,
        context: dg.OutputContext,
        obj: nw.LazyFrame,  # noqa: ARG002 - its file has moved; what is published is read
    ) -> dict[str, dg.MetadataValue]:
        """Describe the published file's rows and columns, without any value of theirs."""
        return self._describe(context, self._get_path(context))

    def close(self) -> None:
        """Remove this process's copies of what it read; frames that scan them end here."""
        for path in self._fetched:
            path.unlink(missing_ok=True)
        self._fetched.clear()

    def _table(self, context: dg.InputContext | dg.OutputContext) -> Table[Any] | None:
        return self._tables.get(context.asset_key) if context.has_asset_key else None

    def _load_parts(self, name: str, path: UPath, table: Table[Any] | None = None) -> nw.LazyFrame:
        """Scan a file, or a directory of them. In a table's place they are another program's, without facts."""
        parts = [self._fetch(part) for part in _parts(path)]
        frame = self._scan(name, str(path), parts, COLUMNS[table.name] if table else ())
        return frame if table is None else with_committed(frame, table.current().facts)

    def _scan(self, name: str, where: str, parts: Sequence[Path], columns: Sequence[str]) -> nw.LazyFrame:
        problem = problem_of(parts, columns) if parts else "it is a directory without a Parquet file"
        if problem is not None:
            raise dg.Failure(f"{where} cannot be read: {problem}. Materialise {name} again.", allow_retries=False)
        return self.engine.scan(parts)

    def _fetch(self, path: UPath) -> Path:
        """Bring a file to where it stays as it is: another run can publish while this one reads."""
        local = self._staged_file(f"reading-{path.name}")
        open_folder(path.parent).fetch(path.name, local)
        self._fetched.append(local)
        return local

    def _describe(
        self, context: dg.OutputContext, path: UPath | Path, facts: BaseModel | None = None
    ) -> dict[str, dg.MetadataValue]:
        with path.open("rb") as file:
            parquet = pq.ParquetFile(file)
            rows, columns = parquet.metadata.num_rows, parquet.schema_arrow.empty_table()
        types = nw.from_native(columns, eager_only=True).schema
        return {
            "dagster/row_count": dg.MetadataValue.int(rows),
            **table_columns(context.asset_key, types, facts),
            "size_bytes": dg.MetadataValue.int(path.stat().st_size),
        }


def _parts(path: UPath) -> list[UPath]:
    """List the Parquet files of a directory; a file is its only part."""
    if not path.is_dir():
        return [path]
    names = [str(found).rstrip("/").rpartition("/")[-1] for found in path.fs.ls(path.path, detail=False)]
    return [path / name for name in sorted(names) if name.endswith(".parquet")]


def build_io_manager(sync: Sync) -> dg.IOManagerDefinition:
    """Build the IO manager that keeps frames in a sync's lake, read and written by its engine."""
    keys = sync.resource("data_directory"), sync.resource("processing")

    @dg.io_manager(required_resource_keys=set(keys))  # type: ignore[arg-type] # a generator may be one, as of resources
    def parquet_io_manager(context: dg.InitResourceContext) -> Iterator[ParquetIOManager]:
        """Keep frames as Parquet files in the data directory's lake, read and written by the chosen engine."""
        directory, processing = (getattr(context.resources, key) for key in keys)
        tables = {sync.key(RAW): directory.raw, sync.key(CLEAN): directory.clean}
        manager = ParquetIOManager(
            directory.lake, lambda: processing.open_engine(directory), directory.staged_file, tables
        )
        yield manager
        if context.run is not None:  # outside of a run, a notebook reads its frames later: until the process ends
            manager.close()

    return parquet_io_manager
