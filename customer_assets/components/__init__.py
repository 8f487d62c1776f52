"""What other Dagster projects put into their YAML; `dg list components` looks here. It builds nothing by itself."""

from customer_assets.components.customer_sync import CustomerSyncComponent

__all__ = ["CustomerSyncComponent"]
