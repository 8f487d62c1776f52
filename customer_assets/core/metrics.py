"""The names of everything we count, so that logs, metadata and monitoring use the same ones.

Add a failure cause or an exported metric here. Which figure of a run feeds a metric belongs in `monitoring/samples.py`.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum


class FailureCause(StrEnum):
    """Why a request did not bring its page."""

    SERVER_ERROR = "server_error"
    """5xx or 408."""
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Refused, reset, or closed before the response was complete."""
    BAD_BODY = "bad_body"
    """Not JSON, not the expected envelope, not the page requested, or larger than allowed."""
    THROTTLED = "throttled"
    """429."""
    REFUSED = "refused"
    """Any other 4xx, or a redirect we must not follow."""
    SHORT_PAGE = "short_page"
    """Fewer records than the page's own `per_page` promises, before the last page."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number about the last run, exported to Prometheus.

    All are gauges: a Pushgateway keeps the last value pushed and never adds up, so `rate()` over a counter would be
    wrong. For the same reason no name ends in `_total`, Prometheus' suffix for counters.

    Attributes:
        name: In base units (seconds, bytes, ratios from 0 to 1), the unit last.
        help: What it measures.
        labels: The names of its labels.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Metric(Enum):
    """Every metric that is exported. No label holds anything about a customer."""

    REQUESTS = Gauge("customer_sync_requests", "Requests the last crawl sent to the API.")
    SUCCESS = Gauge("customer_sync_request_success_ratio", "Share of these requests that brought their page.")
    ANSWERS = Gauge("customer_sync_answers", "Responses by HTTP status; none: no response came.", ("status",))
    RETRIES = Gauge("customer_sync_retries", "Requests sent again, by the cause of the failure.", ("cause",))
    THROTTLES = Gauge("customer_sync_throttles", "Responses with status 429, too many requests.")
    THROTTLED = Gauge("customer_sync_throttled_seconds", "Time spent in pauses the API asked for.")
    LATENCY = Gauge("customer_sync_request_latency_seconds", "Response time, by percentile.", ("percentile",))
    CRAWL_DURATION = Gauge("customer_sync_crawl_duration_seconds", "Time from the first request to the last page.")
    RECEIVED = Gauge("customer_sync_received_bytes", "Response bodies received, decompressed.")
    PAGES = Gauge("customer_sync_pages", "Pages read.")
    PAGES_KEPT = Gauge("customer_sync_pages_from_store", "Pages read from the page store, without a request.")
    MISSING = Gauge("customer_sync_missing_customers", "Customers the API counts but did not return.")
    RECORDS = Gauge(
        "customer_sync_records",
        "Records by outcome: landed = clean + merged + rejected; exported; received by an incremental crawl.",
        ("outcome",),
    )
    CUSTOMERS = Gauge("customer_sync_customers", "Exported customers by data quality.", ("quality",))
    MEAN_QUALITY = Gauge("customer_sync_mean_quality_score", "Mean data quality score of the customers, 0 to 100.")
    LOW_QUALITY = Gauge("customer_sync_low_quality_ratio", "Share of customers that score below 70.")
    REJECTED = Gauge("customer_sync_rejected_ratio", "Share of records without a usable id.")
    DEFECTS = Gauge("customer_sync_defective_records", "Records with a defect, by field.", ("field",))
    MATERIALIZED = Gauge("customer_sync_materialized_timestamp_seconds", "When the asset was last materialised.")
    CHECK_PASSED = Gauge("customer_sync_check_passed", "1 if the check passed when last evaluated, else 0.", ("check",))
    CHECK_SCORE = Gauge("customer_sync_check_score", "What the check measured.", ("check",))
    CHECK_THRESHOLD = Gauge("customer_sync_check_threshold", "What the score was compared with.", ("check",))
    OUTCOME = Gauge("customer_sync_run_outcome", "1 for how the last run ended, 0 for the other ways.", ("outcome",))
    DURATION = Gauge("customer_sync_run_duration_seconds", "How long the last run took.")
    FAILED_STEPS = Gauge("customer_sync_failed_steps", "Steps of the last run that failed.")
    FAILED_CHECKS = Gauge("customer_sync_failed_checks", "Checks of the last run that failed as errors.")
    FINISHED = Gauge("customer_sync_run_timestamp_seconds", "When the last run ended.")
    SUCCEEDED = Gauge("customer_sync_run_success_timestamp_seconds", "When a run last succeeded.")
