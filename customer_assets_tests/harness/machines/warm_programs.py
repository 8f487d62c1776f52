"""Runs the project's programs in forks of a process that has imported Dagster and other libraries already.

Each fork saves the second or two of processor time that a new process spends on imports. It has everything else that a
new process has: its own arguments, environment, directory, streams and end. Our own package is not imported ahead: it
reads the environment when it is imported. Not for programs that start processes themselves, nor for `PYTHON…`
variables, which the interpreter reads as it starts: `command_line.run_program` starts a new process for those.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest

IMPORTED = (
    "alembic.command",
    "dagster",
    "dagster._cli",
    "dagster._core.storage.runs.sqlite",
    "dagster._core.storage.event_log.sqlite",
    "dagster.components",
    "dagster_dg_cli.cli",
    "duckdb",
    "fsspec",
    "jinja2",
    "msgspec",
    "narwhals",
    "pandas",  # pyarrow imports it where it is installed
    "pyarrow.compute",
    "pyarrow.parquet",
    "requests",
    "rich.console",
    "sqlalchemy.dialects.sqlite",
    "structlog",
    "upath",
    "uvicorn",
    "yaml",
)
"""What the programs import."""

WITHOUT_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Keeps these libraries from starting threads, which a fork would lack."""


class WarmPrograms:
    """Runs one program at a time. The process that is forked starts with the first of them."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def run(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], timeout_s: float
    ) -> "subprocess.CompletedProcess[str]":
        """Run a Python script, or `python -c` and its text, to its end.

        Raises:
            subprocess.TimeoutExpired: It took longer than `timeout_s`, and was killed.
        """
        server = self._server = self._server or start_server()
        assert server.stdin is not None
        assert server.stdout is not None
        arguments = [str(each) for each in command]
        with tempfile.TemporaryDirectory() as folder:
            streams = {name: str(Path(folder, name)) for name in ("stdout", "stderr")}
            job = {"arguments": arguments, "cwd": str(cwd), "env": dict(env), **streams}
            print(json.dumps(job), file=server.stdin, flush=True)
            process = int(server.stdout.readline())
            is_late = not select.select([server.stdout], [], [], timeout_s)[0]
            if is_late:
                os.kill(process, signal.SIGKILL)
            status = int(server.stdout.readline())
            if is_late:
                raise subprocess.TimeoutExpired(arguments, timeout_s)
            out, err = (Path(path).read_text(encoding="utf-8") for path in streams.values())
        return subprocess.CompletedProcess(arguments, status, out, err)

    def close(self) -> None:
        """End the process, if it was started: it ends with its input."""
        if self._server is not None:
            self._server.communicate()


def start_server() -> "subprocess.Popen[str]":
    """Start the process that is forked."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=Path(__file__).parents[3],
        env={**os.environ, **WITHOUT_THREADS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def warm_programs() -> Iterator[WarmPrograms]:
    """Forks that run a module's programs."""
    programs = WarmPrograms()
    yield programs
    programs.close()


# --- in the other process -----------------------------------------------------------------------------


def wait_for_job(jobs: IO[str], replies: IO[str]) -> dict[str, Any]:
    """Fork for each job, and report each fork's process and exit code. Returns in a fork only: the job it is to do."""
    for line in jobs:
        process = os.fork()
        if process == 0:
            return dict(json.loads(line))
        print(process, file=replies, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), file=replies, flush=True)
    sys.exit()


def redirect(descriptor: int, path: str, flags: int) -> None:
    """Open a file in the place of an open stream."""
    opened = os.open(path, flags)
    os.dup2(opened, descriptor)
    os.close(opened)


def main() -> None:
    """Import the libraries, then fork at each request. A fork ends as any program does."""
    for name in IMPORTED:
        with suppress(ImportError):
            importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"{threads - 1} of them would be missing in a fork: see WITHOUT_THREADS"
    gc.freeze()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        job = wait_for_job(sys.stdin, replies)
    redirect(0, os.devnull, os.O_RDONLY)
    redirect(1, job["stdout"], os.O_WRONLY | os.O_CREAT)
    redirect(2, job["stderr"], os.O_WRONLY | os.O_CREAT)
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["cwd"])
    program, *arguments = job["arguments"]
    if Path(program).name == "python":
        _, text, *arguments = arguments
        sys.argv, sys.path[0] = ["-c", *arguments], ""
        exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - that is what -c asks for
    else:
        sys.argv, sys.path[0] = [program, *arguments], str(Path(program).parent)
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
