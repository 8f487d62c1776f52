"""The project's programs, started as a person types them, with data of the test's own.

`run_program` is for any command. The `*_sync` functions run the main job over customers enough that a test can kill it
midway or run two at once.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from customer_assets_tests.harness.machines.warm_programs import WarmPrograms

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).parents[3]
LIMIT_S = 200
SYNCED_CUSTOMERS = 40_000


def environment(folder: Path, **environ: str) -> dict[str, str]:
    """Return the environment of a first-time user whose data is kept in `folder`, plus what the test sets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTOMER_", "DAGSTER_", "COV_"))}
    own = {
        "CUSTOMER_DATA_DIR": str(folder / "data"),
        "CUSTOMER_SIMULATOR_FAILURE_RATE": "0",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
    }
    return {**kept, **own, **environ}


def run_program(
    folder: Path, *arguments: str, warm_programs: WarmPrograms | None = None, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program of this virtual environment from the project's directory, with its data in `folder`.

    Args:
        folder: Where the data is kept.
        arguments: The program's name and its arguments.
        warm_programs: What runs it in much less time; without, it is a new process.
        environ: Further environment variables.
    """
    command: list[str | Path] = [BIN / arguments[0], *arguments[1:]]
    env = environment(folder, **environ)
    if warm_programs is not None:
        return warm_programs.run(command, cwd=PROJECT, env=env, timeout_s=LIMIT_S)
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.fixture
def sync_environ(tmp_path: Path) -> dict[str, str]:
    """An environment for `start_sync`: data of the test's own, and customers enough to interrupt a step midway."""
    return {
        **os.environ,
        "CUSTOMER_DATA_DIR": str(tmp_path / "data"),
        "CUSTOMER_SIMULATOR_CUSTOMERS": str(SYNCED_CUSTOMERS),
        "CUSTOMER_SIMULATOR_PAGE_SIZE": "500",
        "CUSTOMER_SIMULATOR_FAILURE_RATE": "0",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }


SYNC = (BIN / "dagster", "asset", "materialize", "-m", "customer_assets", "--select", "*")


def start_sync(environ: dict[str, str], seed: int) -> subprocess.Popen[str]:
    """Start the main job. Each seed generates other values, so each gives another export."""
    return subprocess.Popen(
        SYNC,
        env={**environ, "CUSTOMER_GENERATION_SEED": str(seed)},
        cwd=Path(environ["CUSTOMER_DATA_DIR"]).parent,  # a killed Dagster leaves its temporary storage here
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def log_lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield each line that a sync logs, until it ends."""
    assert process.stderr is not None
    yield from process.stderr


def run_sync(environ: dict[str, str], seed: int, warm_programs: WarmPrograms) -> None:
    """Run the main job to its end, which must be a success."""
    finished = warm_programs.run(
        SYNC,
        cwd=Path(environ["CUSTOMER_DATA_DIR"]).parent,
        env={**environ, "CUSTOMER_GENERATION_SEED": str(seed)},
        timeout_s=LIMIT_S,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]


def published_document(data: Path) -> dict[str, Any]:
    """Read the export with a parser that is not ours; drop its timestamp."""
    document = json.loads((data / "export" / "customers.json").read_bytes())
    del document["metadata"]["export_timestamp"]
    return dict(document)
