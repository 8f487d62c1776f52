"""What comes over real sockets, from servers that mean harm or are merely broken: an answer or an error, in time."""

import gzip
import queue
import socket
import time
import tracemalloc
import zlib
from typing import Any

import pytest

from customer_assets.api.http.base import RawResponse, TransportError
from customer_assets.core.metrics import FailureCause
from customer_assets_tests.harness.apis.scripted_server import Step, http
from customer_assets_tests.harness.apis.wire import (
    KEY,
    LIBRARIES,
    LIMIT_BYTES,
    PAGE,
    TIMEOUT_S,
    Serve,
    chunked,
    dripping,
    endless,
    fetched,
    half_closed_after,
    packed,
    page_request,
    reset_after,
    silent,
    transport_to,
)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(200, PAGE), id="plain"),
        pytest.param(packed(gzip.compress(PAGE)), id="gzip"),
        pytest.param(packed(gzip.compress(PAGE), "X-GZIP"), id="x-gzip"),
        pytest.param(packed(zlib.compress(PAGE), "deflate"), id="deflate"),
        pytest.param(packed(gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:])), id="gzip in two members"),
        pytest.param(packed(PAGE, "identity"), id="identity"),
        pytest.param(chunked(PAGE[:5], PAGE[5:]), id="chunked"),
        pytest.param(chunked(PAGE, end=b"0\r\nX-Trailer: 1\r\n\r\n"), id="chunked with a trailer"),
        pytest.param(chunked(*(bytes([byte]) for byte in PAGE)), id="a byte a chunk"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE, id="HTTP/1.0, ended by closing"),
        pytest.param(half_closed_after(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE), id="half closed"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, PAGE), id="100 first"),
        pytest.param(b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + http(200, PAGE), id="102 first, three times"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http(200, PAGE), id="103 first"),
        pytest.param(packed(gzip.compress(PAGE) + b"more"), id="bytes behind the gzip"),
        pytest.param(packed(zlib.compress(PAGE)[2:-4], "deflate"), id="deflate without its head"),
        pytest.param(packed(PAGE, "UTF-8"), id="a character set in place of a coding"),
        pytest.param(packed(PAGE, "none"), id="none in place of a coding"),
        pytest.param(packed(PAGE), id="gzip in name only"),
        pytest.param(http(200, gzip.compress(PAGE)), id="gzip without a label"),
        pytest.param(http(201, PAGE), id="201"),
    ],
)
@LIBRARIES
def test_an_answer_comes_whole(serve_script: Serve, library: str, answer: Step) -> None:
    """However it was sent."""
    outcome = fetched(library, serve_script([answer]).url)
    assert isinstance(outcome, RawResponse)
    assert (outcome.status // 100, outcome.body) == (2, PAGE)
    assert 0 < outcome.latency_s < TIMEOUT_S


@LIBRARIES
@pytest.mark.smoke
def test_header_lines_of_one_name_are_one_header(serve_script: Serve, library: str) -> None:
    """Limits may be told a line each."""
    answer = http(200, PAGE).replace(
        b"\r\n", b'\r\nRateLimit: "minute";r=0;t=50\r\nratelimit: "day";r=9000;t=40000\r\n', 1
    )
    outcome = fetched(library, serve_script([answer]).url)
    assert isinstance(outcome, RawResponse)
    assert outcome.headers["ratelimit"] == '"minute";r=0;t=50, "day";r=9000;t=40000'


@LIBRARIES
def test_of_two_answers_the_second_is_nobodys(serve_script: Serve, library: str) -> None:
    """An answer that was not asked for is never taken for that to the next request."""
    twice = http(200, PAGE) + http(200, b"not asked for")
    server = serve_script([twice.replace(b"Connection: close", b"Connection: keep-alive"), http(200, PAGE)])
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    transport = transport_to(library, server.url)
    for _ in range(2):
        transport.send(page_request(server.url), arrived.put)
        outcome = arrived.get(timeout=10)
        assert isinstance(outcome, TransportError) or outcome.body == PAGE
    transport.close()


def kept_open(head: bytes, status: bytes = b"200 OK") -> Step:
    """Send a head, and a body that nothing ends."""

    def send(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 " + status + b"\r\n" + head + b"\r\n\r\n" + PAGE)
        silent(connection)

    return send


GZIPPED = gzip.compress(PAGE)
BOMB = gzip.compress(bytes(100_000_000), 1)  # at the quickest level
MANY_EMPTY = gzip.compress(b"") * 1_000


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(silent, FailureCause.TIMEOUT, id="silence"),
        pytest.param(dripping(http(200, PAGE)), FailureCause.TIMEOUT, id="a head that drips"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n\r\n" + PAGE), FailureCause.TIMEOUT, id="a body that drips"),
        pytest.param(
            dripping(chunked(*(bytes([b]) for b in PAGE)), 0.005), FailureCause.TIMEOUT, id="chunks that drip"
        ),
        pytest.param(b"", FailureCause.CONNECTION, id="closed at once"),
        pytest.param(reset_after(b""), FailureCause.CONNECTION, id="reset at once"),
        pytest.param(reset_after(b"HTTP/1.1 200 OK\r\nContent-"), FailureCause.CONNECTION, id="reset in the head"),
        pytest.param(reset_after(http(200, PAGE)[:-9]), FailureCause.CONNECTION, id="reset in the body"),
        pytest.param(http(200, PAGE)[:-1], FailureCause.CONNECTION, id="a byte short"),
        pytest.param(half_closed_after(http(200, PAGE)[:-1]), FailureCause.CONNECTION, id="half closed, a byte short"),
        pytest.param(chunked(PAGE, end=b""), FailureCause.CONNECTION, id="no last chunk"),
        pytest.param(chunked(PAGE, end=b"zz\r\n"), FailureCause.CONNECTION, id="a chunk of no size"),
        pytest.param(chunked(end=b"-1\r\n"), FailureCause.CONNECTION, id="a chunk of negative size"),
        pytest.param(kept_open(b"Content-Length: 9, 9"), FailureCause.CONNECTION, id="a list of lengths"),
        pytest.param(kept_open(b"Content-Length: 9.0"), FailureCause.CONNECTION, id="a length of 9.0"),
        pytest.param(kept_open(b"Content-Length:"), FailureCause.CONNECTION, id="a length of nothing"),
        pytest.param(kept_open(b"nonsense\r\nContent-Length: 9"), FailureCause.CONNECTION, id="a line without a colon"),
        pytest.param(kept_open(b"X : 1\r\nContent-Length: 9"), FailureCause.CONNECTION, id="a blank before the colon"),
        pytest.param(b"nonsense\r\n\r\n", FailureCause.CONNECTION, id="not HTTP"),
        pytest.param(b"HTTP/1.1 two hundred\r\n\r\n", FailureCause.CONNECTION, id="a status in words"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01", FailureCause.CONNECTION, id="TLS instead"),
        pytest.param(http(200, PAGE, X="x" * 100_000), FailureCause.CONNECTION, id="a header of 100 kB"),
        pytest.param(
            http(200, PAGE, **{f"X{n}": "1" for n in range(50_000)}), FailureCause.CONNECTION, id="50,000 headers"
        ),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"), FailureCause.CONNECTION, id="headers without end"
        ),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096), FailureCause.CONNECTION, id="a header without end"
        ),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536), FailureCause.BAD_BODY, id="a body without end"
        ),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
            FailureCause.BAD_BODY,
            id="chunks without end",
        ),
        pytest.param(http(200, bytes(LIMIT_BYTES + 1)), FailureCause.BAD_BODY, id="a byte too many"),
        pytest.param(
            packed(gzip.compress(bytes(LIMIT_BYTES + 1))), FailureCause.BAD_BODY, id="a byte too many, unpacked"
        ),
        pytest.param(packed(BOMB), FailureCause.BAD_BODY, id="a bomb"),
        pytest.param(packed(gzip.compress(BOMB, 1), "gzip, gzip"), FailureCause.BAD_BODY, id="a bomb in a bomb"),
        pytest.param(packed(GZIPPED[:-9]), FailureCause.BAD_BODY, id="gzip without its end"),
        pytest.param(packed(GZIPPED[:-4] + b"1234"), FailureCause.BAD_BODY, id="gzip of another size"),
        pytest.param(packed(MANY_EMPTY), FailureCause.BAD_BODY, id="a thousand empty gzips"),
        pytest.param(packed(GZIPPED[:2] + PAGE), FailureCause.BAD_BODY, id="no gzip"),
        pytest.param(packed(PAGE, "br"), FailureCause.BAD_BODY, id="a coding nobody asked for"),
    ],
)
@LIBRARIES
def test_what_is_no_answer_is_an_error_in_time(
    serve_script: Serve, library: str, answer: Step, cause: FailureCause
) -> None:
    """Of a kind that says what to do; soon after the time limit at the latest."""
    server = serve_script([answer])
    started_s = time.monotonic()
    outcome = fetched(library, server.url)
    assert isinstance(outcome, TransportError), outcome
    assert outcome.cause is cause
    assert time.monotonic() - started_s < TIMEOUT_S + 1.5
    assert len(server.requests) == 1, "the crawl alone decides what is sent again"
    assert KEY not in f"{outcome} {outcome!r} {outcome.detail}"


@pytest.mark.parametrize(
    ("packed_as", "content"),
    [("gzip", BOMB), ("gzip", gzip.compress(bytes(10_000_000), 1) * 10), ("identity", bytes(20_000_000))],
    ids=["a bomb", "a bomb in members", "a large body"],
)
@LIBRARIES
def test_a_bomb_costs_no_more_memory_than_the_limit(
    serve_script: Serve, library: str, packed_as: str, content: bytes
) -> None:
    """A few times the limit at most."""
    server = serve_script([packed(content, packed_as)] * 2)
    fetched(library, server.url)  # imports and caches are not the body's
    tracemalloc.start()
    fetched(library, server.url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * LIMIT_BYTES + 2_000_000


@pytest.mark.parametrize("status", [429, 500, 503, 404])
@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"Content-Length: 99\r\n\r\ncut off", id="cut off"),
        pytest.param(b"Content-Encoding: gzip\r\n\r\nno gzip", id="no gzip"),
        pytest.param(b"Content-Encoding: br\r\n\r\n\x00\x01", id="an unknown coding"),
        pytest.param(b"\r\n" + b"x" * 3_000_000, id="too large"),
    ],
)
@LIBRARIES
def test_a_status_stands_whatever_its_body(serve_script: Serve, library: str, status: int, rest: bytes) -> None:
    """A 429 is a 429, and its `Retry-After` counts."""
    answer = b"HTTP/1.1 %d X\r\nRetry-After: 7\r\nConnection: close\r\n" % status + rest
    outcome = fetched(library, serve_script([answer]).url)
    assert isinstance(outcome, RawResponse)
    assert (outcome.status, outcome.headers["retry-after"]) == (status, "7")


def test_the_body_of_an_error_is_not_waited_for_if_nothing_ends_it(serve_script: Serve) -> None:
    """With requests; aiohttp refuses the head."""
    outcome = fetched("requests", serve_script([kept_open(b"Retry-After: 7\r\nContent-Length: 9, 9", b"429 X")]).url)
    assert isinstance(outcome, RawResponse)
    assert (outcome.status, outcome.headers["retry-after"]) == (429, "7")
    assert outcome.latency_s < TIMEOUT_S


@pytest.mark.parametrize(
    "more", [b"Content-Length: %d\r\n" % len(PAGE), b"content-length: 0%d\r\n" % len(PAGE)], ids=["the same", "a zero"]
)
def test_a_length_that_is_stated_twice(serve_script: Serve, more: bytes) -> None:
    """RFC 9112, 6.3 lets a client accept it. Requests does; aiohttp does not, and its error says who does."""
    answer = http(200, PAGE).replace(b"\r\n", b"\r\n" + more, 1)
    outcome = fetched("requests", serve_script([answer]).url)
    assert isinstance(outcome, RawResponse)
    assert outcome.body == PAGE
    refused = fetched("aiohttp", serve_script([answer]).url)
    assert isinstance(refused, TransportError)
    assert "transport: requests is more lenient" in refused.detail


@LIBRARIES
def test_a_refused_connection_is_an_error(library: str) -> None:
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as build_notifier:
        port = build_notifier.getsockname()[1]
    outcome = fetched(library, f"http://127.0.0.1:{port}")
    assert isinstance(outcome, TransportError)
    assert outcome.cause is FailureCause.CONNECTION


@LIBRARIES
def test_a_host_without_address_is_an_error(library: str) -> None:
    """`.invalid` has none, by RFC 2606."""
    outcome = fetched(library, "https://customers.invalid", timeout_s=5.0)
    assert isinstance(outcome, TransportError)
    assert outcome.cause in (FailureCause.CONNECTION, FailureCause.TIMEOUT)
