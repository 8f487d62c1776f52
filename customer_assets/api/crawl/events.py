"""What a crawl asks of its driver and what it is told in return: frozen data only, no decisions.

Instants are seconds on the driver's monotonic clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from customer_assets.metrics import FailureCause
from customer_assets.models import Page

# --- what the driver is to do next -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FetchPage:
    """Send one request now. The page counts as in flight until `Crawl.arrived` or `Crawl.failed`."""

    page: int
    attempt: int
    """From 1, within the round."""
    round: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Ask again at the instant, or as soon as an answer comes in. `inf`: only an answer helps."""

    instant_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """Every page of the pass has arrived."""

    pages: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The crawl ends with these pages missing; nothing is in flight.

    `refused_status` is set if the API refused for good; `retry_after_s` if it named a time too far off.
    """

    missing_pages: tuple[int, ...]
    pages_total: int | None
    reason: str
    refused_status: int | None = None
    refused_page: int | None = None
    retry_after_s: float | None = None


Action = FetchPage | WaitUntil | Done | GiveUp

# --- what came back -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RateLimitHints:
    """What an answer's headers say of the API's limit, parsed; absent parts are None.

    Attributes:
        retry_after_s: Seconds from the answer's arrival, from `Retry-After` in either form.
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
    """An answer held the page asked for, validated."""

    page: Page
    latency_s: float
    advice: RateLimitHints = NO_HINTS


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """An answer did not hold the page, or there was none.

    `detail` is a short sentence for a log: never a body, a header's value or a URL's query.
    """

    page: int
    cause: FailureCause
    latency_s: float
    status: int | None = None
    advice: RateLimitHints = NO_HINTS
    detail: str = ""


Outcome = PageReceived | RequestFailed

# --- what the crawl decided of it, for the log and the figures ------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The page is good: store it, hand it on."""

    page: int


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The page will be asked for again after a wait."""

    page: int
    attempt: int
    """The attempt that failed, from 1."""
    cause: FailureCause
    wait_s: float


@dataclass(frozen=True, slots=True)
class Requeued:
    """The page spent its retries and goes to the back of the queue for another round."""

    page: int
    next_round: int
    cause: FailureCause


@dataclass(frozen=True, slots=True)
class Throttled:
    """The API said 429: every request waits, and no retry is spent."""

    page: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The page is given up in this crawl, or with it."""

    page: int
    cause: FailureCause


Decision = Accepted | RetryScheduled | Requeued | Throttled | Abandoned


# --- where it stands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a crawl stands, for progress and figures.

    Attributes:
        total: Customers in all, by the latest answer; None before the first.
        total_pages: Pages in all, by the latest answer; None before the first.
        pages_arrived: Pages accepted from the API in this crawl.
        pages_held: Pages that were held from the start, of those now known to exist.
        requests: Requests sent.
        in_flight: Requests without an answer yet.
        waiting: Pages waiting to be asked for again.
        retries: Failures after which the page was to be asked for again, by cause; no 429s.
        throttles: Answers 429.
        waiting_s: Seconds for which the gate was shut for all requests.
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
