"""What every page store holds to, and how a store is opened by its address."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from customer_assets.api.options import ApiSettings
from customer_assets.api.page_store import base as pages
from customer_assets.api.page_store.base import PageStore, open_store, register_store
from customer_assets.api.page_store.memory import MemoryPageStore
from customer_assets.core.errors import ConfigurationError
from customer_assets_tests.harness.machines.page_stores import ManualClock, page


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
    opened = open_store(url, ManualClock())
    yield opened
    opened.close()


@pytest.mark.smoke
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
    store.set_ttl("a", 0)
    assert list(store.numbers("a")) == []
    assert list(store.numbers("b")) == [1]


def test_a_finished_crawl_can_be_kept(store: PageStore) -> None:
    """For as long as was said."""
    store.put("a", page(1), 60)
    store.set_ttl("a", 120)
    assert list(store.numbers("a")) == [1]


@pytest.mark.parametrize("kind", ["memory://", "sqlite:///{}/pages.sqlite"])
def test_pages_expire(tmp_path: Path, kind: str) -> None:
    """After their time they are as if they had never been there."""
    clock = ManualClock()
    opened = open_store(kind.format(tmp_path), clock)
    opened.put("a", page(1), 60)
    opened.put("a", page(2), 600)
    clock.now_s += 61
    assert list(opened.numbers("a")) == [2]
    assert opened.get("a", 1) is None
    opened.close()


def test_a_store_of_ones_own_is_opened_by_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """The opener gets the address and the clock."""
    monkeypatch.setattr(pages, "_registered", {})
    clock = ManualClock()
    with pytest.raises(ConfigurationError, match="there is no page store ours://"):
        open_store("ours://place", clock)
    opened: list[tuple[str, object]] = []

    def opener(url: str, given: Callable[[], float]) -> PageStore:
        opened.append((url, given))
        return MemoryPageStore(given)

    register_store("ours", opener)
    assert isinstance(open_store("ours://place", clock), MemoryPageStore)
    assert opened == [("ours://place", clock)]
    assert ApiSettings(page_store="ours://place").page_store == "ours://place"


@pytest.mark.parametrize("scheme", pages.BUILTIN_SCHEMES)
def test_no_store_takes_anothers_scheme(scheme: str) -> None:
    """Ours stay ours."""
    with pytest.raises(ConfigurationError, match="is already taken"):
        register_store(scheme, lambda _, clock: MemoryPageStore(clock))
