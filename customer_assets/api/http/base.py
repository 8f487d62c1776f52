"""The seam between the crawl and an HTTP library.

Here stands what every transport takes (`HttpRequest`), returns (`RawResponse` or `TransportError`) and respects (the
limits below). Each library has a file of its own. Nothing in this folder knows about pages, retries or customers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

from customer_assets.api.http.diagnose import causes, describe_failure, diagnose_connection
from customer_assets.api.http.environment import Route
from customer_assets.api.responses.diagnosis import Diagnosis
from customer_assets.core.errors import MissingDependencyError
from customer_assets.core.metrics import FailureCause

CONNECT_TIMEOUT_S = 5.0

CHUNK_BYTES = 2**18

DRAINED_BYTES = 2**16
"""How much of an unwanted body is read so that its connection can be reused."""

HEADER_LINE_BYTES, HEADER_LINES = 65_536, 100
"""The largest response head that is read: `http.client` has these limits built in, and aiohttp is given the same."""


GOOD_STATUSES = (200, 201, 203, 206)
"""Responses whose body is read."""

REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, complete.

    Attributes:
        url: The full address.
        headers: Every header to send, including the one that holds the key.
        method: `GET` or `POST`.
        body: The JSON body of a `POST`.
        redirects: How many redirects led here.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)
    redirects: int = 0


@dataclass(frozen=True, slots=True)
class RawResponse:
    """What came over the wire.

    Attributes:
        status: The HTTP status.
        headers: Their names in lower case.
        body: Decompressed; empty unless the status is one of `GOOD_STATUSES`.
        latency_s: Seconds from sending to the last byte.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    latency_s: float


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """How a transport connects.

    Attributes:
        url: The API's address, which decides on the proxy and the trusted certificates.
        timeout_s: Seconds for a whole request, redirects and slow drips included.
        max_body_bytes: The largest body that is read, decompressed.
        max_connections: How many connections are kept open, and how many requests can be in flight.
    """

    url: str
    timeout_s: float = 30.0
    max_body_bytes: int = 64 * 2**20
    max_connections: int = 8

    def timeout_error(self) -> "TransportError":
        """The error of a request that took too long."""
        return TransportError(FailureCause.TIMEOUT, f"no complete response within timeout_s, {self.timeout_s:g} s")


class TransportError(Exception):
    """A request brought no complete response.

    Attributes:
        cause: Why.
        detail: The same in a few words, without any body, header or address.
        diagnosis: Which setting is to blame, if one is.
    """

    def __init__(self, cause: FailureCause, detail: str, diagnosis: Diagnosis | None = None) -> None:
        """Keep all of it."""
        self.cause, self.detail, self.diagnosis = cause, detail, diagnosis
        super().__init__(f"{cause}: {detail}")


def connection_error(
    error: BaseException, url: str, route: Route, *, is_header_overflow: Callable[[BaseException], bool]
) -> TransportError:
    """Translate a library's exception.

    Args:
        error: What the library raised.
        url: The API's address.
        route: The way there.
        is_header_overflow: Whether an exception means that the response head was too large.
    """
    found = list(causes(error))
    if any(is_header_overflow(each) for each in found):
        limits = f"{HEADER_LINE_BYTES} bytes a line, {HEADER_LINES} headers"
        return TransportError(FailureCause.CONNECTION, f"the response head exceeds its limits: {limits}")
    diagnosis = diagnose_connection(found, url, route)
    if diagnosis is None:
        return TransportError(FailureCause.CONNECTION, describe_failure(found))
    # What can pass by itself is only described: the crawl is tried again later, as after any outage.
    return TransportError(FailureCause.CONNECTION, diagnosis.problem, diagnosis if diagnosis.is_certain else None)


def join_headers(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join header lines of the same name with commas (RFC 9110, 5.2); names become lower case."""
    headers: dict[str, str] = {}
    for name, value in lines:
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return headers


Callback = Callable[[RawResponse | BaseException], None]
"""Receives the response to a request, or the error instead."""


class Transport(Protocol):
    """Sends requests to one API."""

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Send a request and return at once; call `callback` exactly once with the outcome, on any thread."""
        ...

    def close(self) -> None:
        """Close all connections; requests in flight need not be answered."""
        ...


def open_transport(name: str, settings: TransportSettings) -> Transport:
    """Open a transport by its library's name; it connects when it is first used.

    Raises:
        MissingDependencyError: The library is not installed.
    """
    if name == "requests":
        return import_module("customer_assets.api.http.requests").RequestsTransport(settings)  # type: ignore[no-any-return]
    try:
        module = import_module("customer_assets.api.http.aiohttp")
    except ImportError as error:
        raise MissingDependencyError("transport", "aiohttp", "pip install 'customer_assets[async]'") from error
    return module.AiohttpTransport(settings)  # type: ignore[no-any-return]
