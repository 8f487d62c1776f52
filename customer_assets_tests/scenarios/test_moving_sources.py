"""Customers join, leave and move while an API is read: nobody who was there all the time is lost without a word."""

import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from customer_assets.core.errors import CrawlPausedError, IncompleteCrawlError, RequestRefusedError
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets_tests.harness.apis.moving_api import WAYS, Interrupted, MovingAPI, is_green, read_ids

WORLDS = int(os.environ.get("MOVING_WORLDS", "750"))
"""Worlds in one run. By hand: `MOVING_WORLDS=100000 pytest customer_assets_tests/scenarios/test_moving_sources.py`."""

SHIFTING = [way for way in WAYS if way != "cursor"]
COUNTED = [way for way in SHIFTING if not way.endswith("no total")]


# --- between interruption and resume --------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/pages.sqlite"])
def test_who_was_there_all_the_time_survives_an_interruption(way: str, store: str, tmp_path: Path) -> None:
    """One leaves and one joins before the crawl is resumed: counts add up, and yet somebody has moved."""
    api = MovingAPI(list(range(1, 100)), way, interrupted_at=5)
    with api.client(page_store=store.format(tmp_path), max_concurrency=2) as client:
        with pytest.raises(Interrupted):
            read_ids(client)
        api.ids.remove(5)
        api.ids.append(100)
        assert read_ids(client) >= set(range(1, 100)) - {5}
        assert is_green(client)


@pytest.mark.parametrize("way", SHIFTING)
def test_a_steady_source_is_resumed_with_few_requests(way: str) -> None:
    """Only the pages beside a gap are read again."""
    api = MovingAPI(list(range(1, 200)), way, interrupted_at=15)
    with api.client(max_concurrency=2) as client:
        with pytest.raises(Interrupted):
            read_ids(client)
        read = len(api.asked)
        assert read_ids(client) == set(range(1, 200))
        assert client.figures.pages_from_store >= 10
        assert len(api.asked) <= read + 20 - 10 + 3


def test_a_field_that_changes_by_itself_is_no_move() -> None:
    """Pages are compared by their customers."""
    api = MovingAPI(list(range(1, 100)), interrupted_at=6)
    api.answer = lambda _page, body: {
        **body,
        "data": [{**each, "asked": len(api.asked)} for each in body["data"]],
    }
    with api.client(max_concurrency=1) as client:
        with pytest.raises(Interrupted):
            read_ids(client)
        assert read_ids(client) == set(range(1, 100))
        assert client.figures.pages_from_store == 4


@pytest.mark.timeout(300 + WORLDS // 20)
@pytest.mark.parametrize("chunk", range(5))
def test_no_world_is_green_and_wrong(chunk: int) -> None:
    """Any listing, in any order, interrupted anywhere, changed in any way before it is resumed."""
    share = WORLDS // 5
    for seed in range(chunk * share, (chunk + 1) * share):
        visit(seed)


def visit(seed: int) -> None:
    """Crawl one world, interrupted up to three times."""
    dice = random.Random(seed)
    way, customers = dice.choice(list(WAYS)), dice.choice((1, 7, 20, 35, 100, 150))
    api = MovingAPI(list(range(1_000, 1_000 + customers)), way, dice.choice((3, 10, 10)), seed)
    if dice.random() < 0.5 and way != "cursor":
        api.ids.reverse()
    always, ever = set(api.ids), set(api.ids)
    options: dict[str, Any] = {"max_concurrency": dice.choice((1, 2, 8))}
    with api.client(**options) as client:
        for _ in range(dice.randint(1, 3)):
            api.interrupted_at = len(api.asked) + dice.randint(1, max(customers // api.size, 1) + 2)
            try:
                found = read_ids(client)
            except Interrupted:
                change(api, dice)
                always &= set(api.ids)
                ever |= set(api.ids)
                continue
            break
        else:
            api.interrupted_at = None
            found = read_ids(client)
        where = f"world {seed}: {way}, {customers} customers"
        assert found <= ever, where
        assert always <= found or not is_green(client), f"{where}: {sorted(always - found)} lost"
        assert is_green(client), f"{where}: a source that no longer moves is read to its end"


def change(api: MovingAPI, dice: random.Random) -> None:
    """Let customers leave anywhere and join at one end or anywhere."""
    leave, join = dice.choice(((0, 0), (1, 1), (1, 1), (2, 2), (1, 0), (0, 1), (3, 1), (15, 15)))
    for _ in range(min(leave, len(api.ids))):
        api.ids.pop(dice.randrange(len(api.ids)))
    for _ in range(join):
        new = max([*api.ids, 10_000]) + 1
        at = dice.choice((0, len(api.ids), dice.randint(0, len(api.ids))))
        api.ids.insert(at if api.way != "cursor" else len(api.ids), new)


# --- while it is read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", COUNTED)
def test_counts_that_agree_by_chance_prove_nothing(way: str) -> None:
    """One leaves in each of three passes: the counts agree in the end, and somebody was lost."""
    api = MovingAPI(list(range(1, 36)), way)

    def leave(number: int) -> None:
        if number % 4 == 2:
            api.ids.pop(0)

    api.on_request = leave
    with api.client(max_concurrency=1) as client:
        found = read_ids(client)
        assert client.figures.passes == 3
        assert set(api.ids) - found, "the scenario loses somebody"
        assert client.figures.missing_customers > 0


@pytest.mark.parametrize("way", COUNTED)
@pytest.mark.parametrize("is_newest_first", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_steady_joins_are_published_at_once(way: str, *, is_newest_first: bool, seed: int) -> None:
    """One customer every 20 requests: everybody who was there at the start, with at most 1.1 times the requests."""
    start = list(range(1, 2_001))
    api = MovingAPI(sorted(start, reverse=is_newest_first), way, seed=seed)

    def join(number: int) -> None:
        if number % 20 == 0:
            api.ids.insert(0 if is_newest_first else len(api.ids), 2_000 + number)

    api.on_request = join
    with api.client(max_concurrency=8) as client:
        found = read_ids(client)
        assert found >= set(start)
        assert is_green(client)
        assert client.figures.passes == 1
    assert len(api.asked) <= 1.1 * 200


def test_steady_joins_in_a_chain_need_no_second_pass() -> None:
    """It does not shift."""
    api = MovingAPI(list(range(1, 500)), "cursor")
    api.on_request = lambda number: api.ids.append(10_000 + number) if number % 7 == 0 else None
    with api.client() as client:
        assert read_ids(client) >= set(range(1, 500))
        assert is_green(client)
        assert client.figures.passes == 1


@pytest.mark.parametrize("way", SHIFTING)
@pytest.mark.parametrize("at", [2, 3, 5, 9])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_whole_page_that_joins_at_once_is_not_the_end(way: str, at: int, concurrency: int) -> None:
    """Newest first, and exactly as many as a page holds: the next page repeats the one before it."""
    start = list(range(100, 0, -1))
    api = MovingAPI(start, way)
    api.on_request = lambda number: api.ids.__setitem__(slice(0, 0), range(1_010, 1_000, -1)) if number == at else None
    with api.client(max_concurrency=concurrency) as client:
        assert read_ids(client) >= set(range(1, 101))
        assert is_green(client)


def test_without_a_total_moving_is_published_with_a_warning() -> None:
    """Nothing can prove that everybody was read, and nothing ever will."""
    api = MovingAPI(list(range(1, 500)), "no total")
    api.on_request = lambda number: api.ids.insert(0, 10_000 + number) if number % 7 == 0 else None
    with api.client(max_concurrency=1) as client:
        assert read_ids(client) >= set(range(1, 500))
        assert client.figures.passes == 3
        assert client.figures.moved_s > 0


# --- what has ended -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("customers", [1, 35, 40])
@pytest.mark.parametrize("beyond", ["empty", "404"])
def test_pages_that_could_not_be_dropped_are_not_published_again(way: str, customers: int, beyond: str) -> None:
    """The store fails at the very end of a crawl; the next one asks the API for everything."""
    api = MovingAPI(list(range(1, customers + 1)), way)
    if beyond == "404":
        api.answer = lambda _page, body: body if body["data"] else (404, {}, {})
    with api.client() as client:
        client._store.set_ttl = lambda ttl_s: None  # type: ignore[method-assign] # noqa: ARG005
        read_ids(client)
        del client._store.set_ttl
        api.ids = [each + 1 for each in api.ids]
        assert read_ids(client) == set(api.ids)


@pytest.mark.parametrize("store", ["sqlite:///{}/pages.sqlite"])
def test_two_crawls_at_once_share_no_pages(store: str, tmp_path: Path) -> None:
    """The second one begins while the first is reading, and reads everything itself."""
    api = MovingAPI(list(range(1, 100)))
    url = store.format(tmp_path)
    second: list[set[int]] = []
    other = MovingAPI(api.ids)

    def begin_second(number: int) -> None:
        if number == 6:
            with other.client(page_store=url) as client:
                second.append(read_ids(client))

    api.on_request = begin_second
    with api.client(page_store=url, max_concurrency=1) as client:
        assert read_ids(client) == second[0] == set(range(1, 100))
        assert client.figures.requests == 10, "its own pages were left alone"
    assert len(other.asked) == 10
    assert not list(tmp_path.glob("*.lock"))


# --- listings that are not what they count ------------------------------------------------------------------------


@pytest.mark.parametrize("way", SHIFTING)
@pytest.mark.parametrize("is_shuffled", [True, False])
def test_pages_that_all_hold_the_first_ones_customers_are_refused(way: str, *, is_shuffled: bool) -> None:
    """However right the page number is that each of them names."""
    api = MovingAPI(list(range(1, 51)), way)
    dice = random.Random(1)

    def first_again(_page: str, body: dict[str, Any]) -> dict[str, Any]:
        data = [{"id": each} for each in range(1, 11)]
        if is_shuffled:
            dice.shuffle(data)
        return {**body, "data": data}

    api.answer = first_again
    with api.client() as client, suppress(IncompleteCrawlError):  # else a check names those who are missing
        read_ids(client)
        assert client.figures.missing_customers == 40
    assert len(api.asked) < 400


@pytest.mark.parametrize("way", COUNTED)
@pytest.mark.parametrize(("counted", "customers"), [(100, 135), (100, 200), (95, 120), (10, 11), (1_000, 1_500)])
def test_a_total_that_is_too_small_hides_nobody(way: str, counted: int, customers: int) -> None:
    """The page behind the last one that it counts is tried."""
    api = MovingAPI(list(range(1, customers + 1)), way)
    pages = {"total_pages": -(-counted // 10)} if way == "numbered" else {}
    api.answer = lambda _page, body: {**body, "total": counted, **pages}
    with api.client() as client:
        assert read_ids(client) == set(range(1, customers + 1))
        assert is_green(client)


@pytest.mark.parametrize("customers", [26, 100, 495, 1_001])
@pytest.mark.parametrize("beyond", [200, 400, 404])
def test_pages_that_are_counted_by_a_size_that_was_cut_hide_nobody(customers: int, beyond: int) -> None:
    """The API cuts a page of 100 to 7, but counts pages of 100."""
    api = MovingAPI(list(range(1, customers + 1)), size=7)
    pages = -(-customers // 100)
    api.answer = lambda _page, body: (
        (beyond, {}, {}) if not body["data"] and beyond != 200 else {**body, "per_page": 100, "total_pages": pages}
    )
    with api.client() as client:
        assert read_ids(client) == set(range(1, customers + 1))
        assert is_green(client)
    assert len(api.asked) <= -(-customers // 7) + 1


@pytest.mark.parametrize("beyond", [200, 400, 404])
def test_a_total_that_counts_hidden_customers_costs_one_request(beyond: int) -> None:
    """Each page of 10 shows 7: some are filtered out after paging, and the page behind the last one shows nobody."""
    api = MovingAPI(list(range(1, 101)))
    api.answer = lambda _page, body: (
        (beyond, {}, {}) if not body["data"] and beyond != 200 else {**body, "data": body["data"][:7]}
    )
    with api.client(max_concurrency=1) as client:
        assert len(read_ids(client)) == 70
        assert client.figures.missing_customers == 30


def test_a_listing_that_ends_at_a_cap_is_refused() -> None:
    """Search engines count to 10,000, and refuse the page behind it."""
    api = MovingAPI(list(range(1, 10_051)), size=100)
    api.answer = lambda page, body: (
        (400, {}, {}) if int(page) > 100 else {**body, "total": 10_000, "total_pages": 100, "per_page": 100}
    )
    with api.client() as client, pytest.raises(IncompleteCrawlError, match="counts exactly 10000"):
        read_ids(client)


# --- the end is gone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_clamped", [True, False])
def test_a_last_page_that_is_gone_is_no_error(*, is_clamped: bool) -> None:
    """Customers left, so there is one page fewer; it is not found, or the one before it comes again."""
    api = MovingAPI(list(range(1, 92)))

    def end(_page: str, body: dict[str, Any]) -> Any:
        if body["data"]:
            return body
        return api.page(str(body["total_pages"])) if is_clamped else (404, {}, {})

    api.answer = end
    api.on_request = lambda number: api.ids.__delitem__(slice(0, 3)) if number == 10 else None
    with api.client(max_concurrency=1) as client:
        assert read_ids(client) == set(api.ids)
        assert api.asked.count("10") == 1
        assert is_green(client)


def test_a_number_of_pages_that_is_one_too_high_is_no_error() -> None:
    """All customers that the total counts are there."""
    api = MovingAPI(list(range(1, 96)))
    api.answer = lambda _page, body: {**body, "total_pages": 11} if body["data"] else (404, {}, {})
    with api.client() as client:
        assert read_ids(client) == set(range(1, 96))
        assert is_green(client)


def test_a_last_page_that_is_never_found_is_named() -> None:
    """Somebody is on it."""
    api = MovingAPI(list(range(1, 96)))
    api.answer = lambda page, body: (404, {}, {}) if page == "10" else body
    with api.client() as client, pytest.raises(RequestRefusedError, match="page 10 with HTTP 404"):
        read_ids(client)


# --- quotas -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", SHIFTING)
@pytest.mark.parametrize("is_moving", [True, False])
def test_a_daily_quota_is_read_over_several_days(way: str, *, is_moving: bool) -> None:
    """Each day goes on where the one before was stopped, even if customers have moved; then that is said."""
    api = MovingAPI(list(range(1, 496)), way)
    left = [20]

    def quota(_page: str, body: dict[str, Any]) -> Any:
        left[0] -= 1
        return body if left[0] >= 0 else (429, {"retry-after": "72000"}, {})

    api.answer = quota
    always = set(api.ids)
    days = 1
    with api.client(max_concurrency=4) as client:
        while days < 6:
            try:
                found = read_ids(client)
            except CrawlPausedError as pause:
                pages = pause.pages_received
                days, left[0], api.now_s = days + 1, 20, api.now_s + 86_400
                if is_moving:
                    api.ids.pop(3)
                    api.ids.append(1_000 + days)
                    always &= set(api.ids)
            else:
                break
        assert days in (3, 4)
        assert pages >= 10
        assert found >= always
        assert is_green(client) is not is_moving or client.figures.missing_customers == 0


@pytest.mark.parametrize("way", ["numbered", "offset", "no total"])
@pytest.mark.parametrize("case", ["a quota", "steady joins", "a repeated last page"])
def test_every_record_that_is_handed_on_is_counted(way: str, case: str, tmp_path: Path) -> None:
    """The gate compares that count with the raw table: pages that are read twice, or beyond the end, are in both."""
    api = MovingAPI(list(range(100, 0, -1)), way)
    left = [6]

    def answer(_page: str, body: dict[str, Any]) -> Any:
        left[0] -= case == "a quota"
        if case == "a repeated last page" and not body["data"]:
            return {**body, "data": [{"id": each} for each in api.ids[-10:]]}
        return body if left[0] >= 0 else (429, {"retry-after": "72000"}, {})

    def join(number: int) -> None:
        if case == "steady joins" and number % 4 == 0:
            api.ids.insert(0, 1_000 + number)

    api.answer, api.on_request = answer, join
    raw_file, rejected_file = tmp_path / "raw.parquet", tmp_path / "rejected.parquet"
    with api.client(max_concurrency=2) as client, LandingWriter(raw_file, rejected_file) as writer:
        with suppress(CrawlPausedError):
            client.crawl(writer)
        if case == "a quota":
            left[0], api.now_s = 60, api.now_s + 86_400
            api.ids.pop(0)
            client.crawl(writer)
        writer.close()
        assert pq.read_metadata(raw_file).num_rows == client.figures.records >= client.figures.unique_ids


# --- duplicates at the source -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", SHIFTING)
@pytest.mark.parametrize("every", [7, 40, 400])
def test_duplicates_at_the_source_cost_few_requests(way: str, every: int) -> None:
    """They are proven by a few pages that are read again and have not changed."""
    ids = [1 + number // 2 if number % every == every - 1 else number for number in range(1, 2_000)]
    api = MovingAPI(ids, way)
    with api.client() as client:
        assert read_ids(client) == set(ids)
        assert is_green(client)
        assert client.figures.passes == 1
    ahead = 8 if way.endswith("no total") else 0
    assert len(api.asked) <= 1.05 * 200 + ahead
