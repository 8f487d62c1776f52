"""The simulated API on a real socket: uvicorn in a thread of this process. Starts and stops; serves nothing itself."""

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
        base_url: Where it is: `http://127.0.0.1:PORT/api`.
    """

    def __init__(self, settings: SimulatorSettings, port: int = 0) -> None:
        """Start serving on loopback; port 0 takes a free one."""
        import uvicorn  # noqa: PLC0415 - a crawl of a real API needs no server

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
        # The socket listens already: a request sent now waits in its backlog, so there is nothing to wait for.
        self._thread = threading.Thread(target=self._serve, name="simulator", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket:
            self._server.run(sockets=[self._socket])

    def stats(self) -> dict[str, Any]:
        """Tell what was served so far, counts only."""
        return self._application.stats()

    def stop(self, *, wait: bool = True) -> None:
        """Answer what is in flight, then stop.

        Args:
            wait: Return only when the server has stopped; it takes a fifth of a second.
        """
        self._server.should_exit = True
        if wait:
            self._thread.join()


def start_simulator(settings: SimulatorSettings, port: int = 0) -> Simulator:
    """Start a simulator; the caller stops it."""
    return Simulator(settings, port)


@contextmanager
def running_simulator(settings: SimulatorSettings | None = None, *, wait: bool = True) -> Iterator[Simulator]:
    """Run a simulator until the block ends; `wait`: and the server has stopped."""
    simulator = start_simulator(settings or SimulatorSettings())
    try:
        yield simulator
    finally:
        simulator.stop(wait=wait)
