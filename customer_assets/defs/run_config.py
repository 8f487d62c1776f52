"""How a run's configuration meets the settings: what it leaves out stays as the settings have it."""

from copy import copy
from typing import Any

import dagster as dg
from pydantic import create_model


def keeping_settings(resource: Any) -> Any:  # noqa: ANN401 - a resource of any class
    """Make a resource anew, its fields' values their defaults.

    Dagster fills what a run's configuration leaves out from the class's defaults, not from the resource: a run told
    of another page size would forget the API's address, and publish the embedded simulator's customers.
    """
    if not isinstance(resource, dg.ConfigurableResource):
        return resource
    made_from = type(resource)
    values = {name: getattr(resource, name) for name in made_from.model_fields}
    fields: dict[str, Any] = {}
    for name, field in made_from.model_fields.items():
        if not isinstance(values[name], dg.EnvVar):  # its value is no default: it is read when a run starts
            kept = copy(field)
            kept.default = values[name]
            fields[name] = (field.annotation, kept)
    same = create_model(
        made_from.__name__, __base__=made_from, __module__=made_from.__module__, __doc__=made_from.__doc__, **fields
    )
    return same(**values)
