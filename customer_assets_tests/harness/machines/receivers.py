"""Receivers of notifications and metrics: a webhook on loopback, Debian's Pushgateway and Prometheus."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import requests

from customer_assets_tests.harness.machines.services import free_port, need, respond, serving, wait_for_port, wait_until


@dataclass
class Webhook:
    """A webhook that keeps what it receives.

    Attributes:
        statuses: The statuses of its first responses, in order; all others are 200.
        payloads: What it received.
        url: Its address. The path is its secret, as with Slack's webhooks.
    """

    statuses: list[int] = field(default_factory=list)
    payloads: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@contextmanager
def webhook(*statuses: int, location: str = "") -> Iterator[Webhook]:
    """Serve a webhook until the block ends; its redirects lead to `location`."""
    hook = Webhook(list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.payloads.append(json.loads(body))
            status = hook.statuses.pop(0) if hook.statuses else 200
            respond(self, status, b"", **({"Location": location} if location else {}))

    with serving(Handler) as address:
        hook.url = f"{address}/services/T000/canary-secret"
        yield hook


@contextmanager
def running(*command: str, port: int, cwd: Path) -> Iterator[str]:
    """Run a service until the block ends; yield its address."""
    with (
        (cwd / "log").open("wb") as log,
        subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT) as program,
    ):
        try:
            wait_for_port(port, program)
            yield f"http://127.0.0.1:{port}"
        finally:
            program.terminate()
            program.wait(timeout=20)


@contextmanager
def pushgateway(folder: Path) -> Iterator[str]:
    """Run a Pushgateway that keeps nothing on disk; yield its address."""
    port = free_port()
    program = need("prometheus-pushgateway", "prometheus-pushgateway")
    with running(program, f"--web.listen-address=127.0.0.1:{port}", port=port, cwd=folder) as address:
        yield address


@contextmanager
def prometheus(folder: Path, config: Path) -> Iterator[str]:
    """Run a Prometheus with a configuration file; yield its address."""
    port = free_port()
    program = need("prometheus", "prometheus")
    arguments = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}")
    with running(program, *arguments, f"--web.listen-address=127.0.0.1:{port}", port=port, cwd=folder) as address:
        # It listens before it is ready.
        wait_until(lambda: requests.get(f"{address}/-/ready", timeout=10).ok, 30, "Prometheus does not get ready")
        yield address


def query(prometheus_url: str, expression: str) -> list[dict[str, Any]]:
    """Evaluate an expression. Raises: ValueError: Prometheus reports an error."""
    answer = requests.get(f"{prometheus_url}/api/v1/query", params={"query": expression}, timeout=10).json()
    if answer["status"] != "success":
        raise ValueError(f"{expression}: {answer['error']}")
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found
