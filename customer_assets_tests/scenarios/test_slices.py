"""A listing that is read in slices: everyone comes once, whatever its way of paging, its window, and what happens."""

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.core.errors import (
    ConfigurationError,
    CrawlPausedError,
    IncompleteCrawlError,
    RequestRefusedError,
)
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets_tests.harness.apis.deadly_api import DeadlyAPI
from customer_assets_tests.harness.apis.paged_api import WAYS, Answered, Asked, Records, paged
from customer_assets_tests.harness.apis.sliced_api import (
    BORN,
    IDS,
    KEY,
    SLICES,
    SlicedAPI,
    customer,
    open_sliced_client,
    spread,
)
from customer_assets_tests.harness.machines.page_stores import redis_url
from customer_assets_tests.harness.simulation.sliced_worlds import HONEST, World
from customer_assets_tests.harness.vendors.base import Faults, Request, Response, reply
from customer_assets_tests.harness.vendors.serve import serve_vendor
from customer_assets_tests.harness.vendors.virtual import LATENCY_S, VirtualTime, VirtualTransport

__all__ = ["redis_url"]

EVERYBODY = list(range(1, 524))


def ids(client: CustomerAPIClient) -> list[int]:
    """Read all customers; return their ids."""
    return sorted(record["id"] for record in client.fetch_all_customers())


def slices_of(way: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, with ranges where that way sends its parameters."""
    return {**settings, "send_in": "body"} if "body" in way else settings


BY_STEP, ON_DEMAND = SLICES, {**SLICES, "step": None}


@pytest.mark.parametrize(
    ("slices", "window"),
    [(BY_STEP, None), (ON_DEMAND, 100), (IDS, 100), ({**IDS, "step": 100, "end": 500}, None)],
    ids=["every 30 days", "split on demand", "ids split on demand", "every 100 ids"],
)
@pytest.mark.parametrize("way", HONEST)
def test_everyone_comes_once(way: str, slices: dict[str, Any], window: int | None) -> None:
    """523 customers in half a year, 20 % faults; the API lists no more than the window."""
    api = SlicedAPI(way, spread(523), window=window, faults=Faults(0.2, 1))
    pages = {"window": window, "size": 20} if window else {}
    with open_sliced_client(api, slices=slices_of(way, slices), pages=pages) as client:
        assert ids(client) == EVERYBODY
        assert (client.figures.unique_ids, client.figures.missing_customers, client.figures.passes) == (523, 0, 1)
        assert client.figures.total in (None, 523)


def test_slices_are_landed(tmp_path: Path) -> None:
    """In the file of the raw table, as by a run of Dagster."""
    api = SlicedAPI("offset", spread(523))
    raw_file = tmp_path / "raw.parquet"
    with (
        open_sliced_client(api, slices=BY_STEP) as client,
        LandingWriter(raw_file, tmp_path / "rejected.parquet", mapping=client.options.record) as writer,
    ):
        client.crawl(writer)
    found = [each.as_py() for each in pq.read_table(raw_file).column("id")]
    assert sorted(found) == EVERYBODY


@pytest.mark.parametrize("transport", ["requests", "aiohttp"])
@pytest.mark.parametrize("way", ["cursor", "offset"])
def test_both_transports_read_slices(way: str, transport: str) -> None:
    """Over real sockets."""
    api = SlicedAPI(way, spread(523), faults=Faults(0.2, 1))
    options = {**WAYS[way][1], "slices": BY_STEP, "transport": transport, "retry_waits_s": (0.001, 0.002, 0.004)}
    with serve_vendor(api) as url, CustomerAPIClient(url, KEY, **options) as client:
        assert ids(client) == EVERYBODY


class ById(SlicedAPI):
    """Ranges of ids, cut without a look at each record."""

    def restrict(self, records: Records, asked: Asked) -> Records:
        low, high = asked.number("id_from", 1), asked.number("id_to", len(records) + 1)
        return records[max(low - 1, 0) : max(high - 1, 0)]


@pytest.mark.parametrize("seed", [1, 2])
def test_slices_take_their_share_of_the_time(seed: int) -> None:
    """A chain of 1,000 pages, 5 % faults, in 16 slices, eight requests at a time.

    The floor is one request after the other, and a second's wait after each failure. Eight slices alone take 1.3 to 1.5
    times an eighth of it, since the slowest of them has more failures than the others.
    """
    pages, fault_share = 1_000, 0.05
    failures = pages * fault_share / (1 - fault_share)
    floor_s = (pages + failures) * sum(LATENCY_S) / 2 + failures
    api, time = ById("cursor", spread(20 * pages), faults=Faults(fault_share, seed)), VirtualTime()
    slices = {**IDS, "step": 1_250, "end": 18_751}
    with open_sliced_client(api, time=time, seed=seed, slices=slices, pages={"size": 20}) as client:
        assert len(ids(client)) == 20 * pages
    assert time.now_s < 1.3 * floor_s / 8


# --- the window --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["offset", "cursor"])
def test_as_many_of_one_instant_as_the_api_lists_at_once(way: str) -> None:
    """They cannot be told apart, so it ends with an error that says so, after few requests."""
    api = SlicedAPI(way, [*spread(40), *(customer(number, BORN) for number in range(100, 180))], window=60)
    pages = {"window": 60, "size": 20}
    with (
        open_sliced_client(api, slices=ON_DEMAND, pages=pages) as client,
        pytest.raises(IncompleteCrawlError, match=r"no more than 60 customers at once.*2020-01-01T00:00:00Z"),
    ):
        client.fetch_all_customers()
    assert len(api.requests) < 300


def test_a_window_without_slices_is_refused_by_name() -> None:
    """The remedy names the setting."""
    api = SlicedAPI("offset", spread(523), window=100)
    with (
        open_sliced_client(api, pages={"window": 100}) as client,
        pytest.raises(ConfigurationError, match=r"no more than 100 of them.*Set slices"),
    ):
        client.fetch_all_customers()


def test_few_customers_take_one_listing() -> None:
    """Nothing is split that need not be."""
    api = SlicedAPI("offset", spread(80), window=100)
    with open_sliced_client(api, slices=ON_DEMAND, pages={"window": 100, "size": 50}) as client:
        assert ids(client) == EVERYBODY[:80]
    assert len(api.requests) == 2


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/pages.sqlite"])
def test_a_way_on_that_is_nowhere_is_named(store: str, tmp_path: Path) -> None:
    """Each slice would look like a listing of one page, and the rest would be lost without a word."""
    api = SlicedAPI("cursor", spread(2_000, timedelta(hours=1)))
    pages = {"from": "paging.nowhere"}
    with (
        open_sliced_client(api, slices=BY_STEP, pages=pages, page_store=store.format(tmp_path)) as client,
        pytest.raises(ConfigurationError, match="neither the first page nor a smaller one leads to the next"),
    ):
        client.fetch_all_customers()


class From0(SlicedAPI):
    """Pages counted from 0."""

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        page = str(int(request.query["page"]) + 1)
        return super().__call__(replace(request, query={**request.query, "page": page}))


@pytest.mark.parametrize(("api", "first"), [(From0, 1), (SlicedAPI, 0)])
def test_pages_that_are_counted_otherwise_are_named(api: type[SlicedAPI], first: int) -> None:
    """Each slice would lack its first page, or look empty."""
    listing = api("page number without a total", spread(523))
    with (
        open_sliced_client(listing, slices=BY_STEP, pages={"first": first}) as client,
        pytest.raises(ConfigurationError, match=f"counts its pages from {1 - first}"),
    ):
        client.fetch_all_customers()


def test_full_pages_that_end_a_listing_are_checked_once() -> None:
    """One request shows that the way on is known."""
    api = SlicedAPI("cursor", [customer(number, BORN) for number in range(1, 21)])
    with open_sliced_client(api, slices=BY_STEP) as client:
        assert ids(client) == list(range(1, 21))
    assert api.requests[-1].query == {"limit": "10"}


# --- who could fall between --------------------------------------------------------------------------------------


def test_customers_outside_of_all_bounds() -> None:
    """The first slice is open to the left, the last one to the right: neither age nor a clock ahead hides anybody."""
    records = [
        customer(1, datetime.fromisoformat("1969-07-20T20:17:00+00:00")),
        customer(2, BORN - timedelta(microseconds=1)),
        customer(3, BORN),
        customer(4, datetime.fromisoformat("2031-01-01T00:00:00+00:00")),
    ]
    with open_sliced_client(SlicedAPI("cursor", records), slices=BY_STEP) as client:
        assert ids(client) == [1, 2, 3, 4]


@pytest.mark.parametrize("way", ["offset", "cursor", "page number without a total"])
def test_ends_that_the_api_includes(way: str) -> None:
    """Who was created at the very end of a slice comes in two; only one is kept, and the other counted."""
    records = [customer(number, BORN + number * timedelta(days=15)) for number in range(1, 41)]
    api = SlicedAPI(way, records, includes_end=True)
    with open_sliced_client(api, slices={**BY_STEP, "to_is": "inclusive"}) as client:
        assert ids(client) == list(range(1, 41))
        counted = (60, 20) if way == "offset" else (None, 0)
        assert (client.figures.total, client.figures.source_duplicates) == counted
        assert (client.figures.records, client.figures.missing_customers) == (60, 0)


def test_customers_without_a_date_are_missing() -> None:
    """No range holds them; the whole listing's total shows it, and the check on it fails."""

    class Dateless(SlicedAPI):
        def restrict(self, records: Records, asked: Asked) -> Records:
            is_whole = not any(name.startswith("created") for name in asked.query)
            return records if is_whole else super().restrict([each for each in records if each["id"] % 100], asked)

    with open_sliced_client(Dateless("offset", spread(523)), slices=BY_STEP) as client:
        figures = client.crawl(CustomerCollector())
    assert (figures.unique_ids, figures.total, figures.missing_customers) == (518, 523, 5)


def test_an_api_that_ignores_the_range() -> None:
    """It would be read once for each slice: the first bounded one shows it."""
    api = SlicedAPI("cursor", spread(523), is_deaf=True)
    with (
        open_sliced_client(api, slices=BY_STEP) as client,
        pytest.raises(ConfigurationError, match=r"slices.parameters: the API returns customers outside"),
    ):
        client.fetch_all_customers()
    assert len(api.requests) <= 2 * 8


@pytest.mark.parametrize("way", ["offset", "cursor"])
def test_customers_join_while_it_is_read(way: str) -> None:
    """The last slice grows; nobody is missing, and nobody who was there is lost."""
    api = SlicedAPI(way, spread(523))

    def join(number: int) -> None:
        if number % 10 == 0:
            api.records.append(customer(1_000 + number, datetime.fromisoformat("2026-01-01T00:00:00+00:00")))

    api.on_request = join
    with open_sliced_client(api, slices=BY_STEP) as client:
        assert set(ids(client)) >= set(EVERYBODY)
        assert client.figures.missing_customers == 0


def test_an_incremental_run_takes_one_listing() -> None:
    """Few customers change: slices would take a request each."""
    api = SlicedAPI("cursor", spread(6))
    incremental = {"parameter": "updated_since", "field": "created_at"}
    with open_sliced_client(api, slices=BY_STEP, incremental=incremental) as client:
        changes = dict(client.options.updated_since(BORN))
    time = VirtualTime()
    with CustomerAPIClient(
        api_key=KEY, clock=time, **{**changes, "transport": VirtualTransport(api, time, 0)}
    ) as client:
        assert ids(client) == [1, 2, 3, 4, 5, 6]
    assert [request.query.get("updated_since") for request in api.requests] == ["2019-12-31T23:59:59Z"]


# --- when it fails -----------------------------------------------------------------------------------------------


def test_an_api_that_only_fails_gets_four_requests() -> None:
    """Not four of each slice."""
    api = SlicedAPI("cursor", spread(523), faults=Faults(1.0, 0, in_a_row=10**6))
    with open_sliced_client(api, slices=BY_STEP) as client, pytest.raises(IncompleteCrawlError):
        client.fetch_all_customers()
    assert len(api.requests) == 4


def refusing(api: SlicedAPI, at: int, response: Response) -> SlicedAPI:
    """Answer one request with something else."""

    class Refusing(SlicedAPI):
        def __call__(self, request: Any) -> Response:
            answered = super().__call__(request)
            return response if len(self.requests) == at else answered

    return Refusing(api.way, api.records)


def test_one_refusal_ends_all_slices() -> None:
    """What was in flight is stored; the next crawl requests the rest only."""
    api, time = refusing(SlicedAPI("cursor", spread(523)), 30, reply({}, 403)), VirtualTime()
    with open_sliced_client(api, time=time, slices=BY_STEP) as client:
        with pytest.raises(RequestRefusedError, match="403"):
            client.fetch_all_customers()
        assert len(api.requests) < 30 + 8
        assert ids(client) == EVERYBODY
    asked = Counter(str(request.query) for request in api.requests)
    assert max(asked.values()) <= 2
    assert sum(count - 1 for count in asked.values()) <= 1, "only what was refused comes again"


def test_a_quota_is_waited_for_elsewhere() -> None:
    """All slices keep their pages until it is renewed and six hours more, those that were complete, too."""
    pause = reply({}, 429, Retry_After="50000")
    api, time = refusing(SlicedAPI("cursor", spread(523)), 60, pause), VirtualTime()
    with open_sliced_client(api, time=time, slices=BY_STEP) as client:
        with pytest.raises(CrawlPausedError) as paused:
            client.fetch_all_customers()
        assert paused.value.pages_received >= 50
        time.now_s += 50_000 + 3_600
        before = len(api.requests)
        assert ids(client) == EVERYBODY
    assert len(api.requests) - before < 40


@pytest.mark.parametrize("way", ["cursor", "offset"])
def test_pages_of_an_ended_crawl_are_not_used_again(way: str, tmp_path: Path) -> None:
    """A kill between the last page and the commit: all is read again, as of a listing that is read as a whole."""
    api, time = SlicedAPI(way, spread(523)), VirtualTime()
    options: dict[str, Any] = {"slices": BY_STEP, "page_store": f"sqlite:///{tmp_path}/pages.sqlite", "time": time}
    with open_sliced_client(api, cache_ttl_s=3_600, **options) as client:
        assert ids(client) == EVERYBODY
    before = len(api.requests)
    with open_sliced_client(api, **options) as client:
        assert ids(client) == EVERYBODY
    assert len(api.requests) >= before + 70
    with open_sliced_client(api, cache_ttl_s=3_600, **options) as client:
        assert ids(client) == EVERYBODY


# --- kills -------------------------------------------------------------------------------------------------------


def ranged_cursor(asked: Asked, records: Records) -> Answered:
    """A cursor over a range of ids, in pages of twenty."""
    low, high = asked.number("id_from", 0), asked.number("id_to", 10**9)
    query = {**asked.query, "limit": "20"}
    found = [record for record in records if low <= record["id"] < high]
    return WAYS["cursor"][0](Asked(asked.path, query, asked.body, asked.host), found)


@pytest.mark.service
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_slices_killed_again_and_again_become_whole(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Requested twice are at most the pages that were in flight when it was killed, and the one after each."""
    url = f"sqlite:///{tmp_path}/pages.sqlite" if kind == "sqlite" else request.getfixturevalue("redis_url")
    at_once = 4
    options = {**WAYS["cursor"][1], "max_concurrency": at_once, "slices": {**IDS, "step": 340, "end": 2_721}}
    api = DeadlyAPI(ranged_cursor, 3_000, fault_share=0.1)
    with paged(api):
        kills = api.take_lives("/slices", url, options, most=11)
    assert kills >= 20
    assert 150 <= len(api.served) <= 150 + 10
    assert api.served.total() <= len(api.served) + 2 * at_once * kills


# --- worlds ------------------------------------------------------------------------------------------------------


WORLDS = int(os.environ.get("SLICED_WORLDS", "60"))
"""By hand: `SLICED_WORLDS=1000 pytest customer_assets_tests/scenarios/test_slices.py -k worlds`."""


@pytest.mark.timeout(300 + WORLDS)
@pytest.mark.parametrize("first", range(0, WORLDS, 20))
def test_worlds(first: int, tmp_path: Path) -> None:
    """Any way, window, faults, limits, customers who come and go, crowds, and kills."""
    dice = random.Random(first)
    for seed in (dice.randrange(10**6) for _ in range(20)):
        assert World(seed, f"sqlite:///{tmp_path}/{seed}.sqlite").run() is None, seed
