"""Which way a request goes: redirects that may be followed, proxies and certificates. Sends nothing."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import requests

from customer_assets.api.responses import REDIRECTS
from customer_assets.urls import is_loopback

REDIRECTS_AT_MOST = 3

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What the environment says of the way to an address (`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`, …).

    Attributes:
        proxies: Proxies by scheme, as `requests` takes them.
        certificates: A file or directory of trusted certificates; None: the usual ones.
    """

    proxies: dict[str, str]
    certificates: str | None


def environment_settings(url: str) -> ProxySettings:
    """Ask the environment. A `.netrc` is not read: nothing may stand in for the configured key.

    Loopback is reached without a proxy: plain http there must not leave the machine.
    """
    with requests.Session() as session:
        join_headers = session.merge_environment_settings(url, {}, None, None, None)
    proxies = {} if is_loopback(urlsplit(url).hostname or "") else dict(join_headers["proxies"])
    return ProxySettings(proxies, join_headers["verify"] if isinstance(join_headers["verify"], str) else None)


def resolve_redirect(url: str, status: int, location: str) -> str | None:
    r"""Return where a redirect leads, if the same origin answers there; None if it may not be followed.

    The key goes to its own origin only, so the address is made of that origin and the redirect's path and query:
    parsers disagree on what the host of `https://evil.example\@api.example/` is.
    """
    if status not in REDIRECTS or not location:
        return None
    here = urlsplit(url)
    try:
        there = urlsplit(urljoin(url, location))
        same = _origin(here) == _origin(there)
    except ValueError:
        return None
    return urlunsplit((here.scheme, here.netloc, there.path or "/", there.query, "")) if same else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None, str | None]:
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme), parts.username
