"""How an address that holds a secret is checked, split and told. Nothing here does I/O."""

from urllib.parse import SplitResult, urlsplit

from customer_assets.errors import ConfigurationError


def validate_url(variable: str, url: str) -> SplitResult:
    """Split a setting's address.

    Raises:
        ConfigurationError: It is none of http or https with a host; says so without the address, which may be secret.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or any(mark.isspace() for mark in url):
        raise ConfigurationError(variable, "it is no address", "Write https://host/path, or unset it.")
    return parts


def redact_url(url: str) -> str:
    """Tell where an address leads, without what may be secret: `https://u:p@x.org:9/T0/B0?k=1` → `https://x.org:9`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
