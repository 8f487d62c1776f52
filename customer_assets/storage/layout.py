"""Where everything is in a data directory: paths only. How files are written belongs in the other modules."""

from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from customer_assets.storage.object_store import open_store


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one sync.

    Attributes:
        root: The data directory, absolute.
        lake_url: The lake's path or address; empty: `lake/` in the data directory.
    """

    root: Path
    lake_url: str = ""

    @property
    def lake(self) -> UPath:
        """The tables that pass from asset to asset.

        Raises:
            ConfigurationError: `lake_url` names an unknown store, or one whose package is not installed.
        """
        return open_store(self.lake_url) if self.lake_url else UPath(self.local_lake)

    @property
    def local_lake(self) -> Path:
        """What stays on this machine, wherever the lake is: staged files and the default page store."""
        return self.root / "lake"

    @property
    def staging(self) -> Path:
        """Files that are not published yet."""
        return self.local_lake / ".staging"

    @property
    def pages_file(self) -> Path:
        """The default page store."""
        return self.local_lake / "pages.sqlite"

    @property
    def quarantine_file(self) -> Path:
        """Records that could not be landed, each with its reason."""
        return self.root / "quarantine" / "rejected_customers.parquet"

    @property
    def export_file(self) -> Path:
        """The published document."""
        return self.root / "export" / "customers.json"

    @property
    def report_file(self) -> Path:
        """The summary report, without an ending: one file per format."""
        return self.root / "export" / "summary_report"

    @property
    def unpublished_report_file(self) -> Path:
        """The report on customers that the gate held back, likewise."""
        return self.root / "export" / "summary_report_not_published"
