"""What all imitated APIs share: the population, requests and responses, faults, limits and ways of cutting pages.

A vendor's own habits do not belong here; they stand in the module of its trade.
"""

# ruff: noqa: ARG002 - not every vendor looks at all of a request

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from customer_assets_tests.harness.vendors.filters import BadFilterError, Filter, matching

KEY = "canary-vendor-key"
USER, PASSWORD = "canary-user", "canary-password"
CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "canary-client", "canary-client-secret", "canary-refresh-token"

ENVIRON = {
    "CUSTOMER_API_KEY": KEY,
    "CUSTOMER_API_USER": USER,
    "CUSTOMER_API_PASSWORD": PASSWORD,
    "CUSTOMER_API_CLIENT_ID": CLIENT_ID,
    "CUSTOMER_API_CLIENT_SECRET": CLIENT_SECRET,
    "CUSTOMER_API_REFRESH_TOKEN": REFRESH_TOKEN,
}
"""What a user would set: every secret that some preset reads."""

BORN = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: Such as GET.
        path: Without the query.
        query: Its parameters; of one given twice, the last.
        headers: Names in lower case.
        body: As it was sent.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def parse(cls, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> "Request":
        """Read a request line's target, absolute or not."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, parts.path, query, {name.lower(): value for name, value in headers.items()}, body)

    def json(self) -> dict[str, Any]:
        """Read the body; an empty one is an empty object."""
        return dict(json.loads(self.body)) if self.body else {}


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class AnyAPI(Protocol):
    """What answers requests."""

    base_url: str

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        ...


def reply(content: Any, status: int = 200, /, **headers: str) -> Response:
    """Answer with JSON; an underscore in a header's name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, json.dumps(content).encode(), {"Content-Type": "application/json", **named})


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer; everything about them follows from the number, but when something happens in a test.

    Attributes:
        number: Who it is.
        joined: When they joined; None: one a minute, in the order of their numbers.
        changed: When they last changed; None: not in that order.
    """

    number: int
    joined: datetime | None = None
    changed: datetime | None = None

    @property
    def email(self) -> str:
        """Their address."""
        return f"person{self.number}@example.org"

    @property
    def first(self) -> str:
        """Their first name."""
        return f"First{self.number}"

    @property
    def last(self) -> str:
        """Their last name."""
        return f"Last{self.number}"

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.first} {self.last}"

    @property
    def created(self) -> datetime:
        """When they joined."""
        return self.joined or BORN + timedelta(minutes=self.number)

    @property
    def updated(self) -> datetime:
        """When they last changed."""
        return self.changed or self.created + timedelta(days=self.number * 7919 % 97)

    @property
    def picture(self) -> str:
        """The address of a picture."""
        return f"https://example.org/{self.number}.jpg"

    @property
    def uuid(self) -> str:
        """A UUID."""
        digest = sha256(str(self.number).encode()).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"

    def hex(self, digits: int) -> str:
        """An id of hexadecimal digits."""
        return md5(str(self.number).encode(), usedforsecurity=False).hexdigest()[:digits]

    def letters(self, count: int) -> str:
        """An id of letters and digits in which case matters."""
        digest = base64.b32encode(sha256(str(self.number).encode()).digest()).decode()[:count]
        return "".join(mark.lower() if index % 3 else mark for index, mark in enumerate(digest))


class Population:
    """The customers, in the order in which they joined.

    Args:
        count: How many there are at first.
        joins_at: Before this request (from 0) one joins; None: nobody does.
        leaves_at: Before this request one leaves.
    """

    def __init__(self, count: int, *, joins_at: int | None = None, leaves_at: int | None = None) -> None:
        self.customers = [Customer(number) for number in range(1, count + 1)]
        self.stayed = set(self.customers)
        self.gone: list[Customer] = []
        self._joins_at, self._leaves_at, self._asked = joins_at, leaves_at, 0

    def change(self, number: int, instant: datetime) -> None:
        """Let a customer change."""
        place = next(place for place, customer in enumerate(self.customers) if customer.number == number)
        self.customers[place] = replace(self.customers[place], changed=instant)

    def join(self, instant: datetime) -> None:
        """Let a customer join."""
        self.customers.append(Customer(self.customers[-1].number + 1, joined=instant, changed=instant))

    def on_request(self) -> None:
        """Let a request's time pass."""
        if self._asked == self._joins_at:
            self.customers.append(Customer(self.customers[-1].number + 1 if self.customers else 1))
        if self._asked == self._leaves_at and self.customers:
            gone = self.customers.pop(len(self.customers) // 3)
            self.stayed.discard(gone)
            self.gone.append(gone)
        self._asked += 1


class Faults:
    """Fails a share of requests with 500 or 503, never one request more than `in_a_row` times in a row."""

    def __init__(self, share: float, seed: int, in_a_row: int = 3) -> None:
        self._share, self._random, self._in_a_row, self._row = share, random.Random(seed), in_a_row, 0

    def status(self) -> int | None:
        """Draw the status of a failure; None: this request works."""
        if self._row < self._in_a_row and self._random.random() < self._share:
            self._row += 1
            return self._random.choice((500, 503))
        self._row = 0
        return None


class TokenBucket:
    """A vendor's limiter.

    Args:
        rate: Requests a second.
        burst: Requests at once.
        now_s: The clock.
    """

    def __init__(self, rate: float, burst: int, now_s: Callable[[], float]) -> None:
        self.rate, self.burst, self._now_s = rate, burst, now_s
        self.tokens, self._at_s = float(burst), now_s()

    def admits(self) -> bool:
        """Take a token if there is one."""
        now_s = self._now_s()
        self.tokens = min(self.burst, self.tokens + (now_s - self._at_s) * self.rate)
        self._at_s = now_s
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def wait_s(self) -> float:
        """Seconds until there is a token."""
        return max(0.0, (1 - self.tokens) / self.rate)


class VendorAPI:
    """One vendor's customer API. Subclasses say how it answers.

    Attributes:
        requests: What was asked, throttled and failed requests included.
        base_url: Where it is served; absolute links start with it.
        cap: The largest page.
        default_size: The page size where none is asked for.
        filters: How it is asked for a part of its customers.
    """

    cap: ClassVar[int] = 100
    default_size: ClassVar[int] = 10
    filters: ClassVar[Sequence[Filter]] = ()
    token_path: ClassVar[str] = ""
    path: ClassVar[str] = ""

    def __init__(
        self,
        population: Population,
        *,
        base_url: str = "https://vendor.example",
        faults: Faults | None = None,
        limiter: TokenBucket | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.population, self.base_url, self._faults, self.limiter, self.now = (
            population,
            base_url,
            faults,
            limiter,
            now,
        )
        self.requests: list[Request] = []
        self.tokens: set[str] = set()
        self._matching: Sequence[Customer] | None = None

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        self.requests.append(request)
        if self.token_path and request.path == self.token_path:
            return self.grant(request)
        if not self.authorises(request):
            return reply({"error": "unauthorised"}, 401)
        if self.limiter is not None and not self.limiter.admits():
            return self.throttle(self.limiter.wait_s())
        failure = self._faults.status() if self._faults else None
        if failure is not None:
            return reply({"error": "server error"}, failure)
        self.population.on_request()
        try:
            others = {**request.headers, **(request.json() if request.body.startswith(b"{") else {})}
            self._matching = matching(self.filters, self.population.customers, self.asked_of(request), others)
            return self.answer(request) if request.path == self.path else self.elsewhere(request)
        except BadFilterError:
            return reply({"error": "invalid filter"}, 400)
        finally:
            self._matching = None

    # --- for subclasses --------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Answer a request for customers that is authorised and within limits."""
        raise NotImplementedError

    def asked_of(self, request: Request) -> Mapping[str, str]:
        """The parameters that say which customers are asked for; a cursor can carry on those of the first page."""
        return request.query

    def elsewhere(self, request: Request) -> Response:
        """Answer a request for another path."""
        return reply({"error": "not found"}, 404)

    def authorises(self, request: Request) -> bool:
        """Whether a request carries what this vendor wants."""
        return request.headers.get("authorization") == f"Bearer {KEY}"

    def throttle(self, wait_s: float) -> Response:
        """Refuse a request that came too soon."""
        return reply({"error": "too many requests"}, 429, Retry_After=str(max(1, round(wait_s))))

    def grant(self, request: Request) -> Response:
        """Answer a request for an OAuth2 token (client credentials)."""
        form = dict(parse_qsl(request.body.decode())) or request.json()
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        known = request.headers.get("authorization") == f"Basic {basic}" or (
            form.get("client_id"),
            form.get("client_secret"),
        ) == (CLIENT_ID, CLIENT_SECRET)
        if not known or form.get("grant_type") != "client_credentials":
            return reply({"error": "invalid_client"}, 401)
        return self.issue_token()

    def issue_token(self) -> Response:
        """Hand out a new access token."""
        token = f"token-{len(self.tokens) + 1}"
        self.tokens.add(token)
        return reply({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def has_token(self, request: Request, scheme: str = "Bearer") -> bool:
        """Whether a request carries a token that was handed out."""
        sent_scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return sent_scheme == scheme and token in self.tokens

    def key(self, customer: Customer) -> Any:
        """The id by which the preset knows a customer."""
        return customer.number

    def record(self, customer: Customer) -> Any:
        """A customer as this vendor writes them."""
        raise NotImplementedError

    # --- ways of cutting pages -------------------------------------------------------------------------

    @property
    def customers(self) -> Sequence[Customer]:
        """The present customers, oldest first; while a request is answered, those whom it asks for."""
        return self.population.customers if self._matching is None else self._matching

    def records(self, customers: Sequence[Customer]) -> list[Any]:
        """Write customers as this vendor does."""
        return [self.record(customer) for customer in customers]

    def size(self, text: str | int | None) -> int:
        """The page size for what was asked: clamped to the cap."""
        return max(1, min(int(text), self.cap)) if text not in (None, "") else self.default_size

    def after(self, number: int, size: int) -> tuple[Sequence[Customer], bool]:
        """The customers that follow a number, and whether more follow them."""
        rest = [customer for customer in self.customers if customer.number > number]
        return rest[:size], len(rest) > size


def basic(user: str, password: str) -> str:
    """The header of basic authentication."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def seal(number: int, query: Mapping[str, str] | None = None) -> str:
    """Make an opaque cursor, which can carry the first page's parameters on."""
    return base64.urlsafe_b64encode(f"after:{number}:{urlencode(query or {})}".encode()).decode()


def carried(cursor: str) -> dict[str, str]:
    """The parameters that a cursor carries on."""
    return dict(parse_qsl(base64.urlsafe_b64decode(cursor.encode()).decode().split(":", 2)[2]))


def unseal(cursor: str | None) -> int | None:
    """Read a cursor; None if it is not one of ours; 0 for none at all."""
    if not cursor:
        return 0
    try:
        name, number, _ = base64.urlsafe_b64decode(cursor.encode()).decode().split(":", 2)
        return int(number) if name == "after" else None
    except ValueError:
        return None


def iso(instant: datetime) -> str:
    """Write an instant as ISO 8601 with Z."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
