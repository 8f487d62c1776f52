"""Runs one pass of a crawl: sends what the crawl asks for, waits as long as it says, counts what comes back.

One loop for every transport, on the caller's thread; requests are in flight elsewhere. What to request next is decided
in `crawl/`, what a response means in `endpoint.py`.
"""

import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import inf, isinf
from typing import NamedTuple, Self

from customer_assets.api.auth.settings import Credentials
from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import (
    Accepted,
    Decision,
    Done,
    FetchPage,
    GiveUp,
    Outcome,
    PageReceived,
    RequestFailed,
    Snapshot,
    WaitUntil,
)
from customer_assets.api.crawl.lanes import Lanes
from customer_assets.api.http.base import RawResponse, Transport, TransportError
from customer_assets.api.responses.rate_limit_headers import parse_http_date
from customer_assets.api.runner.clock import Clock
from customer_assets.api.runner.endpoint import Endpoint, SlicedEndpoint
from customer_assets.api.runner.progress import Progress
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.core.errors import (
    APIError,
    ConfigurationError,
    CrawlLimitError,
    CrawlPausedError,
    IncompleteCrawlError,
    RequestRefusedError,
)

DATES_KEPT = 100
"""Responses are dated to the second; the earliest date counts, and is among the first."""


@dataclass(frozen=True, slots=True)
class CrawlLimits:
    """What a whole crawl can take, all of its passes together.

    Attributes:
        max_s: Its seconds.
        max_bytes: The bytes of its pages.
        ends_at_s: When its seconds are over, by the clock's `monotonic_s`.
    """

    max_s: float = inf
    max_bytes: float = inf
    ends_at_s: float = inf

    def validate(self, now_s: float, received: int, snapshot: Callable[[], Snapshot]) -> None:
        """Let a crawl go on.

        Raises:
            CrawlLimitError: It has reached a limit; names it.
        """
        if now_s < self.ends_at_s and received < self.max_bytes:
            return
        setting, limit = ("max_crawl_bytes", f"{self.max_bytes} bytes")
        if now_s >= self.ends_at_s:
            setting, limit = ("max_crawl_s", f"{self.max_s:g} s")
        state = snapshot()
        raise CrawlLimitError(setting, limit, state.pages_arrived + state.pages_held, state.total_pages)


NO_LIMITS = CrawlLimits()


class CrawlRunner:
    """Runs a crawl over a transport: `with CrawlRunner(…) as runner: end = runner.run(transport)`.

    Args:
        crawl: Decides what to request; or several of them, side by side.
        endpoint: Makes requests and reads responses.
        credentials: Authenticate requests.
        clock: Shows the time and waits.
        stats: Counts.
        progress: Logs.
        on_page: Receives each accepted page, once.
        limits: What the whole crawl can take.

    Attributes:
        last_failure: The latest request that failed; None if none has.
    """

    def __init__(
        self,
        crawl: Crawl | Lanes,
        endpoint: Endpoint | SlicedEndpoint,
        credentials: Credentials,
        clock: Clock,
        stats: CrawlStats,
        progress: Progress,
        on_page: Callable[[PageReceived], None],
        limits: CrawlLimits = NO_LIMITS,
    ) -> None:
        self._limits = limits
        self._crawl, self._endpoint, self._credentials, self._clock = crawl, endpoint, credentials, clock
        self._stats, self._progress, self._on_page = stats, progress, on_page
        self._outcomes: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._sent: dict[tuple[int, int], _Sent] = {}
        self._dates: set[str] = set()
        self.last_failure: RequestFailed | None = None

    def __enter__(self) -> Self:
        """Use it as a context manager around every `run`."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Note what the crawl did, and erase the progress bar."""
        self._stats.add_snapshot(self._crawl.snapshot())
        for date in filter(None, map(parse_http_date, self._dates)):
            self._stats.add_server_time(date)
        self._progress.close()

    def run(self, transport: Transport) -> Done | GiveUp:
        """Run to the next end: of the crawl, or of one of those that run side by side.

        Raises:
            CrawlLimitError: It reached one of its limits.
        """
        while True:
            now_s = self._clock.monotonic_s()
            self._limits.validate(now_s, self._stats.bytes, self._crawl.snapshot)
            max_wait_s = self._progress.tick(self._crawl.snapshot, now_s)
            action = self._crawl.next_action(now_s)
            if isinstance(action, FetchPage):
                self._send(transport, action, is_first=True)
            elif isinstance(action, WaitUntil):
                wait_s = action.instant_s - now_s
                outcome = self._clock.take(self._outcomes, wait_s if isinf(wait_s) else min(wait_s, max_wait_s))
                if isinstance(outcome, BaseException):
                    raise outcome
                if outcome is not None and not self._sent_again(transport, outcome):
                    self._on_outcome(outcome, self._crawl.receive(outcome, self._clock.monotonic_s()))
            else:
                return action

    def error(self, end: GiveUp) -> APIError | ConfigurationError:
        """The error of a crawl that gave up."""
        return crawl_error(end, self.last_failure, self._credentials.remedy)

    def _send(self, transport: Transport, fetch: FetchPage, *, is_first: bool) -> None:
        credentials = self._credentials.headers()
        self._sent[fetch.lane, fetch.page] = _Sent(fetch, credentials, is_first=is_first)
        request = self._endpoint.request(fetch)
        request = replace(request, headers={**request.headers, **credentials})
        sent_s = self._clock.monotonic_s()

        def on_response(response: RawResponse | BaseException) -> None:
            # Runs on the transport's thread: parsing and hashing release the interpreter to the others.
            try:
                outcome: Outcome | BaseException
                if isinstance(response, RawResponse):
                    if len(self._dates) < DATES_KEPT:
                        self._dates.add(response.headers.get("date", ""))  # safe on any thread
                    outcome = self._endpoint.parse(response, fetch, self._clock.utc())
                elif isinstance(response, TransportError):
                    latency_s = self._clock.monotonic_s() - sent_s
                    outcome = RequestFailed(
                        fetch.page,
                        response.cause,
                        latency_s,
                        detail=response.detail,
                        diagnosis=response.diagnosis,
                    )
                else:
                    outcome = response
                if fetch.lane and not isinstance(outcome, BaseException):
                    outcome = replace(outcome, lane=fetch.lane)
            except BaseException as error:  # noqa: BLE001 - raised again in `run`, which waits for an outcome
                outcome = error
            self._outcomes.put(outcome)

        transport.send(request, on_response)

    def _sent_again(self, transport: Transport, outcome: Outcome) -> bool:
        """Send a request once more with renewed credentials, if the API rejected those that it was sent with."""
        page = outcome.page if isinstance(outcome, RequestFailed) else outcome.page.number
        sent = self._sent.pop((outcome.lane, page))
        is_rejected = isinstance(outcome, RequestFailed) and outcome.status == HTTPStatus.UNAUTHORIZED
        if not is_rejected or not sent.is_first or not self._credentials.renew(sent.credentials):
            return False
        self._stats.add_outcome(outcome)
        self._send(transport, sent.fetch, is_first=False)
        return True

    def _on_outcome(self, outcome: Outcome, decision: Decision) -> None:
        self._stats.add_outcome(outcome)
        if isinstance(outcome, RequestFailed):
            self.last_failure = outcome
            self._progress.on_decision(decision, outcome.detail, outcome.lane)
            return
        if isinstance(decision, Accepted):
            self._stats.bytes += len(outcome.page.data)
            self._progress.records += outcome.page.record_count
            self._on_page(outcome)
        self._progress.on_decision(decision)


class _Sent(NamedTuple):
    fetch: FetchPage
    credentials: Mapping[str, str]
    is_first: bool


UNACCEPTED = "The API does not accept the request: check pages (page size, parameters), params, headers and body."
REMEDIES = {
    400: UNACCEPTED,
    422: UNACCEPTED,
    403: "The key may not read customers: ask the API's owner.",
    407: "A proxy asks for a log-in: write user and password into HTTP_PROXY, http://user:password@host:port.",
    404: "Check the base URL and the path (CUSTOMER_API_BASE_URL, CUSTOMER_API_PATH).",
    405: "Check method and path: the API does not take this method there.",
    406: "Check headers: the API does not answer in the form that Accept asks for.",
    415: "The API wants another kind of body than JSON, which is all that a POST can send.",
}
REDIRECTED = "If the API has moved, set the base URL (CUSTOMER_API_BASE_URL) to where it is now."
CHECK_THE_ADDRESS = "Check the base URL and the settings of the request."


def crawl_error(
    end: GiveUp, last_failure: RequestFailed | None = None, credentials_remedy: str = ""
) -> APIError | ConfigurationError:
    """The error of a crawl that gave up.

    Args:
        end: How it ended.
        last_failure: The latest request that failed.
        credentials_remedy: What to do when the API rejects the credentials.
    """
    detail = last_failure.detail if last_failure is not None else ""
    if end.diagnosis is not None:
        return ConfigurationError(end.diagnosis.setting, end.diagnosis.problem, end.diagnosis.remedy)
    if end.refused_status is not None:
        remedy = _remedy(end.refused_status, credentials_remedy)
        reason = detail.partition(": ")[2]  # what the status alone does not say
        remedy = f"{reason[:1].upper()}{reason[1:]}. {remedy}" if reason else remedy
        return RequestRefusedError(end.refused_status, end.refused_page or 1, remedy)
    if end.retry_after_s is not None:
        return CrawlPausedError(end.retry_after_s)
    reason = f"{end.reason}; the last failure: {detail}" if detail else end.reason
    return IncompleteCrawlError(end.missing_pages, end.pages_total, reason)


def _remedy(status: int, credentials_remedy: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED and credentials_remedy:
        return credentials_remedy
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
        return REDIRECTED
    return REMEDIES.get(status, CHECK_THE_ADDRESS)
