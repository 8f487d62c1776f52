"""Starts what a test needs on this machine: a port, a small HTTP server, PostgreSQL. Skips where a program is missing.

Everything listens on loopback only and ends with the test that started it.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import pytest

PG_USER, PG_PASSWORD, PG_DATABASE = "postgres", "a word only tests know", "postgres"
"""How to reach a test's PostgreSQL; the database is the one that every new PostgreSQL has."""


def need(program: str, package: str) -> str:
    """Return a program's path. If it is missing, skip and say how to install it; where `CI` is set, fail."""
    path = shutil.which(program)
    if path is None:
        skip_or_fail(f"{program} is not installed: apt-get install {package}")
    return path


def need_module(name: str, command: str) -> None:
    """Check for an optional package. If it is missing, skip and say how to install it; where `CI` is set, fail."""
    if importlib.util.find_spec(name) is None:
        skip_or_fail(f"{name} is not installed: {command}")


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test on a user's machine; fail it where `CI` is set, so that no promise goes unchecked there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port of loopback on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def respond(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """Send a complete response."""
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on loopback until the block ends; yield the address. Requests are not logged."""
    # A body that is sent behind its head would wait 40 ms for the client's acknowledgement of that.
    members = {"log_message": lambda *_: None, "disable_nagle_algorithm": True}
    quiet = type("Quiet", (handler,), members)
    with ThreadingHTTPServer(("127.0.0.1", 0), quiet) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def wait_for_port(port: int, program: subprocess.Popen[bytes], timeout_s: float = 20.0) -> None:
    """Wait until the program listens on the port."""
    wait_until(lambda: _listens(port, program), timeout_s, f"{program.args!r} does not listen on port {port}")


def wait_until(condition: Callable[[], bool], timeout_s: float, otherwise: str, *, every_s: float = 0.05) -> None:
    """Wait until a condition holds."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(otherwise)
        time.sleep(every_s)


def _listens(port: int, program: subprocess.Popen[bytes]) -> bool:
    if program.poll() is not None:
        raise RuntimeError(f"{program.args!r} ended with {program.returncode}")
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def running_postgres() -> Iterator[int]:
    """Run a new PostgreSQL and yield its port. It refuses to run as root, so root starts it as Debian's `postgres`."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        skip_or_fail("PostgreSQL is not installed: apt-get install postgresql")
    owner: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        data, password, port = Path(folder, "data"), Path(folder, "password"), free_port()
        password.write_text(PG_PASSWORD, encoding="utf-8")
        if owner:
            for path in (folder, password):
                shutil.chown(path, "postgres", "postgres")
        # -N and -F skip flushing to disk: nothing here outlives the test.
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            PG_USER,
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "-N",
        ]
        subprocess.run(initdb, cwd=folder, check=True, capture_output=True, **owner)
        command: list[str | Path] = [
            programs / "postgres",
            "-D",
            data,
            "-p",
            str(port),
            "-h",
            "127.0.0.1",
            "-k",
            folder,
            "-F",
        ]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, **owner) as server:
            try:
                wait_for_port(port, server)
                yield port
            finally:
                server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
                server.wait(timeout=30)
