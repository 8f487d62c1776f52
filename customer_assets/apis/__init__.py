"""Known APIs: a preset each, and the one call that opens a client for one of them.

To add a preset, write its YAML into the folder of its trade: `about:` (who, what a user must set, how deletions show)
and `api:` (the section of a component's YAML). It is data only: where facts came from stands in its first lines. How
presets are read and merged belongs in `api/presets.py`.
"""

from collections.abc import Mapping
from typing import Unpack

from customer_assets.api import CustomerAPIClient
from customer_assets.api.options import ApiKeywords
from customer_assets.api.presets import Preset, load_preset, preset_names
from customer_assets.api.runner.clock import Clock

__all__ = ["Preset", "load_preset", "open_client", "preset_names"]


def open_client(
    name: str,
    *,
    base_url: str = "",
    environ: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    **options: Unpack[ApiKeywords],
) -> CustomerAPIClient:
    """Open a client for a known API: `open_client("shopify", values={"shop": "acme"})`.

    Args:
        name: The preset's; `python -m customer_assets.apis` lists them.
        base_url: Replaces the preset's; empty: the preset's own.
        environ: Where secrets are read; None: the environment of the process.
        values: What the preset leaves open, such as the shop.
        clock: The time, and how to wait.
        **options: Override the preset, key by key.

    Raises:
        ConfigurationError: There is no such preset, a value or a secret is missing, or an option cannot be used.
    """
    options |= {"preset": name, "preset_values": dict(values or {})}
    return CustomerAPIClient(base_url, "", clock=clock, environ=environ, **options)
