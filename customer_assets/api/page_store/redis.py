"""Page store in Redis: several machines can share it, and pages expire by themselves."""

import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import redis

from customer_assets.api.page_store.base import checksum
from customer_assets.core.errors import ConfigurationError, PageStoreError
from customer_assets.core.models import Page
from customer_assets.core.urls import is_loopback

logger = logging.getLogger("customer_assets.api")

FIELD = "CUSTOMER_PAGE_STORE"
PREFIX = "customer_assets:pages"
BATCH = 1_000
"""Pages dropped per call, so that Redis can serve others in between."""

TIMEOUT_S = 10.0

CLAIM_S = 120.0
"""Longer than a crawl goes without storing a page; a crawl that another machine's killed process has left can be
resumed only after this."""

DELETE_IF_OWNED = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


IN_THE_CLEAR = (
    "The page store is a Redis on another machine without encryption: whoever is between can read its password and all "
    "customers. Use rediss:// (CUSTOMER_PAGE_STORE), unless the network is your own."
)


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
        if is_in_the_clear(url):
            logger.warning(IN_THE_CLEAR)
        self._token = _token()
        self._claimed: dict[str, float] = {}
        with _store_errors():
            self._redis.ping()

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that were stored, ascending; expired ones stay listed until all have expired."""
        with _store_errors():
            members: list[bytes] = self._redis.zrange(_index(crawl), 0, -1)  # type: ignore[assignment] # no scores
        return [int(member) for member in members if member.isdigit()]  # another program can have added some

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
            if crawl in self._claimed and time.monotonic() - self._claimed[crawl] > CLAIM_S / 10:
                together.set(_claim(crawl), self._token, px=int(CLAIM_S * 1000))
                self._claimed[crawl] = time.monotonic()
            together.execute()

    def set_ttl(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in `ttl_s` seconds; 0 drops them."""
        ttl_ms, numbers = int(ttl_s * 1000), iter(tuple(self.numbers(crawl)))
        if (
            ttl_ms <= 0
        ):  # the index first, in one step: pages that it does not list cannot be taken for an unfinished crawl
            with _store_errors():
                self._redis.delete(_index(crawl))
        while batch := list(islice(numbers, BATCH)):
            with _store_errors(), self._redis.pipeline(transaction=False) as together:
                for number in batch:
                    together.pexpire(_key(crawl, number), ttl_ms)
                together.execute()
        with _store_errors():
            self._redis.pexpire(_index(crawl), ttl_ms)

    def claim(self, crawl: str) -> bool:
        """Reserve a crawl's pages for this store; return False if another one has reserved them.

        The reservation lapses `CLAIM_S` after the last page was stored. That of a process of this machine which no
        longer runs is taken over at once.
        """
        with _store_errors():
            for _ in range(2):
                if self._redis.set(_claim(crawl), self._token, nx=True, px=int(CLAIM_S * 1000)):
                    self._claimed[crawl] = time.monotonic()
                    return True
                owner = self._redis.get(_claim(crawl))
                if owner == self._token.encode():
                    return True
                if isinstance(owner, bytes) and not _has_ended(owner.decode(errors="replace")):
                    return False
                self._redis.eval(DELETE_IF_OWNED, 1, _claim(crawl), owner or "")
        return False

    def release(self, crawl: str) -> None:
        """Leave a crawl's pages to others."""
        if self._claimed.pop(crawl, None) is not None:
            with _store_errors():
                self._redis.eval(DELETE_IF_OWNED, 1, _claim(crawl), self._token)

    def close(self) -> None:
        """Close the connection."""
        for crawl in tuple(self._claimed):
            self.release(crawl)
        self._redis.close()


def is_in_the_clear(url: str) -> bool:
    """Whether customers travel to another machine unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "redis" and not is_loopback(parts.hostname or "localhost")


def _key(crawl: str, number: int) -> str:
    return f"{PREFIX}:{crawl}:{number}"


def _claim(crawl: str) -> str:
    return f"{PREFIX}:{crawl}:claim"


def _token() -> str:
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())} {uuid4().hex}"


def _started(process: int) -> str:
    """When a process of this machine began, in ticks since it was booted; blank if there is none, or nobody knows."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _has_ended(token: str) -> bool:
    """Whether a token is that of a process of this machine which no longer runs."""
    host, process, started, *_ = [*token.split(" "), "", "", ""]
    return host == socket.gethostname() and process.isdigit() and bool(started) and _started(int(process)) != started


def _index(crawl: str) -> str:
    return f"{PREFIX}:{crawl}:numbers"


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise PageStoreError(f"The Redis page store failed: {type(error).__name__}.") from error
