"""Follows good pages through a crawl over loopback: the frames down to the socket, the files that each page visits.

    PYTHONPATH=TREE python -P customer_assets_tests/benchmarks/one_page.py

`benchmarks.house` starts it once for each checkout that it measures, so it uses nothing of the tests' harness: only the
standard library and the client's public interface. Prints one line of JSON.
"""

import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import customer_assets
from customer_assets.api import CustomerAPIClient

PACKAGE = str(Path(customer_assets.__file__).parent) + os.sep
PAGES, PER_PAGE = 8, 6
WATCHED = range(4, PAGES - 1)
"""Pages in the middle of the crawl: the first ones also pay for what is opened once."""


class Trace:
    """What the package does between one request and the next.

    Attributes:
        visited: For each page, the package's files that ran between its request and the next.
        stacks: For each page, the package's frames below the client's `crawl` when its request was handed over and
            on the thread that sent it.
    """

    def __init__(self) -> None:
        self.page = 0
        self.visited: dict[int, set[str]] = {}
        self.stacks: dict[int, list[str]] = {}
        self._handed_over: list[str] = []

    def start_page(self, page: int) -> None:
        """Attribute what follows to this page."""
        self.page = page

    def on_event(self, frame: FrameType, event: str, called: Any) -> None:
        """Take one event of `sys.setprofile`."""
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self.visited.setdefault(self.page, set()).add(frame.f_code.co_filename[len(PACKAGE) :])
        elif event == "c_call" and _is_hand_over(called):
            self._handed_over = _package_frames(frame) or self._handed_over
        elif event == "c_call" and _is_send(called):
            self._note_send(_package_frames(frame))

    def _note_send(self, sending: list[str]) -> None:
        if sending and not _starts_in_crawl(sending):  # a thread of its own: the caller's frames lead to it
            sending = self._handed_over + sending
        if sending:
            self.stacks[self.page + 1] = sending


def _is_hand_over(called: Any) -> bool:
    return (
        getattr(called, "__name__", "") == "put" and type(getattr(called, "__self__", None)).__name__ == "SimpleQueue"
    )


def _is_send(called: Any) -> bool:
    return getattr(called, "__name__", "") in {"send", "sendall"} and isinstance(
        getattr(called, "__self__", None), socket.socket
    )


def _package_frames(frame: FrameType | None) -> list[str]:
    """List the package's frames, outermost first; those above the client's `crawl` are left out."""
    found: list[str] = []
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE):
            found.insert(0, f"{file[len(PACKAGE) :]}:{frame.f_code.co_name}")
            if _starts_in_crawl(found):
                break
        frame = frame.f_back
    return found


def _starts_in_crawl(frames: list[str]) -> bool:
    return frames[:1] == ["api/client.py:crawl"]


def serve(on_page: Callable[[int], None]) -> ThreadingHTTPServer:
    """Serve flawless pages on a free port of loopback; report each request's page."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
            on_page(page)
            first = (page - 1) * PER_PAGE + 1
            last = min(first + PER_PAGE, PAGES * PER_PAGE + 1)
            data = [{"id": number, "email": f"a{number}@x.org"} for number in range(first, last)]
            counts = {"page": page, "per_page": PER_PAGE, "total": PAGES * PER_PAGE, "total_pages": PAGES}
            body = json.dumps({**counts, "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Crawl once, one page at a time, and print what the pages in the middle had in common."""
    trace = Trace()
    server = serve(trace.start_page)
    address = f"http://127.0.0.1:{server.server_address[1]}/api"
    threading.setprofile(trace.on_event)
    with CustomerAPIClient(address, "any", max_concurrency=1, show_progress=False) as client:
        sys.setprofile(trace.on_event)
        customers = client.fetch_all_customers()
        sys.setprofile(None)
    threading.setprofile(None)
    server.shutdown()
    if len(customers) != PAGES * PER_PAGE:
        raise SystemExit(f"The crawl fetched {len(customers)} customers of {PAGES * PER_PAGE}.")
    stacks = {tuple(trace.stacks[page]) for page in WATCHED}
    files = set.intersection(*(trace.visited[page] for page in WATCHED))
    print(json.dumps({"frames": max(stacks, key=len), "files": sorted(files)}))


if __name__ == "__main__":
    main()
