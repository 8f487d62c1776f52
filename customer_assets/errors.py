"""Every error that customer_assets raises on purpose, sorted by what the caller should do.

CustomerAssetsError
├── ConfigurationError          stop: correct the named setting
│   └── MissingDependencyError  stop: run the command it gives
├── APIError
│   ├── RequestRefusedError     stop: the API will refuse this however often it is asked
│   ├── PageFailedError         retry later: one page could not be read
│   ├── IncompleteCrawlError    retry later: only the missing pages are requested again
│   └── CrawlPausedError        retry later: the API said when
├── PageStoreError              continue without the store
├── QualityGateError            stop: the data is not fit to publish
└── PublishError                retry later: the published file is still the previous one

No message, attribute or repr holds an API key or a customer's data. Errors private to one room belong in that room.
"""

from collections.abc import Sequence

MAX_PAGES_LISTED = 20
"""Keeps a message readable: further pages are only counted. The attribute holds all of them."""


class CustomerAssetsError(Exception):
    """The base class of every error that customer_assets raises on purpose."""


class ConfigurationError(CustomerAssetsError):
    """A setting cannot be used. Raised before any request is sent.

    Attributes:
        field: The setting's name, as the user would set it.
        problem: What is wrong with its value; never quotes a secret.
        remedy: What to set instead.
    """

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        """Compose the message: field, problem, remedy."""
        self.field, self.problem, self.remedy = field, problem, remedy
        super().__init__(f"{field}: {problem}. {remedy}")


class MissingDependencyError(ConfigurationError):
    """A setting needs an optional package that is not installed."""

    def __init__(self, field: str, part: str, command: str) -> None:
        """Name the setting, the package it needs and the command that installs it."""
        self.part, self.command = part, command
        super().__init__(field, f"{part} is not installed", f"Install it with: {command}")


class APIError(CustomerAssetsError):
    """The API did not return what it was asked for."""


class RequestRefusedError(APIError):
    """The API refused a request for good: 401, 403, 404 or another 4xx that retrying cannot change.

    Attributes:
        status: The HTTP status.
        page: The page requested.
        remedy: What to do next.
    """

    def __init__(self, status: int, page: int, remedy: str) -> None:
        """Name the status, the page and what to do."""
        self.status, self.page, self.remedy = status, page, remedy
        super().__init__(f"The API answered page {page} with HTTP {status}; not retried. {remedy}")


class PageFailedError(APIError):
    """One page could not be read, retries included.

    Attributes:
        page: The page requested.
        attempts: Requests sent for it.
        cause: The last failure, as one of `metrics.FailureCause`'s values.
        detail: A few words more, such as the limit or the status; never a body, a header or a URL.
    """

    def __init__(self, page: int, attempts: int, cause: str, detail: str = "") -> None:
        """Name the page, how often it was requested and why it last failed."""
        self.page, self.attempts, self.cause, self.detail = page, attempts, cause, detail
        why = f"{cause} ({detail})" if detail else cause
        super().__init__(f"Page {page} failed {attempts} times, most recently with {why}. Try again later.")


class IncompleteCrawlError(APIError):
    """A crawl ended with pages missing; those it read are in the page store.

    Attributes:
        missing_pages: The pages that were not read, ascending, as far as known.
        pages_total: How many pages the API says there are; None if it never said.
        reason: Why the crawl gave up.
    """

    def __init__(self, missing_pages: Sequence[int], pages_total: int | None, reason: str) -> None:
        """List the missing pages, the total and why the crawl gave up."""
        self.missing_pages, self.pages_total, self.reason = tuple(missing_pages), pages_total, reason
        total = "an unknown number of" if pages_total is None else str(pages_total)
        listed = ", ".join(str(page) for page in missing_pages[:MAX_PAGES_LISTED])
        if len(missing_pages) > MAX_PAGES_LISTED:
            listed += f" and {len(missing_pages) - MAX_PAGES_LISTED} more"
        super().__init__(
            f"{len(self.missing_pages)} of {total} pages are missing ({listed}): {reason}. "
            "The pages already read are kept; run again to request only the missing ones."
        )


class CrawlPausedError(APIError):
    """The API asked for a longer pause than a crawl is allowed to wait, for example because of a daily quota.

    Attributes:
        retry_after_s: Seconds from now until the API accepts requests again.
    """

    def __init__(self, retry_after_s: float) -> None:
        """Say how long the pause is."""
        self.retry_after_s = retry_after_s
        super().__init__(
            f"The API accepts no requests for another {retry_after_s:.0f} s (Retry-After), longer than this crawl "
            "may wait. The pages already read are kept; run again after that to request only the rest."
        )


class PageStoreError(CustomerAssetsError):
    """A page store could not be read or written; a crawl continues without it."""


class QualityGateError(CustomerAssetsError):
    """The data is not fit to publish.

    Attributes:
        failed_checks: The names of the checks that failed.
        reasons: Why each of them failed.
    """

    def __init__(self, failed_checks: Sequence[str], reasons: Sequence[str]) -> None:
        """Name the failed checks and the reason for each."""
        self.failed_checks, self.reasons = tuple(failed_checks), tuple(reasons)
        super().__init__(
            f"Not published, {', '.join(self.failed_checks)} failed: {'; '.join(self.reasons)}. "
            "The last good export is unchanged."
        )


class PublishError(CustomerAssetsError):
    """A file could not be published; the previous version is still in place, complete.

    Attributes:
        path: The file that was to be published.
        problem: What went wrong.
    """

    def __init__(self, path: str, problem: str) -> None:
        """Name the file and what went wrong."""
        self.path, self.problem = path, problem
        super().__init__(f"{path} was not published: {problem}. The previous version is unchanged.")
