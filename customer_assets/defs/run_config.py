"""Resources and the configuration of a run: what a run leaves out stays as the settings have it.

`Resource` is the base of every resource here. The fields belong to the options models that the resources inherit.
"""

from collections.abc import Collection, Iterator, Mapping
from copy import copy
from typing import Any, ClassVar, Self, TypeVar

import dagster as dg
from pydantic import ModelWrapValidatorHandler, create_model, model_validator

from customer_assets.core.configuration import configuration_errors, expand_home, is_secret
from customer_assets.core.errors import ConfigurationError

CONSOLE_LOGGING = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
"""Keeps the console to what matters. Dagster prints each of its events there by default; its own log has them all."""

MASK = "********"
"""What Dagster's launchpad shows instead of a secret, and sends as the secret when a run is launched from there."""

UNSET = (None, "", MASK)
"""The values of a secret that the run's configuration does not set."""

_KEPT = "_customer_assets_secrets"
"""Where a class made here keeps its secrets: not a field, so that no schema, snapshot or run configuration has them."""

_CONFIGURED = "_customer_assets_configured"
"""Where a class made here keeps the resource as the deployment configured it."""

ResourceType = TypeVar("ResourceType", bound=dg.ConfigurableResource[Any])


class Resource(dg.ConfigurableResource[None]):
    """A resource whose unusable settings are reported as a `ConfigurationError`, when it is made and in a run.

    Attributes:
        PLACES: The fields that say where customers are kept, which only the deployment sets.
    """

    PLACES: ClassVar[Collection[str]] = ()

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

    def run_variables(self, field: str) -> frozenset[str]:  # noqa: ARG002
        """The environment variables that a run's configuration can name for a field, apart from the field's own."""
        return frozenset()

    def with_replaced_resource_context(self, resource_context: dg.InitResourceContext) -> Any:  # noqa: ANN401 - as Dagster has it
        """Refuse a run that names a variable it must not read, or another place for customers.

        Dagster calls this before it applies the run's values.

        Raises:
            ConfigurationError: Names the field.
        """
        run = resource_context.run
        if run is not None:
            definitions = resource_context.all_resource_defs.items()
            for key in (key for key, definition in definitions if definition is resource_context.resource_def):
                sections: dict[str, Any] = dict(run.run_config).get("resources") or {}  # type: ignore[assignment]
                section = sections.get(key) or {}
                self._refuse_variables(section.get("config") or {})
                self._refuse_places(section.get("config") or {})
        return super().with_replaced_resource_context(resource_context)

    def _refuse_places(self, config: Mapping[str, Any]) -> None:
        """Refuse another place: whoever can open the launchpad could copy the customers to a place of their own."""
        for field in self.PLACES:
            own, given = getattr(self, field), config.get(field)
            if given is not None and not isinstance(given, Mapping) and own not in (given, expand_home(given)):
                raise ConfigurationError(
                    field,
                    "this run would keep customers in another place, and only the deployment chooses that",
                    "Set it in the deployment's own settings, or leave it out of the run's configuration.",
                )

    def _refuse_variables(self, config: Mapping[str, Any]) -> None:
        for field, value in config.items():
            annotation = type(self).model_fields[field].annotation
            if annotation == dict[str, Any]:  # Dagster reads no variable there
                continue
            own = getattr(self, field)
            allowed = self.run_variables(field) | ({own.env_var_name} if isinstance(own, dg.EnvVar) else frozenset())
            for variable in _variables_named(value):
                if variable not in allowed:
                    raise ConfigurationError(
                        field,
                        f"this run would read the variable {variable}, and the deployment lets no run do that",
                        "Set it in the deployment's own settings. A key for a run: see run_keys.",
                    )


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
    kept: dict[str, str] = getattr(made_from, _KEPT, {})
    given = {name: getattr(resource, name) for name in made_from.model_fields}
    hidden = {  # a secret that is unset stays what it was when the class was made
        name: kept.get(name, "") if value in UNSET else value
        for name, value in given.items()
        if is_secret(made_from, name)
    } | dict(secrets or {})
    values = given | {name: value if isinstance(value, dg.EnvVar) else "" for name, value in hidden.items()}
    same = _with_defaults(made_from, values)
    setattr(same, _KEPT, hidden)
    made = same(**values)
    setattr(same, _CONFIGURED, (made,))  # in a tuple: a resource that is an attribute of a class is a descriptor
    return made


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


def configured(resource: ResourceType) -> ResourceType:
    """Return a run's resource as the deployment configured it, without what the run changes."""
    (found,) = getattr(type(resource), _CONFIGURED, (resource,))
    return found


def _variables_named(value: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a run's configuration
    """Find Dagster's `{"env": NAME}`, wherever it can stand."""
    if isinstance(value, Mapping):
        if set(value) == {"env"} and isinstance(value["env"], str):
            yield value["env"]
        for inner in value.values():
            yield from _variables_named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _variables_named(inner)
