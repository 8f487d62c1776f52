"""The client as its users see it, against real sockets."""

import asyncio
import logging
import os
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.core.errors import (
    ConfigurationError,
    CrawlLimitError,
    CrawlPausedError,
    IncompleteCrawlError,
    PageFailedError,
    RequestRefusedError,
)
from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets_tests.harness.apis.paged_api import Answered, Asked, PagedAPI, Records, by_offset, paged
from customer_assets_tests.harness.apis.scripted_server import FakeClock, ScriptedServer, body, http

KEY = "canary-key-c0ffee"
SHORT = (0.001, 0.002, 0.004)
TRANSPORTS = pytest.mark.parametrize("transport", ["requests", "aiohttp"])
Serve = Callable[..., ScriptedServer]


@pytest.mark.smoke
def test_api_client_retry_logic(serve_script: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A page that fails is asked for three times more, after 1, 2 and 4 seconds; each retry is told."""
    server = serve_script([http(500), http(503), http(500)])
    clock = FakeClock()
    with CustomerAPIClient(server.url, KEY, clock=clock) as client, caplog.at_level(logging.WARNING):
        assert client._fetch_page(1) == body(1)
    assert clock.waits == [1.0, 2.0, 4.0]
    assert server.pages == [1, 1, 1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "2026-01-01T00:00:00.000+00:00 page 1, attempt 1: server_error (HTTP 500); again in 1 s",
        "2026-01-01T00:00:01.000+00:00 page 1, attempt 2: server_error (HTTP 503); again in 2 s",
        "2026-01-01T00:00:03.000+00:00 page 1, attempt 3: server_error (HTTP 500); again in 4 s",
    ]


@pytest.mark.smoke
def test_an_api_that_only_fails_sees_four_requests(serve_script: Serve) -> None:
    """Then the page is named."""
    server = serve_script(otherwise=lambda _page: http(500))
    with CustomerAPIClient(server.url, KEY, clock=FakeClock()) as client, pytest.raises(IncompleteCrawlError) as caught:
        client.fetch_all_customers()
    assert caught.value.missing_pages == (1,)
    assert len(server.requests) == 4


def test_one_page_that_only_fails_is_named(serve_script: Serve) -> None:
    """With how often it was asked for."""
    server = serve_script(otherwise=lambda _page: http(500))
    with (
        CustomerAPIClient(server.url, KEY, clock=FakeClock()) as client,
        pytest.raises(PageFailedError, match="Page 7 failed 4 times"),
    ):
        client._fetch_page(7)


@pytest.mark.smoke
def test_a_429_spends_no_retry_and_waits_as_long_as_it_says(serve_script: Serve) -> None:
    """Five in a row, then the page."""
    server = serve_script([http(429, Retry_After="7")] * 5)
    clock = FakeClock()
    with CustomerAPIClient(server.url, KEY, clock=clock) as client:
        assert client._fetch_page(1) == body(1)
    assert sum(clock.waits) >= 35
    assert len(server.requests) == 6


def test_a_pause_of_a_day_ends_the_crawl(serve_script: Serve) -> None:
    """The error says how long."""
    server = serve_script([http(429, Retry_After="86400")])
    with CustomerAPIClient(server.url, KEY, clock=FakeClock()) as client, pytest.raises(CrawlPausedError) as caught:
        client.fetch_all_customers()
    assert caught.value.retry_after_s == pytest.approx(86_400)


@pytest.mark.parametrize(
    ("limits", "named"),
    [({"max_crawl_bytes": 1}, "max_crawl_bytes, 1 bytes"), ({"max_crawl_s": 2.5}, "max_crawl_s, 2.5 s")],
)
def test_a_crawl_that_reaches_its_limit_is_resumed(
    serve_script: Serve, tmp_path: Path, limits: dict[str, Any], named: str
) -> None:
    """It ends by the limit's name and keeps what it has read; the next one requests only the rest."""
    first = http(200, body(1, total=12))
    server = serve_script([first, http(500), http(500)] if "max_crawl_s" in limits else [first])
    kept: dict[str, Any] = {"page_store": f"sqlite:///{tmp_path}/pages.sqlite", "max_concurrency": 1}
    ended = pytest.raises(CrawlLimitError, match=f"reached {named}, and was ended. 1 of 2 pages are read and kept")
    with CustomerAPIClient(server.url, KEY, clock=FakeClock(), **kept, **limits) as client, ended:
        client.fetch_all_customers()
    asked = len(server.requests)
    with CustomerAPIClient(server.url, KEY, clock=FakeClock(), **kept) as client:
        assert len(client.fetch_all_customers()) == 12
    assert server.pages[asked:].count(2) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
@TRANSPORTS
def test_a_refusal_is_not_tried_again(serve_script: Serve, status: int, transport: str) -> None:
    """Status and page are named, the key is not."""
    server = serve_script([http(status, Location="http://127.0.0.1:1/elsewhere")])
    with (
        CustomerAPIClient(server.url, KEY, transport=transport) as client,
        pytest.raises(RequestRefusedError, match=f"page 1 with HTTP {status}") as caught,
    ):
        client.fetch_all_customers()
    assert len(server.requests) == 1
    assert KEY not in f"{caught.value!r} {client!r} {client.__dict__}"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(200, b"<html>busy</html>"), id="HTML"),
        pytest.param(http(200, {"page": 1}), id="no data"),
        pytest.param(http(200, body(2)), id="another page"),
        pytest.param(http(200, b""), id="nothing"),
        pytest.param(http(204), id="no content"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{", id="truncated"),
        pytest.param(lambda connection: connection.shutdown(2), id="closed"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope",
            id="not gzip",
        ),
        pytest.param(b"nonsense\r\n\r\n", id="not HTTP"),
    ],
)
@TRANSPORTS
def test_an_unreadable_answer_is_a_failed_request(serve_script: Serve, answer: Any, transport: str) -> None:
    """Like a 500: asked again."""
    server = serve_script([answer])
    with CustomerAPIClient(server.url, KEY, transport=transport, retry_waits_s=SHORT) as client:
        assert len(client.fetch_all_customers()) == 12
    assert server.pages.count(1) == 2


@TRANSPORTS
def test_a_body_without_end_is_cut_off(serve_script: Serve, transport: str) -> None:
    """It costs its own retry, not the memory."""
    server = serve_script([http(200, b'{"data": "' + b"x" * 4_000_000)])
    with CustomerAPIClient(
        server.url, KEY, transport=transport, retry_waits_s=SHORT, max_body_bytes=1_000_000
    ) as client:
        assert len(client.fetch_all_customers()) == 12


@pytest.mark.parametrize("seed", range(50))
def test_every_customer_comes_once_whatever_fails(seed: int) -> None:
    """30 % faults and a limit, 50 seeds."""
    settings = SimulatorSettings(
        customers=120, page_size=10, failure_rate=0.3, rate_limit=200, burst=30, latency_ms=1, seed=seed
    )
    with (
        running_simulator(settings) as simulator,
        CustomerAPIClient(simulator.base_url, KEY, retry_waits_s=SHORT) as client,
    ):
        ids = [customer["id"] for customer in client.fetch_all_customers()]
        assert simulator.stats()["within_retry_after"] == 0
    assert ids == list(range(1, 121))


@TRANSPORTS
@pytest.mark.smoke
def test_pages_are_read_in_parallel_but_no_more_than_allowed(transport: str) -> None:
    """`max_concurrency` in flight."""
    settings = SimulatorSettings(customers=400, page_size=10, latency_ms=20)
    with (
        running_simulator(settings) as simulator,
        CustomerAPIClient(simulator.base_url, KEY, max_concurrency=4, transport=transport) as client,
    ):
        assert len(client.fetch_all_customers()) == 400
        assert 2 <= simulator.stats()["max_in_flight"] <= 4


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/pages.sqlite"])
@pytest.mark.smoke
def test_called_again_it_asks_only_for_what_is_missing(serve_script: Serve, tmp_path: Path, store: str) -> None:
    """A crawl that ends incomplete keeps its pages; those beside a missing one show whether customers have moved."""
    broken = {3}
    server = serve_script(otherwise=lambda page: http(500) if page in broken else http(200, body(page, total=35)))
    with CustomerAPIClient(server.url, KEY, retry_waits_s=SHORT, page_store=store.format(tmp_path)) as client:
        with pytest.raises(IncompleteCrawlError) as caught:
            client.fetch_all_customers()
        assert caught.value.missing_pages == (3,)
        broken.clear()
        server.requests.clear()
        assert len(client.fetch_all_customers()) == 35
    assert sorted(server.pages) == [2, 3, 4]


@pytest.mark.smoke
def test_another_process_resumes_from_the_file(serve_script: Serve, tmp_path: Path) -> None:
    """A new client on the same file; the file does not tell the key."""
    broken = {3}
    server = serve_script(otherwise=lambda page: http(500) if page in broken else http(200, body(page, total=35)))
    options: dict[str, Any] = {"retry_waits_s": SHORT, "page_store": f"sqlite:///{tmp_path}/pages.sqlite"}
    with CustomerAPIClient(server.url, KEY, **options) as client, pytest.raises(IncompleteCrawlError):
        client.fetch_all_customers()
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    broken.clear()
    server.requests.clear()
    with CustomerAPIClient(server.url, "another-key", **options) as client:
        assert len(client.fetch_all_customers()) == 35
    assert sorted(server.pages) == [2, 3, 4]


def test_a_finished_crawl_can_spare_the_api_a_repeat(serve_script: Serve, tmp_path: Path) -> None:
    """Within `cache_ttl_s` nothing is asked; without it everything."""
    server = serve_script(otherwise=lambda page: http(200, body(page, total=11)))
    store = f"sqlite:///{tmp_path}/pages.sqlite"
    for cache_ttl_s, asked in ((60.0, [1, 2]), (60.0, []), (0.0, [1, 2])):
        server.requests.clear()
        with CustomerAPIClient(server.url, KEY, page_store=store, cache_ttl_s=cache_ttl_s) as client:
            assert len(client.fetch_all_customers()) == 11
        assert sorted(server.pages) == asked


def test_a_damaged_page_is_fetched_again(serve_script: Serve, tmp_path: Path) -> None:
    """Its checksum tells; the page before it is compared."""
    server = serve_script(otherwise=lambda page: http(200, body(page, total=11)))
    options: dict[str, Any] = {"page_store": f"sqlite:///{tmp_path}/pages.sqlite", "cache_ttl_s": 60.0}
    with CustomerAPIClient(server.url, KEY, **options) as client:
        client.fetch_all_customers()
    with sqlite3.connect(tmp_path / "pages.sqlite") as connection:
        connection.execute("UPDATE pages SET data = '[]' WHERE number = 2")
    connection.close()
    server.requests.clear()
    with CustomerAPIClient(server.url, KEY, **options) as client:
        assert len(client.fetch_all_customers()) == 11
    assert sorted(server.pages) == [1, 2]


def test_a_store_that_fails_does_not_fail_the_crawl(
    serve_script: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning, then without it."""
    (tmp_path / "file").write_text("in the way")
    with CustomerAPIClient(serve_script().url, KEY, page_store=f"sqlite:///{tmp_path}/file/pages.sqlite") as client:
        assert len(client.fetch_all_customers()) == 12
    assert [record.message for record in caplog.records if "page store" in record.message] == [
        record.message for record in caplog.records
    ]
    assert len(caplog.records) == 1


def test_the_most_complete_of_several_records_stands(serve_script: Serve) -> None:
    """Then the earliest; records without a usable id are left out. All came at one time, so the API holds them."""
    records: list[Any] = [
        {"id": 1, "email": None, "first_name": "A"},
        {"id": "1", "email": "a@x.org", "first_name": "A"},
        {"id": 1, "email": "later@x.org", "first_name": "A"},
        {"email": "nobody@x.org"},
        "no object",
        {"id": True},
    ]
    answers = {1: body(1, total=6, data=records)}
    server = serve_script(otherwise=lambda page: http(200, answers.get(page, body(page, total=6))))
    with CustomerAPIClient(server.url, KEY) as client:
        assert client.fetch_all_customers() == [records[1]]
    assert server.pages == [1, 2], "the second page makes sure that nothing follows"


@pytest.mark.smoke
def test_customers_that_moved_while_pages_were_read_are_found(serve_script: Serve) -> None:
    """One is inserted at the front after the first page: the second pass reads them all."""
    inserted = [0]

    def answer(page: int) -> bytes:
        ids = list(range(1, 13)) if not inserted[0] else [99, *range(1, 13)]
        inserted[0] = 1
        data = [{"id": number} for number in ids[(page - 1) * 6 : page * 6]]
        return http(200, body(page, total=len(ids), data=data))

    with CustomerAPIClient(serve_script(otherwise=answer).url, KEY) as client:
        assert sorted(customer["id"] for customer in client.fetch_all_customers()) == [*range(1, 13), 99]


def test_an_empty_api_has_no_customers(serve_script: Serve) -> None:
    """No error, no record."""
    server = serve_script(otherwise=lambda page: http(200, body(page, total=0)))
    with CustomerAPIClient(server.url, KEY) as client:
        assert client.fetch_all_customers() == []


@TRANSPORTS
def test_it_works_inside_a_running_event_loop(serve_script: Serve, transport: str) -> None:
    """As in a notebook."""

    async def notebook() -> int:
        with CustomerAPIClient(serve_script().url, KEY, transport=transport) as client:
            return len(client.fetch_all_customers())

    assert asyncio.run(notebook()) == 12


@pytest.mark.parametrize(
    ("base_url", "api_key", "options", "field"),
    [
        ("ftp://x.org", KEY, {}, "base_url"),
        ("x.org", KEY, {}, "base_url"),
        ("https://", KEY, {}, "base_url"),
        ("https://x.org:port", KEY, {}, "base_url"),
        ("https://me:secret@x.org", KEY, {}, "base_url"),
        ("https://x.org/?a=b", KEY, {}, "base_url"),
        ("http://x.org", KEY, {}, "base_url"),
        ("https://x.org", "  ", {}, "api_key"),
        ("https://x.org", "a\nb", {}, "api_key"),
        ("https://x.org", KEY, {"transport": "carrier pigeon"}, "transport"),
        ("https://x.org", KEY, {"max_concurrency": 0}, "max_concurrency"),
        ("https://x.org", KEY, {"requests_per_second": 0}, "requests_per_second"),
        ("https://x.org", KEY, {"page_size": -1}, "page_size"),
        ("https://x.org", KEY, {"retry_waits_s": (-1,)}, "retry_waits_s"),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_request(
    base_url: str, api_key: str, options: dict[str, Any], field: str
) -> None:
    """The error names the field, and never the key."""
    with pytest.raises(ConfigurationError, match=field) as caught:
        CustomerAPIClient(base_url, api_key, **options)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("store", ["mysql://x", "sqlite://", "memory", ""])
def test_an_unknown_page_store_is_refused(serve_script: Serve, store: str) -> None:
    """Before any request."""
    server = serve_script()
    with pytest.raises(ConfigurationError, match=r"^page_store: "):
        CustomerAPIClient(server.url, KEY, page_store=store)
    assert server.requests == []


@TRANSPORTS
def test_an_api_of_another_shape_is_read_whole(serve_script: Serve, transport: str) -> None:
    """Other names in requests, answers and records, pages counted from 0, the key as a bearer's token."""
    shape: dict[str, Any] = {
        "answer": {
            "page": "number",
            "per_page": "size",
            "total": "totalElements",
            "total_pages": "totalPages",
            "data": "content",
        },
        "record": {"id": "ref.no", "email": "mail"},
        "page_parameter": "my_page",
        "per_page_parameter": "size",
        "first_page": 0,
    }

    def answer(page: int) -> bytes:
        people = [{"ref": {"no": 2 * page + each}, "mail": "a@x.org"} for each in (1, 2) if page < 3]
        return http(200, {"content": people, "number": page, "size": 2, "totalElements": 6, "totalPages": 3})

    server = serve_script(otherwise=answer)
    options: dict[str, Any] = {**shape, "page_size": 2, "key_header": "Authorization", "key_scheme": "Bearer"}
    with CustomerAPIClient(server.url, KEY, transport=transport, path="/v2/people", **options) as client:
        found = client.fetch_all_customers()
    assert [each["ref"]["no"] for each in found] == [1, 2, 3, 4, 5, 6]
    assert sorted(server.pages) == [0, 1, 2, 3], "the last one makes sure that nothing follows"
    for request in server.requests:
        assert request.startswith("GET /api/v2/people?my_page=")
        assert "size=2" in request.splitlines()[0]
        assert f"authorization: bearer {KEY}" in request.lower()
        assert "x-api-key" not in request.lower()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"key_header": "Host"}, "key_header"),
        ({"key_header": "a b"}, "key_header"),
        ({"key_scheme": "Bear er"}, "key_scheme"),
    ],
)
def test_a_shape_that_cannot_be_read_is_refused(options: dict[str, Any], field: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match=f"^{field}:"):
        CustomerAPIClient("https://x.org", KEY, **options)


@TRANSPORTS
def test_a_connection_that_was_closed_while_idle_costs_no_wait(serve_script: Serve, transport: str) -> None:
    """No byte of the response came, so the request goes on a new connection at once (RFC 9112, 9.3.1)."""
    taken: list[bytes] = []

    def answer_once(connection: socket.socket) -> None:
        connection.sendall(http(200, body(1, total=11)).replace(b"Connection: close", b"X: y"))
        taken.append(connection.recv(65_536))

    server, clock = serve_script([answer_once], lambda page: http(200, body(page, total=11))), FakeClock()
    with CustomerAPIClient(server.url, KEY, transport=transport, clock=clock, max_concurrency=1) as client:
        assert len(client.fetch_all_customers()) == 11
        assert client.figures.retries.total() == 0
    assert b"page=2" in taken[0]
    assert server.pages == [1, 2]


@TRANSPORTS
def test_a_connection_that_is_closed_at_once_is_a_failure(serve_script: Serve, transport: str) -> None:
    """It is a new one: four requests for an API that does nothing else."""
    server = serve_script(otherwise=lambda _page: b"")
    client = CustomerAPIClient(server.url, KEY, transport=transport, clock=FakeClock())
    with client, pytest.raises(IncompleteCrawlError):
        client.fetch_all_customers()
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@TRANSPORTS
def test_a_redirect_for_a_slash_is_followed_once(status: int, transport: str) -> None:
    """Not for every page."""

    def with_slash(asked: Asked, records: Records) -> Answered:
        if not asked.path.endswith("/"):
            query = "&".join(f"{name}={value}" for name, value in asked.query.items())
            return Answered({}, {"Location": f"{asked.path}/?{query}"}, status)
        return by_offset(asked, records)

    settings: dict[str, Any] = {
        "pages": {"type": "offset", "size_parameter": "limit", "size": 100},
        "answer": {"records": "items", "total": "total"},
    }
    with (
        paged(PagedAPI(with_slash)) as api,
        CustomerAPIClient(api.url, KEY, transport=transport, max_concurrency=1, **settings) as client,
    ):
        assert len(client.fetch_all_customers()) == 523
        assert api.requests == 6 + 1


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/pages.sqlite"])
@TRANSPORTS
def test_a_client_that_was_used_before_a_fork_works_in_the_child(
    serve_script: Serve, tmp_path: Path, transport: str, store: str
) -> None:
    """Neither threads nor connections survive a fork."""
    server = serve_script(otherwise=lambda page: http(200, body(page, total=11)))
    with CustomerAPIClient(server.url, KEY, transport=transport, page_store=store.format(tmp_path)) as client:
        assert len(client.fetch_all_customers()) == 11
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.alarm(20)
                code = 0 if len(client.fetch_all_customers()) == 11 else 2
                client.close()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(client.fetch_all_customers()) == 11
