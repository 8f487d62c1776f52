"""Which column follows from which, from the raw table to the export: what Dagster draws as column lineage.

What a clean column is computed from is known by `processing/rules.py`, not here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from customer_assets.fields import Field, Kind
from customer_assets.processing.rules import CleaningOptions, lineage
from customer_assets.record_mapping import DEFAULT_RECORD, RecordMapping


def column_lineage(
    asset: dg.AssetKey, mapping: RecordMapping = DEFAULT_RECORD, *, generate: bool = True
) -> dict[str, dg.MetadataValue]:
    """Return what an asset's columns follow from; nothing for what comes from the API."""
    *prefix, name = asset.path
    if name == "clean_customers":
        source, columns = "raw_customers", clean_from_raw(mapping, generate=generate)
    elif name == "customer_export":
        source, columns = "clean_customers", {field.name: (field.name,) for field in mapping.clean_fields}
    else:
        return {}
    key = dg.AssetKey([*prefix, source])
    deps = {
        name: [dg.TableColumnDep(asset_key=key, column_name=column) for column in from_columns]
        for name, from_columns in columns.items()
    }
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


def clean_from_raw(mapping: RecordMapping = DEFAULT_RECORD, *, generate: bool = True) -> Mapping[str, Sequence[str]]:
    """Return what each clean column is computed from; generated values follow from the id (and the seed)."""
    return lineage(CleaningOptions(datetime.now(UTC), generate=generate, mapping=mapping))


_EXPORTED_TYPES = {
    Kind.INTEGER: "Int64",
    Kind.NUMBER: "Float64",
    Kind.BOOLEAN: "Boolean",
}


def exported_type(field: Field) -> str:
    """Name the type of a field in the published document, where ids are written `cust_001` and instants are text."""
    return "String" if field.name == "customer_id" else _EXPORTED_TYPES.get(field.kind, "String")
