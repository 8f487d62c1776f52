"""What a person has to mend is said at once: what is wrong, where, and what to set; on both transports."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.core.errors import (
    ConfigurationError,
    CustomerAssetsError,
    IncompleteCrawlError,
    RequestRefusedError,
)
from customer_assets_tests.harness.apis.paged_api import CURSOR, Answered, Asked, PagedAPI, by_cursor, by_offset, paged
from customer_assets_tests.harness.apis.scripted_server import FakeClock, ScriptedServer, body, http, serve_script
from customer_assets_tests.harness.machines.services import free_port

__all__ = ["serve_script"]

KEY = "canary-key-c0ffee"
Serve = Callable[..., ScriptedServer]


@pytest.fixture(params=["requests", "aiohttp"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each library."""
    return str(request.param)


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Time that passes only when a crawl waits; a test takes seven seconds of it at most."""
    clock, started_s = FakeClock(), time.monotonic()
    yield clock
    assert clock.now_s <= 10.0
    assert time.monotonic() - started_s < 20.0


def failure(url: str, transport: str, clock: FakeClock, **options: Any) -> CustomerAssetsError:
    """How a crawl fails; its error never shows the key."""
    with (
        CustomerAPIClient(url, KEY, transport=transport, clock=clock, **options) as client,
        pytest.raises(CustomerAssetsError) as caught,
    ):
        client.fetch_all_customers()
    assert KEY not in f"{caught.value!r} {vars(caught.value)}"
    return caught.value


LIST = "Name where a response holds its list of records."
COUNT = "Name it as the API does, or set it to null if the API does not say."
PRESENT = "there are results, paging"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"pages": CURSOR, "answer": {"records": "data"}},
            f"answer.records: there is no data; {PRESENT}. {LIST}",
        ),
        (
            {"pages": CURSOR, "answer": {"records": "results.items"}},
            f"answer.records: there is no results.items; the response is a list. {LIST}",
        ),
        (
            {"pages": CURSOR, "answer": {"records": "results", "total": "meta.total"}},
            f"answer.total: there is no meta; {PRESENT}. {COUNT}",
        ),
        (
            {"pages": CURSOR, "answer": {"records": "results", "total": {"path": "/count", "at": "n"}}},
            f"answer.total.at: there is no n; {PRESENT}. {COUNT}",
        ),
        (
            {"pages": {**CURSOR, "from": "paging"}, "answer": {"records": "results"}},
            "pages: paging is an object, not a cursor. Name where the response holds a cursor.",
        ),
        ({}, f"answer.records: there is no data; {PRESENT}. {LIST}"),
    ],
)
def test_a_wrong_mapping_is_named_with_what_is_there(
    settings: dict[str, Any], message: str, transport: str, clock: FakeClock
) -> None:
    """After one round of retries: which path is missing, and which keys are there instead."""
    with paged(PagedAPI(by_cursor)) as api:
        error = failure(api.url, transport, clock, **settings)
        assert isinstance(error, ConfigurationError)
        assert str(error) == message
        assert api.requests <= 4 + 6


@pytest.mark.parametrize(
    "pages",
    [
        {**CURSOR, "from": "paging.after"},
        {**CURSOR, "from": "header:X-After"},
        {"type": "next_url", "from": "links.next", "size_parameter": "limit"},
        {"type": "link_header", "size_parameter": "limit", "size": 500},
    ],
)
def test_a_way_on_that_is_nowhere_is_named(pages: dict[str, Any], transport: str, clock: FakeClock) -> None:
    """Otherwise the first page of six would be taken for all of them, wherever the API does not count."""
    with paged(PagedAPI(by_cursor)) as api:
        error = failure(api.url, transport, clock, pages=pages, answer={"records": "results"})
        assert str(error) == (
            "pages: neither the first page nor a smaller one leads to the next, although there are more customers. "
            "Name where a response says how the next page is requested."
        )
        assert api.requests == 2


@pytest.mark.parametrize(
    "pages",
    [
        {"type": "page_number", "parameter": "pagina", "size": 100},
        {"type": "offset", "parameter": "skip", "size_parameter": "limit", "size": 100},
    ],
)
def test_a_page_parameter_that_the_api_ignores_is_named(
    pages: dict[str, Any], transport: str, clock: FakeClock
) -> None:
    """Each page is the first one then, and the total beside it makes the same of them as of missing customers."""

    def way(_asked: Asked, records: Any) -> Answered:
        return Answered({"items": records[:100], "total": len(records)})

    with paged(PagedAPI(way)) as api:
        answer = {"records": "items", "total": "total"}
        error = failure(api.url, transport, clock, pages=pages, answer=answer)
    assert "the API seems to ignore the page that it is asked for; check the settings of paging" in str(error)


def test_a_total_that_the_api_refuses_is_named(transport: str, clock: FakeClock) -> None:
    """Not the path of the customers."""

    def way(asked: Asked, records: Any) -> Answered:
        return Answered({}, status=404) if asked.path == "/count" else by_cursor(asked, records)

    answer = {"records": "results", "total": {"path": "/count", "at": "n"}}
    with paged(PagedAPI(way)) as api:
        error = failure(api.url, transport, clock, pages=CURSOR, answer=answer)
    assert str(error) == "answer.total.path: the API answers it with HTTP 404. Check it, or set total to null."


def test_a_mapping_that_was_right_once_is_not_blamed(transport: str) -> None:
    """A later page that lacks its records is that page's failure."""

    def way(asked: Any, records: Any) -> Answered:
        return Answered({"oops": 1}) if asked.number("offset", 0) == 200 else by_offset(asked, records)

    settings: dict[str, Any] = {
        "pages": {"type": "offset", "size_parameter": "limit", "size": 100},
        "answer": {"records": "items", "total": "total"},
        "retry_waits_s": (0.001,),
    }
    with paged(PagedAPI(way)) as api, CustomerAPIClient(api.url, KEY, transport=transport, **settings) as client:
        with pytest.raises(IncompleteCrawlError, match="there is no items; there are oops") as caught:
            client.fetch_all_customers()
        assert caught.value.missing_pages == (201,)


def test_a_host_that_does_not_exist_is_named_at_once(
    transport: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its setting, and without a second request."""
    looked_up: list[Any] = []

    def unknown(host: Any, *_args: Any, **_kwargs: Any) -> Any:
        looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure("https://api.exmaple.com", transport, clock)
    assert str(error) == (
        "base_url: the host api.exmaple.com does not exist. Check its spelling (CUSTOMER_API_BASE_URL)."
    )
    assert len(looked_up) == 1


def test_a_port_on_which_nothing_answers_is_described(transport: str, clock: FakeClock) -> None:
    """It can pass, so the crawl can be tried again later."""
    error = failure(f"http://127.0.0.1:{free_port()}", transport, clock)
    assert isinstance(error, IncompleteCrawlError)
    assert "nothing answers at 127.0.0.1 on this port" in str(error)


def test_plain_http_behind_an_https_address_is_named(transport: str, clock: FakeClock) -> None:
    """At once."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak_http() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        server = threading.Thread(target=speak_http)
        server.start()
        error = failure(f"https://127.0.0.1:{listening.getsockname()[1]}", transport, clock)
        server.join()
    assert str(error) == "base_url: 127.0.0.1 does not speak TLS on this port. Check the scheme and the port."


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (http(401), 401, "Check the API key (CUSTOMER_API_KEY)."),
        (http(403), 403, "The key may not read customers"),
        (
            http(403, b"<html>Access denied</html>", Content_Type="text/html; charset=utf-8"),
            403,
            "the API's own answer. A firewall may let another User-Agent in (setting headers).",
        ),
        (http(404), 404, "CUSTOMER_API_PATH"),
        (
            http(301, Location="https://www.new.example/api/users?page=1"),
            301,
            "It redirects to www.new.example. If the API has moved, set the base URL",
        ),
        (http(302, Location="http://["), 302, "If the API has moved"),
        (http(302, Location="https://127.0.0.1/api"), 302, "It redirects to https on the same host. If the API"),
        (http(407), 407, "A proxy asks for a log-in: write user and password into HTTP_PROXY"),
        (http(400), 400, "The API does not accept the request: check pages (page size, parameters), params"),
        (http(422), 422, "The API does not accept the request: check pages (page size, parameters), params"),
        (http(405), 405, "Check method and path"),
        (http(406), 406, "Check headers"),
        (http(415), 415, "another kind of body than JSON"),
    ],
)
def test_a_refusal_says_what_to_do(
    answer: bytes, status: int, words: str, serve_script: Serve, transport: str, clock: FakeClock
) -> None:
    """After one request."""
    server = serve_script(otherwise=lambda _page: answer)
    error = failure(server.url, transport, clock)
    assert isinstance(error, RequestRefusedError)
    assert error.status == status
    assert words in str(error)
    assert len(server.requests) == 1


def test_a_wrong_key_names_the_variable_that_holds_it(serve_script: Serve, transport: str, clock: FakeClock) -> None:
    """Not the usual one, if it is another."""
    server = serve_script(otherwise=lambda page: http(401, body(page)))
    auth = {"type": "bearer", "token_variable": "ACME_TOKEN"}
    error = failure(server.url, transport, clock, auth=auth)
    assert "Check the token (ACME_TOKEN)." in str(error)


@pytest.mark.parametrize(
    ("proxy_answer", "words"),
    [
        (None, "the proxy 127.0.0.1 does not answer"),
        (http(407), "https_proxy: the proxy 127.0.0.1 asks for a log-in (HTTP 407). Write user and password into it"),
        (http(403), "https_proxy: the proxy 127.0.0.1 refuses to connect to customers.example (HTTP 403). Ask who"),
        (http(503), "the proxy 127.0.0.1 refuses to connect to customers.example (HTTP 503)"),
    ],
)
def test_a_proxy_is_named(
    proxy_answer: bytes | None,
    words: str,
    serve_script: Serve,
    transport: str,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is the proxy that does not answer, not the API."""
    proxy = f"http://127.0.0.1:{free_port()}"
    if proxy_answer is not None:
        proxy = serve_script([proxy_answer] * 8).url.removesuffix("/api")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert words in str(failure("https://customers.example/api", transport, clock))
