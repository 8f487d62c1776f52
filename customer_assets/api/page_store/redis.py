"""Page store in Redis: several machines can share it, and pages expire by themselves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

import msgspec
import redis

from customer_assets.api.page_store.base import checksum
from customer_assets.core.errors import ConfigurationError, PageStoreError
from customer_assets.core.models import Page

FIELD = "CUSTOMER_PAGE_STORE"
PREFIX = "customer_assets:pages"
BATCH = 1_000
"""Pages dropped per call, so that Redis can serve others in between."""

TIMEOUT_S = 10.0


class _Entry(msgspec.Struct, array_like=True):
    """A page's fields in their order, and its checksum."""

    number: int
    per_page: int | None
    total: int | None
    total_pages: int | None
    record_count: int
    data: bytes
    next_cursor: str | None
    has_more: bool | None
    checksum: int


_encoder = msgspec.msgpack.Encoder()
_entries = msgspec.msgpack.Decoder(_Entry)


class RedisPageStore:
    """Keeps each page under its own key, and each crawl's page numbers in a sorted set.

    Args:
        url: Redis' address, such as `redis://localhost:6379/0`.

    Raises:
        ConfigurationError: It is not the address of a Redis server.
        PageStoreError: Nothing answers there.
    """

    def __init__(self, url: str) -> None:
        try:
            self._redis = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        except ValueError:
            raise ConfigurationError(
                FIELD, "it is not the address of a Redis server", "Use, say, redis://localhost:6379/0."
            ) from None
        with _store_errors():
            self._redis.ping()

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that were stored, ascending; expired ones stay listed until all have expired."""
        with _store_errors():
            return [int(number) for number in self._redis.zrange(_index(crawl), 0, -1)]  # type: ignore[arg-type] # names, as no scores are asked for

    def get(self, crawl: str, number: int) -> Page | None:
        """Return a page; None if it is not stored, has expired or is damaged."""
        with _store_errors():
            kept = self._redis.get(_key(crawl, number))
        try:
            entry = _entries.decode(kept) if isinstance(kept, bytes) else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if entry is None:
            return None
        *fields, stored = msgspec.structs.astuple(entry)
        page = Page(*fields)
        return page if page.number == number and checksum(page) == stored else None

    def put(self, crawl: str, page: Page, ttl_s: float) -> None:
        """Store a page for `ttl_s` seconds."""
        counts = (page.number, page.per_page, page.total, page.total_pages, page.record_count)
        entry = _Entry(*counts, page.data, page.next_cursor, page.has_more, checksum(page))
        ttl_ms = max(1, int(ttl_s * 1000))
        with _store_errors(), self._redis.pipeline() as together:
            together.set(_key(crawl, page.number), _encoder.encode(entry), px=ttl_ms)
            together.zadd(_index(crawl), {str(page.number): page.number})
            together.pexpire(_index(crawl), ttl_ms)
            together.execute()

    def set_ttl(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in `ttl_s` seconds; 0 drops them."""
        ttl_ms, numbers = int(ttl_s * 1000), iter(self.numbers(crawl))
        while batch := list(islice(numbers, BATCH)):
            with _store_errors(), self._redis.pipeline(transaction=False) as together:
                for number in batch:
                    together.pexpire(_key(crawl, number), ttl_ms)
                together.execute()
        with _store_errors():
            self._redis.pexpire(_index(crawl), ttl_ms)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()


def _key(crawl: str, number: int) -> str:
    return f"{PREFIX}:{crawl}:{number}"


def _index(crawl: str) -> str:
    return f"{PREFIX}:{crawl}:numbers"


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise PageStoreError(f"The Redis page store failed: {type(error).__name__}.") from error
