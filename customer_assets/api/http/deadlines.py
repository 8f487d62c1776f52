"""A deadline for a whole response: `requests` and urllib3 limit each single read, so a slow drip would last for ever.

Here the read timeout covers status, headers and body together.
"""

import http.client
import io
import socket
import time
from math import inf
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

BUFFER_BYTES = 2**16


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline."""

    def __init__(self, reader: io.RawIOBase, connection: socket.socket) -> None:
        self._reader, self._connection = reader, connection
        timeout_s = connection.gettimeout()
        self._deadline_s = inf if timeout_s is None else time.monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("The response took too long.")
        self._connection.settimeout(None if left_s == inf else left_s)
        return self._reader.readinto(buffer)

    def fileno(self) -> int:
        return self._reader.fileno()

    def close(self) -> None:
        self._reader.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as http.client has them
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock), BUFFER_BYTES)


class _CountedConnection(HTTPConnection):
    """Counts its requests: one that is closed before a byte of a later response came had been idle for too long."""

    _requests = 0

    def connect(self) -> None:
        self._requests = 0
        super().connect()

    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's response
        self._requests += 1
        try:
            return super().getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError) as error:
            error.was_idle = self._requests > 1  # type: ignore[attr-defined]
            raise


class _TimedHTTPConnection(_CountedConnection):
    response_class = _TimedResponse


class _TimedHTTPSConnection(_CountedConnection, HTTPSConnection):
    response_class = _TimedResponse


def was_idle(error: BaseException) -> bool:
    """Whether a request only failed because its connection had been closed before: a new one will do (RFC 9112, 9.3.1).

    That is so if the connection had carried a request before, and not a byte of this response came.
    """
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "was_idle", False):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


class _TimedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _TimedHTTPConnection


class _TimedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPSConnection


POOLS = {"http": _TimedHTTPPool, "https": _TimedHTTPSPool}


class DeadlineAdapter(HTTPAdapter):
    """`requests`' adapter, with the read timeout as the limit of a whole response."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as requests has them
        """Use connections that know a deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> ProxyManager:  # noqa: ANN401 - as requests has them
        """The same behind a proxy."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager
