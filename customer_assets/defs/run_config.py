"""Resources and the configuration of a run: what a run leaves out stays as the settings have it.

`Resource` is the base of every resource here. The fields belong to the options models that the resources inherit.
"""

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import dagster as dg
from pydantic import ModelWrapValidatorHandler, create_model, model_validator

from customer_assets.core.configuration import configuration_errors, is_secret

CONSOLE_LOGGING = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
"""Keeps the console to what matters. Dagster prints each of its events there by default; its own log has them all."""

MASK = "********"
"""What Dagster's launchpad shows instead of a secret, and sends as the secret when a run is launched from there."""

UNSET = (None, "", MASK)
"""The values of a secret that the run's configuration does not set."""

_KEPT = "_customer_assets_secrets"
"""Where a class made here keeps its secrets: not a field, so that no schema, snapshot or run configuration has them."""


class Resource(dg.ConfigurableResource[None]):
    """A resource whose unusable settings are reported as a `ConfigurationError`, when it is made and in a run."""

    @model_validator(mode="wrap")
    @classmethod
    def _report_by_field(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        with configuration_errors(cls):
            return handler(values)

    def check(self) -> None:
        """Check all that can be checked before a run, without opening anything.

        Raises:
            ConfigurationError: A setting cannot be used; names it.
        """


def with_configured_defaults(resource: Any, secrets: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - of any class
    """Return a copy of a resource whose values are the defaults of its class.

    Dagster fills in what a run's configuration leaves out from the class's defaults, not from the resource: a run that
    sets another page size would forget the API's address, and publish the embedded simulator's customers. A secret does
    not become a default, since Dagster stores those with every job: it stays in this process, for `secret_value`.

    Args:
        resource: The resource; anything that is not a configurable one is returned as it is.
        secrets: Replace the secrets that the resource has, by field.
    """
    if not isinstance(resource, dg.ConfigurableResource):
        return resource
    made_from = type(resource)
    hidden = _secrets(resource) | dict(secrets or {})
    given = {name: getattr(resource, name) for name in made_from.model_fields}
    values = given | {name: value if isinstance(value, dg.EnvVar) else "" for name, value in hidden.items()}
    same = _with_defaults(made_from, values)
    setattr(same, _KEPT, hidden)
    return same(**values)


def _with_defaults(made_from: type[dg.Config], values: dict[str, Any]) -> type[dg.Config]:
    """Derive a class with these defaults; `values` takes its sub-models, derived in the same way."""
    fields: dict[str, Any] = {}
    for name, field in made_from.model_fields.items():
        value, annotation = values[name], field.annotation
        if isinstance(value, dg.EnvVar):  # not a default: the variable is read when a run starts
            continue
        if isinstance(value, dg.Config):
            inner = {each: getattr(value, each) for each in type(value).model_fields}
            annotation = _with_defaults(type(value), inner)
            value = values[name] = annotation(**inner)
        configured = copy(field)
        configured.default = value
        fields[name] = (annotation, configured)
    derived: type[dg.Config] = create_model(
        made_from.__name__, __base__=made_from, __module__=made_from.__module__, __doc__=made_from.__doc__, **fields
    )
    return derived


def secret_value(resource: dg.ConfigurableResource[Any], name: str) -> str:
    """Return a secret: the run's, or else the settings'; empty if neither has one."""
    value = getattr(resource, name)
    if value in UNSET:
        value = getattr(type(resource), _KEPT, {}).get(name, "")
    return (value.get_value() or "") if isinstance(value, dg.EnvVar) else value


def _secrets(resource: dg.ConfigurableResource[Any]) -> dict[str, str]:
    """Return the secrets by field; an unset one is as it was when the resource's class was made."""
    made_from = type(resource)
    kept: dict[str, str] = getattr(made_from, _KEPT, {})
    given = {name: getattr(resource, name) for name in made_from.model_fields if is_secret(made_from, name)}
    return {name: kept.get(name, "") if value in UNSET else value for name, value in given.items()}
