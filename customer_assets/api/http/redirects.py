"""Which redirects are followed, and where to. Decides only; nothing is sent here."""

from dataclasses import replace
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from customer_assets.api.http.base import REDIRECTS, HttpRequest, RawResponse
from customer_assets.core.urls import PORTS

MAX_REDIRECTS = 3

REPEATING = (307, 308)
"""Redirects that repeat a POST as it is; all others would turn it into a GET (RFC 9110, 15.4)."""

PERMANENT = (301, 308)


class RedirectMemory:
    """Where paths have moved to, so that a redirect is followed once, not for every page.

    A slash at the end is remembered whatever the redirect's status, all else only if that says that it is permanent.
    """

    def __init__(self) -> None:
        self._moved: dict[str, str] = {}

    def note(self, request: HttpRequest, redirected: HttpRequest, status: int) -> None:
        """Remember a redirect that was followed, if the next page will be redirected alike."""
        here, there = urlsplit(request.url), urlsplit(redirected.url)
        is_slash = here.path.rstrip("/") == there.path.rstrip("/")
        if here.query == there.query and here.path != there.path and (is_slash or status in PERMANENT):
            self._moved[here.path] = there.path

    def apply(self, request: HttpRequest) -> HttpRequest:
        """Return the request to where its path has moved."""
        parts = urlsplit(request.url)
        path = self._moved.get(parts.path)
        return request if path is None else replace(request, url=urlunsplit(parts._replace(path=path)))


def follow_redirects(request: HttpRequest, response: RawResponse) -> HttpRequest | None:
    """Return the request that a redirect leads to; None if the response is final."""
    if request.redirects >= MAX_REDIRECTS or (request.method != "GET" and response.status not in REPEATING):
        return None
    url = resolve_redirect(request.url, response.status, response.headers.get("location", ""))
    return None if url is None else replace(request, url=url, redirects=request.redirects + 1)


def resolve_redirect(url: str, status: int, location: str) -> str | None:
    r"""Return the address that a redirect leads to if it has the same origin; None if it must not be followed.

    The key goes to its own origin only, so the address is built from that origin and the redirect's path and query:
    parsers disagree about the host of `https://evil.example\@api.example/`. A server behind a proxy that ends TLS calls
    itself by http: that is followed on https.
    """
    if status not in REDIRECTS or not location:
        return None
    here = urlsplit(url)
    try:
        there = urlsplit(urljoin(url, location))
        scheme, hostname, port, username = _origin(here)
        origins = [(scheme, hostname, port, username)]
        if scheme == "https":  # what a server behind such a proxy takes for its own origin
            origins.append(("http", hostname, PORTS["http"] if port == PORTS["https"] else port, username))
        is_same_origin = _origin(there) in origins
    except ValueError:
        return None
    return urlunsplit((here.scheme, here.netloc, there.path or "/", there.query, "")) if is_same_origin else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None, str | None]:
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme), parts.username
