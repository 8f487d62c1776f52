"""A deadline for a whole response: `requests` and urllib3 limit each single read, so a slow drip would last for ever.

Here the read timeout covers status, headers and body together, and the connect timeout the lookup of the name as well.
"""

import http.client
import io
import queue
import socket
import threading
import time
from email.errors import MissingHeaderBodySeparatorDefect
from http import HTTPStatus
from math import inf
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

from customer_assets.core.urls import is_address

BUFFER_BYTES = 2**16

HTTP_1_0 = 10
"""How `http.client` writes the version."""

CONTINUE, SWITCHING_PROTOCOLS, OK = HTTPStatus.CONTINUE, HTTPStatus.SWITCHING_PROTOCOLS, HTTPStatus.OK


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

    def _read_status(self) -> tuple[str, int, str]:
        """Pass over interim responses (RFC 9110, 15.2): `http.client` knows only 100, and takes 103 for the answer."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc] # the stubs leave it out
            if not CONTINUE < status < OK or status == SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)

    def begin(self) -> None:
        """Refuse a head that leaves open where the body ends, or whose rest was not understood.

        `http.client` would read on until the connection is closed, which an API that keeps it open never does, and
        would lose every header behind a malformed one. The body of an error is left out instead: its status counts.
        """
        super().begin()
        is_lost = any(isinstance(each, MissingHeaderBodySeparatorDefect) for each in self.msg.defects)
        is_measured = any(name in self.headers for name in ("content-length", "transfer-encoding"))
        is_kept_open = self.version > HTTP_1_0 and "close" not in self.headers.get("connection", "").lower()
        if is_lost or (is_measured and is_kept_open and self.length is None and not self.chunked):
            if self.status < HTTPStatus.BAD_REQUEST:
                self.close()
                raise http.client.UnknownTransferEncoding
            self.length, self.will_close = 0, True


def look_up(host: str, port: int, timeout_s: float) -> list[tuple[str, int]]:
    """Return a name's addresses.

    Nothing can interrupt the system's own lookup: it goes on in a thread that keeps no program from ending.

    Raises:
        TimeoutError: It takes longer.
        OSError: The name has no address.
    """
    found: queue.SimpleQueue[list[tuple[str, int]] | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            lines = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
            found.put([(str(line[4][0]), int(line[4][1])) for line in lines])
        except Exception as error:  # noqa: BLE001 - raised by whoever waits
            found.put(error)

    threading.Thread(target=work, name="customer-api-lookup", daemon=True).start()
    try:
        addresses = found.get(timeout=timeout_s)
    except queue.Empty:
        raise TimeoutError("The name was not resolved in time.") from None
    if isinstance(addresses, Exception):
        raise addresses
    return addresses


class _CountedConnection(HTTPConnection):
    """Counts its requests: one that is closed before a byte of a later response came had been idle for too long."""

    _requests = 0

    def connect(self) -> None:
        self._requests = 0
        super().connect()

    def _new_conn(self) -> socket.socket:
        """Connect as urllib3 does, which looks the name up without any limit: here that is part of the time."""
        timeout_s = self.timeout
        if not isinstance(timeout_s, int | float) or is_address(self._dns_host):
            return super()._new_conn()
        until_s, failure = time.monotonic() + timeout_s, OSError("the name has no address")
        try:
            for address in look_up(self._dns_host, self.port, timeout_s):
                try:
                    left_s = max(until_s - time.monotonic(), 0.001)
                    return create_connection(address, left_s, self.source_address, self.socket_options)
                except OSError as error:
                    failure = error
            raise failure
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:
            raise LocationParseError("the host's name is empty or too long") from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"No connection within {timeout_s:g} s.") from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {type(error).__name__}") from error

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
