"""Transport on `requests`: pooled connections shared by a few threads.

We use requests only to resolve proxies and certificates, then talk to its urllib3 pool directly: building `Request`
and `Response` objects costs more than the I/O.
"""

import http.client
import time
from functools import cached_property, partial
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from customer_assets.api.http.base import (
    CHUNK_BYTES,
    CONNECT_TIMEOUT_S,
    DRAINED_BYTES,
    GOOD_STATUSES,
    Callback,
    HttpRequest,
    RawResponse,
    TransportError,
    TransportSettings,
    connection_error,
    join_headers,
)
from customer_assets.api.http.body import BodyDecoder
from customer_assets.api.http.deadlines import DeadlineAdapter, was_idle
from customer_assets.api.http.environment import read_route
from customer_assets.api.http.quiet import quiet_logging
from customer_assets.api.http.redirects import RedirectMemory, follow_redirects
from customer_assets.api.http.worker_pool import WorkerPool


class RequestsTransport:
    """Sends requests over pooled connections that stay open between requests.

    It uses no session: no cookies, no `.netrc`, no redirect that carries the key to another origin.

    Args:
        settings: Where the API is, and the limits of a request.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._threads = WorkerPool(settings.max_connections)
        self._adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=settings.max_connections, max_retries=0)
        self._route = read_route(settings.url)
        self._moved = RedirectMemory()

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Send a request on one of the threads."""
        self._threads.start(partial(self.fetch, request), callback)

    def fetch(self, request: HttpRequest) -> RawResponse:
        """Send a request and read its response completely.

        Raises:
            TransportError: There was no complete response.
        """
        started_s, request = time.monotonic(), self._moved.apply(request)
        try:
            with quiet_logging():
                while True:
                    response = self._receive(self._open(request, started_s), started_s)
                    redirected = follow_redirects(request, response)
                    if redirected is None:
                        return response
                    self._moved.note(request, redirected, response.status)
                    request = redirected
        except urllib3.exceptions.NewConnectionError as error:  # urllib3 derives it from its timeout, whatever happened
            raise self._connection_error(error) from None
        except (urllib3.exceptions.TimeoutError, TimeoutError):
            raise self._settings.timeout_error() from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self._connection_error(error) from None

    def close(self) -> None:
        """Close all idle connections; each thread ends after its current request."""
        self._threads.close()
        vars(self).pop("_pool", None)  # urllib3 closes its connections when nobody holds the pool any more
        self._adapter.close()

    def _connection_error(self, error: BaseException) -> TransportError:
        return connection_error(error, self._settings.url, self._route, is_header_overflow=_is_header_overflow)

    def _open(self, request: HttpRequest, started_s: float) -> urllib3.BaseHTTPResponse:
        """Send a request and receive the head of its response.

        The API can have closed a connection since its last use. That is not a failure: the request is sent again on
        another one, as often as the pool can hold such connections.
        """
        target = request.url
        if self._pool.proxy is None or self._pool.scheme == "https":  # other proxies want all of it (RFC 9112, 3.2.2)
            _, _, path, query, _ = urlsplit(request.url)
            target = f"{path}?{query}" if query else path
        for attempts_left in reversed(range(self._settings.max_connections + 1)):
            left_s = started_s + self._settings.timeout_s - time.monotonic()
            if left_s <= 0:
                break
            try:
                return self._pool.urlopen(
                    request.method,
                    target,
                    body=request.body,
                    headers=request.headers,
                    redirect=False,
                    retries=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                    timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, left_s), total=left_s),
                )
            except urllib3.exceptions.ProtocolError as error:
                if not attempts_left or request.method != "GET" or not was_idle(error):
                    raise
        raise self._settings.timeout_error()

    def _receive(self, response: urllib3.BaseHTTPResponse, started_s: float) -> RawResponse:
        """Read a response's body, and give its connection back."""
        try:
            headers = join_headers(response.headers.items())
            body = self._read_body(response)
        finally:
            response.close()  # a response that was read completely has returned to the pool by now
            response.release_conn()
        return RawResponse(response.status, headers, body, time.monotonic() - started_s)

    @cached_property
    def _pool(self) -> urllib3.HTTPConnectionPool:
        certificates = self._route.certificates
        return self._adapter.get_connection_with_tls_context(  # type: ignore[return-value] # the stubs name a base class
            requests.Request("GET", self._settings.url).prepare(),
            verify=DEFAULT_CA_BUNDLE_PATH if certificates is None else certificates.path,
            proxies=self._route.proxies,
        )

    def _read_body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        if response.status not in GOOD_STATUSES:
            _drain(response)
            return b""
        body = BodyDecoder(response.headers.get("content-encoding", ""), self._settings.max_body_bytes)
        while chunk := response.read(CHUNK_BYTES, decode_content=False):
            body.add(chunk)
        return body.finish()


def _is_header_overflow(error: BaseException) -> bool:
    return isinstance(error, http.client.HTTPException) and str(error).startswith("got more than")


def _drain(response: urllib3.BaseHTTPResponse) -> None:
    """Read an unwanted body so that its connection can be reused; a failure changes nothing about the status."""
    try:
        response.read(DRAINED_BYTES, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        response.close()
