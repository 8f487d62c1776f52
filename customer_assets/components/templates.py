"""Templates in a component's YAML: what to do about `{{ env.X }}` when X is not set. Dagster renders it as nothing."""

import os
import re
from collections.abc import Mapping
from typing import Any

from customer_assets.core.errors import ConfigurationError

_ENVIRONMENT = re.compile(r"\benv\.([A-Za-z_][A-Za-z0-9_]*)")


def refuse_unset_variables(name: str, raw: Any, rendered: Any) -> None:  # noqa: ANN401 - any part of a YAML
    """Refuse a text that was rendered without a variable that it names.

    Args:
        name: Where the text stands.
        raw: As it stands in the YAML.
        rendered: What Dagster made of it.

    Raises:
        ConfigurationError: Names the place and the variable.
    """
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            refuse_unset_variables(f"{name}.{key}" if name else str(key), value, rendered[key])
    elif isinstance(raw, list):
        for value, result in zip(raw, rendered, strict=True):
            refuse_unset_variables(name, value, result)
    elif isinstance(raw, str) and "None" in str(rendered):
        unset = [variable for variable in _ENVIRONMENT.findall(raw) if variable not in os.environ]
        if unset:
            raise ConfigurationError(
                name,
                f"the environment variable {unset[0]} is not set",
                f"Set it, or write a default: {{{{ env('{unset[0]}', '…') }}}}.",
            )
