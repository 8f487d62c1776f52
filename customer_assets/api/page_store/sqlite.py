"""Page store in a SQLite file: pages survive the process, however it ends, and two processes can share them."""

import fcntl
import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from customer_assets.api.page_store.base import checksum
from customer_assets.core.errors import PageStoreError
from customer_assets.core.models import Page
from customer_assets.storage.locks import LEFT_BEHIND_AFTER_S, NO_LOCKS
from customer_assets.storage.private_files import OWNER_ONLY

logger = logging.getLogger("customer_assets.api")

Result = TypeVar("Result")

BUSY_TIMEOUT_S = 10.0

APPLICATION = 0x63757374
"""The file's `application_id`, "cust": another program's database is left alone."""

VERSION = 4
"""The file's `user_version`; a file of another version is emptied, since everything in it can be fetched again."""

CLOCKS_DIFFER_S = 60.0
"""A page dated further ahead than this was stored before the clock was set back: its age is unknown."""

TABLE = """
CREATE TABLE pages (
  crawl TEXT NOT NULL,
  number INTEGER NOT NULL,
  per_page INTEGER,
  total INTEGER,
  total_pages INTEGER,
  record_count INTEGER NOT NULL,
  next_cursor TEXT,
  has_more INTEGER,
  checksum INTEGER NOT NULL,
  put_at REAL NOT NULL,
  expires_at REAL NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (crawl, number)
)
"""
# The data comes last, so that the other columns can be read without it.
FRESH = "expires_at > :now AND put_at < :now + :differ"
PUT = "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET = f"""
SELECT per_page, total, total_pages, record_count, data, next_cursor, has_more, checksum FROM pages
WHERE crawl = :crawl AND number = :number AND {FRESH}
"""  # noqa: S608 - built from constants
NUMBERS = f"SELECT number FROM pages WHERE crawl = :crawl AND {FRESH} ORDER BY number"  # noqa: S608 - the same
SET_EXPIRY = "UPDATE pages SET expires_at = :now + :ttl WHERE crawl = :crawl"
TRUNCATE = "VACUUM"
STALE, OF_CRAWL = f"NOT ({FRESH})", "crawl = :crawl"

# Nothing is flushed to disk. A killed process loses nothing, since the operating system has what it wrote; a power cut
# can damage the file, which is noticed and replaced. Measured on 1,000 pages of 140 kB, stored and dropped: 0.2 s; with
# a write-ahead log and flushes, which write everything twice, 0.75 s.
PRAGMAS = ("page_size = 16384", "journal_mode = TRUNCATE", "synchronous = OFF", "secure_delete = ON")


class SQLitePageStore:
    """Keeps pages in one file that only its owner can read.

    A file that is damaged or not SQLite's is set aside with a warning: `pages.sqlite` → `pages.sqlite.damaged`. It may
    hold customers, and is removed after a week.

    Args:
        path: The file; created if it is missing.
        clock: Returns seconds since the epoch.

    Raises:
        PageStoreError: The file cannot be created or opened, or belongs to another program.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._claims: dict[str, tuple[Path, int]] = {}
        try:
            self._connection = self._open()
        except (OSError, sqlite3.Error) as error:
            raise PageStoreError(f"The page store {path} cannot be opened: {error}.") from error
        self._sweep()
        with suppress(OSError):
            if self._aside.stat().st_mtime < clock() - LEFT_BEHIND_AFTER_S:
                self._aside.unlink()

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that are stored and have not expired, ascending."""
        parameters = self._parameters(crawl=crawl)
        return [number for (number,) in self._try(lambda store: store.execute(NUMBERS, parameters).fetchall())]

    def get(self, crawl: str, number: int) -> Page | None:
        """Return a page; None if it is not stored, has expired or is damaged."""
        parameters = self._parameters(crawl=crawl, number=number)
        row = self._try(lambda store: store.execute(GET, parameters).fetchone())
        if row is None:
            return None
        per_page, total, total_pages, record_count, data, cursor, has_more, stored = row
        more = None if has_more is None else bool(has_more)
        page = None
        if isinstance(data, bytes):
            page = Page(number, per_page, total, total_pages, record_count, data, cursor, more)
        if page is None or checksum(page) != stored:
            logger.warning("Page %d in the page store is damaged; it is fetched again.", number)
            return None
        return page

    def put(self, crawl: str, page: Page, ttl_s: float) -> None:
        """Store a page for `ttl_s` seconds: from now on no killed process can lose it."""
        counts = (page.per_page, page.total, page.total_pages, page.record_count, page.next_cursor, page.has_more)
        now_s = self._clock()
        row = (crawl, page.number, *counts, checksum(page), now_s, now_s + ttl_s, page.data)
        self._try(lambda store: store.execute(PUT, row))

    def set_ttl(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in `ttl_s` seconds; 0 drops them, and expired ones of others."""
        parameters = self._parameters(crawl=crawl, ttl=ttl_s)
        if ttl_s > 0:
            self._try(lambda store: store.execute(SET_EXPIRY, parameters))
        else:
            self._try(partial(_drop, OF_CRAWL, parameters))
        self._sweep()

    def claim(self, crawl: str) -> bool:
        """Reserve a crawl's pages for this store; return False if another one has reserved them.

        The lock is a file beside the store, which the system releases however the process ends. It is not the store's
        own file: closing any descriptor of that would release SQLite's locks.
        """
        path = self._path.with_name(f"{self._path.name}.{crawl[:8]}.lock")
        try:
            while crawl not in self._claims:
                descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
                if not _try_lock(descriptor):
                    os.close(descriptor)
                    return False
                if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                    self._claims[crawl] = (path, descriptor)
                else:  # its owner removed it between the two steps
                    os.close(descriptor)
        except OSError as error:
            raise PageStoreError(f"The page store {self._path} cannot be locked: {error}.") from error
        return True

    def release(self, crawl: str) -> None:
        """Leave a crawl's pages to others."""
        if crawl in self._claims:
            path, descriptor = self._claims.pop(crawl)
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)

    def close(self) -> None:
        """Close the file."""
        for crawl in tuple(self._claims):
            self.release(crawl)
        self._connection.close()

    def _sweep(self) -> None:
        """Drop the expired pages of all crawls."""
        self._try(partial(_drop, STALE, self._parameters()))

    def _parameters(self, **values: object) -> dict[str, object]:
        return {"now": self._clock(), "differ": CLOCKS_DIFFER_S, **values}

    def _try(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        """Use the file; if it turns out to be damaged, replace it and use the new one."""
        try:
            try:
                return use(self._connection)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._connection.close()
                self._set_aside()
                self._connection = self._open()
                return use(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise PageStoreError(f"The page store {self._path} failed: {error}.") from error

    def _open(self) -> sqlite3.Connection:
        _private_directory(self._path.parent)
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._set_aside()
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._create_private()
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create_private(self) -> None:
        """Create the file unless it is there, and take access from everybody but its owner."""
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NONBLOCK, OWNER_ONLY)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError("it is not a file; move it away, or set another page store")
            if found.st_mode & ~OWNER_ONLY & 0o777:
                with suppress(PermissionError):  # another user's
                    os.fchmod(descriptor, OWNER_ONLY)
        finally:
            os.close(descriptor)

    def _set_aside(self) -> None:
        """Rename a damaged file for anyone who wants to look; SQLite's journal of it is useless."""
        text = "The page store %s is damaged and was replaced. The old file is %s; it is removed after a week."
        logger.warning(text, self._path, self._aside.name)
        os.utime(self._path, (self._clock(), self._clock()))  # its week begins
        self._path.replace(self._aside)
        for suffix in ("-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    @property
    def _aside(self) -> Path:
        return self._path.with_name(f"{self._path.name}.damaged")


def _try_lock(descriptor: int) -> bool:
    """Lock a file; where a file system has no locks, every process counts as alone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True


def _private_directory(path: Path) -> None:
    """Create a directory and its missing parents for the owner only; `mkdir` would open the parents to everybody."""
    if not path.is_dir():
        _private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _prepare(connection: sqlite3.Connection) -> None:
    """Create the table unless it is there."""
    if _marks(connection) == (APPLICATION, VERSION):
        return
    connection.execute("BEGIN IMMEDIATE")
    if _marks(connection) != (APPLICATION, VERSION):  # another process could have been faster
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


def _drop(which: str, parameters: Mapping[str, object], connection: sqlite3.Connection) -> None:
    """Drop pages and leave nothing of their customers in the file.

    If other pages stay, the dropped ones are overwritten. Otherwise the file is truncated, which takes a fifth of the
    time; if the process is killed before that, it happens when the file is next opened, or when the last pages of
    another crawl go.
    """
    stays = connection.execute(f"SELECT 1 FROM pages WHERE NOT ({which}) LIMIT 1", parameters).fetchone()  # noqa: S608 - built from constants
    with nullcontext() if stays else _without_overwriting(connection):
        connection.execute(f"DELETE FROM pages WHERE {which}", parameters)  # noqa: S608 - the same
    if not stays and connection.execute("PRAGMA freelist_count").fetchone() != (0,):
        with suppress(sqlite3.OperationalError):  # another process is returning the file's free space
            connection.execute(TRUNCATE)


@contextmanager
def _without_overwriting(connection: sqlite3.Connection) -> Iterator[None]:
    """Skip the overwriting. Scripts, because the pragma acts on statements compiled after it, and others are cached."""
    connection.executescript("PRAGMA secure_delete = FAST")
    try:
        yield
    finally:
        connection.executescript("PRAGMA secure_delete = ON")


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
