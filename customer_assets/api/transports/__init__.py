"""How requests are sent: one I/O library a file, all with the same shape. They send and read; they decide nothing."""

from dataclasses import dataclass
from typing import Protocol

from customer_assets.api.envelope import Answer
from customer_assets.metrics import Cause

CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where pages are, and how they may be asked for.

    Attributes:
        url: The address of the pages, without a query.
        api_key: Sent as `x-api-key` to this address only: no redirect is followed.
        page_size: Sent as `per_page`; None: the API's own.
        timeout_s: Seconds for a whole request, slow drips included.
        max_body_bytes: The largest body that is read, decompressed.
    """

    url: str
    api_key: str
    page_size: int | None = None
    timeout_s: float = 30.0
    max_body_bytes: int = 64 * 2**20

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"Target(url={self.url!r}, page_size={self.page_size})"

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"x-api-key": self.api_key, "Accept": "application/json", "User-Agent": "customer_assets"}

    def query(self, page: int) -> dict[str, str]:
        """What asks for a page."""
        return {"page": str(page)} | ({} if self.page_size is None else {"per_page": str(self.page_size)})


class TransportError(Exception):
    """A request brought no whole answer.

    Attributes:
        cause: Why.
        detail: The same in a few words; no body, no header, no address.
    """

    def __init__(self, cause: Cause, detail: str) -> None:
        """Keep cause and detail."""
        self.cause, self.detail = cause, detail
        super().__init__(f"{cause}: {detail}")


class Transport(Protocol):
    """Fetches pages of one API; used by several threads at once."""

    def fetch(self, page: int) -> Answer:
        """Send one request and read its answer whole.

        Raises:
            TransportError: There was no whole answer.
        """
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
