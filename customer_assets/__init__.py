"""Syncs customers from a hostile REST API into clean, scored, trustworthy analytics data."""

from typing import Any


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the signature that Python asks for
    """Load the definitions only when asked for, so that the library parts import without Dagster."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - only who asks pays for it

        return version("customer_assets")
    if name == "code_location":
        from customer_assets.definitions import defs  # noqa: PLC0415 - the point of this function

        return defs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the definitions, since `dagster … -m customer_assets` looks through the module's names."""
    return [*globals(), "code_location"]
