"""What a crawl asks of its runner and what it gets in return: frozen data only, no decisions.

Instants are seconds on the runner's monotonic clock.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from customer_assets.api.responses.diagnosis import Diagnosis
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page

# --- what the runner does next -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FetchPage:
    """Send one request now. The page counts as in flight until `Crawl.receive`."""

    page: int
    attempt: int
    """From 1, within the round."""
    round: int
    """From 1."""
    cursor: str | None = field(default=None, repr=False)
    """What only the page before could say about this request."""
    lane: int = 0
    """Which of the crawls that run side by side requests it."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Ask again at the instant, or as soon as an outcome arrives. `inf`: only an outcome helps."""

    instant_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """Every page of the pass has arrived."""

    pages: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The crawl ends with these pages missing; nothing is in flight.

    `refused_status` is set if the API refused for good; `retry_after_s` if it named a time that is too far off;
    `diagnosis` if a setting is to blame; `is_stale` if the pages that were held no longer fit the listing.
    """

    missing_pages: tuple[int, ...]
    pages_total: int | None
    reason: str
    refused_status: int | None = None
    refused_page: int | None = None
    retry_after_s: float | None = None
    diagnosis: Diagnosis | None = None
    is_stale: bool = False


Action = FetchPage | WaitUntil | Done | GiveUp

# --- what came back -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RateLimitHints:
    """What a response's headers say about the API's limit; absent parts are None.

    Attributes:
        retry_after_s: Seconds from the response's arrival, from `Retry-After` in either form.
        requests_per_second: The rate that `RateLimit-Policy` or `X-RateLimit-Limit` and its window allow.
        remaining: Requests left in this window.
        reset_after_s: Seconds until the window ends.
    """

    retry_after_s: float | None = None
    requests_per_second: float | None = None
    remaining: int | None = None
    reset_after_s: float | None = None


NO_HINTS = RateLimitHints()


@dataclass(frozen=True, slots=True)
class PageReceived:
    """A response held the requested page, validated."""

    page: Page
    latency_s: float
    advice: RateLimitHints = NO_HINTS
    lane: int = 0


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A response did not hold the page, or there was none.

    `detail` is a short sentence for the log: never a body, a header's value or a URL's query.
    """

    page: int
    cause: FailureCause
    latency_s: float
    status: int | None = None
    advice: RateLimitHints = NO_HINTS
    detail: str = ""
    diagnosis: Diagnosis | None = None
    lane: int = 0


Outcome = PageReceived | RequestFailed

# --- what the crawl decided, for the log and the figures ------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The page is good: store it and hand it on."""

    page: int


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The page will be requested again after a wait."""

    page: int
    attempt: int
    """The attempt that failed, from 1."""
    cause: FailureCause
    wait_s: float


@dataclass(frozen=True, slots=True)
class Requeued:
    """The page used up its retries and goes to the back of the queue for another round."""

    page: int
    next_round: int
    cause: FailureCause


@dataclass(frozen=True, slots=True)
class Throttled:
    """The API answered 429: every request waits, and no retry is used up."""

    page: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The page is given up, or the whole crawl."""

    page: int
    cause: FailureCause


Decision = Accepted | RetryScheduled | Requeued | Throttled | Abandoned


# --- how far it has come ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a crawl stands, for progress and figures.

    Attributes:
        total: Customers in all, by the latest answer; None before the first.
        total_pages: Pages in all, by the latest answer; None before the first.
        pages_arrived: Pages accepted from the API in this crawl.
        pages_held: Pages that were held from the start and are known to exist.
        requests: Requests sent.
        in_flight: Requests without an outcome yet.
        waiting: Pages waiting for another request.
        retries: Failures that led to another request, by cause; 429s are not among them.
        throttles: Responses 429.
        waiting_s: Seconds during which no request was allowed.
    """

    total: int | None
    total_pages: int | None
    pages_arrived: int
    pages_held: int
    requests: int
    in_flight: int
    waiting: int
    retries: Mapping[FailureCause, int]
    throttles: int
    waiting_s: float

    def __add__(self, other: "Snapshot") -> "Snapshot":
        """Where two crawls stand together; what one of them does not know, both do not."""
        return Snapshot(
            total=None if self.total is None or other.total is None else self.total + other.total,
            total_pages=None
            if self.total_pages is None or other.total_pages is None
            else self.total_pages + other.total_pages,
            pages_arrived=self.pages_arrived + other.pages_arrived,
            pages_held=self.pages_held + other.pages_held,
            requests=self.requests + other.requests,
            in_flight=self.in_flight + other.in_flight,
            waiting=self.waiting + other.waiting,
            retries=Counter(self.retries) + Counter(other.retries),
            throttles=self.throttles + other.throttles,
            waiting_s=self.waiting_s + other.waiting_s,
        )
