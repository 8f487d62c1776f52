"""The IO manager: how frames pass from asset to asset, as Parquet files that are published whole or not at all."""

from pathlib import Path

import dagster as dg
import narwhals as nw
import pyarrow.parquet as pq
from upath import UPath

from customer_assets.defs.metadata import column_schema
from customer_assets.export.files import published
from customer_assets.processing.engines import Engine

STAGED_FILE = "staged_file"
"""The output metadata under which an asset names the Parquet file that its frame scans; it is published as it is."""


class ParquetIOManager(dg.UPathIOManager):
    """Lazy frames in, lazy frames out: one Parquet file an asset, replaced atomically.

    A frame whose file is staged already (see `STAGED_FILE`) is published by moving that file; any other is computed
    by its engine into a temporary file first. Readers see the version before or the new one, whole.
    """

    extension = ".parquet"

    def __init__(self, base_dir: UPath, engine: Engine) -> None:
        self.engine = engine
        super().__init__(base_path=base_dir)

    def dump_to_path(self, context: dg.OutputContext, obj: nw.LazyFrame, path: UPath) -> None:
        """Publish the frame at `path`."""
        staged = context.output_metadata.get(STAGED_FILE)
        with published(Path(str(path))) as temporary:
            if staged is None:
                self.engine.sink(obj, temporary)
            else:
                Path(staged.value).replace(temporary)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> nw.LazyFrame:
        """Scan what was published at `path`.

        Raises:
            Failure: Nothing was published there yet.
        """
        if not path.exists():
            name = context.asset_key.to_user_string()
            raise dg.Failure(
                f"{name} was never materialised below {path.parent}. Materialise it first, or all assets at once.",
                allow_retries=False,
            )
        return self.engine.scan(str(path))

    def get_metadata(
        self,
        context: dg.OutputContext,
        obj: nw.LazyFrame,  # noqa: ARG002 - its file may have moved; what is published is scanned
    ) -> dict[str, dg.MetadataValue]:
        """Tell the published file's rows and columns; never a value of theirs."""
        path = Path(str(self._get_path(context)))
        schema = column_schema(self.engine.scan(str(path)).collect_schema())
        return {
            "dagster/row_count": dg.MetadataValue.int(pq.read_metadata(path).num_rows),
            "dagster/column_schema": dg.MetadataValue.table_schema(schema),
            "size_bytes": dg.MetadataValue.int(path.stat().st_size),
        }


@dg.io_manager(required_resource_keys={"data_directory", "processing"})
def parquet_io_manager(context: dg.InitResourceContext) -> ParquetIOManager:
    """Keep frames as Parquet files in the data directory's lake, read and written by the chosen engine."""
    return ParquetIOManager(
        base_dir=UPath(context.resources.data_directory.lake), engine=context.resources.processing.open_engine()
    )
