"""Where tables and past exports are kept: the settings. What happens there stands in the other files of this room."""

from pydantic import Field

from customer_assets.configuration import LocalPath, Settings


class StorageOptions(Settings):
    """Where a sync keeps its tables and exports, beside its data directory."""

    lake_url: LocalPath = Field(
        default="",
        description="Where the tables are kept: a path, or an object store such as s3://bucket/customers. "
        "Empty: lake/ in the data directory.",
    )
    keep_exports: int = Field(default=0, ge=0, description="Past exports to keep in export/history/.")
