"""A customer API of another shape: its own field names and path, pages counted from 0, a bearer token as key."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from customer_assets_tests.harness.machines.services import respond, serving

ACME_KEY = "canary-key-c0ffee"

ACME_YAML = """\
name: acme
api:
  base_url: "{{ env.ACME_URL }}"
  path: /v2/people
  key_variable: ACME_KEY
  key_header: Authorization
  key_scheme: Bearer
  page_parameter: at
  per_page_parameter: size
  first_page: 0
  page_size: 10
  answer:
    page: meta.at
    per_page: meta.size
    total: meta.total
    total_pages: null
    data: people
  record:
    id: number
    email: contact.email
    first_name: given
    last_name: family
    avatar: picture
    engagement_score: score
    last_active_at: null
"""


@dataclass
class AcmeAPI:
    """The API's customers and the requests it received.

    Attributes:
        customers: How many customers it has.
        url: Where it is served.
        asked: The path and query of each request.
    """

    customers: int
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def page(self, at: int, size: int) -> dict[str, Any]:
        """Return one page."""
        numbers = range(at * size + 1, min((at + 1) * size, self.customers) + 1)
        return {
            "meta": {"at": at, "size": size, "total": self.customers},
            "people": [
                {
                    "number": str(number),
                    "contact": {"email": f"person{number}@acme.example"},
                    "given": f"Given{number}",
                    "family": f"Family{number}",
                    "picture": f"https://acme.example/{number}.png",
                    "score": 0.9,
                }
                for number in numbers
            ],
        }


@contextmanager
def serve_acme(customers: int) -> Iterator[AcmeAPI]:
    """Serve it on loopback until the block ends."""
    api = AcmeAPI(customers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.asked.append(self.path)
            parts = urlsplit(self.path)
            asked = parse_qs(parts.query)
            known = self.headers.get("Authorization") == f"Bearer {ACME_KEY}"
            status = 401 if not known else 200 if parts.path == "/v2/people" else 404
            found = api.page(int(asked["at"][0]), int(asked["size"][0])) if status == 200 else {}
            respond(self, status, json.dumps(found).encode())

    with serving(Handler) as api.url:
        yield api
