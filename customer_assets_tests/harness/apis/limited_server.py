"""A second rate-limited API on a real socket, built unlike the simulator, so that no pace is tuned to one server.

    python -m customer_assets_tests.harness.apis.limited_server --port 8080 --make gcra --seed 1

It speaks HTTP by hand on asyncio, keeps its limit by the models in `limiters.py` and the system's clock, answers with a
jittering latency, refuses at once, and draws each fault by dice instead of by page. `nginx` in front of one without a
limit is started by `running_make`.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from customer_assets_tests.harness.apis.makes import BURST, FAULT_RATE, LATENCY_S, MAKES, PAGES, RATE
from customer_assets_tests.harness.machines.services import free_port, need, wait_for_port
from customer_assets_tests.harness.simulation import limiters
from customer_assets_tests.harness.simulation.limiters import Limiter

PAGE_SIZE = 10
REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway"}

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  limit_req_zone $binary_remote_addr zone=all:1m rate={rate}r/s;
  limit_req_status {status};
  upstream api {{ server 127.0.0.1:{upstream}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 100000;
    location / {{
      limit_req zone=all burst={burst} nodelay;
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


class LimitedAPI(asyncio.Protocol):
    """One connection; all share the limit."""

    def __init__(self, limiter: Limiter, dice: random.Random) -> None:
        self._limiter, self._dice, self._buffer = limiter, dice, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each complete request after its latency."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            line, self._buffer = self._buffer[:end].split(b"\r\n", 1)[0], self._buffer[end + 4 :]
            target = urlsplit(line.split()[1].decode())
            latency_s, response = self._answer(target.path, int(parse_qs(target.query).get("page", ["1"])[0]))
            asyncio.get_running_loop().call_later(latency_s, self._send, response)

    def _send(self, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)

    def _answer(self, path: str, page: int) -> tuple[float, bytes]:
        if not path.endswith("/users"):
            return 0.0, _response(404, b"{}")
        wait_s = self._limiter.refusal_s(time.time(), 0)
        if wait_s is not None:
            asked = limiters.whole_seconds(wait_s)
            return 0.001, _response(429, b"{}", f"Retry-After: {asked:.0f}\r\n")
        latency_s = LATENCY_S * self._dice.lognormvariate(0.0, 0.25)
        if self._dice.random() < FAULT_RATE:
            return latency_s, _response(self._dice.choice((500, 502)), b"{}")
        places = range(PAGE_SIZE if page <= PAGES else 0)
        records = [{"id": page * PAGE_SIZE + place, "email": f"{page}.{place}@example.org"} for place in places]
        body = {"page": page, "per_page": PAGE_SIZE, "total": PAGES * PAGE_SIZE, "total_pages": PAGES, "data": records}
        return latency_s, _response(200, json.dumps(body).encode())


def _response(status: int, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def serve(port: int, make: str, seed: int) -> None:
    """Serve until the process ends."""
    dice = random.Random(seed)
    limiter = MAKES[make].limiter(RATE, 0.0) if make in MAKES else limiters.NoLimit()
    server = await asyncio.get_running_loop().create_server(lambda: LimitedAPI(limiter, dice), "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def running_make(make: str, seed: int) -> Iterator[str]:
    """Run a server of a make on loopback; yield its base URL."""
    with _process(free_port(), make, seed) as port:
        if not make.startswith("nginx"):
            yield f"http://127.0.0.1:{port}{'/api' if make == 'bucket' else ''}"
            return
        with _nginx(port, int(make.removeprefix("nginx-"))) as limited:
            yield f"http://127.0.0.1:{limited}"


@contextmanager
def _process(port: int, make: str, seed: int) -> Iterator[int]:
    if make == "bucket":
        options = {"customers": PAGES * PAGE_SIZE, "page-size": PAGE_SIZE, "failure-rate": FAULT_RATE}
        options |= {"latency-ms": 1000 * LATENCY_S, "rate-limit": RATE, "burst": BURST}
        command = [sys.executable, "-m", "customer_assets.simulator"]
        command += [part for name, value in options.items() for part in (f"--{name}", f"{value:g}")]
    else:
        own = "none" if make.startswith("nginx") else make
        command = [sys.executable, "-m", "customer_assets_tests.harness.apis.limited_server", "--make", own]
    command += ["--port", str(port), "--seed", str(seed)]
    with _running(command, port):
        yield port


@contextmanager
def _nginx(upstream: int, status: int) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="nginx") as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(
            NGINX.format(folder=folder, rate=RATE, burst=BURST, status=status, upstream=upstream, port=port),
            encoding="utf-8",
        )
        with _running([need("nginx", "nginx-light"), "-c", str(config), "-p", folder], port):
            yield port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        try:
            wait_for_port(port, program)
            yield
        finally:
            program.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--make", choices=["none", *MAKES], required=True)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.port, chosen.make, chosen.seed))
