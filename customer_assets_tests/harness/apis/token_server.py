"""A loopback API behind OAuth2: it issues tokens, rotates refresh tokens, and lets them die."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from customer_assets_tests.harness.machines.services import respond, serving

CLIENT, SECRET, REFRESH = "canary-client", "canary-secret", "canary-refresh-0"
ENVIRON = {
    "CUSTOMER_API_CLIENT_ID": CLIENT,
    "CUSTOMER_API_CLIENT_SECRET": SECRET,
    "CUSTOMER_API_REFRESH_TOKEN": REFRESH,
}


@dataclass
class TokenServer:
    """Customers behind tokens.

    Attributes:
        customers: How many there are, ten a page.
        expires_in: What a token says of its life, in seconds; None: nothing.
        uses: How many requests a token is good for; None: any number.
        rotates: Each refresh kills the refresh token, and hands out another one.
        statuses: What the token endpoint answers first, in turn.
        refusal: What it answers to every request; None: tokens.
        requests: The fields of each token request.
        issued: Access tokens, the newest last.
    """

    customers: int = 55
    expires_in: int | None = 3_600
    uses: int | None = None
    rotates: bool = True
    statuses: list[int] = field(default_factory=list)
    refusal: tuple[int, dict[str, Any]] | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    refresh_token: str = REFRESH
    rejected: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self.lock, self.left = threading.Lock(), 0

    def token(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer a token request."""
        self.requests.append(fields)
        if self.refusal is not None:
            return self.refusal
        if self.statuses:
            return self.statuses.pop(0), {"error": "server_error"}
        if (fields.get("client_id"), fields.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        answer: dict[str, Any] = {"token_type": "Bearer"}
        if fields["grant_type"] == "refresh_token":
            if fields.get("refresh_token") != self.refresh_token:
                return 400, {"error": "invalid_grant", "error_description": f"canary {fields.get('refresh_token')}"}
            if self.rotates:
                self.refresh_token = f"canary-refresh-{len(self.requests)}"
                answer["refresh_token"] = self.refresh_token
        self.issued.append(f"canary-access-{len(self.issued)}")
        self.left = self.uses or 10**9
        return 200, answer | {"access_token": self.issued[-1], "expires_in": self.expires_in}

    def page(self, number: int, authorization: str) -> tuple[int, dict[str, Any]]:
        """Answer a request for customers."""
        self.left -= 1
        if not self.issued or self.left < 0 or not authorization.endswith(f" {self.issued[-1]}"):
            self.rejected += 1
            return 401, {"error": "invalid_token"}
        ids = range((number - 1) * 10 + 1, min(number * 10, self.customers) + 1)
        records = [{"id": each, "email": f"person{each}@example.org"} for each in ids]
        return 200, {"data": records, "total": self.customers}


@contextmanager
def issuing(server: TokenServer) -> Iterator[TokenServer]:
    """Serve it on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            fields = {name: values[-1] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            basic = self.headers.get("Authorization", "").removeprefix("Basic ")
            if basic:
                fields["client_id"], _, fields["client_secret"] = base64.b64decode(basic).decode().partition(":")
                fields["sent"] = "basic"
            with server.lock:
                status, content = server.token(fields)
            respond(self, status, json.dumps(content).encode(), Content_Type="application/json", Location="/elsewhere")

        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
            with server.lock:
                status, content = server.page(number, self.headers.get("Authorization", ""))
            respond(self, status, json.dumps(content).encode(), Content_Type="application/json")

    with serving(Handler) as address:
        server.url = address
        yield server
