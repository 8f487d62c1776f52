"""Pages in a SQLite file: they survive the process, however it ends, and serve two processes at once."""

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from customer_assets.errors import PageStoreError
from customer_assets.models import Page

BUSY_TIMEOUT_S = 10.0
VERSION = 1
"""Kept in the file's `user_version`; a file of another version is emptied: all it holds can be had again."""

TABLE = """
CREATE TABLE IF NOT EXISTS pages (
  crawl TEXT NOT NULL,
  number INTEGER NOT NULL,
  per_page INTEGER NOT NULL,
  total INTEGER NOT NULL,
  total_pages INTEGER NOT NULL,
  record_count INTEGER NOT NULL,
  data BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  expires_at REAL NOT NULL,
  PRIMARY KEY (crawl, number)
)
"""
PUT = "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET = """
SELECT per_page, total, total_pages, record_count, data, checksum FROM pages
WHERE crawl = ? AND number = ? AND expires_at > ?
"""
NUMBERS = "SELECT number FROM pages WHERE crawl = ? AND expires_at > ? ORDER BY number"


class SQLitePageStore:
    """Keeps pages in one file that only its owner may read.

    Writes go to a log first and are not flushed to the disk each: a killed process loses nothing, a power cut at most
    the last pages, which are asked for again.

    Args:
        path: The file; made if it is missing, made anew if it is no such store.
        clock: Tells seconds since the epoch.

    Raises:
        PageStoreError: The file cannot be made or opened.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise PageStoreError(f"The page store {path} cannot be opened: {error}.") from error

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that are kept and have not expired, ascending."""
        with self._told():
            return [number for (number,) in self._connection.execute(NUMBERS, (crawl, self._clock()))]

    def get(self, crawl: str, number: int) -> Page | None:
        """Return a page; None if it is not kept, has expired or is damaged."""
        with self._told():
            row = self._connection.execute(GET, (crawl, number, self._clock())).fetchone()
        if row is None or not isinstance(row[4], bytes) or zlib.crc32(row[4]) != row[5]:
            return None
        per_page, total, total_pages, record_count, data, _checksum = row
        return Page(number, per_page, total, total_pages, record_count, data)

    def put(self, crawl: str, page: Page, ttl_s: float) -> None:
        """Keep a page for so many seconds: from now on no killed process can lose it."""
        counts = (page.per_page, page.total, page.total_pages, page.record_count)
        with self._told():
            self._connection.execute(
                PUT, (crawl, page.number, *counts, page.data, zlib.crc32(page.data), self._clock() + ttl_s)
            )

    def keep(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in so many seconds; 0 drops them, and what has expired of others."""
        now = self._clock()
        with self._told():
            if ttl_s > 0:
                self._connection.execute("UPDATE pages SET expires_at = ? WHERE crawl = ?", (now + ttl_s, crawl))
            else:
                self._connection.execute("DELETE FROM pages WHERE crawl = ?", (crawl,))
            self._connection.execute("DELETE FROM pages WHERE expires_at <= ?", (now,))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.DatabaseError:
            # No database, or a damaged one: what it held can be had again from the API.
            self._path.write_bytes(b"")
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
                connection.execute("DROP TABLE IF EXISTS pages")
                connection.execute(f"PRAGMA user_version = {VERSION:d}")
            connection.execute(TABLE)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise PageStoreError(f"The page store {self._path} failed: {error}.") from error
