"""Every error that customer_assets raises on purpose, sorted by what the caller does about it.

CustomerAssetsError
├── ConfigurationError          stop: mend the named setting
│   └── MissingDependencyError stop: run the command it names
├── APIError
│   ├── RequestRefusedError     stop: the API will not answer this, however often it is asked
│   ├── PageFailedError         retry later: one page stayed unreadable
│   ├── IncompleteCrawlError    retry later: only the named pages are asked for again
│   └── CrawlPausedError        retry later: the API named the time
├── PageStoreError              go on without the store
├── QualityGateError            stop: the data is not fit to publish
└── PublishError                retry later: the published file is the old one, whole

No message, attribute or repr holds an API key or a customer's data.
"""

from collections.abc import Sequence

PAGES_NAMED_AT_MOST = 20
"""A message stays readable: further pages are counted, and all of them are in the attribute."""


def _named(pages: Sequence[int]) -> str:
    shown = ", ".join(str(page) for page in pages[:PAGES_NAMED_AT_MOST])
    more = len(pages) - PAGES_NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown


class CustomerAssetsError(Exception):
    """The root of every error that customer_assets raises on purpose."""


class ConfigurationError(CustomerAssetsError):
    """A setting cannot be used; raised before any request is sent.

    Attributes:
        field: The setting's name, as a person would set it.
        problem: What is wrong with its value, without the value of a secret.
        remedy: What to set instead.
    """

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        """Name the setting, what is wrong with it and what to do."""
        self.field, self.problem, self.remedy = field, problem, remedy
        super().__init__(f"{field}: {problem}. {remedy}")


class MissingDependencyError(ConfigurationError):
    """An optional part that a setting asks for is not installed."""

    def __init__(self, field: str, part: str, command: str) -> None:
        """Name the setting, the part it asks for and the command that installs it."""
        self.part, self.command = part, command
        super().__init__(field, f"{part} is not installed", f"Install it with: {command}")


class APIError(CustomerAssetsError):
    """The API did not hand over what it was asked for."""


class RequestRefusedError(APIError):
    """The API refused a request for good (401, 403, 404 and other 4xx): asking again is pointless.

    Attributes:
        status: The HTTP status.
        page: The page asked for.
    """

    def __init__(self, status: int, page: int, remedy: str) -> None:
        """Name the status, the page and what to do."""
        self.status, self.page, self.remedy = status, page, remedy
        super().__init__(f"The API answered page {page} with HTTP {status}; not tried again. {remedy}")


class PageFailedError(APIError):
    """One page could not be read, retries included.

    Attributes:
        page: The page asked for.
        attempts: Requests sent for it.
        cause: The last failure, as one of `metrics.FailureCause`'s values.
        detail: The same in a few words: which limit, which status; no body, no header, no address.
    """

    def __init__(self, page: int, attempts: int, cause: str, detail: str = "") -> None:
        """Name the page, how often it was asked for and why it failed last."""
        self.page, self.attempts, self.cause, self.detail = page, attempts, cause, detail
        why = f"{cause} ({detail})" if detail else cause
        super().__init__(f"Page {page} failed {attempts} times, last by {why}. Ask again later.")


class IncompleteCrawlError(APIError):
    """A crawl ended with pages missing; the others are in the page store.

    Attributes:
        missing_pages: The pages that were not read, ascending, as far as they are known.
        pages_total: How many pages the API said there are; None if it never answered.
        reason: Why the crawl gave up.
    """

    def __init__(self, missing_pages: Sequence[int], pages_total: int | None, reason: str) -> None:
        """Name the missing pages, how many there are in all and why the crawl gave up."""
        self.missing_pages, self.pages_total, self.reason = tuple(missing_pages), pages_total, reason
        known = "an unknown number of" if pages_total is None else str(pages_total)
        super().__init__(
            f"{len(self.missing_pages)} of {known} pages are missing ({_named(self.missing_pages)}): {reason}. "
            "The pages already read are kept; run again to ask only for these."
        )


class CrawlPausedError(APIError):
    """The API asked for a longer pause than a crawl may wait (a daily quota, say).

    Attributes:
        retry_after_s: Seconds from now until the API takes requests again.
    """

    def __init__(self, retry_after_s: float) -> None:
        """Say how long the API asked to be left alone."""
        self.retry_after_s = retry_after_s
        super().__init__(
            f"The API takes no requests for another {retry_after_s:.0f} s (Retry-After), longer than this crawl "
            "may wait. The pages already read are kept; run again after that to ask only for the rest."
        )


class PageStoreError(CustomerAssetsError):
    """A page store could not be read or written; a crawl goes on without it."""


class QualityGateError(CustomerAssetsError):
    """The data is not fit to publish.

    Attributes:
        failed_checks: The names of the checks that failed.
    """

    def __init__(self, failed_checks: Sequence[str], reasons: Sequence[str]) -> None:
        """Name the failed checks and the reason of each."""
        self.failed_checks, self.reasons = tuple(failed_checks), tuple(reasons)
        super().__init__(
            f"Not published, {', '.join(self.failed_checks)} failed: {'; '.join(self.reasons)}. "
            "The last good export is unchanged."
        )


class PublishError(CustomerAssetsError):
    """A file could not be published; the one before it is still in place, whole.

    Attributes:
        path: The file that was to be published.
    """

    def __init__(self, path: str, problem: str) -> None:
        """Name the file and what went wrong."""
        self.path, self.problem = path, problem
        super().__init__(f"{path} was not published: {problem}. The version before it is unchanged.")
