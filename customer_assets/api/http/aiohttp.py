"""Transport on `aiohttp`: one session on one event loop, which has a thread of its own."""

import asyncio
import ssl
import time
from pathlib import Path

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy

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
from customer_assets.api.http.event_loop import EventLoop
from customer_assets.api.http.redirects import environment_settings, follow_redirects


class AiohttpTransport:
    """Sends requests over pooled connections that stay open between requests.

    Args:
        settings: Where the API is, and the limits of a request.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._environment = environment_settings(settings.url)
        self._proxy = select_proxy(settings.url, self._environment.proxies)
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
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._exchange(request, started_s)
                while (redirected := follow_redirects(request, response)) is not None:
                    request, response = redirected, await self._exchange(redirected, started_s)
        except TimeoutError:
            raise self._settings.timeout_error() from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._connection_error(error) from None
        return response

    def close(self) -> None:
        """Close all connections."""
        self._loop.close(self._close_session())

    def _connection_error(self, error: BaseException) -> TransportError:
        return connection_error(error, self._settings.url, self._proxy, is_header_overflow=_is_header_overflow)

    async def _exchange(self, request: HttpRequest, started_s: float) -> RawResponse:
        async with self._open_session().request(
            request.method,
            request.url,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            proxy=self._proxy,
        ) as response:
            headers = join_headers(response.headers.items())
            body = await self._read_body(response)
        return RawResponse(response.status, headers, body, time.monotonic() - started_s)

    async def _read_body(self, response: aiohttp.ClientResponse) -> bytes:
        if response.status not in GOOD_STATUSES:
            await _drain(response)
            return b""
        body = BodyDecoder(response.headers.get("content-encoding", ""), self._settings.max_body_bytes)
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
        certificates = Path(self._environment.certificates or DEFAULT_CA_BUNDLE_PATH)
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
        raise aiohttp.ClientConnectionError(type(error).__name__) from None


def _is_header_overflow(error: BaseException) -> bool:
    return isinstance(error, LineTooLong) or (isinstance(error, BadHttpMessage) and "Too many headers" in error.message)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read an unwanted body so that its connection can be reused; a failure changes nothing about the status."""
    try:
        await response.content.read(DRAINED_BYTES)
    except (aiohttp.ClientError, OSError, ValueError):
        response.close()
