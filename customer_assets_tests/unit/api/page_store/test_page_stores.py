"""What every page store holds to, and what each does by itself."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from customer_assets.api.options import ClientOptions
from customer_assets.api.page_store import base as pages
from customer_assets.api.page_store import sqlite
from customer_assets.api.page_store.base import PageStore, open_store, register_store
from customer_assets.api.page_store.memory import MemoryPageStore
from customer_assets.api.page_store.sqlite import SQLitePageStore
from customer_assets.errors import ConfigurationError, PageStoreError
from customer_assets.models import Page
from customer_assets_tests.harness.services import await_port, free_port, need

NOW_S = 1_800_000_000.0


def page(number: int, data: bytes = b'[{"id": 1}]') -> Page:
    """Make a page."""
    return Page(number, per_page=1, total=9, total_pages=9, record_count=1, data=data)


class Clock:
    """Seconds since 1970 that a test moves."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        """Tell them."""
        return self.now_s


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis, without a file."""
    port = free_port()
    command = [need("redis-server", "redis-server"), "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            await_port(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


@pytest.fixture(params=["memory", "sqlite", pytest.param("redis", marks=pytest.mark.service)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each store's address, on an empty store."""
    if request.param == "redis":
        address = str(request.getfixturevalue("redis_url"))
        with redis.Redis.from_url(address) as connection:
            connection.flushall()
        return address
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/new/pages.sqlite"


@pytest.fixture
def store(url: str) -> Iterator[PageStore]:
    """Each store, empty."""
    opened = open_store(url, Clock())
    yield opened
    opened.close()


def test_what_is_put_comes_back(store: PageStore) -> None:
    """Byte for byte, by crawl and number."""
    store.put("a", page(2, b'["\xc3\xa9\x00"]'), 60)
    assert store.get("a", 2) == page(2, b'["\xc3\xa9\x00"]')
    assert store.get("b", 2) is None
    assert store.get("a", 3) is None


def test_numbers_are_told_in_order(store: PageStore) -> None:
    """Of one crawl only."""
    for number in (3, 1, 20, 2):
        store.put("a", page(number), 60)
    store.put("b", page(7), 60)
    assert list(store.numbers("a")) == [1, 2, 3, 20]


def test_a_later_page_replaces_the_earlier(store: PageStore) -> None:
    """The last one stands."""
    store.put("a", page(1, b"[1]"), 60)
    store.put("a", page(1, b"[2]"), 60)
    assert store.get("a", 1) == page(1, b"[2]")


def test_a_finished_crawl_is_dropped(store: PageStore) -> None:
    """And no other."""
    store.put("a", page(1), 60)
    store.put("b", page(1), 60)
    store.keep("a", 0)
    assert list(store.numbers("a")) == []
    assert list(store.numbers("b")) == [1]


def test_a_finished_crawl_can_be_kept(store: PageStore) -> None:
    """For as long as was said."""
    store.put("a", page(1), 60)
    store.keep("a", 120)
    assert list(store.numbers("a")) == [1]


@pytest.mark.parametrize("kind", ["memory://", "sqlite:///{}/pages.sqlite"])
def test_pages_expire(tmp_path: Path, kind: str) -> None:
    """After their time they are as if they had never been there."""
    clock = Clock()
    opened = open_store(kind.format(tmp_path), clock)
    opened.put("a", page(1), 60)
    opened.put("a", page(2), 600)
    clock.now_s += 61
    assert list(opened.numbers("a")) == [2]
    assert opened.get("a", 1) is None
    opened.close()


@pytest.mark.service
def test_redis_lets_pages_expire_by_itself(redis_url: str) -> None:
    """Each has a time to live."""
    opened = open_store(redis_url, Clock())
    opened.put("expiring", page(1), 60)
    with redis.Redis.from_url(redis_url) as connection:
        (key,) = connection.keys("*expiring:1")
        assert 0 < connection.pttl(key) <= 60_000
    opened.close()


@pytest.mark.service
@pytest.mark.parametrize("damaged", [b"nonsense", b"\x92\x96\x01\x01\x09\x09\x01\xc4\x02[]\x00"])
def test_a_damaged_page_in_redis_is_none(redis_url: str, damaged: bytes) -> None:
    """Whatever is in its place."""
    opened = open_store(redis_url, Clock())
    opened.put("damaged", page(1), 60)
    with redis.Redis.from_url(redis_url) as connection:
        (key,) = connection.keys("*damaged:1")
        connection.set(key, damaged)
    assert opened.get("damaged", 1) is None
    opened.close()


def test_a_redis_that_does_not_answer_is_told() -> None:
    """Without its address, which may hold a password."""
    with pytest.raises(PageStoreError, match="ConnectionError") as caught:
        open_store(f"redis://:secret@127.0.0.1:{free_port()}/0", Clock())
    assert "secret" not in str(caught.value)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """It holds customers."""
    open_store(f"sqlite:///{tmp_path}/new/pages.sqlite", Clock()).close()
    assert (tmp_path / "new" / "pages.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


@pytest.mark.service
def test_redis_drops_more_pages_than_fit_a_batch(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its list of them."""
    monkeypatch.setattr("customer_assets.api.page_store.redis.BATCH", 3)
    opened = open_store(redis_url, Clock())
    for number in range(1, 11):
        opened.put("many", page(number), 60)
    opened.keep("many", 0)
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.keys("*many*") == []
    opened.close()


@pytest.mark.parametrize("url", ["redis://host:port", "redis://host/database?socket_timeout=long"])
def test_an_address_of_no_redis_is_refused(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="CUSTOMER_PAGE_STORE"):
        open_store(url, Clock())


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """A start that was interrupted leaves one."""
    (tmp_path / "pages.sqlite").touch()
    opened = SQLitePageStore(tmp_path / "pages.sqlite", Clock())
    opened.put("a", page(1), 60)
    assert list(opened.numbers("a")) == [1]
    opened.close()


def test_a_file_that_is_no_store_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it is, it is still there; the store works."""
    content = b"not a database at all, by any means" * 40
    (tmp_path / "pages.sqlite").write_bytes(content)
    opened = SQLitePageStore(tmp_path / "pages.sqlite", Clock())
    opened.put("a", page(1), 60)
    assert list(opened.numbers("a")) == [1]
    opened.close()
    assert (tmp_path / "pages.sqlite.damaged").read_bytes() == content
    assert len(caplog.records) == 1


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """It may hold what cannot be had again."""
    path = tmp_path / "pages.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE invoices (total REAL)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(PageStoreError, match="another program's database"):
        SQLitePageStore(path, Clock())
    assert path.read_bytes() == before


def test_a_file_damaged_while_in_use_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its pages are asked for again; new ones are kept."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, Clock())
    for number in range(1, 100):
        opened.put("a", page(number, b"[1]" * 10_000), 60)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(16_384)
        file.write(b"\xff" * (size - 16_384))
    os.utime(path)
    second = SQLitePageStore(path, Clock())
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
    opened = SQLitePageStore(path, Clock())
    opened.put("a", page(1), 60)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE pages SET {column} = 77")  # noqa: S608 - a test's own columns
    connection.close()
    assert opened.get("a", 1) is None
    opened.close()


def test_a_clock_that_is_set_back_makes_no_page_older(tmp_path: Path) -> None:
    """A page from the future is of unknown age: it is asked for again."""
    clock = Clock()
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
    opened = SQLitePageStore(path, Clock())
    for number in range(1, pages + 1):
        opened.put("a", page(number, b'["canary@example.org"]' * records), 60)
    opened.keep("a", 0)
    opened.close()
    assert all(b"canary" not in file.read_bytes() for file in tmp_path.iterdir())
    assert path.stat().st_size < 100_000


def test_nothing_of_a_dropped_customer_stays_beside_another_crawls_pages(tmp_path: Path) -> None:
    """The file cannot be cut then."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, Clock())
    opened.put("other", page(1, b'["sparrow@example.org"]' * 1_000), 60)
    opened.put("a", page(1, b'["canary@example.org"]' * 1_000), 60)
    opened.put("other", page(2, b'["sparrow@example.org"]' * 1_000), 60)
    opened.keep("a", 0)
    opened.close()
    assert all(b"canary" not in file.read_bytes() for file in tmp_path.iterdir())
    again = SQLitePageStore(path, Clock())
    assert list(again.numbers("other")) == [1, 2]
    again.close()


def test_what_a_process_dropped_before_it_was_killed_leaves_the_file_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not come to cutting the file."""
    path = tmp_path / "pages.sqlite"
    opened = SQLitePageStore(path, Clock())
    opened.put("a", page(1, b'["canary@example.org"]' * 1_000), 60)
    with monkeypatch.context() as killed:
        killed.setattr(sqlite, "CUT", "SELECT 1")
        opened.keep("a", 0)
    opened.close()
    assert b"canary" in path.read_bytes()
    SQLitePageStore(path, Clock()).close()
    assert b"canary" not in path.read_bytes()


def test_expired_pages_leave_the_file_when_it_is_opened(tmp_path: Path) -> None:
    """Nobody may ever finish their crawl."""
    path, clock = tmp_path / "pages.sqlite", Clock()
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
    opened = SQLitePageStore(tmp_path / "pages.sqlite", Clock())
    assert list(opened.numbers("a")) == []
    opened.close()


def test_a_store_that_breaks_is_told(tmp_path: Path) -> None:
    """As an error of its own kind."""
    opened = SQLitePageStore(tmp_path / "pages.sqlite", Clock())
    opened.close()
    with pytest.raises(PageStoreError, match="closed"):
        opened.put("a", page(1), 60)


PUT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from customer_assets.api.page_store import sqlite
from customer_assets.api.page_store.sqlite import SQLitePageStore
from customer_assets.models import Page
store = SQLitePageStore(Path(sys.argv[1]), lambda: 1_800_000_000.0)
for number in range(1, 51):
    store.put("a", Page(number, 1, 9, 9, 1, b"[1]" * 1000), 60)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_no_page(tmp_path: Path) -> None:
    """What `put` returned from is there."""
    path = tmp_path / "pages.sqlite"
    subprocess.run([sys.executable, "-c", PUT_AND_DIE, path], check=False)
    opened = SQLitePageStore(path, Clock())
    assert list(opened.numbers("a")) == list(range(1, 51))
    opened.close()


def test_two_processes_may_use_one_file(tmp_path: Path) -> None:
    """At once."""
    path = tmp_path / "pages.sqlite"
    first, second = (SQLitePageStore(path, Clock()) for _ in range(2))
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
from customer_assets.models import Page
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
    opened = SQLitePageStore(path, Clock())
    assert list(opened.numbers("a")) == list(range(80))
    opened.close()


def test_a_missing_package_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is optional."""
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "customer_assets.api.page_store.redis", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'customer_assets\[redis\]'"):
        open_store("redis://127.0.0.1", Clock())


def test_a_store_of_ones_own_is_opened_by_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """The opener gets the address and the clock."""
    monkeypatch.setattr(pages, "_registered", {})
    clock = Clock()
    with pytest.raises(ConfigurationError, match="'ours' is no page store"):
        open_store("ours://place", clock)
    opened: list[tuple[str, object]] = []

    def opener(url: str, given: Callable[[], float]) -> PageStore:
        opened.append((url, given))
        return MemoryPageStore(given)

    register_store("ours", opener)
    assert isinstance(open_store("ours://place", clock), MemoryPageStore)
    assert opened == [("ours://place", clock)]
    assert ClientOptions(page_store="ours://place").page_store == "ours://place"


@pytest.mark.parametrize("scheme", pages.BUILTIN_SCHEMES)
def test_no_store_takes_anothers_scheme(scheme: str) -> None:
    """Ours stay ours."""
    with pytest.raises(ConfigurationError, match="is a page store already"):
        register_store(scheme, lambda _, clock: MemoryPageStore(clock))
