"""A real pseudo-terminal, with Dagster started on it the way a person would."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from customer_assets.defs.operations.terminal import open_terminal
from customer_assets_tests.harness.machines.command_line import BIN, PROJECT, environment

pytestmark = pytest.mark.timeout(240)


def test_only_a_terminal_is_opened() -> None:
    """Not a file, a pipe or a closed stream."""
    assert open_terminal(io.StringIO()) is None
    closed = io.StringIO()
    closed.close()
    assert open_terminal(closed) is None
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        assert open_terminal(nowhere) is None


@pytest.mark.service
@pytest.mark.skipif(sys.platform != "linux", reason="reads a pseudo-terminal as Linux has it")
def test_dagster_draws_a_bar_on_a_terminal_and_ends_with_a_summary(tmp_path: Path) -> None:
    """Although Dagster redirects standard error to a file during the run."""
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
    """Read a pseudo-terminal until its last writer is gone, which Linux reports as an error."""
    parts = []
    try:
        while part := os.read(controller, 65536):
            parts.append(part)
    except OSError:
        pass
    finally:
        os.close(controller)
    return b"".join(parts).decode("utf-8", "replace")
