"""Whatever way an API pages, everyone comes once: over real sockets, with faults, clamps, kills and dead cursors."""

from pathlib import Path
from typing import Any

import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.core.errors import ConfigurationError, IncompleteCrawlError
from customer_assets.core.models import Page
from customer_assets_tests.harness.apis.deadly_api import DeadlyAPI
from customer_assets_tests.harness.apis.paged_api import (
    CURSOR,
    LIST,
    WAYS,
    Answered,
    Asked,
    PagedAPI,
    Records,
    Way,
    by_cursor,
    by_last_id,
    by_offset,
    by_page_that_repeats,
    by_page_without_total,
    cut,
    paged,
)
from customer_assets_tests.harness.machines.page_stores import redis_url

__all__ = ["redis_url"]

KEY = "canary-key-c0ffee"
SHORT = (0.001, 0.002, 0.004)


def ids(api: PagedAPI, **options: Any) -> list[int]:
    """Read all customers; return their ids."""
    with CustomerAPIClient(api.url, KEY, **{"retry_waits_s": SHORT, **options}) as client:
        return [customer["id"] for customer in client.fetch_all_customers()]


@pytest.mark.parametrize("transport", ["requests", "aiohttp"])
@pytest.mark.parametrize("way", WAYS)
def test_everyone_comes_once(way: str, transport: str) -> None:
    """523 customers, 20 % faults, and page sizes that the API clamps."""
    page, settings = WAYS[way]
    with paged(PagedAPI(page, fault_share=0.2)) as api:
        assert ids(api, transport=transport, **settings) == list(range(1, 524))


@pytest.mark.parametrize("customers", [0, 1, 99, 100, 200])
@pytest.mark.parametrize("way", WAYS)
def test_any_number_of_customers(way: str, customers: int) -> None:
    """None, one, a page's worth to the last, and a multiple of it; with few requests beyond the end."""
    page, settings = WAYS[way]
    with paged(PagedAPI(page, customers)) as api:
        assert ids(api, **settings) == list(range(1, customers + 1))
        assert api.requests <= 5 + 9, "pages, and what was requested ahead"


# --- what users of other tools ran into -----------------------------------------------------------------------


def told_once(asked: Asked, records: Records) -> Answered:
    """The total stands on the first page only."""
    content = by_offset(asked, records).content
    return Answered(content if asked.query["offset"] == "0" else {"items": content["items"]})


def empty_pages_between(asked: Asked, records: Records) -> Answered:
    """Every other page of a chain is empty, although more follow."""
    start, odd = divmod(asked.number("after", 0), 2)
    page = [] if odd else cut(records, start, 100)
    following = 2 * start + 1 if not odd else 2 * (start + 100)
    more = following // 2 < len(records)
    return Answered({"results": page, "paging": {"next": {"after": str(following)}} if more else None})


def cursor_on_the_last_page(asked: Asked, records: Records) -> Answered:
    """A blank cursor ends it, and the last one leads to an empty page whose records are null."""
    start = asked.number("after", 0)
    page = cut(records, start, 100)
    after = str(start + len(page)) if page else ""
    return Answered({"results": page or None, "paging": {"next": {"after": after}}})


def next_on_the_last_page(asked: Asked, records: Records) -> Answered:
    """Paddle's and Zendesk's: a cursor stands there always, `has_more` tells the truth."""
    start = asked.number("after", 0)
    page = cut(records, start, 100)
    more = start + len(page) < len(records)
    return Answered(
        {"results": page, "meta": {"more": more, "done": not more}, "paging": {"next": {"after": start + 100}}}
    )


def nobody_is_no_body(asked: Asked, records: Records) -> Answered:
    """Zoho's and Square's: 204, or an empty object."""
    if not records:
        return Answered({}, status=204 if asked.path.endswith("204") else 200)
    return by_cursor(asked, records)


def pages_of_any_size(asked: Asked, records: Records) -> Answered:
    """A limit is advice: a page brings as many as it likes."""
    start = asked.number("offset", 0)
    size = 1 + (start * 7919) % 60
    return Answered({"items": cut(records, start, size), "total": len(records)})


def by_index(asked: Asked, records: Records) -> Answered:
    """PHP's: a list sent as an object; counts as texts."""
    content = by_offset(asked, records).content
    items = {str(place): record for place, record in enumerate(content["items"])}
    return Answered({"items": items, "total": str(content["total"])})


def page_numbers_that_lead_nowhere(asked: Asked, records: Records) -> Answered:
    """Intercom's: numbers beside the cursor, each page the first."""
    answered = by_cursor(asked, records)
    return Answered({**answered.content, "page": 1, "total_pages": 6})


OFFSET = {"type": "offset", "size_parameter": "limit", "size": 500}
ITEMS = {"records": "items", "total": "total"}
FLAGGED = {**CURSOR, "has_more": "meta.more"}

TRAPS: dict[str, tuple[Way, dict[str, Any]]] = {
    "1: the total on the first page only": (told_once, {"pages": OFFSET, "answer": ITEMS}),
    "2: no total": (by_page_without_total, {"pages": {"type": "page_number", "size": 100}, "answer": LIST}),
    "3: has_more ends it": (
        lambda asked, records: Answered(
            {**by_offset(asked, records).content, "more": asked.number("offset", 0) + 100 < len(records)}
        ),
        {"pages": {**OFFSET, "has_more": "more"}, "answer": {"records": "items"}},
    ),
    "4, 5, 6: a last cursor that leads to null, then a blank one": (
        cursor_on_the_last_page,
        {"pages": CURSOR, "answer": {"records": "results"}},
    ),
    "8: a page size that is clamped, without a total": (
        by_page_without_total,
        {"pages": {"type": "page_number", "size": 1_000}, "answer": LIST},
    ),
    "9: offsets that are clamped": (by_offset, {"pages": {**OFFSET, "size": 1_000}, "answer": ITEMS}),
    "10: pages counted from 0": (
        lambda asked, records: by_page_without_total(
            Asked("", {**asked.query, "page": str(asked.number("page", 0) + 1)}, {}, ""), records
        ),
        {"pages": {"type": "page_number", "first": 0, "size": 100}, "answer": LIST},
    ),
    "12: pages of any size": (pages_of_any_size, {"pages": OFFSET, "answer": ITEMS}),
    "12: pages of any size, without a total": (pages_of_any_size, {"pages": OFFSET, "answer": {"records": "items"}}),
    "19, 25: a cursor that is never null": (
        next_on_the_last_page,
        {"pages": FLAGGED, "answer": {"records": "results"}},
    ),
    "19: a flag that says the opposite": (
        next_on_the_last_page,
        {"pages": {**CURSOR, "has_more": "!meta.done"}, "answer": {"records": "results"}},
    ),
    "21: the last page again": (
        by_page_that_repeats,
        {"pages": {"type": "page_number", "size": 50}, "answer": {"records": "items"}},
    ),
    "22: offsets counted from 1": (
        lambda asked, records: by_offset(
            Asked("", {**asked.query, "offset": str(asked.number("offset", 1) - 1)}, {}, ""), records
        ),
        {"pages": {**OFFSET, "first": 1}, "answer": ITEMS},
    ),
    "23: empty pages between others": (empty_pages_between, {"pages": CURSOR, "answer": {"records": "results"}}),
    "a list by index, and counts as texts": (by_index, {"pages": OFFSET, "answer": ITEMS}),
    "page numbers that lead nowhere": (
        page_numbers_that_lead_nowhere,
        {"pages": CURSOR, "answer": {"records": "results"}},
    ),
}
"""By their numbers in the list of traps; what other tools do there is in the README's comparison."""


@pytest.mark.parametrize("customers", [523, 500, 100, 7])
@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_costs_no_customer(trap: str, customers: int) -> None:
    """Nor does it keep the crawl for ever."""
    way, settings = TRAPS[trap]
    with paged(PagedAPI(way, customers)) as api:
        assert ids(api, **settings) == list(range(1, customers + 1))
        assert api.requests < 40


@pytest.mark.parametrize("path", ["/204", "/empty"])
def test_nobody_is_an_empty_page(path: str) -> None:
    """Not an error."""
    with paged(PagedAPI(nobody_is_no_body, 0)) as api:
        assert ids(api, path=path, pages=CURSOR, answer={"records": "results"}) == []


@pytest.mark.parametrize(
    ("customers", "ignores_size", "is_answered", "requests", "is_doubted"),
    [
        pytest.param(100, False, True, 2, False, id="a smaller page leads on"),
        pytest.param(100, True, True, 2, True, id="the API ignores the size"),
        pytest.param(100, False, False, 2, True, id="the API refuses the size"),
        pytest.param(99, False, True, 1, False, id="pages have other sizes"),
        pytest.param(1, False, True, 1, False, id="one customer"),
    ],
)
def test_a_first_page_that_leads_nowhere_is_checked_once(
    customers: int,
    requests: int,
    caplog: pytest.LogCaptureFixture,
    *,
    ignores_size: bool,
    is_answered: bool,
    is_doubted: bool,
) -> None:
    """A wrong place of the cursor looks just the same as a listing of one page."""

    def way(asked: Asked, records: Records) -> Answered:
        size = "100" if ignores_size else asked.query["limit"]
        answered = by_cursor(Asked(asked.path, {**asked.query, "limit": size}, {}, ""), records)
        return answered if is_answered or asked.query["limit"] == "100" else Answered({}, status=400)

    with paged(PagedAPI(way, customers)) as api:
        assert ids(api, **WAYS["cursor"][1]) == list(range(1, customers + 1))
        assert api.requests == requests
    assert ("leads to no other; if the API has more, check pages." in caplog.text) is is_doubted


def counted_from(first: int) -> Way:
    """Pages by number from `first`, without a total; there is nobody on earlier ones."""

    def way(asked: Asked, records: Records) -> Answered:
        number, size = asked.number("page", first), min(asked.number("per_page", 100), 100)
        return Answered(cut(records, (number - first) * size, size) if number >= first else [])

    return way


def numbers_for_offsets(asked: Asked, records: Records) -> Answered:
    """Page numbers from 1 in a parameter that is called `offset`; 0 is the first page, too."""
    return Answered(cut(records, (max(asked.number("offset", 1), 1) - 1) * 100, 100))


FROM_1 = {"type": "page_number", "size": 100}


@pytest.mark.parametrize(
    ("way", "pages", "customers", "words"),
    [
        *[
            pytest.param(counted_from(0), FROM_1, count, "counts its pages from 0", id=f"from 0, {count} customers")
            for count in (2, 99, 100, 101, 130, 200, 523)
        ],
        pytest.param(
            counted_from(0), {**FROM_1, "size": 1_000}, 523, "counts its pages from 0", id="a size is clamped"
        ),
        pytest.param(counted_from(1), {**FROM_1, "first": 0}, 523, "counts its pages from 1", id="from 1"),
        *[
            pytest.param(
                numbers_for_offsets,
                {"type": "offset"},
                count,
                "does not count customers",
                id=f"offsets, {count} customers",
            )
            for count in (100, 523, 12_345)
        ],
    ],
)
@pytest.mark.parametrize("transport", ["requests", "aiohttp"])
def test_a_wrong_number_costs_no_customer_without_a_word(
    way: Way, pages: dict[str, Any], customers: int, words: str, transport: str
) -> None:
    """Without a total, nothing else would show it."""
    with paged(PagedAPI(way, customers)) as api, pytest.raises(ConfigurationError, match=words):
        ids(api, transport=transport, pages=pages, answer=LIST)


@pytest.mark.parametrize("customers", [0, 1, 50, 100, 130, 523])
@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize(
    ("way", "pages"),
    [
        pytest.param(counted_from(1), FROM_1, id="from 1"),
        pytest.param(counted_from(0), {**FROM_1, "first": 0}, id="from 0"),
        pytest.param(
            lambda asked, records: Answered(by_offset(asked, records).content["items"]),
            {"type": "offset", "size_parameter": "limit", "size": 100},
            id="offsets",
        ),
    ],
)
def test_right_numbers_are_not_doubted(way: Way, pages: dict[str, Any], customers: int, *, refuses: bool) -> None:
    """Nor are they if the API takes no other page size, or no offset within a page."""

    def strict(asked: Asked, records: Records) -> Answered:
        size = asked.query.get("per_page", asked.query.get("limit"))
        offset = asked.number("offset", 0)
        is_odd = size != "100" or (offset % 100 > 0 and offset < customers)
        return Answered({}, status=400) if refuses and is_odd else way(asked, records)

    with paged(PagedAPI(strict, customers)) as api:
        assert ids(api, pages=pages, answer=LIST) == list(range(1, customers + 1))


@pytest.mark.parametrize("customers", [1, 50, 99])
def test_a_page_0_that_is_page_1_is_read_once(customers: int) -> None:
    """As long as there is one page, that does no harm."""
    way = counted_from(1)

    def lenient(asked: Asked, records: Records) -> Answered:
        return way(Asked("", {**asked.query, "page": str(max(asked.number("page", 1), 1))}, {}, ""), records)

    with paged(PagedAPI(lenient, customers)) as api:
        assert ids(api, pages={**FROM_1, "first": 0}, answer=LIST) == list(range(1, customers + 1))


def test_a_listing_of_one_page_that_takes_no_number_is_complete() -> None:
    """Its second page is the first one again, however small: that does not mean that pages are counted from 0."""
    with paged(PagedAPI(lambda asked, records: Answered(cut(records, 0, asked.number("per_page", 100))), 30)) as api:
        assert ids(api, pages=FROM_1, answer=LIST) == list(range(1, 31))


def endless(**following: Any) -> Way:
    """Pages that go on in some way, for ever."""

    def way(asked: Asked, records: Records) -> Answered:
        page = cut(records, asked.number("after", 0) % 500, 10)
        return Answered({"results": page, "meta": {"more": True}, **following})

    return way


@pytest.mark.parametrize(
    ("way", "settings", "words"),
    [
        pytest.param(
            endless(paging={"next": {"after": "7"}}),
            {"pages": CURSOR, "answer": {"records": "results"}},
            "hands out a cursor that an earlier page handed out",
            id="4: the same cursor again",
        ),
        pytest.param(
            endless(paging={"next": {"after": ""}}),
            {"pages": FLAGGED, "answer": {"records": "results"}},
            "meta.more says that more pages follow, but paging.next.after does not lead to the next one",
            id="7: more, but no cursor",
        ),
        pytest.param(
            endless(paging={"next": {"after": "https://evil.example/x"}}),
            {"pages": {"type": "next_url", "from": "paging.next.after"}, "answer": {"records": "results"}},
            "does not lead to the API itself",
            id="30: a next address elsewhere",
        ),
        pytest.param(
            endless(),
            {"pages": {"type": "last_id", "parameter": "x", "has_more": "meta.more"}, "answer": {"records": "results"}},
            "hands out a cursor that an earlier page handed out",
            id="the last id's parameter is ignored",
        ),
        pytest.param(
            lambda _asked, records: Answered(records[:100]),
            {"pages": {"type": "page_number", "parameter": "pagina", "size": 100}, "answer": LIST},
            "seems to ignore the page number",
            id="13: the page number is ignored",
        ),
        pytest.param(
            lambda _asked, records: Answered(records[:100]),
            {"pages": {"type": "offset", "size_parameter": "limit", "size": 100}, "answer": LIST},
            "pages in a row with the very same records",
            id="13: the offset is ignored",
        ),
    ],
)
def test_what_would_never_end_is_an_error_by_name(way: Way, settings: dict[str, Any], words: str) -> None:
    """After a few requests."""
    with paged(PagedAPI(way)) as api:
        with pytest.raises((ConfigurationError, IncompleteCrawlError)) as caught:
            ids(api, **settings)
        assert words in str(caught.value)
        assert api.requests < 30


def windowed(asked: Asked, records: Records) -> Answered:
    """No offset beyond 300: HubSpot's search, Auth0, commercetools."""
    if asked.number("offset", 0) >= 300:
        return Answered({"message": "The offset is too large."}, status=400)
    return Answered({"items": cut(records, asked.number("offset", 0), 100)})


def test_a_window_is_no_end() -> None:
    """16, 18, 35: what lies beyond it would be lost without a word."""
    with paged(PagedAPI(windowed)) as api, pytest.raises(Exception, match="HTTP 400"):
        ids(api, pages=OFFSET, answer={"records": "items"})


def test_a_total_of_a_request_of_its_own_is_compared() -> None:
    """Shopify's; one that is too high is noticed."""
    told = [523]

    def way(asked: Asked, records: Records) -> Answered:
        return Answered({"count": told[0]}) if asked.path == "/count.json" else by_cursor(asked, records)

    settings: dict[str, Any] = {
        "pages": CURSOR,
        "answer": {"records": "results", "total": {"path": "/count.json", "at": "count"}},
        "retry_waits_s": SHORT,
    }
    with paged(PagedAPI(way)) as api, CustomerAPIClient(api.url, KEY, **settings) as client:
        figures = client.crawl(CustomerCollector())
        assert (figures.total, figures.missing_customers, figures.passes) == (523, 0, 1)
        told[0] = 530
        figures = client.crawl(CustomerCollector())
        assert (figures.total, figures.missing_customers) == (530, 7)


def test_without_a_total_nothing_is_missing() -> None:
    """And nothing is known of it."""
    with paged(PagedAPI(by_last_id)) as api, CustomerAPIClient(api.url, KEY, **WAYS["last id"][1]) as client:
        figures = client.crawl(CustomerCollector())
    assert (figures.total, figures.missing_customers, figures.unique_ids) == (None, 0, 523)


# --- chains resume ---------------------------------------------------------------------------------------------


def in_pages_of_twenty(way: Way) -> Way:
    """The same way with smaller pages."""

    def smaller(asked: Asked, records: Records) -> Answered:
        return way(Asked(asked.path, {**asked.query, "limit": "20"}, asked.body, asked.host), records)

    return smaller


@pytest.mark.service
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.parametrize("way", ["cursor", "last id"])
def test_a_chain_killed_again_and_again_becomes_whole(
    way: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Requested twice are at most the page that was in flight when it was killed, and the one after it."""
    url = f"sqlite:///{tmp_path}/pages.sqlite" if kind == "sqlite" else request.getfixturevalue("redis_url")
    api = DeadlyAPI(in_pages_of_twenty(WAYS[way][0]), 6_000, fault_share=0.1)
    with paged(api):
        kills = api.take_lives(f"/{way.replace(' ', '-')}", url, WAYS[way][1])
    assert kills >= 20
    assert len(api.served) == 300
    assert api.served.total() <= 300 + 2 * kills


class Interrupted(BaseException):
    """What a person's Ctrl-C is."""


class Stopping(CustomerCollector):
    """A sink that is interrupted at some page."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def add(self, page: Page) -> None:
        """Take one page."""
        if page.number == self._at:
            raise Interrupted
        super().add(page)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a page store, of each kind."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/pages.sqlite"


def test_a_chain_interrupted_at_its_end_is_read_again(store: str, tmp_path: Path) -> None:
    """Nobody can tell it from a finished crawl whose pages could not be dropped, and those are of another time."""
    way, settings = WAYS["cursor"]
    options: dict[str, Any] = {"page_store": store, "identity": str(tmp_path), **settings}
    with paged(PagedAPI(way)) as api, CustomerAPIClient(api.url, KEY, **options) as client:
        with pytest.raises(Interrupted):
            client.crawl(Stopping(6))
        figures = client.crawl(CustomerCollector())
    assert (figures.pages_from_store, figures.unique_ids) == (0, 523)
    assert set(api.asked.values()) == {2}


@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_chain_goes_on_from_its_last_page(store: str, at: int, tmp_path: Path) -> None:
    """In every store; the page that was being handed on is stored already."""
    way, settings = WAYS["cursor"]
    options: dict[str, Any] = {"page_store": store, "identity": f"{at}{tmp_path}", **settings}
    with paged(PagedAPI(way)) as api, CustomerAPIClient(api.url, KEY, **options) as client:
        with pytest.raises(Interrupted):
            client.crawl(Stopping(at))
        figures = client.crawl(CustomerCollector())
    assert (figures.pages_from_store, figures.unique_ids) == (at, 523)
    assert set(api.asked.values()) == {1}


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_cursor_that_has_expired_begins_the_chain_again(status: int, tmp_path: Path) -> None:
    """On the first request of a crawl that resumes; stored pages are read again, nobody twice."""
    alive = [True]

    def way(asked: Asked, records: Records) -> Answered:
        if asked.query.get("after") and not alive[0]:
            alive[0] = True
            return Answered({"error": "unknown cursor"}, status=status)
        return by_cursor(asked, records)

    options: dict[str, Any] = {"page_store": f"sqlite:///{tmp_path}/pages.sqlite", **WAYS["cursor"][1]}
    with paged(PagedAPI(way)) as api, CustomerAPIClient(api.url, KEY, **options) as client:
        with pytest.raises(Interrupted):
            client.crawl(Stopping(4))
        alive[0] = False
        figures = client.crawl(CustomerCollector())
    assert (figures.pages_from_store, figures.pages, figures.unique_ids) == (0, 6, 523)


def test_a_cursor_that_is_refused_in_the_midst_of_a_crawl_is_a_refusal() -> None:
    """Nothing says that it has expired."""

    def way(asked: Asked, records: Records) -> Answered:
        return Answered({}, status=400) if asked.number("after", 0) >= 300 else by_cursor(asked, records)

    with paged(PagedAPI(way)) as api, pytest.raises(Exception, match="page 4 with HTTP 400"):
        ids(api, **WAYS["cursor"][1])


def test_a_chain_with_a_gap_in_its_store_goes_on_before_it(tmp_path: Path) -> None:
    """What is stored beyond is requested again, in its turn."""
    import sqlite3  # noqa: PLC0415

    way, settings = WAYS["cursor"]
    options: dict[str, Any] = {"page_store": f"sqlite:///{tmp_path}/pages.sqlite", "cache_ttl_s": 600.0, **settings}
    with paged(PagedAPI(way)) as api:
        with CustomerAPIClient(api.url, KEY, **options) as client:
            client.crawl(CustomerCollector())
        with sqlite3.connect(tmp_path / "pages.sqlite") as connection:
            connection.execute("DELETE FROM pages WHERE number = 3")
        connection.close()
        with CustomerAPIClient(api.url, KEY, **options) as client:
            figures = client.crawl(CustomerCollector())
    assert (figures.pages_from_store, figures.requests, figures.unique_ids) == (2, 4, 523)
