"""How a run's configuration meets the settings: what it leaves out stays as the settings have it."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import dagster as dg
from pydantic import create_model

MASK = "********"
"""What Dagster's launchpad shows in a secret's place, and sends as the secret when a run is launched from there."""

UNSET = ("", MASK)
"""What a secret is that a run was told nothing of."""

_KEPT = "_customer_assets_secrets"
"""Where a class made here keeps its secrets: no field, so that no schema, snapshot or run's configuration has them."""


def with_configured_defaults(resource: Any, secrets: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - of any class
    """Make a resource anew, its fields' values their defaults.

    Dagster fills what a run's configuration leaves out from the class's defaults, not from the resource: a run told
    of another page size would forget the API's address, and publish the embedded simulator's customers. A secret
    becomes no default, since Dagster stores those with every job: it stays in this process, for `secret_value`.

    Args:
        resource: What it is made of; what is no configurable resource is returned as it is.
        secrets: Stand in place of the secrets that the resource has.
    """
    if not isinstance(resource, dg.ConfigurableResource):
        return resource
    made_from = type(resource)
    given = {name: getattr(resource, name) for name in made_from.model_fields}
    hidden = _secrets(resource) | dict(secrets or {})
    values = given | {name: value if isinstance(value, dg.EnvVar) else "" for name, value in hidden.items()}
    fields: dict[str, Any] = {}
    for name, field in made_from.model_fields.items():
        if not isinstance(values[name], dg.EnvVar):  # its value is no default: it is read when a run starts
            kept = copy(field)
            kept.default = values[name]
            fields[name] = (field.annotation, kept)
    same = create_model(
        made_from.__name__, __base__=made_from, __module__=made_from.__module__, __doc__=made_from.__doc__, **fields
    )
    setattr(same, _KEPT, hidden)
    return same(**values)


def secret_value(resource: dg.ConfigurableResource[Any], name: str) -> str:
    """Return a secret: what the run was told, or else what the settings say; empty if neither says anything."""
    value = getattr(resource, name)
    if value in UNSET:
        value = getattr(type(resource), _KEPT, {}).get(name, "")
    return (value.get_value() or "") if isinstance(value, dg.EnvVar) else value


def _secrets(resource: dg.ConfigurableResource[Any]) -> dict[str, str]:
    """By field; what says nothing is as it was when the resource's class was made."""
    made_from = type(resource)
    kept: dict[str, str] = getattr(made_from, _KEPT, {})
    given = {name: getattr(resource, name) for name in made_from.model_fields if _is_secret(made_from, name)}
    return {name: kept.get(name, "") if value in UNSET else value for name, value in given.items()}


def _is_secret(made_from: type[dg.ConfigurableResource[Any]], name: str) -> bool:
    extra = made_from.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("dagster__is_secret"))
