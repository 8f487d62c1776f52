"""The key goes to the API, and nowhere else; customers go to the caller, and nowhere else."""

import gc
import io
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.api.auth.secret import Secret
from customer_assets.core.errors import CustomerAssetsError
from customer_assets_tests.harness.apis.scripted_server import ScriptedServer, body, http

KEY = "canary-key-c0ffee"
NAME = "Canary McCanaryface"
Serve = Callable[..., ScriptedServer]

RECORDS = [{"id": number, "email": f"canary{number}@example.org", "first_name": NAME} for number in range(1, 7)]
FAILURES: dict[str, Callable[[], list[bytes]]] = {
    "refused": lambda: [http(401, f'{{"error": "{KEY} is wrong, {NAME}"}}'.encode())],
    "redirected": lambda: [http(302, Location=f"https://elsewhere.example/?key={KEY}&name={NAME}")],
    "paused": lambda: [http(429, Retry_After="86400", X_Key=KEY)],
    "broken": lambda: [http(500, f"{KEY} {NAME}".encode())] * 4,
    "garbage": lambda: [http(200, f"<html>{KEY} {NAME}</html>".encode())] * 4,
    "not HTTP": lambda: [f"{KEY} {NAME}\r\n\r\n".encode()] * 4,
    "silent": lambda: [b""] * 4,
    "nothing": list,
}


@pytest.mark.parametrize("transport", ["requests", "aiohttp"])
@pytest.mark.parametrize("failure", FAILURES)
def test_neither_key_nor_customers_are_told(
    serve_script: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture, failure: str, transport: str
) -> None:
    """Not in a log at any level, a repr, an error with its traceback and causes, nor the key in a store."""
    caplog.set_level(logging.DEBUG)
    server = serve_script(FAILURES[failure](), lambda page: http(200, body(page, total=6, data=RECORDS)))
    told = io.StringIO()
    client = CustomerAPIClient(
        server.url,
        KEY,
        transport=transport,
        page_store=f"sqlite:///{tmp_path}/pages.sqlite",
        retry_waits_s=(0.001,) * 3,
        cache_ttl_s=60.0,
    )
    with client:
        try:
            told.write(repr(client.crawl(Null())))
        except CustomerAssetsError as error:
            told.write(f"{error!r} {error} {vars(error)}")
            traceback.print_exception(error, file=told)
        told.write(f"{client!r} {client} {vars(client)} {client.options!r}")
    told.write("\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records))
    assert len(server.requests) >= 1
    assert all(f"x-api-key: {KEY}" in request for request in server.requests)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert KEY.encode() not in stored
    for secret in (KEY, NAME, "canary1@example.org", "McCanary"):
        assert secret not in told.getvalue()


class Null:
    """A sink that keeps nothing but numbers."""

    def start_pass(self) -> None:
        """Forget."""
        self.ids = 0

    def add(self, page: Any) -> None:
        """Count."""
        self.ids += page.record_count

    def unique_ids(self) -> int:
        """As many as there were."""
        return self.ids

    def rejected_records(self) -> int:
        """None."""
        return 0

    def fingerprint(self) -> str:
        """Always the same."""
        return ""


def test_the_password_of_a_store_is_not_told() -> None:
    """It stands in the store's address."""
    client = CustomerAPIClient("https://x.org", KEY, page_store="redis://:hunter2@127.0.0.1:1/0")
    assert "hunter2" not in f"{client!r} {client.options!r} {vars(client)}"


def test_a_closed_client_holds_no_connection(serve_script: Serve) -> None:
    """Nothing is left for the garbage collector to complain of; it may be used again."""
    server = serve_script()
    for transport in ("requests", "aiohttp"):
        client = CustomerAPIClient(server.url, KEY, transport=transport)
        for _ in range(2):
            assert len(client.fetch_all_customers()) == 12
            client.close()
        client.close()
    gc.collect()


def with_locals(error: BaseException) -> str:
    """A traceback as reporters of errors send it: causes, and every frame's local variables."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize("transport", ["requests", "aiohttp"])
@pytest.mark.parametrize("failure", FAILURES)
def test_no_traceback_with_local_variables_tells(serve_script: Serve, failure: str, transport: str) -> None:
    """Not even where a server says the key and its customers in every way it can."""
    server = serve_script(FAILURES[failure](), lambda page: http(200, body(page, total=7, data=RECORDS)))
    client = CustomerAPIClient(server.url, KEY, transport=transport, retry_waits_s=(0.001,) * 3)
    with client, pytest.raises((CustomerAssetsError, OSError)) as caught:
        client.crawl(FullDisk())
    told = with_locals(caught.value)
    assert "self = " in told, "the local variables are there"
    for secret in (KEY, NAME, "canary1@example.org"):
        assert secret not in told


@pytest.mark.parametrize(
    ("base_url", "options"),
    [
        pytest.param("http://x.org", {}, id="plain http"),
        pytest.param("https://x.org", {"max_concurrency": 0}, id="an option"),
        pytest.param("https://x.org", {"page_store": "mysql://x"}, id="the page store"),
    ],
)
def test_no_mistake_tells_the_key(base_url: str, options: dict[str, Any]) -> None:
    """The frames that were given it show it as a secret: ours, and from there on down."""
    with pytest.raises(CustomerAssetsError) as caught:
        CustomerAPIClient(base_url, KEY, **options)
    told = with_locals(caught.value)
    assert "api_key = <secret>" in told
    assert KEY not in told


@pytest.mark.parametrize("mark", ["\x00", "\r\nHost: evil.example", "\u00fc"])
def test_a_key_that_no_header_can_hold_is_not_told(mark: str) -> None:
    """What is wrong with it is said without it."""
    with pytest.raises(CustomerAssetsError) as caught:
        CustomerAPIClient("https://x.org", f"{KEY}{mark}{KEY}")
    assert KEY not in with_locals(caught.value)


def test_a_part_of_a_secret_is_a_secret() -> None:
    """Reporters cut long texts before they show them."""
    secret = Secret(KEY * 100)
    assert f"{secret!r} {secret[:80]!r} {[secret]} {secret[3]!r}" == "<secret> <secret> [<secret>] <secret>"
    assert secret == KEY * 100


def test_the_key_is_no_part_of_a_crawls_name() -> None:
    """Another key finds the same pages; no store's key tells it."""
    names = {CustomerAPIClient("https://x.org", key)._crawl_name() for key in (KEY, "another")}
    assert len(names) == 1
    assert KEY not in names.pop()


class FullDisk(Null):
    """A sink that cannot take a page."""

    def add(self, page: Any) -> None:
        """Fail with the page at hand."""
        raise OSError(28, "No space left on device", f"page {page.number}")
