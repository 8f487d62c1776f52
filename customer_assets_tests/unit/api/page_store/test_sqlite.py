"""SQLite as a page store: its file, damaged, shared, killed, and emptied of what was dropped."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from customer_assets.api.page_store import sqlite
from customer_assets.api.page_store.base import open_store
from customer_assets.api.page_store.sqlite import SQLitePageStore
from customer_assets.core.errors import PageStoreError
from customer_assets_tests.harness.machines.page_stores import ManualClock, page


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """It holds customers."""
    open_store(f"sqlite:///{tmp_path}/new/pages.sqlite", ManualClock()).close()
    assert (tmp_path / "new" / "pages.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """A start that was interrupted leaves one."""
    (tmp_path / "pages.sqlite").touch()
    opened = SQLitePageStore(tmp_path / "pages.sqlite", ManualClock())
    opened.put("a", page(1), 60)
    assert list(opened.numbers("a")) == [1]
    opened.close()


def test_a_file_that_is_no_store_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it is, it is still there; the store works."""
    content = b"not a database at all, by any means" * 40
    (tmp_path / "pages.sqlite").write_bytes(content)
    opened = SQLitePageStore(tmp_path / "pages.sqlite", ManualClock())
    opened.put("a", page(1), 60)
    assert list(opened.numbers("a")) == [1]
    opened.close()
    assert (tmp_path / "pages.sqlite.damaged").read_bytes() == content
    assert len(caplog.records) == 1


def test_what_was_set_aside_is_removed_after_a_week(tmp_path: Path) -> None:
    """It holds customers, and nobody may ever look."""
    clock, aside = ManualClock(), tmp_path / "pages.sqlite.damaged"
    (tmp_path / "pages.sqlite").write_bytes(b"not a database at all, by any means" * 40)
    for days, is_kept in ((0, True), (6, True), (2, False)):
        clock.now_s += days * 86_400
        SQLitePageStore(tmp_path / "pages.sqlite", clock).close()
        assert aside.exists() is is_kept
        assert not is_kept or aside.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o755])
def test_a_store_that_others_can_read_is_closed_to_them(tmp_path: Path, mode: int) -> None:
    """Whoever opened it, by hand or under another umask."""
    path = tmp_path / "pages.sqlite"
    SQLitePageStore(path, ManualClock()).close()
    path.chmod(mode)
    SQLitePageStore(path, ManualClock()).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_is_named_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe would be waited for, and written to."""
    make(tmp_path / "pages.sqlite")
    with pytest.raises(PageStoreError, match=r"pages\.sqlite cannot be opened: .*(is not a file|Is a directory)"):
        SQLitePageStore(tmp_path / "pages.sqlite", ManualClock())


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """It may hold what cannot be had again."""
    path = tmp_path / "pages.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE invoices (total REAL)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(PageStoreError, match="another program's database"):
        SQLitePageStore(path, ManualClock())
    assert path.read_bytes() == before


def test_a_file_damaged_while_in_use_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its pages are asked for again; new ones are kept."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, ManualClock())
    for number in range(1, 100):
        opened.put("a", page(number, b"[1]" * 10_000), 60)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(16_384)
        file.write(b"\xff" * (size - 16_384))
    os.utime(path)
    second = SQLitePageStore(path, ManualClock())
    assert second.get("a", 5) is None
    second.put("a", page(7), 60)
    assert second.get("a", 7) == page(7)
    assert any("is damaged" in record.getMessage() for record in caplog.records)
    opened.close()
    second.close()


@pytest.mark.parametrize("column", ["data", "total", "record_count"])
def test_a_damaged_page_is_none(tmp_path: Path, column: str) -> None:
    """Its records and its counts are both under the checksum."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, ManualClock())
    opened.put("a", page(1), 60)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE pages SET {column} = 77")  # noqa: S608 - a test's own columns
    connection.close()
    assert opened.get("a", 1) is None
    opened.close()


def test_a_clock_that_is_set_back_makes_no_page_older(tmp_path: Path) -> None:
    """A page from the future is of unknown age: it is asked for again."""
    clock = ManualClock()
    opened = SQLitePageStore(tmp_path / "pages.sqlite", clock)
    opened.put("a", page(1), 60)
    clock.now_s -= 86_400
    assert list(opened.numbers("a")) == []
    assert opened.get("a", 1) is None
    opened.close()


@pytest.mark.parametrize(("pages", "records"), [(1, 1), (1, 40), (6, 40), (1, 400), (2, 700), (19, 1_000)])
def test_nothing_of_a_dropped_customer_stays_in_the_file(tmp_path: Path, pages: int, records: int) -> None:
    """Once the crawl is whole; few customers free no page of the file."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, ManualClock())
    for number in range(1, pages + 1):
        opened.put("a", page(number, b'["canary@example.org"]' * records), 60)
    opened.set_ttl("a", 0)
    opened.close()
    assert all(b"canary" not in file.read_bytes() for file in tmp_path.iterdir())
    assert path.stat().st_size < 100_000


def test_nothing_of_a_dropped_customer_stays_beside_another_crawls_pages(tmp_path: Path) -> None:
    """The file cannot be cut then."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, ManualClock())
    opened.put("other", page(1, b'["sparrow@example.org"]' * 1_000), 60)
    opened.put("a", page(1, b'["canary@example.org"]' * 1_000), 60)
    opened.put("other", page(2, b'["sparrow@example.org"]' * 1_000), 60)
    opened.set_ttl("a", 0)
    opened.close()
    assert all(b"canary" not in file.read_bytes() for file in tmp_path.iterdir())
    again = SQLitePageStore(path, ManualClock())
    assert list(again.numbers("other")) == [1, 2]
    again.close()


def test_what_a_process_dropped_before_it_was_killed_leaves_the_file_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not come to cutting the file."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, ManualClock())
    opened.put("a", page(1, b'["canary@example.org"]' * 1_000), 60)
    with monkeypatch.context() as killed:
        killed.setattr(sqlite, "TRUNCATE", "SELECT 1")
        opened.set_ttl("a", 0)
    opened.close()
    assert b"canary" in path.read_bytes()
    SQLitePageStore(path, ManualClock()).close()
    assert b"canary" not in path.read_bytes()


def test_expired_pages_leave_the_file_when_it_is_opened(tmp_path: Path) -> None:
    """Nobody may ever finish their crawl."""
    path, clock = tmp_path / "pages.sqlite", ManualClock()
    for _ in range(2):
        opened = SQLitePageStore(path, clock)
        opened.put("a", page(1), 60)
        opened.close()
        clock.now_s += 61
    SQLitePageStore(path, clock).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM pages").fetchone() == (0,)
    connection.close()


def test_a_store_of_another_version_is_emptied(tmp_path: Path) -> None:
    """Its tables may be others."""
    with sqlite3.connect(tmp_path / "pages.sqlite") as connection:
        connection.execute("CREATE TABLE pages (other TEXT)")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    opened = SQLitePageStore(tmp_path / "pages.sqlite", ManualClock())
    assert list(opened.numbers("a")) == []
    opened.close()


def test_a_store_that_breaks_is_told(tmp_path: Path) -> None:
    """As an error of its own kind."""
    opened = SQLitePageStore(tmp_path / "pages.sqlite", ManualClock())
    opened.close()
    with pytest.raises(PageStoreError, match="closed"):
        opened.put("a", page(1), 60)


PUT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from customer_assets.api.page_store import sqlite
from customer_assets.api.page_store.sqlite import SQLitePageStore
from customer_assets.core.models import Page
store = SQLitePageStore(Path(sys.argv[1]), lambda: 1_800_000_000.0)
for number in range(1, 51):
    store.put("a", Page(number, 1, 9, 9, 1, b"[1]" * 1000), 60)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_no_page(tmp_path: Path) -> None:
    """What `put` returned from is there."""
    path = tmp_path / "pages.sqlite"
    subprocess.run([sys.executable, "-c", PUT_AND_DIE, path], check=False)
    opened = SQLitePageStore(path, ManualClock())
    assert list(opened.numbers("a")) == list(range(1, 51))
    opened.close()


def test_two_processes_may_use_one_file(tmp_path: Path) -> None:
    """At once."""
    path = tmp_path / "pages.sqlite"
    first, second = (SQLitePageStore(path, ManualClock()) for _ in range(2))
    for number in range(1, 20):
        (first if number % 2 else second).put("a", page(number), 60)
    assert list(first.numbers("a")) == list(second.numbers("a")) == list(range(1, 20))
    first.close()
    second.close()


MAKE_AND_PUT = """
import sys
from pathlib import Path
from customer_assets.api.page_store import sqlite
from customer_assets.api.page_store.sqlite import SQLitePageStore
from customer_assets.core.models import Page
sys.stdin.read()
store = SQLitePageStore(Path(sys.argv[1]), lambda: 1_800_000_000.0)
for number in range(int(sys.argv[2]), 80, 8):
    store.put("a", Page(number, 1, 99, 99, 1, b"[1]" * 1000), 60)
"""


def test_eight_processes_may_make_one_file(tmp_path: Path) -> None:
    """All at once; none fails, no page is lost."""
    path = tmp_path / "pages.sqlite"
    started = [
        subprocess.Popen([sys.executable, "-c", MAKE_AND_PUT, path, str(first)], stdin=subprocess.PIPE)
        for first in range(8)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in started] == [0] * 8
    opened = SQLitePageStore(path, ManualClock())
    assert list(opened.numbers("a")) == list(range(80))
    opened.close()


def test_a_crawl_is_claimed_once(tmp_path: Path) -> None:
    """By one store at a time, in one process or several; the claim ends with its release or its store."""
    path = tmp_path / "pages.sqlite"
    one, other = SQLitePageStore(path, time.time), SQLitePageStore(path, time.time)
    assert one.claim("crawl")
    assert one.claim("crawl"), "again by the same one"
    assert not other.claim("crawl")
    assert other.claim("another")
    one.release("crawl")
    assert other.claim("crawl")
    other.close()
    assert one.claim("crawl")
    one.close()
    assert list(tmp_path.glob("*.lock")) == []


def test_the_claim_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """The system releases it, however the process ends."""
    path = tmp_path / "pages.sqlite"
    child = os.fork()
    if child == 0:
        SQLitePageStore(path, time.time).claim("crawl")
        os._exit(0)
    os.waitpid(child, 0)
    with closing(SQLitePageStore(path, time.time)) as store:
        assert store.claim("crawl")
