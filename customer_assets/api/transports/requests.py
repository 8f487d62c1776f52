"""`requests`: one pooled session that threads share. Sends and reads; decides nothing."""

import time
import zlib

import requests
import urllib3
from requests.adapters import HTTPAdapter

from customer_assets.api.envelope import Answer
from customer_assets.api.transports import CONNECT_TIMEOUT_S, Target, TransportError
from customer_assets.metrics import Cause

CHUNK_BYTES = 2**18


class RequestsTransport:
    """Fetches pages over pooled connections, kept open between requests.

    Args:
        target: Where pages are.
        connections: How many are kept.
    """

    def __init__(self, target: Target, connections: int) -> None:
        self._target = target
        self._session = requests.Session()
        # A .netrc entry or a proxy's credentials must not stand in for the configured key.
        self._session.trust_env = False
        self._session.headers.update(target.headers)
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def fetch(self, page: int) -> Answer:
        """Send one request and read its answer whole.

        Raises:
            TransportError: There was no whole answer.
        """
        started_s = time.monotonic()
        timeout_s = self._target.timeout_s
        try:
            response = self._session.get(
                self._target.url,
                params=self._target.query(page),
                timeout=(min(CONNECT_TIMEOUT_S, timeout_s), timeout_s),
                stream=True,
                allow_redirects=False,
            )
            with response:
                body = self._body(response, started_s + timeout_s)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise TransportError(Cause.TIMEOUT, f"no whole answer within {timeout_s:g} s") from None
        except (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError, zlib.error):
            raise TransportError(Cause.BAD_BODY, "the body cannot be decompressed") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise TransportError(Cause.CONNECTION, type(error).__name__) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body, time.monotonic() - started_s)

    def _body(self, response: requests.Response, deadline_s: float) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_content(CHUNK_BYTES):
            size += len(chunk)
            if size > self._target.max_body_bytes:
                raise TransportError(Cause.BAD_BODY, f"the body exceeds {self._target.max_body_bytes} bytes")
            if time.monotonic() > deadline_s:
                raise TransportError(Cause.TIMEOUT, f"no whole answer within {self._target.timeout_s:g} s")
            chunks.append(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
