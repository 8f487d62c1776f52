"""Tables, each committed in one step: `table.py` has the table, `pointer.py` the document that names its files."""

from customer_assets.storage.versions.table import ATTEMPTS, STRANGERS_KEPT, Table

__all__ = ["ATTEMPTS", "STRANGERS_KEPT", "Table"]
