"""The IO manager: how frames pass from asset to asset, as Parquet files that are published whole or not at all."""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
import narwhals as nw
import pyarrow.parquet as pq
from upath import UPath

from customer_assets.defs.errors import as_dagster_failures
from customer_assets.defs.lineage import column_lineage
from customer_assets.defs.metadata import column_schema
from customer_assets.defs.sync import Sync
from customer_assets.processing.engines import Engine
from customer_assets.processing.landing.writer import problem_of
from customer_assets.processing.schemas import CLEAN_SCHEMA, RAW_SCHEMA
from customer_assets.storage.publish import is_local, link_or_copy, publish_to

STAGED_FILE = "staged_file"
"""The output metadata under which an asset names the Parquet file that its frame scans; it is published as it is."""

COLUMNS = {
    "raw_customers": [name for name in RAW_SCHEMA.names if name != "id_spelling"],
    "clean_customers": CLEAN_SCHEMA.names,
}
"""What an asset's file must hold to be read, whatever the mapping; another version may have written it."""

NOT_ON_RECORD = "no record tells of it: it was damaged, or replaced by hand, or another version published it"


class ParquetIOManager(dg.UPathIOManager):
    """Lazy frames in, lazy frames out: one Parquet file an asset, replaced atomically, here or in an object store.

    A frame whose file is staged already (see `STAGED_FILE`) is published by moving that file; any other is computed
    by its engine into a staged file first. Readers see the version before or the new one, whole. A directory of
    Parquet files, such as Spark writes, is read as one frame.

    Args:
        base_dir: Where the files are.
        engine: Reads and writes them.
        staged_file: Names a new file on this machine, for what is written or was fetched.
        as_published: Tells whether an asset's file is just as it was published.
        on_published: Called when an asset's file is in place.
    """

    extension = ".parquet"

    def __init__(
        self,
        base_dir: UPath,
        engine: Engine,
        staged_file: Callable[[str], Path],
        as_published: Callable[[str, Path], bool] = lambda _asset, _file: True,
        on_published: Callable[[str], None] = lambda _asset: None,
    ) -> None:
        self.engine, self._staged_file = engine, staged_file
        self._as_published, self._on_published = as_published, on_published
        super().__init__(base_path=base_dir)

    def dump_to_path(self, context: dg.OutputContext, obj: nw.LazyFrame, path: UPath) -> None:
        """Publish the frame at `path`."""
        named = context.output_metadata.get(STAGED_FILE)
        staged = self._staged_file(path.name) if named is None else Path(named.value)
        if named is None:
            with as_dagster_failures():
                self.engine.sink(obj, staged)
        try:
            publish_to(staged, path)
            self._on_published(self._asset_of(path))
        finally:
            staged.unlink(missing_ok=True)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> nw.LazyFrame:
        """Scan what was published at `path`.

        Raises:
            Failure: Nothing was published there yet, or it is damaged, of another version or not what is on record.
        """
        name = context.asset_key.to_user_string()
        path.fs.invalidate_cache()  # another machine may have published
        if not path.exists():
            raise dg.Failure(
                f"{name} was never materialised below {path.parent}. Materialise it first, or all assets at once.",
                allow_retries=False,
            )
        with as_dagster_failures():
            parts = [self._fetched(part) for part in _parts(path)]
            problem = self._problem_of(path, parts)
        if problem is None:
            return self.engine.scan(parts)
        raise dg.Failure(f"{path} cannot be read: {problem}. Materialise {name} again.", allow_retries=False)

    def get_metadata(
        self,
        context: dg.OutputContext,
        obj: nw.LazyFrame,  # noqa: ARG002 - its file has moved; what is published is read
    ) -> dict[str, dg.MetadataValue]:
        """Tell the published file's rows and columns; never a value of theirs."""
        path = self._get_path(context)
        with path.open("rb") as file:
            atomic_write = pq.ParquetFile(file)
            rows, columns = atomic_write.metadata.num_rows, atomic_write.schema_arrow.empty_table()
        schema = column_schema(nw.from_native(columns, eager_only=True).schema)
        return {
            "dagster/row_count": dg.MetadataValue.int(rows),
            "dagster/column_schema": dg.MetadataValue.table_schema(schema),
            **column_lineage(context.asset_key),
            "size_bytes": dg.MetadataValue.int(path.stat().st_size),
        }

    def _problem_of(self, path: UPath, parts: Sequence[Path]) -> str | None:
        """Say what keeps an asset's files from being read; several parts are another's, and on no record of ours."""
        asset = self._asset_of(path)
        problem = problem_of(parts, COLUMNS.get(asset, ()))
        if problem is None and not path.is_dir() and not self._as_published(asset, *parts):
            return NOT_ON_RECORD
        return problem

    def _asset_of(self, path: UPath) -> str:
        return path.name.removesuffix(self.extension)

    def _fetched(self, path: UPath) -> Path:
        """A file of this machine that stays as it is: another run may publish while this one reads."""
        staged = self._staged_file(path.name)
        if is_local(path):
            reading = staged.with_name(f"reading-{path.parent.name}-{path.name}")
            reading.unlink(missing_ok=True)  # of the version that this process read last
            link_or_copy(Path(path.path), reading)
            return reading
        path.fs.get_file(str(path.path), str(staged))
        return staged


def _parts(path: UPath) -> list[UPath]:
    return sorted(path.glob("*.parquet"), key=str) if path.is_dir() else [path]


def build_io_manager(sync: Sync) -> dg.IOManagerDefinition:
    """Build the IO manager that keeps frames in a sync's lake, read and written by its engine."""
    keys = sync.resource("data_directory"), sync.resource("processing")

    @dg.io_manager(required_resource_keys=set(keys))
    def parquet_io_manager(context: dg.InitResourceContext) -> ParquetIOManager:
        """Keep frames as Parquet files in the data directory's lake, read and written by the chosen engine."""
        directory, processing = (getattr(context.resources, key) for key in keys)
        return ParquetIOManager(
            directory.lake,
            processing.open_engine(),
            directory.staged_file,
            directory.take_at_hand,
            directory.forget_old,
        )

    return parquet_io_manager
