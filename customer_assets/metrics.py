"""The names of what is counted: one enumeration each, so that logs, metadata and monitoring agree."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class FailureCause(StrEnum):
    """Why a request did not bring its page."""

    SERVER_ERROR = "server_error"
    """5xx or 408."""
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Refused, reset or closed before the answer was whole."""
    BAD_BODY = "bad_body"
    """Not JSON, not the envelope, not the page asked for, or larger than allowed."""
    THROTTLED = "throttled"
    """429."""
    REFUSED = "refused"
    """Any other 4xx, or a redirect that may not be followed."""
    SHORT_PAGE = "short_page"
    """Fewer records than the page's own `per_page` promises, before the last page."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number about the last run, as Prometheus is told it.

    All are gauges. A Pushgateway keeps what was pushed last and adds nothing up, so a counter's `rate()` over what
    single runs counted would be wrong; hence no name ends in `_total`, which is for counters.

    Attributes:
        name: In base units (seconds, bytes, ratios from 0 to 1), the unit last.
        help: What it tells.
        labels: What tells its samples apart.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Metric(Enum):
    """Every metric that is exported. No label holds anything about a customer."""

    REQUESTS = Gauge("customer_sync_requests", "Requests sent to the API by the last crawl.")
    SUCCESS = Gauge("customer_sync_request_success_ratio", "Share of these requests that brought their page.")
    ANSWERS = Gauge("customer_sync_answers", "Answers to them, by HTTP status; none: no answer came.", ("status",))
    RETRIES = Gauge("customer_sync_retries", "Requests sent again, by what had failed.", ("cause",))
    THROTTLES = Gauge("customer_sync_throttles", "Answers 429, too many requests.")
    THROTTLED = Gauge("customer_sync_throttled_seconds", "Time in which the API had asked to be left alone.")
    LATENCY = Gauge("customer_sync_request_latency_seconds", "How long answers took, by percentile.", ("percentile",))
    CRAWL_DURATION = Gauge("customer_sync_crawl_duration_seconds", "From the first request to the last page.")
    RECEIVED = Gauge("customer_sync_received_bytes", "Bodies received, decompressed.")
    PAGES = Gauge("customer_sync_pages", "Pages read.")
    PAGES_KEPT = Gauge("customer_sync_pages_from_store", "Of these, the ones that needed no request.")
    MISSING = Gauge("customer_sync_missing_customers", "Customers that the API counts and did not hand over.")
    RECORDS = Gauge(
        "customer_sync_records", "TableVersions by outcome: landed = clean + merged + rejected; exported.", ("outcome",)
    )
    CUSTOMERS = Gauge("customer_sync_customers", "Exported customers by data quality.", ("quality",))
    MEAN_QUALITY = Gauge("customer_sync_mean_quality_score", "Mean data quality score of the customers, 0 to 100.")
    LOW_QUALITY = Gauge("customer_sync_low_quality_ratio", "Share of customers that score below 70.")
    REJECTED = Gauge("customer_sync_rejected_ratio", "Share of records without a usable id.")
    DEFECTS = Gauge(
        "customer_sync_defective_records", "TableVersions with a defect, by the field it is in.", ("field",)
    )
    MATERIALIZED = Gauge("customer_sync_materialized_timestamp_seconds", "When the asset was last materialised.")
    CHECK_PASSED = Gauge("customer_sync_check_passed", "1 if the check's claim held when last made.", ("check",))
    CHECK_SCORE = Gauge("customer_sync_check_score", "What the check measured.", ("check",))
    CHECK_THRESHOLD = Gauge("customer_sync_check_threshold", "What the score was compared with.", ("check",))
    OUTCOME = Gauge("customer_sync_run_outcome", "1 for how the last run ended, 0 for the others.", ("outcome",))
    DURATION = Gauge("customer_sync_run_duration_seconds", "How long the last run took.")
    FAILED_STEPS = Gauge("customer_sync_failed_steps", "Steps of the last run that failed.")
    FAILED_CHECKS = Gauge("customer_sync_failed_checks", "Checks of the last run that failed as errors.")
    FINISHED = Gauge("customer_sync_run_timestamp_seconds", "When the last run ended.")
    SUCCEEDED = Gauge("customer_sync_run_success_timestamp_seconds", "When a run last succeeded.")
