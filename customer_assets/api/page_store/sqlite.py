"""Pages in a SQLite file: they survive the process, however it ends, and serve two processes at once."""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from customer_assets.api.page_store.base import checksum
from customer_assets.errors import PageStoreError
from customer_assets.models import Page

logger = logging.getLogger("customer_assets.api")

Result = TypeVar("Result")

BUSY_TIMEOUT_S = 10.0

APPLICATION = 0x63757374
"""Kept in the file's `application_id`, "cust": another program's database is left alone."""

VERSION = 3
"""Kept in the file's `user_version`; a file of another version is emptied: all it holds can be had again."""

CLOCKS_DIFFER_S = 60.0
"""A page that was put later than this from now was put before the clock was set back: nobody knows how old it is."""

TABLE = """
CREATE TABLE pages (
  crawl TEXT NOT NULL,
  number INTEGER NOT NULL,
  per_page INTEGER NOT NULL,
  total INTEGER NOT NULL,
  total_pages INTEGER NOT NULL,
  record_count INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  put_at REAL NOT NULL,
  expires_at REAL NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (crawl, number)
)
"""
# The data stands last, so that the other columns are read without it.
FRESH = "expires_at > :now AND put_at < :now + :differ"
PUT = "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET = f"""
SELECT per_page, total, total_pages, record_count, data, checksum FROM pages
WHERE crawl = :crawl AND number = :number AND {FRESH}
"""  # noqa: S608 - put together from constants
NUMBERS = f"SELECT number FROM pages WHERE crawl = :crawl AND {FRESH} ORDER BY number"  # noqa: S608 - the same
CUT = "VACUUM"
STALE, OF_CRAWL = f"NOT ({FRESH})", "crawl = :crawl"

# Nothing is flushed to the disk: a killed process loses nothing, since what it wrote is the system's by then; a power
# cut may damage the file, which is noticed and made anew. Measured on 1,000 pages of 140 kB, put and dropped: 0.2 s;
# with a write-ahead log and flushes, where all is written twice, 0.75 s.
PRAGMAS = ("page_size = 16384", "journal_mode = TRUNCATE", "synchronous = OFF", "secure_delete = ON")


class SQLitePageStore:
    """Keeps pages in one file that only its owner may read.

    A file that is damaged, or no SQLite file, is put aside with a warning: `pages.sqlite` → `pages.sqlite.damaged`.

    Args:
        path: The file; made if it is missing.
        clock: Tells seconds since the epoch.

    Raises:
        PageStoreError: The file cannot be made or opened, or is another program's.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        try:
            self._connection = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise PageStoreError(f"The page store {path} cannot be opened: {error}.") from error
        self._sweep()

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that are kept and have not expired, ascending."""
        named = self._named(crawl=crawl)
        return [number for (number,) in self._tried(lambda store: store.execute(NUMBERS, named).fetchall())]

    def get(self, crawl: str, number: int) -> Page | None:
        """Return a page; None if it is not kept, has expired or is damaged."""
        named = self._named(crawl=crawl, number=number)
        row = self._tried(lambda store: store.execute(GET, named).fetchone())
        if row is None:
            return None
        per_page, total, total_pages, record_count, data, stored = row
        page = Page(number, per_page, total, total_pages, record_count, data) if isinstance(data, bytes) else None
        if page is None or checksum(page) != stored:
            logger.warning("Page %d in the page store is damaged; it is asked for again.", number)
            return None
        return page

    def put(self, crawl: str, page: Page, ttl_s: float) -> None:
        """Keep a page for so many seconds: from now on no killed process can lose it."""
        counts = (page.per_page, page.total, page.total_pages, page.record_count)
        now_s = self._clock()
        row = (crawl, page.number, *counts, checksum(page), now_s, now_s + ttl_s, page.data)
        self._tried(lambda store: store.execute(PUT, row))

    def keep(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in so many seconds; 0 drops them, and what has expired of others."""
        named = self._named(crawl=crawl, ttl=ttl_s)
        if ttl_s > 0:
            self._tried(
                lambda store: store.execute("UPDATE pages SET expires_at = :now + :ttl WHERE crawl = :crawl", named)
            )
        else:
            self._tried(partial(_drop, OF_CRAWL, named))
        self._sweep()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _sweep(self) -> None:
        """Drop what has expired, of whatever crawl."""
        self._tried(partial(_drop, STALE, self._named()))

    def _named(self, **values: object) -> dict[str, object]:
        return {"now": self._clock(), "differ": CLOCKS_DIFFER_S, **values}

    def _tried(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        """Use the file; if it turns out to be damaged, use a new one in its place."""
        try:
            try:
                return use(self._connection)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._connection.close()
                self._put_aside()
                self._connection = self._opened()
                return use(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise PageStoreError(f"The page store {self._path} failed: {error}.") from error

    def _opened(self) -> sqlite3.Connection:
        _private_directory(self._path.parent)
        try:
            return self._connected()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._put_aside()
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_aside(self) -> None:
        """Keep a damaged file for who wants to look, under another name; SQLite's notes on it are of no use."""
        aside = self._path.with_name(f"{self._path.name}.damaged")
        logger.warning("The page store %s is damaged: it is made anew, the old one is %s.", self._path, aside.name)
        self._path.replace(aside)
        for suffix in ("-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _private_directory(path: Path) -> None:
    """Make a directory, and what is missing above it, for the owner only: `mkdir` would leave those above to all."""
    if not path.is_dir():
        _private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the table, unless it is there."""
    if _marks(connection) == (APPLICATION, VERSION):
        return
    connection.execute("BEGIN IMMEDIATE")
    if _marks(connection) != (APPLICATION, VERSION):  # another process may have been faster
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if _marks(connection)[0] not in (0, APPLICATION) or tables - {"pages"}:
            raise sqlite3.NotSupportedError("it is another program's database; choose another path")
        connection.execute("DROP TABLE IF EXISTS pages")
        connection.execute(TABLE)
        connection.execute(f"PRAGMA application_id = {APPLICATION:d}")
        connection.execute(f"PRAGMA user_version = {VERSION:d}")
    connection.execute("COMMIT")


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def _drop(which: str, named: Mapping[str, object], connection: sqlite3.Connection) -> None:
    """Drop pages, and leave nothing of their customers in the file.

    Where other pages stay, what is dropped is overwritten. Else the file is cut, which takes a fifth of the time; if
    the process was killed before it came to that, it is done when the file is next opened, or when the pages are gone
    that another crawl put into it meanwhile.
    """
    stays = connection.execute(f"SELECT 1 FROM pages WHERE NOT ({which}) LIMIT 1", named).fetchone()  # noqa: S608 - put together from constants
    with nullcontext() if stays else _not_overwriting(connection):
        connection.execute(f"DELETE FROM pages WHERE {which}", named)  # noqa: S608 - the same
    if not stays:
        _cut(connection)


def _cut(connection: sqlite3.Connection) -> None:
    """Give the file's free pages back to the system."""
    if connection.execute("PRAGMA freelist_count").fetchone() != (0,):
        with suppress(sqlite3.OperationalError):  # another process is at it
            connection.execute(CUT)


@contextmanager
def _not_overwriting(connection: sqlite3.Connection) -> Iterator[None]:
    """Leave pages that become free as they are. Scripts: the pragma acts when compiled, and statements are kept so."""
    connection.executescript("PRAGMA secure_delete = FAST")
    try:
        yield
    finally:
        connection.executescript("PRAGMA secure_delete = ON")


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
