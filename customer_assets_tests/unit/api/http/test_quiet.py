"""What libraries log of a malformed head, sent over a real socket: that it was malformed, and nothing that it says."""

import logging
import queue
from typing import Any

import pytest
import urllib3

from customer_assets.api.http.base import HttpRequest, TransportSettings, open_transport
from customer_assets_tests.harness.apis.wire import LIBRARIES, Serve

CANARY = "canary-person@example.org"

HEADS = {
    "a line that is no header": f"HTTP/1.1 200 OK\r\nX-A: 1\r\n{CANARY}\r\nContent-Length: 2\r\n\r\n{{}}",
    "a first line that is no header": f"HTTP/1.1 200 OK\r\n{CANARY}\r\nContent-Length: 2\r\n\r\n{{}}",
    "a header with a blank in its name": f"HTTP/1.1 200 OK\r\nX {CANARY}: 1\r\nContent-Length: 2\r\n\r\n{{}}",
    "a first header that continues another": f"HTTP/1.1 200 OK\r\n {CANARY}\r\nContent-Length: 2\r\n\r\n{{}}",
    "a body in parts without a boundary": f"HTTP/1.1 200 OK\r\nContent-Type: multipart/x; y={CANARY}\r\n\r\n{{}}",
    "a status line that is none": f"{CANARY}\r\n\r\n",
    "a status that is none": f"HTTP/1.1 {CANARY} OK\r\nContent-Length: 2\r\n\r\n{{}}",
    "a length that is none": f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n{{}}",
    "two lengths": f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: {CANARY}\r\n\r\n{{}}",
    "a length and chunks": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{CANARY}\r\n",
    "a chunk that is none": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n{{}}\r\n0\r\n\r\n",
    "a trailer that is none": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{CANARY}\r\n\r\n",
    "a zero byte": f"HTTP/1.1 200 OK\r\nX: \0{CANARY}\r\nContent-Length: 2\r\n\r\n{{}}",
    "a redirect to nowhere": f"HTTP/1.1 302 Found\r\nLocation: http://[{CANARY}/\r\nContent-Length: 2\r\n\r\n{{}}",
    "a cookie that is none": f'HTTP/1.1 200 OK\r\nSet-Cookie: {CANARY}="\x01; expires={CANARY}\r\n\r\n{{}}',
    "more than was asked for": f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}{CANARY} HTTP/1.1\r\n\r\n",
}


def send(transport: str, url: str) -> Any:
    """Send one request; return the response or the error."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    opened = open_transport(transport, TransportSettings(url, timeout_s=5.0))
    opened.send(HttpRequest(url, {"Connection": "close"}), answers.put)
    answer = answers.get(timeout=20)
    opened.close()
    return answer


@LIBRARIES
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_no_library_quotes_a_head(
    serve_script: Serve, caplog: pytest.LogCaptureFixture, library: str, head: str
) -> None:
    """At no level, and neither in the message, its arguments nor its traceback; nor is the address quoted."""
    server = serve_script([head.encode("latin-1")])
    with caplog.at_level(logging.DEBUG):
        answer = send(library, f"{server.url}?email={CANARY}")
    assert CANARY not in str(answer)
    assert CANARY not in caplog.text
    assert [record for record in caplog.records if CANARY in repr(vars(record))] == []


def test_that_something_is_wrong_is_still_logged(serve_script: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks for the cause of a strange answer finds that its head was malformed."""
    server = serve_script([HEADS["a first header that continues another"].encode()])
    send("requests", server.url)
    (warning,) = [record.getMessage() for record in caplog.records if record.name == "urllib3.connection"]
    assert warning.startswith("Failed to parse headers; what it is about is withheld")


def test_other_programs_log_as_they_did(serve_script: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A request in the same process that is not ours is logged in full."""
    server = serve_script([HEADS["a line that is no header"].encode()])
    with caplog.at_level(logging.DEBUG), urllib3.PoolManager(retries=False) as pool:
        pool.request("GET", server.url)
    assert f"(url={server.url})" in caplog.text
    assert CANARY in caplog.text
    assert '"GET /api HTTP/1.1" 200' in caplog.text
