"""How requests are sent: one I/O library a file, all with the same shape. They send and read; they decide nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol
from urllib.parse import urlencode

from customer_assets.api.responses import RawResponse
from customer_assets.errors import MissingDependencyError
from customer_assets.field_mapping import DEFAULT_MAPPING, FieldMapping
from customer_assets.metrics import FailureCause

CONNECT_TIMEOUT_S = 5.0

CHUNK_BYTES = 2**18

DRAINED_BYTES = 2**16
"""What is read of a body that nobody needs, so that its connection can be used again."""

HEADER_LINE_BYTES, HEADER_LINES = 65_536, 100
"""The largest head that is read: `http.client` knows no other (`_MAXLINE`, `_MAXHEADERS`), aiohttp is told the same."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where pages are, and how they may be asked for.

    Attributes:
        url: The address of the pages, without a query.
        api_key: Sent to this origin only.
        page_size: Customers a page; None: the API's own.
        timeout_s: Seconds for a whole request, slow drips included.
        max_body_bytes: The largest body that is read, unpacked.
        shape: By which parameters pages are asked for, and how they are counted.
        key_header: The header that the key is sent in, instead of `x-api-key`.
        key_scheme: Stands before the key, such as `Bearer`.
    """

    url: str
    api_key: str
    page_size: int | None = None
    timeout_s: float = 30.0
    max_body_bytes: int = 64 * 2**20
    shape: FieldMapping = DEFAULT_MAPPING
    key_header: str = "x-api-key"
    key_scheme: str = ""

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"Target(url={self.url!r}, page_size={self.page_size})"

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {
            self.key_header: f"{self.key_scheme} {self.api_key}".lstrip(),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "customer_assets",
        }

    def address(self, page: int) -> str:
        """What to ask for to get a page."""
        asked = {self.shape.page_parameter: page - 1 + self.shape.first_page}
        if self.page_size is not None:
            asked[self.shape.per_page_parameter] = self.page_size
        return f"{self.url}?{urlencode(asked)}"

    def timeout_error(self) -> "TransportError":
        """Make the error of a request that took too long."""
        return TransportError(FailureCause.TIMEOUT, f"no whole answer within timeout_s, {self.timeout_s:g} s")


class TransportError(Exception):
    """A request brought no whole answer.

    Attributes:
        cause: Why.
        detail: The same in a few words; no body, no header, no address.
    """

    def __init__(self, cause: FailureCause, detail: str) -> None:
        """Keep cause and detail."""
        self.cause, self.detail = cause, detail
        super().__init__(f"{cause}: {detail}")


def connection_error(error: BaseException, *, is_header_overflow: Callable[[BaseException], bool]) -> TransportError:
    """Make the error of a connection that brought no whole answer.

    Args:
        error: What the library raised.
        is_header_overflow: Whether an exception says that the answer's head was too large.
    """
    if any(is_header_overflow(each) for each in _reasons(error)):
        limits = f"{HEADER_LINE_BYTES} bytes a line, {HEADER_LINES} headers"
        return TransportError(FailureCause.CONNECTION, f"the answer's head exceeds its limits: {limits}")
    return TransportError(FailureCause.CONNECTION, type(error).__name__)


def _reasons(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def join_headers(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join header lines of the same name, as HTTP reads them; names in lower case."""
    headers: dict[str, str] = {}
    for name, value in lines:
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return headers


Callback = Callable[[RawResponse | BaseException], None]
"""Takes what came of a request: an answer, or the error in its place."""


class Transport(Protocol):
    """Fetches pages of one API."""

    def send(self, page: int, deliver: Callback) -> None:
        """Send one request and return at once; what comes of it is delivered once, on whatever thread."""
        ...

    def close(self) -> None:
        """Close all connections; what is in flight need not be delivered."""
        ...


def open_transport(name: str, target: Target, connections: int) -> Transport:
    """Open a transport by its library's name; connections are made when they are needed.

    Raises:
        MissingDependencyError: The library is not installed.
    """
    if name == "requests":
        return import_module("customer_assets.api.http.requests").RequestsTransport(target, connections)  # type: ignore[no-any-return]
    try:
        module = import_module("customer_assets.api.http.aiohttp")
    except ImportError as error:
        raise MissingDependencyError("transport", "aiohttp", "pip install 'customer_assets[async]'") from error
    return module.AiohttpTransport(target, connections)  # type: ignore[no-any-return]
