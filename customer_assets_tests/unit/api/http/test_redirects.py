"""Where requests go, and what they carry: one origin, one key, nothing else."""

import queue
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from customer_assets.api.http.base import RawResponse, TransportError, TransportSettings, open_transport
from customer_assets.api.http.environment import CERTIFICATE_VARIABLES
from customer_assets.api.http.redirects import resolve_redirect
from customer_assets.core.errors import MissingDependencyError
from customer_assets.core.metrics import FailureCause
from customer_assets_tests.harness.apis.scripted_server import http
from customer_assets_tests.harness.apis.wire import KEY, LIBRARIES, PAGE, Serve, fetched, page_request, transport_to
from customer_assets_tests.harness.machines.services import need


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@LIBRARIES
def test_a_redirect_within_the_origin_is_followed(serve_script: Serve, library: str, status: int) -> None:
    """With the key."""
    server = serve_script([http(status, Location="/v2/users?page=1"), http(200, PAGE)])
    outcome = fetched(library, server.url)
    assert isinstance(outcome, RawResponse)
    assert outcome.body == PAGE
    assert server.requests[1].startswith("GET /v2/users?page=1 ")
    assert f"x-api-key: {KEY}" in server.requests[1]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/api/users",
        "//127.0.0.1:{port}/api/users",
        "http://localhost:{port}/",
        "http://{own}@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@{own}/",
        "https://{own}/api/users",
        "ftp://{own}/",
        "javascript:alert(1)",
        "http://[",
        "http://127.0.0.1:99999999/",
        "",
    ],
)
@LIBRARIES
def test_a_redirect_elsewhere_is_not_followed(serve_script: Serve, library: str, location: str) -> None:
    """The key stays within its origin; the redirect itself is the answer."""
    elsewhere = serve_script()
    port = elsewhere.url.split(":")[2].split("/")[0]
    locations: list[str] = []
    server = serve_script(otherwise=lambda _page: http(302, Location=locations[0]))
    locations.append(location.format(port=port, own=server.url.split("/")[2]))
    outcome = fetched(library, server.url)
    assert elsewhere.requests == []
    assert len(server.requests) == 1
    assert isinstance(outcome, RawResponse)
    assert outcome.status == 302


@LIBRARIES
def test_redirects_in_a_circle_end(serve_script: Serve, library: str) -> None:
    """After a few."""
    server = serve_script(otherwise=lambda _page: http(302, Location="/api/users?page=1"))
    outcome = fetched(library, server.url)
    assert isinstance(outcome, RawResponse)
    assert outcome.status == 302
    assert len(server.requests) == 4


@LIBRARIES
def test_redirects_do_not_prolong_the_time(serve_script: Serve, library: str) -> None:
    """The limit is for all of them together."""

    def slow(connection: socket.socket) -> None:
        time.sleep(0.3)
        connection.sendall(http(302, Location="/api/users?page=1"))

    outcome = fetched(library, serve_script([slow] * 5).url)
    assert isinstance(outcome, TransportError)
    assert outcome.cause is FailureCause.TIMEOUT


@LIBRARIES
def test_nothing_but_the_settings_is_sent(
    serve_script: Serve, library: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cookie that was set, no `.netrc`; loopback is reached without a proxy."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server = serve_script([http(200, PAGE, Set_Cookie="session=1; Path=/")])
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    transport = transport_to(library, server.url)
    for _ in range(2):
        transport.send(page_request(server.url, 3, page_size=50), arrived.put)
        assert isinstance(arrived.get(timeout=10), RawResponse)
    transport.close()
    for request in server.requests:
        lines = request.split("\r\n")
        assert lines[0] == "GET /api/users?page=3&per_page=50 HTTP/1.1"
        names = {line.split(":")[0].lower() for line in lines[1:] if line}
        assert names == {"host", "x-api-key", "accept", "accept-encoding", "user-agent"} | names & {"connection"}


@LIBRARIES
def test_a_proxy_of_the_environment_is_used(serve_script: Serve, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For any host but loopback."""
    proxy = serve_script([http(200, PAGE)])
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/api"))
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "")
    outcome = fetched(library, "http://customers.invalid/api")
    assert isinstance(outcome, RawResponse)
    assert proxy.requests[0].startswith("GET http://customers.invalid/api/users?page=1 ")


@LIBRARIES
def test_connections_are_kept(library: str) -> None:
    """Ten pages one after the other need one connection; a server that closes it meanwhile costs nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        transport = transport_to(library, url)
        arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(2):
            transport.send(page_request(url), arrived.put)
            connection, _ = listening.accept()
            with connection:
                for turn in range(5):
                    if turn:
                        transport.send(page_request(url), arrived.put)
                    assert connection.recv(65_536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
                    assert isinstance(arrived.get(timeout=10), RawResponse)
            time.sleep(0.05)  # the client's side hears of the end
        transport.close()


@LIBRARIES
def test_a_closed_transport_holds_no_connection(library: str) -> None:
    """Nor does one that was closed while a request was under way, once its answer has come."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        for is_under_way in (False, library == "requests"):  # aiohttp's requests end with it
            transport = transport_to(library, url)
            arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
            transport.send(page_request(url), arrived.put)
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(10)
                assert connection.recv(65_536)
                if is_under_way:
                    transport.close()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
                assert isinstance(arrived.get(timeout=10), RawResponse)
                if not is_under_way:
                    transport.close()
                assert connection.recv(65_536) == b""


@LIBRARIES
def test_a_proxy_is_told_the_whole_address_and_its_own_password(
    serve_script: Serve, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the address looks like; the password goes no further."""
    proxy = serve_script([http(200, PAGE)])
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/api").replace("//", "//me:secret@"))
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "")
    outcome = fetched(library, "http://customers.invalid/api;v=1;")
    assert isinstance(outcome, RawResponse)
    assert proxy.requests[0].startswith("GET http://customers.invalid/api;v=1;/users?page=1 ")
    assert "proxy-authorization: basic " in proxy.requests[0].lower()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for loopback that nobody trusts, and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [need("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-nodes", "-days", "1", "-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@contextmanager
def behind_tls(certificate: Path, answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one request after the other over TLS; yield the base URL, and what is received."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    received: list[bytes] = []

    def work(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    received.append(secured.recv(65_536))
                    secured.sendall(answer)
                    secured.unwrap()
            except OSError:
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=work, args=(listening,), daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/api", received
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.service
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@LIBRARIES
def test_tls_works_with_a_certificate_that_is_trusted(
    library: str, variable: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable names it, for both libraries."""
    for name in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(certificate.with_suffix(".crt")))
    with behind_tls(certificate, http(200, PAGE)) as (url, _):
        outcome = fetched(library, url, timeout_s=5.0)
    assert isinstance(outcome, RawResponse)
    assert outcome.body == PAGE


@pytest.mark.service
@LIBRARIES
def test_a_certificate_that_nobody_trusts_gets_no_key(library: str, certificate: Path) -> None:
    """The connection ends before anything is sent."""
    with behind_tls(certificate, http(200, PAGE)) as (url, received):
        outcome = fetched(library, url, timeout_s=5.0)
    assert isinstance(outcome, TransportError)
    assert outcome.cause is FailureCause.CONNECTION
    assert received == []
    assert outcome.diagnosis is not None
    assert "is not trusted: self" in outcome.diagnosis.problem
    assert outcome.diagnosis.is_certain


@pytest.mark.service
@LIBRARIES
def test_no_redirect_leads_from_https_to_http(
    serve_script: Serve, library: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even on the same host."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_suffix(".crt")))
    plain = serve_script()
    with behind_tls(certificate, http(302, Location=plain.url + "/users?page=1")) as (url, _):
        outcome = fetched(library, url, timeout_s=5.0)
    assert isinstance(outcome, RawResponse)
    assert (outcome.status, plain.requests) == (302, [])


@pytest.mark.parametrize(
    ("url", "location", "followed"),
    [
        ("https://api.example/v1/users?page=1", "http://api.example/v1/users/?page=1", True),
        ("https://api.example/v1/users?page=1", "http://api.example:80/v1/users/?page=1", True),
        ("https://api.example:8443/v1/users?page=1", "http://api.example:8443/v1/users/?page=1", True),
        ("https://api.example:443/v1/users?page=1", "HTTP://API.example/v1/users/?page=1", True),
        ("https://api.example/v1/users?page=1", "http://api.example:8080/v1/users/?page=1", False),
        ("https://api.example/v1/users?page=1", "http://api.example:443/v1/users/?page=1", False),
        ("https://api.example/v1/users?page=1", "http://www.api.example/v1/users/?page=1", False),
        ("https://api.example/v1/users?page=1", "http://me@api.example/v1/users/?page=1", False),
        ("http://127.0.0.1/v1/users?page=1", "https://127.0.0.1/v1/users/?page=1", False),
    ],
)
def test_a_server_that_does_not_know_of_its_tls_proxy_is_followed_on_https(
    url: str, location: str, *, followed: bool
) -> None:
    """The key never leaves the origin, whatever the server calls it."""
    found = resolve_redirect(url, 301, location)
    assert found == (url.replace("/users", "/users/") if followed else None)


def test_a_missing_library_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is optional."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "customer_assets.api.http.aiohttp", raising=False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'customer_assets\[async\]'"):
        open_transport("aiohttp", TransportSettings("https://x.org"))


def test_a_request_does_not_show_its_key() -> None:
    """In no traceback."""
    assert KEY not in repr(page_request("https://x.org"))
