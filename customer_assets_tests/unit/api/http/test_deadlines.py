"""The time that a request can take covers the lookup of its host's name."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from customer_assets.api.http.base import RawResponse, TransportError
from customer_assets.api.http.deadlines import look_up
from customer_assets.core.metrics import FailureCause
from customer_assets_tests.harness.apis.wire import LIBRARIES, Serve, fetched

SLOW, TWO_ADDRESSES = "slow.invalid", "two.invalid"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A resolver that does not answer for one name, and has a dead address first for another."""
    whole, ended = socket.getaddrinfo, threading.Event()

    def resolve(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host == SLOW:
            ended.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "the resolver is down")
        if host == TWO_ADDRESSES:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("127.0.0.1", 1)), (*kind, ("127.0.0.1", int(port)))]
        return whole(host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield
    ended.set()


@pytest.mark.usefixtures("resolver")
@LIBRARIES
def test_a_name_that_is_not_resolved_ends_in_time(library: str) -> None:
    """As a timeout, like every request that takes too long."""
    started_s = time.monotonic()
    outcome = fetched(library, f"http://{SLOW}/api", timeout_s=0.3)
    assert isinstance(outcome, TransportError)
    assert outcome.cause is FailureCause.TIMEOUT
    assert time.monotonic() - started_s < 5.0


@pytest.mark.usefixtures("resolver")
def test_every_address_of_a_name_is_tried(serve_script: Serve) -> None:
    """The first one is dead."""
    server = serve_script()
    outcome = fetched("requests", server.url.replace("127.0.0.1", TWO_ADDRESSES))
    assert isinstance(outcome, RawResponse)
    assert outcome.status == 200


def test_a_name_without_an_address_is_the_resolvers_own_error() -> None:
    """Whoever connects reports it as before."""
    with pytest.raises(socket.gaierror):
        look_up("customers.invalid", 443, 5.0)
