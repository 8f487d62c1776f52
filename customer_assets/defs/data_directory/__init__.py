"""The data directory resource, and what frames carry of it."""

from customer_assets.defs.data_directory.committed import committed, with_committed
from customer_assets.defs.data_directory.resource import (
    CLEAN,
    EXPORTED,
    RAW,
    REJECTED,
    DataDirectory,
    StorageOptions,
)

__all__ = ["CLEAN", "EXPORTED", "RAW", "REJECTED", "DataDirectory", "StorageOptions", "committed", "with_committed"]
