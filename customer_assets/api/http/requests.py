"""`requests`: pooled connections that threads share. Sends and reads; decides nothing.

Its adapter knows the way (proxies, certificates) and finds the pool of connections, which is then asked itself: what
the adapter makes of each request and answer takes more time than sending and reading them.
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
    Callback,
    Target,
    connection_error,
    join_headers,
)
from customer_assets.api.http.body import Body
from customer_assets.api.http.deadlines import DeadlineAdapter
from customer_assets.api.http.redirects import REDIRECTS_AT_MOST, environment_settings, resolve_redirect
from customer_assets.api.http.worker_pool import WorkerPool
from customer_assets.api.responses import RawResponse


class RequestsTransport:
    """Fetches pages over pooled connections, kept open between requests.

    It uses no session: no cookies, no `.netrc`, no redirect that carries the key away.

    Args:
        target: Where pages are.
        connections: How many are kept, and requests in flight at most.
    """

    def __init__(self, target: Target, connections: int) -> None:
        self._target = target
        self._threads = WorkerPool(connections)
        self._adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self._surroundings = environment_settings(target.url)
        self._prepared = requests.Request("GET", target.url, headers=target.headers).prepare()

    def send(self, page: int, deliver: Callback) -> None:
        """Send one request on a thread of its own."""
        self._threads.start(partial(self.fetch, page), deliver)

    def fetch(self, page: int) -> RawResponse:
        """Send one request and read its answer whole.

        Raises:
            TransportError: There was no whole answer.
        """
        try:
            return self._followed(self._target.address(page))
        except urllib3.exceptions.NewConnectionError as error:  # a timeout to urllib3, whatever kept it from connecting
            raise connection_error(error, is_header_overflow=_is_header_overflow) from None
        except (urllib3.exceptions.TimeoutError, TimeoutError):
            raise self._target.timeout_error() from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise connection_error(error, is_header_overflow=_is_header_overflow) from None

    def close(self) -> None:
        """Close all connections that are not in use; threads end with their requests."""
        self._threads.close()
        vars(self).pop("_pool", None)  # urllib3 closes its connections when nobody holds it any more
        self._adapter.close()

    def _followed(self, url: str) -> RawResponse:
        started_s = time.monotonic()
        answer = self._answer(url, started_s)
        for _ in range(REDIRECTS_AT_MOST):
            elsewhere = resolve_redirect(url, answer.status, answer.headers.get("location", ""))
            if elsewhere is None:
                break
            url, answer = elsewhere, self._answer(elsewhere, started_s)
        return answer

    def _answer(self, url: str, started_s: float) -> RawResponse:
        left_s = started_s + self._target.timeout_s - time.monotonic()
        if left_s <= 0:
            raise self._target.timeout_error()
        response = self._pool.urlopen(
            "GET",
            self._line(url),
            headers=self._target.headers,
            redirect=False,
            retries=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, left_s), total=left_s),
        )
        try:
            headers = join_headers(response.headers.items())
            body = self._body(response)
        finally:
            response.close()  # what was read whole has gone back to the pool by now
            response.release_conn()
        return RawResponse(response.status, headers, body, time.monotonic() - started_s)

    @cached_property
    def _pool(self) -> urllib3.HTTPConnectionPool:
        way = self._surroundings
        return self._adapter.get_connection_with_tls_context(  # type: ignore[return-value] # its stubs know a base class
            self._prepared, verify=way.certificates or DEFAULT_CA_BUNDLE_PATH, proxies=way.proxies
        )

    @cached_property
    def _uses_absolute_form(self) -> bool:
        """A proxy is told the whole address, unless it only passes bytes on."""
        return self._pool.proxy is not None and self._pool.scheme == "http"

    def _line(self, url: str) -> str:
        """What a request's first line asks for."""
        if self._uses_absolute_form:
            return url
        _, _, path, query, _ = urlsplit(url)
        return f"{path}?{query}" if query else path

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        if response.status != requests.codes.ok:
            _drain(response)
            return b""
        body = Body(response.headers.get("content-encoding", ""), self._target.max_body_bytes)
        while chunk := response.read(CHUNK_BYTES, decode_content=False):
            body.add(chunk)
        return body.whole()


def _is_header_overflow(error: BaseException) -> bool:
    return isinstance(error, http.client.HTTPException) and str(error).startswith("got more than")


def _drain(response: urllib3.BaseHTTPResponse) -> None:
    """Read a body that nobody needs; the status stands, whatever becomes of it."""
    try:
        response.read(DRAINED_BYTES, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        response.close()
