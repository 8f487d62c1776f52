"""Text that must not be shown: the key, tokens, passwords. Where they are sent belongs in `destinations.py`."""

from collections.abc import Mapping
from typing import SupportsIndex

from customer_assets.core.errors import ConfigurationError


class Secret(str):
    """Text that does not show itself, so that no traceback that prints local variables shows it either."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say that there is one."""
        return "<secret>"

    def __getitem__(self, part: SupportsIndex | slice) -> "Secret":
        """Keep a part as secret as the whole: whoever prints a long text cuts it first."""
        return Secret(super().__getitem__(part))


def hide_api_key(api_key: object) -> Secret:
    """Return the key, hidden.

    Raises:
        ConfigurationError: It is not text: `os.environ.get`, say, returns None for an unset variable.
    """
    if not isinstance(api_key, str):
        raise ConfigurationError("api_key", f"it is {type(api_key).__name__}, not text", "Set your API's key.")
    return Secret(api_key)


def validate_api_key(api_key: str, setting: str = "api_key") -> Secret:
    """Return the key without white space around it.

    Raises:
        ConfigurationError: It is blank, or cannot be sent in a header.
    """
    if not api_key.strip() or not api_key.strip().isprintable() or not api_key.isascii():
        raise ConfigurationError(setting, "it is blank or holds unprintable characters", "Set your API's key.")
    return Secret(api_key.strip())


def read_secret(environ: Mapping[str, str], variable: str) -> Secret:
    """Return what a variable holds, hidden.

    Raises:
        ConfigurationError: It is not set.
    """
    value = Secret(environ.get(variable, "").strip())
    if not value:
        raise ConfigurationError(
            variable, "it is not set, and the API needs it", "Set it to what the API's owner gave you."
        )
    return value
