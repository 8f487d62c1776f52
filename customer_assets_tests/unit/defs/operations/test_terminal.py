"""The terminal, real: a pseudo-terminal, and Dagster as a person starts it on one."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from customer_assets.defs.operations.terminal import terminal_of
from customer_assets_tests.harness.command_line import BIN, PROJECT, environment

pytestmark = pytest.mark.timeout(240)


def test_only_a_terminal_is_kept() -> None:
    """No file, no pipe, nothing that is closed."""
    assert terminal_of(io.StringIO()) is None
    closed = io.StringIO()
    closed.close()
    assert terminal_of(closed) is None
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        assert terminal_of(nowhere) is None


@pytest.mark.service
@pytest.mark.skipif(sys.platform != "linux", reason="reads a pseudo-terminal as Linux has it")
def test_dagster_draws_a_bar_on_a_terminal_and_closes_with_a_summary(tmp_path: Path) -> None:
    """A crawl of some seconds, though Dagster turns standard error into a file meanwhile."""
    controller, terminal = pty.openpty()
    settings = {"CUSTOMER_SIMULATOR_CUSTOMERS": "900", "CUSTOMER_API_REQUESTS_PER_SECOND": "40"}
    with subprocess.Popen(
        [BIN / "dagster", "asset", "materialize", "-m", "customer_assets", "--select", "raw_customers"],
        cwd=PROJECT,
        env=environment(tmp_path, **settings),
        stdout=terminal,
        stderr=terminal,
        stdin=subprocess.DEVNULL,
    ) as dagster:
        os.close(terminal)
        seen = read_all(controller)
    assert dagster.returncode == 0, seen[-2000:]
    assert " of 150 pages, " in seen
    assert "[###" in seen
    assert "Done in " in seen
    assert "  fetched   900 records on 150 pages" in seen


def read_all(controller: int) -> str:
    """Read a pseudo-terminal until its last writer is gone, which Linux tells by an error."""
    parts = []
    try:
        while part := os.read(controller, 65536):
            parts.append(part)
    except OSError:
        pass
    finally:
        os.close(controller)
    return b"".join(parts).decode("utf-8", "replace")
