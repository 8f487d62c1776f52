"""Runs the simulated API on a real socket: uvicorn in a thread of this process.

Starting and stopping only; what is served belongs in `application.py`.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from customer_assets.simulator.application import CustomerAPI
from customer_assets.simulator.settings import SimulatorSettings

LOOPBACK = "127.0.0.1"
BACKLOG = 2048


class Simulator:
    """A running simulator.

    Attributes:
        base_url: `http://127.0.0.1:PORT/api`.
    """

    def __init__(self, settings: SimulatorSettings, port: int = 0) -> None:
        """Start serving on loopback; port 0 picks a free port."""
        import uvicorn  # noqa: PLC0415 - crawling a real API needs no server

        self._application = CustomerAPI(settings)
        self._socket = socket.create_server((LOOPBACK, port), backlog=BACKLOG)
        self.base_url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}/api"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._application,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        # The socket already listens: a request sent before uvicorn is up waits in its backlog.
        self._thread = threading.Thread(target=self._serve, name="simulator", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket:
            self._server.run(sockets=[self._socket])

    def stats(self) -> dict[str, Any]:
        """Return what was served so far, as counts."""
        return self._application.stats()

    def stop(self, *, wait: bool = True) -> None:
        """Answer the requests in flight, then stop.

        Args:
            wait: Return only once the server has stopped, which takes a fifth of a second.
        """
        self._server.should_exit = True
        if wait:
            self._thread.join()


def start_simulator(settings: SimulatorSettings, port: int = 0) -> Simulator:
    """Start a simulator; the caller must stop it."""
    return Simulator(settings, port)


@contextmanager
def running_simulator(settings: SimulatorSettings | None = None, *, wait: bool = True) -> Iterator[Simulator]:
    """Run a simulator while the block runs; with `wait`, return only once its server has stopped."""
    simulator = start_simulator(settings or SimulatorSettings())
    try:
        yield simulator
    finally:
        simulator.stop(wait=wait)
