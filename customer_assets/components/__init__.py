"""The components that other Dagster projects name in their YAML; `dg list components` looks here."""

from customer_assets.components.customer_sync import CustomerSyncComponent

__all__ = ["CustomerSyncComponent"]
