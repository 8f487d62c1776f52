"""URLs that may hold secrets: validate one, redact one, recognise this machine. No I/O.

What an API's base URL must look like belongs in `api/options.py`.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from customer_assets.core.errors import ConfigurationError

PORTS = {"http": 80, "https": 443}


def validate_url(setting: str, url: str) -> SplitResult:
    """Split the URL that a setting holds.

    Raises:
        ConfigurationError: It is not an http or https URL with a host. The message never quotes it: it may be a
            secret that was put in the wrong place.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in url):
        raise ConfigurationError(setting, "it is not an http or https URL", "Write https://host/path, or unset it.")
    return parts


def redact_url(url: str) -> str:
    """Keep only scheme, host and port: `https://u:p@x.org:9/T0/B0?k=1` → `https://x.org:9`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def origin_of(url: str) -> str:
    """Return scheme, host and port in full: `https://X.org/api` → `https://x.org:443`."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or PORTS.get(parts.scheme)}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `127.0.0.1`, `::1`, `localhost`."""
    return ipaddress.ip_address(host.strip("[]")).is_loopback if is_address(host) else host == "localhost"


def is_address(host: str) -> bool:
    """Whether a host is an address, so that no name has to be resolved."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_plain(text: str) -> bool:
    """Whether every program reads a URL alike: they differ on backslashes, blanks and control characters."""
    return text.isascii() and text.isprintable() and not set(text) & set(" \\")
