"""Real services for tests: each started on a free port of loopback, and ended with the test session."""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from typing import NoReturn

import pytest


def need(program: str, package: str) -> str:
    """Find a program; where it is missing, skip with the command that installs it, and fail in CI."""
    path = shutil.which(program)
    if path is None:
        missing(f"{program} is not installed: apt-get install {package}")
    return path


def need_module(name: str, command: str) -> None:
    """Look for an optional package; where it is missing, skip with the command that installs it, and fail in CI."""
    if importlib.util.find_spec(name) is None:
        missing(f"{name} is not installed: {command}")


def missing(reason: str) -> NoReturn:
    """Skip on a user's machine, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def await_port(port: int, program: subprocess.Popen[bytes], timeout_s: float = 20.0) -> None:
    """Wait until the program listens on the port."""
    await_(lambda: _listens(port, program), timeout_s, f"{program.args!r} does not listen on port {port}")


def await_(condition: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Wait until a condition holds."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(otherwise)
        time.sleep(0.05)


def _listens(port: int, program: subprocess.Popen[bytes]) -> bool:
    if program.poll() is not None:
        raise RuntimeError(f"{program.args!r} ended with {program.returncode}")
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
