"""Synchronise customers from a hostile REST API into clean, scored, trustworthy analytics data."""

from typing import Any


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the language has it
    """Load the definitions only when asked for, so that the library parts import without Dagster."""
    if name == "code_location":
        from customer_assets.definitions import defs  # noqa: PLC0415 - the point of this function

        return defs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Show the definitions to `dagster … -m customer_assets`, which looks through the module's names."""
    return [*globals(), "code_location"]
