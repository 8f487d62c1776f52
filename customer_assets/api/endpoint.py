"""One API endpoint: the request for each page, and what a response to it means. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode

from customer_assets.api.crawl.events import Outcome
from customer_assets.api.http.base import HttpRequest, RawResponse
from customer_assets.api.responses import PageParser, parse_response
from customer_assets.field_mapping import DEFAULT_MAPPING, FieldMapping


@dataclass(frozen=True)
class Endpoint:
    """Where pages are and how to ask for them.

    Attributes:
        url: The address of the pages, without a query.
        api_key: Sent to this origin only.
        page_size: Customers per page; None: the API's own.
        shape: The query parameters that ask for pages, and the names in a response.
        key_header: The header that the key is sent in.
        key_scheme: Precedes the key, such as `Bearer`.
    """

    url: str
    api_key: str
    page_size: int | None = None
    shape: FieldMapping = DEFAULT_MAPPING
    key_header: str = "x-api-key"
    key_scheme: str = ""
    _parser: PageParser = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the parser."""
        object.__setattr__(self, "_parser", PageParser(self.shape, self.page_size))

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"Endpoint(url={self.url!r}, page_size={self.page_size})"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers of every request."""
        return {
            self.key_header: f"{self.key_scheme} {self.api_key}".lstrip(),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "customer_assets",
        }

    def request(self, page: int) -> HttpRequest:
        """The request for a page."""
        query = {self.shape.page_parameter: page - 1 + self.shape.first_page}
        if self.page_size is not None:
            query[self.shape.per_page_parameter] = self.page_size
        return HttpRequest(f"{self.url}?{urlencode(query)}", self.headers)

    def parse(self, response: RawResponse, page: int, now_utc: datetime) -> Outcome:
        """What the response to that request means."""
        return parse_response(response, page, now_utc, self._parser)
