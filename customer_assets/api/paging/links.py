"""Addresses in responses: the `Link` header, and a next page's address, which must not lead elsewhere. Pure."""

import re
from urllib.parse import quote, urljoin, urlsplit

from customer_assets.api.paging.base import PagingError

_VALUE = r'"(?:[^"\\]|\\.)*"|[^\s;,"]*'
_PARAMETERS = re.compile(rf';\s*([^\s;,="]+)(?:\s*=\s*({_VALUE}))?')
_LINK = re.compile(rf'<([^<>]*)>((?:\s*;\s*[^\s;,="]+(?:\s*=\s*(?:{_VALUE}))?)*)')
LONGEST_HEADER = 16_384
PRINTABLE = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What stays as it is in an address: all of ASCII that can be printed. Some APIs encode nothing in theirs."""
PORTS = {"http": 80, "https": 443}


def parse_links(header: str) -> dict[str, str]:
    """Read a `Link` header (RFC 8288): each relation with its address, as it stands there."""
    links: dict[str, str] = {}
    if "<" not in header or len(header) > LONGEST_HEADER:
        return links
    for address, parameters in _LINK.findall(header):
        relations = [value for name, value in _PARAMETERS.findall(parameters) if name.lower() == "rel"]
        for name in relations[0].strip("\"'").lower().split() if relations else ():
            links.setdefault(name, address)
    return links


def path_and_query(address: str, base_url: str) -> str:
    """Return an address without its origin, which must be the API's own: the key goes nowhere else.

    A scheme that differs is common behind a proxy that ends TLS, and is ignored.

    Raises:
        PagingError: The address leads to another host, or is not an address.
    """
    here = urlsplit(base_url)
    try:
        there = urlsplit(urljoin(base_url, address.strip()))
        is_same = there.hostname == here.hostname and _port(there.scheme, there.port) == _port(here.scheme, here.port)
        is_web = there.scheme in PORTS and there.username is None
    except ValueError:
        is_same = is_web = False
    before_query = address.strip().partition("?")[0]
    if not (is_same and is_web) or any(mark.isspace() or mark == "\\" for mark in before_query):
        raise PagingError(
            "the next page's address does not lead to the API itself",
            "The key is sent to the API's own host only: check base_url, or page by another strategy.",
        )
    path, query = (quote(part, safe=PRINTABLE) for part in (there.path or "/", there.query))
    return f"{path}?{query}" if query else path


def _port(scheme: str, port: int | None) -> int | None:
    """A port that is not the scheme's usual one; proxies that end TLS change scheme and port together."""
    return None if port in (None, *PORTS.values()) and scheme in PORTS else port
