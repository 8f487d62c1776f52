"""Which column follows from which, from the API's record to the export: what Dagster draws as column lineage."""

from collections.abc import Mapping, Sequence

import dagster as dg

from customer_assets.processing.rules import CLEAN_COLUMNS, INTEGERS

ENGAGEMENT = ("engagement_score", "engagement_score_supplied")
ACTIVITY = ("last_active_at", "last_active_at_supplied")

CLEAN_FROM_RAW: Mapping[str, Sequence[str]] = {
    "customer_id": ("id",),
    "full_name": ("first_name", "last_name"),
    "email_domain": ("email",),
    "engagement_level": (*ENGAGEMENT, "id"),
    "activity_status": (*ACTIVITY, "id"),
    "acquisition_channel": ("id",),
    "market_segment": ("id",),
    "customer_tier": ("id",),
    "data_quality_score": ("email", "first_name", "last_name", "avatar", *ENGAGEMENT, *ACTIVITY),
}
"""What each clean column is computed from; generated values follow from the id (and the seed)."""

EXPORT_FROM_CLEAN: Mapping[str, Sequence[str]] = {name: (name,) for name in CLEAN_COLUMNS}

SOURCES: Mapping[str, tuple[str, Mapping[str, Sequence[str]]]] = {
    "clean_customers": ("raw_customers", CLEAN_FROM_RAW),
    "customer_export": ("clean_customers", EXPORT_FROM_CLEAN),
}

EXPORTED_TYPES = {name: "Int64" if name in INTEGERS and name != "customer_id" else "String" for name in CLEAN_COLUMNS}
"""The published document's: ids are written `cust_001`."""


def column_lineage(asset: dg.AssetKey) -> dict[str, dg.MetadataValue]:
    """Tell what an asset's columns follow from; nothing for what comes from the API."""
    *prefix, name = asset.path
    if name not in SOURCES:
        return {}
    source, columns = SOURCES[name]
    key = dg.AssetKey([*prefix, source])
    deps = {
        name: [dg.TableColumnDep(asset_key=key, column_name=column) for column in from_columns]
        for name, from_columns in columns.items()
    }
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}
