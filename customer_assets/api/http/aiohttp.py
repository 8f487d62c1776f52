"""`aiohttp`: one session on one event loop. Sends and reads; decides nothing."""

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
    HEADER_LINE_BYTES,
    HEADER_LINES,
    Callback,
    Target,
    connection_error,
    join_headers,
)
from customer_assets.api.http.body import Body
from customer_assets.api.http.event_loop import EventLoop
from customer_assets.api.http.redirects import REDIRECTS_AT_MOST, environment_settings, resolve_redirect
from customer_assets.api.responses import RawResponse

OK = 200


class AiohttpTransport:
    """Fetches pages over pooled connections, kept open between requests.

    Args:
        target: Where pages are.
        connections: How many are kept, and requests in flight at most.
    """

    def __init__(self, target: Target, connections: int) -> None:
        self._target, self._connections = target, connections
        self._surroundings = environment_settings(target.url)
        self._proxy = select_proxy(target.url, self._surroundings.proxies)
        self._loop = EventLoop()
        self._session: aiohttp.ClientSession | None = None

    def send(self, page: int, deliver: Callback) -> None:
        """Send one request in a task of its own."""
        self._loop.start(self.fetch(page), deliver)

    async def fetch(self, page: int) -> RawResponse:
        """Send one request and read its answer whole.

        Raises:
            TransportError: There was no whole answer.
        """
        try:
            async with asyncio.timeout(self._target.timeout_s):
                return await self._followed(self._target.address(page))
        except TimeoutError:
            raise self._target.timeout_error() from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise connection_error(error, is_header_overflow=_is_header_overflow) from None

    def close(self) -> None:
        """Close all connections."""
        self._loop.close(self._closed())

    async def _followed(self, url: str) -> RawResponse:
        started_s = time.monotonic()
        answer = await self._answer(url, started_s)
        for _ in range(REDIRECTS_AT_MOST):
            elsewhere = resolve_redirect(url, answer.status, answer.headers.get("location", ""))
            if elsewhere is None:
                break
            url, answer = elsewhere, await self._answer(elsewhere, started_s)
        return answer

    async def _answer(self, url: str, started_s: float) -> RawResponse:
        async with self._opened().get(url, allow_redirects=False, proxy=self._proxy) as response:
            headers = join_headers(response.headers.items())
            body = await self._body(response)
        return RawResponse(response.status, headers, body, time.monotonic() - started_s)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        if response.status != OK:
            await _drain(response)
            return b""
        body = Body(response.headers.get("content-encoding", ""), self._target.max_body_bytes)
        async for chunk in response.content.iter_any():
            body.add(chunk)
        return body.whole()

    def _opened(self) -> aiohttp.ClientSession:
        """The session; made on the loop, where it is used."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._target.headers,
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._trusted()),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_TIMEOUT_S, self._target.timeout_s)),
                auto_decompress=False,
                middlewares=(_sent_once,),
                read_bufsize=CHUNK_BYTES,
                max_line_size=HEADER_LINE_BYTES,
                max_field_size=HEADER_LINE_BYTES,
                max_headers=HEADER_LINES,
                # Neither a .netrc entry nor cookies may stand in for the configured key.
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _trusted(self) -> ssl.SSLContext | bool:
        """The certificates that `requests` trusts too."""
        if not self._target.url.startswith("https:"):
            return True
        certificates = Path(self._surroundings.certificates or DEFAULT_CA_BUNDLE_PATH)
        if certificates.is_dir():
            return ssl.create_default_context(capath=str(certificates))
        return ssl.create_default_context(cafile=str(certificates))

    async def _closed(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets connections finish closing on the loop


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request again by itself when the connection drops: the crawl decides when."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from None


def _is_header_overflow(error: BaseException) -> bool:
    return isinstance(error, LineTooLong) or (isinstance(error, BadHttpMessage) and "Too many headers" in error.message)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a body that nobody needs; the status stands, whatever becomes of it."""
    try:
        await response.content.read(DRAINED_BYTES)
    except (aiohttp.ClientError, OSError, ValueError):
        response.close()
