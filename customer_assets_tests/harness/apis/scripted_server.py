"""A server that answers by script, and a clock that nobody waits for."""

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import isinf
from typing import Any

import pytest

from customer_assets.api.runner.clock import Clock

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


Step = bytes | Callable[[socket.socket], None]


class FakeClock(Clock):
    """Time that passes only when somebody waits for it; answers already under way are waited for in earnest."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits: list[float] = []

    def monotonic_s(self) -> float:
        """Seconds so far."""
        return self.now_s

    def epoch_s(self) -> float:
        """Seconds since 1970."""
        return EPOCH.timestamp() + self.now_s

    def utc(self) -> datetime:
        """The present instant."""
        return EPOCH + timedelta(seconds=self.now_s)

    def take(self, answers: "queue.SimpleQueue[Any]", wait_s: float) -> Any | None:
        """Wait for an answer if only that helps, else let the time pass at once."""
        if isinf(wait_s):
            return answers.get(timeout=10)
        try:
            return answers.get(timeout=0.05)
        except queue.Empty:
            self.waits.append(round(wait_s, 6))
            self.now_s += wait_s
            return None


def body(page: int, total: int = 12, per_page: int = 6, **fields: Any) -> dict[str, Any]:
    """Make a page's answer."""
    ids = range((page - 1) * per_page + 1, min(page * per_page, total) + 1)
    return {
        "page": page,
        "per_page": per_page,
        "total": total,
        "total_pages": -(-total // per_page),
        "data": [{"id": number, "email": f"a{number}@x.org"} for number in ids],
        **fields,
    }


def http_json(content: Any) -> bytes:
    """Write JSON."""
    return json.dumps(content).encode()


def http(status: int, content: Any = b"", **headers: str) -> bytes:
    """Make a whole HTTP answer."""
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(payload)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


class ScriptedServer:
    """Answers each request with the next bytes of its script, then with what it makes of the page asked for.

    Attributes:
        url: Its base URL.
        requests: What was received: whole request heads.
    """

    def __init__(
        self, script: list[bytes | Callable[[socket.socket], None]], otherwise: Callable[[int], bytes]
    ) -> None:
        self._script, self._otherwise = list(script), otherwise
        self.requests: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/api"
        self._lock = threading.Lock()
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    @property
    def pages(self) -> list[int]:
        """The pages asked for, in order."""
        return [int(head.split("page=", 1)[1].split("&")[0].split()[0]) for head in self.requests]

    def close(self) -> None:
        """Stop listening, for sure: a thread left in `accept` may take the next server's connections by its number."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65_536)
                if not received:
                    return
                head += received
            with self._lock:
                self.requests.append(head.decode("latin-1"))
                step = self._script.pop(0) if self._script else self._otherwise(self.pages[-1])
            try:
                if callable(step):
                    step(connection)
                else:
                    connection.sendall(step)
            except OSError:
                return


@pytest.fixture
def serve_script() -> Iterator[Callable[..., ScriptedServer]]:
    """Serve a script on loopback until the test ends."""
    servers: list[ScriptedServer] = []

    def start(
        script: list[Step] | None = None,
        otherwise: Callable[[int], bytes] = lambda page: http(200, body(page)),
    ) -> ScriptedServer:
        servers.append(ScriptedServer(script or [], otherwise))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
