"""What tests of page stores need: a page, a clock that the test moves, and a real Redis."""

import subprocess
from collections.abc import Iterator

import pytest

from customer_assets.core.models import Page
from customer_assets_tests.harness.machines.services import free_port, need, wait_for_port

NOW_S = 1_800_000_000.0


def page(number: int, data: bytes = b'[{"id": 1}]') -> Page:
    """Make a page of one record."""
    return Page(number, per_page=1, total=9, total_pages=9, record_count=1, data=data)


class ManualClock:
    """Seconds since 1970 that move only when a test moves them."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        """Return them."""
        return self.now_s


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real Redis that keeps nothing on disk."""
    port = free_port()
    command = [need("redis-server", "redis-server"), "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for_port(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
