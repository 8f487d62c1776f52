"""What goes over the wire in tests of transports: one request, and responses that mean harm."""

import json
import queue
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from customer_assets.api.crawl.events import FetchPage
from customer_assets.api.http.base import (
    HttpRequest,
    RawResponse,
    Transport,
    TransportError,
    TransportSettings,
    open_transport,
)
from customer_assets.api.paging import PageNumber
from customer_assets.api.runner.endpoint import Endpoint
from customer_assets_tests.harness.apis.scripted_server import ScriptedServer, Step, body, http

KEY = "canary-key-c0ffee"
LIBRARIES = pytest.mark.parametrize("library", ["requests", "aiohttp"])
Serve = Callable[..., ScriptedServer]

PAGE = json.dumps(body(1)).encode()
LIMIT_BYTES = 1_000_000
TIMEOUT_S = 0.5


def page_request(url: str, page: int = 1, page_size: int | None = None) -> HttpRequest:
    """The request for a page below a base URL."""
    endpoint = Endpoint(url + "/users", PageNumber(size=page_size), headers={"x-api-key": KEY})
    return endpoint.request(FetchPage(page, 1, 1))


def transport_to(library: str, url: str, **settings: Any) -> Transport:
    """Open a transport with two connections."""
    return open_transport(library, TransportSettings(url, **{"max_connections": 2, **settings}))


def fetched(library: str, url: str, page: int = 1, **settings: Any) -> RawResponse | TransportError:
    """Send one request; return what came of it."""
    arrived: queue.SimpleQueue[RawResponse | BaseException] = queue.SimpleQueue()
    transport = transport_to(library, url, **{"timeout_s": TIMEOUT_S, "max_body_bytes": LIMIT_BYTES, **settings})
    try:
        transport.send(page_request(url, page), arrived.put)
        outcome = arrived.get(timeout=20)
    finally:
        transport.close()
    assert isinstance(outcome, RawResponse | TransportError), repr(outcome)
    return outcome


def dripping(content: bytes, every_s: float = 0.02) -> Step:
    """Send a byte at a time, each well within any timeout for a single read."""

    def drip(connection: socket.socket) -> None:
        for byte in content:
            connection.sendall(bytes([byte]))
            time.sleep(every_s)

    return drip


def endless(head: bytes, chunk: bytes) -> Step:
    """Send for as long as somebody listens."""

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(chunk)

    return send


def reset_after(content: bytes) -> Step:
    """Send, then reset the connection."""

    def send(connection: socket.socket) -> None:
        connection.sendall(content)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return send


def half_closed_after(content: bytes) -> Step:
    """Send, close this direction only, and stay."""

    def send(connection: socket.socket) -> None:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    return send


def silent(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    connection.recv(1)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", extra: bytes = b"") -> bytes:
    """Make an answer in chunks."""
    parts = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n" + extra + b"\r\n" + parts + end


def packed(content: bytes, coding: str = "gzip") -> bytes:
    """Make an answer with a content coding."""
    return http(200, content, Content_Encoding=coding)
