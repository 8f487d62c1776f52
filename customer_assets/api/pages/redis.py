"""Pages in Redis: several machines share them, and Redis lets them expire by itself."""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
import redis

from customer_assets.errors import PageStoreError
from customer_assets.models import Page

PREFIX = "customer_assets:pages"
SCAN_COUNT = 1_000
TIMEOUT_S = 10.0


class _Entry(msgspec.Struct, array_like=True):
    page: Page
    checksum: int


_encoder = msgspec.msgpack.Encoder()
_entries = msgspec.msgpack.Decoder(_Entry)


class RedisPageStore:
    """Keeps each page under a key of its own.

    Args:
        url: Redis' address, such as `redis://localhost:6379/0`.
    """

    def __init__(self, url: str) -> None:
        with _told():
            self._redis = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
            self._redis.ping()

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that are kept, ascending."""
        with _told():
            return sorted(int(key.rpartition(b":")[2]) for key in self._keys(crawl))

    def get(self, crawl: str, number: int) -> Page | None:
        """Return a page; None if it is not kept or is damaged."""
        with _told():
            kept = self._redis.get(_key(crawl, number))
        try:
            entry = _entries.decode(kept) if isinstance(kept, bytes) else None
        except msgspec.DecodeError:
            return None
        return entry.page if entry and zlib.crc32(entry.page.data) == entry.checksum else None

    def put(self, crawl: str, page: Page, ttl_s: float) -> None:
        """Keep a page for so many seconds."""
        entry = _encoder.encode(_Entry(page, zlib.crc32(page.data)))
        with _told():
            self._redis.set(_key(crawl, page.number), entry, px=max(1, int(ttl_s * 1000)))

    def keep(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in so many seconds; 0 drops them."""
        with _told():
            for key in list(self._keys(crawl)):
                self._redis.pexpire(key, max(0, int(ttl_s * 1000)))

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()

    def _keys(self, crawl: str) -> Iterator[bytes]:
        return self._redis.scan_iter(match=f"{PREFIX}:{crawl}:*", count=SCAN_COUNT)


def _key(crawl: str, number: int) -> str:
    return f"{PREFIX}:{crawl}:{number}"


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, ValueError) as error:
        raise PageStoreError(f"The Redis page store failed: {type(error).__name__}.") from error
