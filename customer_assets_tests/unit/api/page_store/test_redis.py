"""Redis as a page store: a real server."""

import os
import sys
from contextlib import closing

import pytest
import redis

from customer_assets.api.page_store.base import open_store
from customer_assets.api.page_store.redis import RedisPageStore, is_in_the_clear
from customer_assets.core.errors import ConfigurationError, PageStoreError
from customer_assets_tests.harness.machines.page_stores import ManualClock, page
from customer_assets_tests.harness.machines.services import free_port


@pytest.mark.service
def test_redis_lets_pages_expire_by_itself(redis_url: str) -> None:
    """Each has a time to live."""
    opened = open_store(redis_url, ManualClock())
    opened.put("expiring", page(1), 60)
    with redis.Redis.from_url(redis_url) as connection:
        (key,) = connection.keys("*expiring:1")
        assert 0 < connection.pttl(key) <= 60_000
    opened.close()


@pytest.mark.service
@pytest.mark.parametrize("damaged", [b"nonsense", b"\x92\x96\x01\x01\x09\x09\x01\xc4\x02[]\x00"])
def test_a_damaged_page_in_redis_is_none(redis_url: str, damaged: bytes) -> None:
    """Whatever is in its place."""
    opened = open_store(redis_url, ManualClock())
    opened.put("damaged", page(1), 60)
    with redis.Redis.from_url(redis_url) as connection:
        (key,) = connection.keys("*damaged:1")
        connection.set(key, damaged)
    assert opened.get("damaged", 1) is None
    opened.close()


@pytest.mark.service
def test_what_others_add_to_the_index_is_passed_over(redis_url: str) -> None:
    """Redis can be shared; a crawl reads its own pages."""
    opened = open_store(redis_url, ManualClock())
    opened.put("shared", page(3), 60)
    with redis.Redis.from_url(redis_url) as connection:
        (index,) = connection.keys("*shared:numbers")
        connection.zadd(index, {"foreign": 1, "": 2, "-7": 3, "3.5": 4, "\xb2": 5})
    assert list(opened.numbers("shared")) == [3]
    opened.set_ttl("shared", 0)
    assert list(opened.numbers("shared")) == []
    opened.close()


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("redis://:canary@192.0.2.1:6379/0", True),
        ("redis://redis.example.org", True),
        ("redis://localhost:6379/0", False),
        ("redis://127.0.0.1", False),
        ("redis://[::1]:6379", False),
        ("redis://", False),
        ("rediss://:canary@redis.example.org/0", False),
        ("unix:///run/redis.sock", False),
    ],
)
def test_customers_in_the_clear_are_warned_about(url: str, *, warns: bool) -> None:
    """Only on the way to another machine."""
    assert is_in_the_clear(url) is warns


def test_the_warning_does_not_show_the_address(caplog: pytest.LogCaptureFixture) -> None:
    """It can hold a password."""
    with pytest.raises(PageStoreError):
        open_store("redis://:canary@redis.invalid/0", ManualClock())
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("The page store is a Redis on another machine without encryption")
    assert "canary" not in warning
    assert "redis.invalid" not in warning


def test_a_redis_that_does_not_answer_is_told() -> None:
    """Without its address, which may hold a password."""
    with pytest.raises(PageStoreError, match="ConnectionError") as caught:
        open_store(f"redis://:secret@127.0.0.1:{free_port()}/0", ManualClock())
    assert "secret" not in str(caught.value)


@pytest.mark.service
def test_redis_drops_more_pages_than_fit_a_batch(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its list of them."""
    monkeypatch.setattr("customer_assets.api.page_store.redis.BATCH", 3)
    opened = open_store(redis_url, ManualClock())
    for number in range(1, 11):
        opened.put("many", page(number), 60)
    opened.set_ttl("many", 0)
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.keys("*many*") == []
    opened.close()


@pytest.mark.parametrize("url", ["redis://host:port", "redis://host/database?socket_timeout=long"])
def test_an_address_of_no_redis_is_refused(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="CUSTOMER_PAGE_STORE"):
        open_store(url, ManualClock())


def test_a_missing_package_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is optional."""
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "customer_assets.api.page_store.redis", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'customer_assets\[redis\]'"):
        open_store("redis://127.0.0.1", ManualClock())


@pytest.mark.service
def test_a_crawl_is_claimed_once(redis_url: str) -> None:
    """By one store at a time, in one process or several; the claim ends with its release or its store."""
    one, other = RedisPageStore(redis_url), RedisPageStore(redis_url)
    assert one.claim("crawl")
    assert one.claim("crawl"), "again by the same one"
    assert not other.claim("crawl")
    assert other.claim("another")
    one.release("crawl")
    assert other.claim("crawl")
    other.close()
    assert one.claim("crawl")
    one.close()


@pytest.mark.service
def test_the_claim_of_a_killed_process_is_free(redis_url: str) -> None:
    """At once, on the same machine."""
    child = os.fork()
    if child == 0:
        RedisPageStore(redis_url).claim("killed")
        os._exit(0)
    os.waitpid(child, 0)
    with closing(RedisPageStore(redis_url)) as store:
        assert store.claim("killed")
