"""What the environment says about the way to an address: the proxy in between, and the certificates to trust.

A variable that cannot be used is refused here, by its name, for every HTTP library alike. Nothing is sent.
"""

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from customer_assets.core.errors import ConfigurationError
from customer_assets.core.urls import is_loopback

CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where trusted certificates are, in the order in which the variables count: requests' own, curl's and OpenSSL's."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it. The address can hold a password."""

    url: str = field(repr=False)
    variable: str

    @property
    def host(self) -> str:
        """Its host alone."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class Certificates:
    """A file or directory of trusted certificates, and the variable that names it."""

    path: str
    variable: str


@dataclass(frozen=True, slots=True)
class Route:
    """The way to an address.

    Attributes:
        proxy: The proxy in between, if there is one.
        certificates: What is trusted; None: the certificates that come with `requests`.
    """

    proxy: Proxy | None = None
    certificates: Certificates | None = None

    @property
    def proxies(self) -> dict[str, str]:
        """The proxy as `requests` takes it."""
        return {} if self.proxy is None else {"all": self.proxy.url}


def read_route(url: str) -> Route:
    """Read the environment. A `.netrc` is ignored: nothing can take the configured key's place.

    Loopback is reached without a proxy: plain http must not leave the machine.

    Raises:
        ConfigurationError: A variable names what cannot be used.
    """
    proxy = None if is_loopback(urlsplit(url).hostname or "") else _find_proxy(url)
    return Route(proxy, _find_certificates() if url.startswith("https:") else None)


def _find_proxy(url: str) -> Proxy | None:
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415 - what only a run needs

    proxies = get_environ_proxies(url)
    given = (select_proxy(url, proxies) or "").strip()
    if not given:
        return None
    scheme = urlsplit(url).scheme if urlsplit(url).scheme in proxies else "all"
    name = f"{scheme}_proxy"
    variable = name if name in os.environ else name.upper()
    address = given if "://" in given else f"http://{given}"  # as curl and requests read it
    try:
        parts = urlsplit(address)
        is_address = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_address = False
    if not is_address or any(character.isspace() for character in address):
        raise ConfigurationError(variable, "it is not the address of a proxy", "Write http://host:port, or unset it.")
    if parts.scheme.lower() not in ("http", "https"):
        raise ConfigurationError(
            variable,
            f"{parts.scheme} proxies are not supported",
            "Set it to an HTTP proxy, http://host:port, or unset it.",
        )
    return Proxy(address, variable)


def _find_certificates() -> Certificates | None:
    variable = next((name for name in CERTIFICATE_VARIABLES if os.environ.get(name, "").strip()), None)
    if variable is None:
        return None
    path = Path(os.environ[variable].strip())
    remedy = "Set it to a PEM file of the certificate authorities to trust, or unset it."
    try:
        if path.is_dir():
            return Certificates(str(path), variable)
        path.open("rb").close()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ConfigurationError(variable, f"{path} holds no certificate that can be read", remedy) from None
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "not a path"
        raise ConfigurationError(variable, f"{path!s:.200} cannot be read: {problem}", remedy) from None
    return Certificates(str(path), variable)
