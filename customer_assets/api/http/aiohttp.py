"""Transport on `aiohttp`: one session on one event loop, which has a thread of its own."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from customer_assets.api.http.base import (
    CHUNK_BYTES,
    CONNECT_TIMEOUT_S,
    DRAINED_BYTES,
    GOOD_STATUSES,
    HEADER_LINE_BYTES,
    HEADER_LINES,
    Callback,
    HttpRequest,
    RawResponse,
    TransportError,
    TransportSettings,
    connection_error,
    join_headers,
)
from customer_assets.api.http.body import BodyDecoder
from customer_assets.api.http.environment import read_route
from customer_assets.api.http.event_loop import EventLoop
from customer_assets.api.http.redirects import RedirectMemory, follow_redirects


class AiohttpTransport:
    """Sends requests over pooled connections that stay open between requests.

    Args:
        settings: Where the API is, and the limits of a request.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._route = read_route(settings.url)
        self._moved = RedirectMemory()
        self._loop = EventLoop()
        self._session: aiohttp.ClientSession | None = None

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Send a request in a task of its own."""
        self._loop.start(self.fetch(request), callback)

    async def fetch(self, request: HttpRequest) -> RawResponse:
        """Send a request and read its response completely.

        Raises:
            TransportError: There was no complete response.
        """
        started_s, request = time.monotonic(), self._moved.apply(request)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._send(request, started_s)
                while (redirected := follow_redirects(request, response)) is not None:
                    self._moved.note(request, redirected, response.status)
                    request, response = redirected, await self._send(redirected, started_s)
        except TimeoutError:
            raise self._settings.timeout_error() from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._connection_error(error) from None
        return response

    def close(self) -> None:
        """Close all connections."""
        self._loop.close(self._close_session())

    def _connection_error(self, error: BaseException) -> TransportError:
        return connection_error(error, self._settings.url, self._route, is_header_overflow=_is_header_overflow)

    async def _send(self, request: HttpRequest, started_s: float) -> RawResponse:
        """Exchange a request and its response; a connection that the API has closed meanwhile is no failure."""
        for _ in range(self._settings.max_connections):
            connection = _Connection()
            try:
                return await self._exchange(request, started_s, connection)
            except _ClosedError:
                if request.method != "GET" or not connection.is_reused:  # RFC 9112, 9.3.1
                    raise
        return await self._exchange(request, started_s, _Connection())

    async def _exchange(self, request: HttpRequest, started_s: float, connection: "_Connection") -> RawResponse:
        async with self._open_session().request(
            request.method,
            request.url,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            proxy=None if self._route.proxy is None else self._route.proxy.url,
            trace_request_ctx=connection,
        ) as response:
            headers = join_headers(response.headers.items())
            body = await self._read_body(response)
        return RawResponse(response.status, headers, body, time.monotonic() - started_s)

    async def _read_body(self, response: aiohttp.ClientResponse) -> bytes:
        if response.status not in GOOD_STATUSES:
            await _drain(response)
            return b""
        body = BodyDecoder(", ".join(response.headers.getall("content-encoding", ())), self._settings.max_body_bytes)
        async for chunk in response.content.iter_any():
            body.add(chunk)
        return body.finish()

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session; aiohttp wants it to be created on the loop that uses it."""
        if self._session is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=settings.max_connections, ssl=self._trusted_certificates()),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_TIMEOUT_S, settings.timeout_s)),
                auto_decompress=False,
                middlewares=(_send_once,),
                trace_configs=[_note_reuse()],
                read_bufsize=CHUNK_BYTES,
                max_line_size=HEADER_LINE_BYTES,
                max_field_size=HEADER_LINE_BYTES,
                max_headers=HEADER_LINES,
                # Neither a .netrc entry nor a cookie can take the configured key's place.
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _trusted_certificates(self) -> ssl.SSLContext | bool:
        """The certificates that `requests` trusts too."""
        if not self._settings.url.startswith("https:"):
            return True
        given = self._route.certificates
        certificates = Path(DEFAULT_CA_BUNDLE_PATH if given is None else given.path)
        if certificates.is_dir():
            return ssl.create_default_context(capath=str(certificates))
        return ssl.create_default_context(cafile=str(certificates))

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets the connections finish closing on the loop


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request by itself when the connection drops: only the crawl decides on retries."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ClosedError(type(error).__name__) from None


class _ClosedError(aiohttp.ClientConnectionError):
    """The connection was closed before a response began."""


@dataclass
class _Connection:
    """What is known of the connection that carries a request."""

    is_reused: bool = False


def _note_reuse() -> aiohttp.TraceConfig:
    """Note on each request's `_Connection` whether an earlier request has used it."""

    async def note(_session: object, context: Any, _: object) -> None:  # noqa: ANN401 - aiohttp's
        context.trace_request_ctx.is_reused = True

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(note)
    return config


def _is_header_overflow(error: BaseException) -> bool:
    return isinstance(error, LineTooLong) or (isinstance(error, BadHttpMessage) and "Too many headers" in error.message)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read an unwanted body so that its connection can be reused; a failure changes nothing about the status."""
    try:
        await response.content.read(DRAINED_BYTES)
    except (aiohttp.ClientError, OSError, ValueError):
        response.close()
