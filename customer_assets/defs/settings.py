"""The settings: each one's environment variable, and how its text becomes a value. Nothing else reads the environment."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from customer_assets.errors import ConfigurationError

Value = TypeVar("Value")

SWITCH_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def text(environ: Mapping[str, str], variable: str, default: str) -> str:
    """Return the variable's trimmed text; blank or unset → the default."""
    return environ.get(variable, "").strip() or default


def whole_number(environ: Mapping[str, str], variable: str, default: int) -> int:
    """Return the variable as a whole number; blank or unset → the default.

    Raises:
        ConfigurationError: The text is no whole number.
    """
    return _parsed(environ, variable, int, "a whole number", default)


def number(environ: Mapping[str, str], variable: str, default: float) -> float:
    """Return the variable as a number; blank or unset → the default.

    Raises:
        ConfigurationError: The text is no number.
    """
    return _parsed(environ, variable, float, "a number", default)


def optional_number(environ: Mapping[str, str], variable: str) -> float | None:
    """Return the variable as a number; blank or unset → None.

    Raises:
        ConfigurationError: The text is no number.
    """
    return number(environ, variable, 0.0) if environ.get(variable, "").strip() else None


def optional_whole_number(environ: Mapping[str, str], variable: str) -> int | None:
    """Return the variable as a whole number; blank or unset → None.

    Raises:
        ConfigurationError: The text is no whole number.
    """
    return whole_number(environ, variable, 0) if environ.get(variable, "").strip() else None


def switch(environ: Mapping[str, str], variable: str, *, default: bool) -> bool:
    """Return the variable as a yes or no; blank or unset → the default.

    Raises:
        ConfigurationError: The text is no such word.
    """
    return _parsed(environ, variable, lambda word: SWITCH_WORDS[word.lower()], "one of true, false", default)


def _parsed(
    environ: Mapping[str, str], variable: str, parse: Callable[[str], Value], wanted: str, default: Value
) -> Value:
    given = environ.get(variable, "").strip()
    if not given:
        return default
    try:
        return parse(given)
    except (ValueError, KeyError):
        raise ConfigurationError(variable, f"{given!r} is not {wanted}", f"Set it to {wanted}, or unset it") from None
