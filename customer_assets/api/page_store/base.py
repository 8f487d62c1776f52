"""Where pages wait until their crawl is complete: what a store is, and how its address opens it."""

import zlib
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeAlias

from customer_assets.core.errors import ConfigurationError, MissingDependencyError
from customer_assets.core.models import Page

FIELD = "CUSTOMER_PAGE_STORE"
REMEDY = "Use memory://, sqlite:///path/to/file or redis://host:6379/0."
BUILTIN_SCHEMES = ("memory", "sqlite", "redis", "rediss", "unix")
"""The schemes of the stores in this folder."""

Opener: TypeAlias = "Callable[[str, Callable[[], float]], PageStore]"
"""Opens a store by its address, given a clock that returns seconds since the epoch."""

_registered: dict[str, Opener] = {}


class PageStore(Protocol):
    """Keeps validated pages by crawl and number. Every method can raise `PageStoreError`.

    A store that several processes can use at once has two more methods: `claim(crawl) -> bool` reserves a crawl's pages
    for this process until `release(crawl)` or its end, and returns False if another one has reserved them.
    """

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that are stored and have not expired, ascending."""
        ...

    def get(self, crawl: str, number: int) -> Page | None:
        """Return a page; None if it is not stored, has expired or is damaged."""
        ...

    def put(self, crawl: str, page: Page, ttl_s: float) -> None:
        """Store a page for `ttl_s` seconds: from now on no killed process can lose it."""
        ...

    def set_ttl(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in `ttl_s` seconds; 0 drops them."""
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...


def register_store(scheme: str, opener: Opener) -> None:
    """Let `CUSTOMER_PAGE_STORE` and `page_store` name a store of your own in this process.

    Args:
        scheme: What its addresses begin with: `s3` for `s3://bucket/pages`.
        opener: Opens it; can raise `PageStoreError`.

    Raises:
        ConfigurationError: The scheme is one of ours.
    """
    if scheme in BUILTIN_SCHEMES:
        raise ConfigurationError(FIELD, f"{scheme}:// is already taken", "Choose another scheme.")
    _registered[scheme] = opener


def checksum(page: Page) -> int:
    """A checksum of a page's data and counts, to detect one that was damaged in a store."""
    counts = (page.number, page.per_page, page.total, page.total_pages, page.record_count)
    if page.next_cursor is not None or page.has_more is not None:
        counts += (page.next_cursor, page.has_more)  # type: ignore[assignment] # only their text counts
    return zlib.crc32(f"{counts}".encode() + page.digest)


def validate_store_url(url: str) -> str:
    """Return the address if it names a page store.

    Raises:
        ConfigurationError: It does not.
    """
    if not isinstance(url, str) or "://" not in url:  # it can hold a password, so it is not shown
        raise ConfigurationError(FIELD, "it is not the address of a page store", REMEDY)
    scheme, _, rest = url.partition("://")
    known = scheme in _registered or (scheme in BUILTIN_SCHEMES and (scheme != "sqlite" or rest.removeprefix("/")))
    if not known:
        raise ConfigurationError(FIELD, f"there is no page store {scheme}://", REMEDY)
    return url


def open_store(url: str, clock: Callable[[], float]) -> PageStore:
    """Open a store by its address: `memory://`, `sqlite:///path`, `redis://host` or one that was registered.

    Args:
        url: The address.
        clock: Returns seconds since the epoch.

    Raises:
        ConfigurationError: It is not the address of a page store.
        MissingDependencyError: Its package is not installed.
        PageStoreError: It cannot be opened.
    """
    scheme, _, rest = validate_store_url(url).partition("://")
    if scheme in _registered:
        return _registered[scheme](url, clock)
    if scheme == "memory":
        return import_module("customer_assets.api.page_store.memory").MemoryPageStore(clock)  # type: ignore[no-any-return]
    if scheme == "sqlite":
        path = Path(rest.removeprefix("/"))
        return import_module("customer_assets.api.page_store.sqlite").SQLitePageStore(path, clock)  # type: ignore[no-any-return]
    return _redis(url)


def _redis(url: str) -> PageStore:
    try:
        module = import_module("customer_assets.api.page_store.redis")
    except ImportError as error:
        raise MissingDependencyError(FIELD, "redis", "pip install 'customer_assets[redis]'") from error
    return module.RedisPageStore(url)  # type: ignore[no-any-return]
