"""`aiohttp`: one session on one event loop. Sends and reads; decides nothing."""

import asyncio
import time

import aiohttp

from customer_assets.api.envelope import Answer
from customer_assets.api.transports import CONNECT_TIMEOUT_S, Target, TransportError
from customer_assets.metrics import Cause

CHUNK_BYTES = 2**18


class AiohttpTransport:
    """Fetches pages over pooled connections; open and use it on one event loop.

    Args:
        target: Where pages are.
        connections: How many are kept.
    """

    def __init__(self, target: Target, connections: int) -> None:
        self._target = target
        timeout_s = target.timeout_s
        self._session = aiohttp.ClientSession(
            headers=target.headers,
            connector=aiohttp.TCPConnector(limit=connections),
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            # Neither a .netrc entry nor cookies may stand in for the configured key.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def fetch(self, page: int) -> Answer:
        """Send one request and read its answer whole.

        Raises:
            TransportError: There was no whole answer.
        """
        started_s = time.monotonic()
        try:
            async with self._session.get(
                self._target.url, params=self._target.query(page), allow_redirects=False
            ) as response:
                body = await self._body(response)
        except TimeoutError:
            raise TransportError(Cause.TIMEOUT, f"no whole answer within {self._target.timeout_s:g} s") from None
        except aiohttp.ClientPayloadError as error:
            undecodable = isinstance(error.__cause__, aiohttp.http_exceptions.ContentEncodingError)
            cause = Cause.BAD_BODY if undecodable else Cause.CONNECTION
            raise TransportError(cause, "the body could not be read whole") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransportError(Cause.CONNECTION, type(error).__name__) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, body, time.monotonic() - started_s)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        chunks, size = [], 0
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            size += len(chunk)
            if size > self._target.max_body_bytes:
                raise TransportError(Cause.BAD_BODY, f"the body exceeds {self._target.max_body_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await asyncio.sleep(0)  # lets transports finish closing on the loop
