"""Serves an imitated API on loopback, for tests that want a real socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from customer_assets_tests.harness.vendors.base import AnyAPI, Request


@contextmanager
def serve_vendor(api: AnyAPI) -> Iterator[str]:
    """Serve `api` until the block ends; gives the address, which the API's absolute links start with."""
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                response = api(Request.parse(self.command, self.path, dict(self.headers.items()), body))
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.status != 204:
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks up

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api.base_url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
