"""What a crawl did, in numbers, collected as it goes in bounded memory. No personal data."""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from customer_assets.api.crawl.events import Outcome, PageReceived, Snapshot
from customer_assets.core.metrics import FailureCause

_BUCKET_GROWTH = math.log(1.05)
"""Latencies are counted in buckets 5 % wide: as exact as a percentile needs to be."""
_SHORTEST_S = 1e-6


class LatencyHistogram:
    """Counts latencies by size, so percentiles need no list of them."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, latency_s: float) -> None:
        """Count one."""
        self._buckets[round(math.log(max(latency_s, _SHORTEST_S)) / _BUCKET_GROWTH)] += 1

    def percentile_s(self, share: float) -> float | None:
        """The latency that this share of requests stays within; None if there was no request."""
        wanted = share * self._buckets.total()
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return math.exp(bucket * _BUCKET_GROWTH)
        return None


@dataclass(slots=True)
class CrawlStats:
    """What a crawl did.

    Attributes:
        pages: Pages that the last pass handed on.
        pages_from_store: How many of these needed no request.
        records: Records on them.
        total: Customers in all, by the API's latest answer; None: it does not count them.
        customers: Customers in all, if a request of its own counted them; also where only changes were requested.
        unique_ids: Distinct customers among the records.
        rejected: Records without a usable id.
        missing_customers: Customers that the API counts but did not hand over; negative if it handed over more.
        source_duplicates: Records that repeat a customer at the source itself: two passes read exactly the same.
        moved_s: Seconds over which pages were read while customers moved, where that could not be settled by reading
            again: a quota forbids it, or the API does not count its customers. 0: it is settled.
        passes: How often all pages were read.
        requests: Requests sent.
        pages_received: Requests that brought their page.
        statuses: Responses by HTTP status; 0: no response.
        retries: Requests sent again, by what had failed.
        throttles: Responses 429.
        waiting_s: Seconds during which the API had asked for a pause.
        bytes: Bytes of bodies received, decompressed.
        duration_s: Seconds from the first request to the last page.
        began_at: When the crawl began: by the server's clock or ours, whichever is behind; None: not yet.
        latencies: How long responses took.
    """

    pages: int = 0
    pages_from_store: int = 0
    records: int = 0
    total: int | None = None
    customers: int | None = None
    unique_ids: int = 0
    rejected: int = 0
    missing_customers: int = 0
    source_duplicates: int = 0
    moved_s: float = 0.0
    passes: int = 0
    requests: int = 0
    pages_received: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    retries: Counter[FailureCause] = field(default_factory=Counter)
    throttles: int = 0
    waiting_s: float = 0.0
    bytes: int = 0
    duration_s: float = 0.0
    began_at: datetime | None = None
    latencies: LatencyHistogram = field(default_factory=LatencyHistogram)

    @property
    def success_rate(self) -> float | None:
        """Share of requests that brought their page; None if there was no request."""
        return self.pages_received / self.requests if self.requests else None

    def add_outcome(self, outcome: Outcome) -> None:
        """Count one response, or the lack of one."""
        self.requests += 1
        self.latencies.add(outcome.latency_s)
        is_page = isinstance(outcome, PageReceived)
        self.pages_received += is_page
        self.statuses[200 if isinstance(outcome, PageReceived) else outcome.status or 0] += 1

    def add_server_time(self, date: datetime) -> None:
        """Note an instant of the server's clock; the earliest counts."""
        self.began_at = date if self.began_at is None else min(self.began_at, date)

    def add_earlier(self, crawl: "CrawlStats") -> None:
        """Add the requests of a crawl that belongs to this one, and went before it."""
        self.requests += crawl.requests
        self.pages_from_store += crawl.pages_from_store
        if crawl.began_at is not None:
            self.add_server_time(crawl.began_at)

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Add what a pass counted itself."""
        self.throttles += snapshot.throttles
        self.waiting_s += snapshot.waiting_s
        self.retries.update(snapshot.retries)
