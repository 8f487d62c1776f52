"""How a crawl's end becomes an error that says what to do. Decides on words only."""

from customer_assets.api.actions import GiveUp
from customer_assets.errors import APIError, CrawlPausedError, IncompleteCrawlError, RequestRefusedError

REMEDIES = {
    401: "Check the API key (CUSTOMER_API_KEY).",
    403: "The key may not read customers: ask the API's owner.",
    404: "Check the base URL (CUSTOMER_API_BASE_URL): customers are expected at /users below it.",
}
REDIRECTED = "The API has moved: set the base URL (CUSTOMER_API_BASE_URL) to where it is now."
CHECK_THE_ADDRESS = "Check the base URL and the settings of the request."


def early_end(end: GiveUp) -> RequestRefusedError | CrawlPausedError | None:
    """Make the error of a crawl that the API itself ended; None if it did not."""
    if end.refused_status is not None:
        return RequestRefusedError(end.refused_status, end.refused_page or 1, _remedy(end.refused_status))
    return None if end.retry_after_s is None else CrawlPausedError(end.retry_after_s)


def error(end: GiveUp, last_failure: str = "") -> APIError:
    """Make the error of a crawl that gave up; `last_failure` says of its latest failed request what was wrong."""
    reason = f"{end.reason}; the last failure: {last_failure}" if last_failure else end.reason
    return early_end(end) or IncompleteCrawlError(end.missing_pages, end.pages_total, reason)


def _remedy(status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
        return REDIRECTED
    return REMEDIES.get(status, CHECK_THE_ADDRESS)
