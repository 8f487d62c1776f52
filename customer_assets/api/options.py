"""What a client may be told, checked before any request is sent."""

import math
import re
from dataclasses import dataclass, field
from typing import SupportsIndex, TextIO
from urllib.parse import SplitResult, urlsplit

from customer_assets.api.http.base import Transport
from customer_assets.api.page_store.base import validate_store_url
from customer_assets.errors import ConfigurationError
from customer_assets.field_mapping import DEFAULT_MAPPING, FieldMapping
from customer_assets.urls import is_loopback

TRANSPORTS = ("requests", "aiohttp")
LARGEST_CONCURRENCY = 1_000
A_YEAR_S = 366 * 86_400

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token by RFC 9110, as names of headers and of schemes are."""

RESERVED_TOKENS = {"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"}
"""A key in their place would break the request."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How an API may be asked; the defaults suit one that nothing is known of.

    Attributes:
        max_concurrency: Requests in flight at most.
        requests_per_second: The API's limit; None: learned.
        page_size: Customers a page, sent as `per_page`; None: the API's own.
        transport: The HTTP library: `requests` or `aiohttp`; or a transport of your own, which the client closes.
        page_store: Where pages wait until their crawl is whole: `memory://`, `sqlite:///path`, `redis://host`.
        path: Where customers are, below the base URL.
        shape: What the API calls the parts of its requests, answers and records.
        key_header: The header that the key is sent in.
        key_scheme: Stands before the key in its header, such as `Bearer`.
        retry_waits_s: Seconds before each retry of a failed request; as many retries.
        rounds: How often a page may spend all its retries.
        max_pause_s: The longest `Retry-After`, in seconds, that a crawl sits out itself.
        timeout_s: Seconds for a whole request.
        max_body_bytes: The largest answer that is read, decompressed.
        resume_ttl_s: Seconds for which the pages of an unfinished crawl are kept.
        cache_ttl_s: Seconds for which the pages of a finished crawl answer in the API's place.
        allow_insecure_http: Send the key over plain http to other machines.
        identity: Stands for the base URL in the page store; None: the base URL.
        show_progress: Draw a bar while a crawl runs, if standard error is a terminal.
        terminal: Draw it here instead; for programs that turn standard error into something else.

    Raises:
        ConfigurationError: One of them is outside its range; names it.
    """

    max_concurrency: int = 8
    requests_per_second: float | None = None
    page_size: int | None = None
    transport: str | Transport = "requests"
    page_store: str = field(default="memory://", repr=False)  # may hold a password
    path: str = "/users"
    shape: FieldMapping = DEFAULT_MAPPING
    key_header: str = "x-api-key"
    key_scheme: str = ""
    retry_waits_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    rounds: int = 3
    max_pause_s: float = 60.0
    timeout_s: float = 30.0
    max_body_bytes: int = 64 * 2**20
    resume_ttl_s: float = 6 * 3600.0
    cache_ttl_s: float = 0.0
    allow_insecure_http: bool = False
    identity: str | None = None
    show_progress: bool = True
    terminal: TextIO | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check each."""
        for name in ("max_concurrency", "rounds", "page_size", "max_body_bytes"):
            _whole(name, getattr(self, name))
        _in_range("max_concurrency", self.max_concurrency, 1, LARGEST_CONCURRENCY)
        _in_range("rounds", self.rounds, 1, 1_000)
        for name in ("requests_per_second", "page_size", "timeout_s", "max_body_bytes"):
            value = getattr(self, name)
            if value is not None:
                _above_zero(name, value)
        for name in ("max_pause_s", "resume_ttl_s", "cache_ttl_s"):
            _in_range(name, getattr(self, name), 0, A_YEAR_S)
        _check_waits(self.retry_waits_s)
        for name in ("path", "key_header", "key_scheme"):
            _text(name, getattr(self, name))
        validate_store_url(self.page_store)
        if not self.path.startswith("/") or not _is_plain(self.path) or "?" in self.path or "#" in self.path:
            raise ConfigurationError("path", f"{self.path!r} is no path", "Write it like /users.")
        _check_shape(self.shape, self.page_size)
        _check_key_header(self.key_header, self.key_scheme)
        _check_transport(self.transport)


def validate_base_url(base_url: str, *, allow_insecure_http: bool) -> str:
    """Return the base URL without a slash at its end.

    Raises:
        ConfigurationError: It is no http(s) address, holds credentials or a query, or would send the key openly.
    """
    _text("base_url", base_url)
    parts = _split(base_url.strip())
    if not _is_plain(base_url.strip()) or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("base_url", "it is no http or https address", "Write it like https://reqres.in/api.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            "base_url",
            "it holds credentials, a query or a fragment",
            "Leave them out; the key is a setting of its own.",
        )
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(parts.hostname):
        raise ConfigurationError(
            "base_url", "plain http would send the key openly", "Use https, or set allow_insecure_http."
        )
    return base_url.strip().rstrip("/")


class Secret(str):
    """A text that does not show itself: no repr tells it, hence no traceback that prints local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show that there is one."""
        return "<secret>"

    def __getitem__(self, part: SupportsIndex | slice) -> "Secret":
        """Keep a part as secret as the whole: what prints long texts cuts them first."""
        return Secret(super().__getitem__(part))


def hide_api_key(api_key: object) -> Secret:
    """Return the key, hidden.

    Raises:
        ConfigurationError: It is no text: with `os.environ.get`, say, it is None where there is none.
    """
    if not isinstance(api_key, str):
        raise ConfigurationError("api_key", f"it is no text but {type(api_key).__name__}", "Set the key of your API.")
    return Secret(api_key)


def validate_api_key(api_key: str) -> Secret:
    """Return the key.

    Raises:
        ConfigurationError: It is blank, or cannot stand in a header.
    """
    if not api_key.strip() or not api_key.strip().isprintable() or not api_key.isascii():
        raise ConfigurationError("api_key", "it is blank or holds unprintable characters", "Set the key of your API.")
    return Secret(api_key.strip())


def _check_waits(waits_s: object) -> None:
    if not isinstance(waits_s, tuple | list):
        raise ConfigurationError("retry_waits_s", f"{waits_s!r} is no list of waits", "Write (1.0, 2.0, 4.0).")
    for wait_s in waits_s:
        _in_range("retry_waits_s", wait_s, 0, A_YEAR_S)


def _check_transport(transport: object) -> None:
    if transport not in TRANSPORTS and not callable(getattr(transport, "send", None)):
        raise ConfigurationError(
            "transport", f"there is no transport {transport!r}", f"Choose one of {', '.join(TRANSPORTS)}."
        )


def _check_shape(shape: FieldMapping, page_size: int | None) -> None:
    if shape.answer.per_page is None and page_size is None:
        raise ConfigurationError(
            "page_size",
            "it is missing, and the API does not tell it",
            "Set how many customers a page shall hold, or name where an answer tells it (per_page).",
        )


def _check_key_header(header: str, scheme: str) -> None:
    if not _TOKEN.fullmatch(header) or header.lower() in RESERVED_TOKENS:
        raise ConfigurationError("key_header", f"{header!r} can be no key's", "Write it like x-api-key.")
    if scheme and not _TOKEN.fullmatch(scheme):
        raise ConfigurationError("key_scheme", f"{scheme!r} is no scheme", "Write it like Bearer.")


def _split(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError("base_url", "it is no address", "Write it like https://reqres.in/api.") from None
    return parts


def _is_plain(text: str) -> bool:
    """Whether all programs read the same in an address: they differ on backslashes, blanks and control characters."""
    return text.isascii() and text.isprintable() and not set(text) & set(" \\")


def _text(field: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(field, f"it is no text but {type(value).__name__}", "Set a text.")


def _whole(field: str, value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ConfigurationError(field, f"{value!r} is no whole number", "Set one.")


def _above_zero(field: str, value: float) -> None:
    if not _is_number(value) or not 0 < value < math.inf:
        raise ConfigurationError(field, f"{value!r} is not above 0", "Set a larger number, or leave it out.")


def _in_range(field: str, value: float, smallest: float, largest: float) -> None:
    if not _is_number(value) or not smallest <= value <= largest:
        raise ConfigurationError(
            field, f"{value!r} is outside {smallest:g}..{largest:g}", "Set a number within that range."
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
