"""Every error that customer_assets raises on purpose, sorted by what the caller should do.

CustomerAssetsError
├── ConfigurationError          stop: correct the named setting
│   └── MissingDependencyError  stop: run the command it gives
├── APIError
│   ├── RequestRefusedError     stop: the API will refuse this however often it is asked
│   ├── PageFailedError         retry later: one page could not be read
│   ├── CrawlLimitError         run again: a limit of the crawl's own ended it, and only the rest is requested
│   ├── IncompleteCrawlError    retry later: only the missing pages are requested again
│   └── CrawlPausedError        retry later: the API said when
├── PageStoreError              continue without the store
├── TableError
│   ├── NotMaterializedError    stop: materialise the named asset first
│   └── DamagedTableError       stop: materialise the named asset again
├── QualityGateError            stop: the data is not fit to publish
├── SupersededError             stop: newer customers are already published
├── AbandonedStepError          stop: the run that the step belongs to has ended
└── PublishError                retry later: the published file is still the previous one, unless it says otherwise

No message, attribute or repr holds an API key or a customer's data. Errors private to one room belong in that room.
"""

from collections.abc import Sequence

MAX_PAGES_KEPT = 100_000
"""More missing pages are not kept: an API that lies about its pages would cost their memory."""

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
        missing_pages: The pages that were not read, ascending, as far as known; the first `MAX_PAGES_KEPT` of them.
        pages_total: How many pages the API says there are; None if it never said.
        reason: Why the crawl gave up.
    """

    def __init__(self, missing_pages: Sequence[int], pages_total: int | None, reason: str) -> None:
        """List the missing pages, the total and why the crawl gave up."""
        self.missing_pages, self.pages_total, self.reason = tuple(missing_pages), pages_total, reason
        at_least = "At least " if len(missing_pages) >= MAX_PAGES_KEPT else ""
        count = len(self.missing_pages)
        counted = f"{count} of {pages_total} pages" if pages_total else "1 page" if count == 1 else f"{count} pages"
        listed = ", ".join(str(page) for page in missing_pages[:MAX_PAGES_LISTED])
        if len(missing_pages) > MAX_PAGES_LISTED:
            listed += f" and {len(missing_pages) - MAX_PAGES_LISTED} more"
        missing = f"{at_least}{counted} {'is' if count == 1 else 'are'} missing ({listed})"
        super().__init__(
            f"{missing if listed else 'The listing could not be read completely'}: {reason}. "
            "Pages that were read are kept: run again to request only the others."
        )


class CrawlLimitError(APIError):
    """A crawl reached a limit that is set for it; the pages that it read are in the page store.

    Attributes:
        setting: The limit.
        pages: How many pages are read.
        pages_total: How many pages the API says there are; None if it never said.
    """

    def __init__(self, setting: str, limit: str, pages: int, pages_total: int | None) -> None:
        """Name the limit, how far the crawl came and what to do."""
        self.setting, self.pages, self.pages_total = setting, pages, pages_total
        total = "" if pages_total is None else f" of {pages_total}"
        super().__init__(
            f"The crawl reached {setting}, {limit}, and was ended. {pages}{total} pages are read and kept; run again "
            f"to request only the rest, or raise {setting}."
        )


class CrawlPausedError(APIError):
    """The API asked for a longer pause than a crawl is allowed to wait, for example because of a daily quota.

    Attributes:
        retry_after_s: Seconds from now until the API accepts requests again.
        pages_received: Pages that the crawl has read before that.
    """

    def __init__(self, retry_after_s: float) -> None:
        """Say how long the pause is."""
        self.retry_after_s = retry_after_s
        self.pages_received = 0
        super().__init__(
            f"The API accepts no requests for another {retry_after_s:.0f} s (Retry-After), longer than this crawl "
            "may wait. The pages already read are kept; run again after that to request only the rest."
        )


class PageStoreError(CustomerAssetsError):
    """A page store could not be read or written; a crawl continues without it."""


class TableError(CustomerAssetsError):
    """A table of the lake cannot be read.

    Attributes:
        table: The table, named as the asset that commits it.
    """

    def __init__(self, table: str, message: str) -> None:
        """Name the table and say what happened to it."""
        self.table = table
        super().__init__(message)


class NotMaterializedError(TableError):
    """A table was never committed."""

    def __init__(self, table: str, lake: str) -> None:
        """Name the table and the lake that does not hold it."""
        super().__init__(
            table,
            f"There is no {table}.json in {lake}: {table} was never materialised there. "
            f"Materialise {table} first, or all assets at once.",
        )


class DamagedTableError(TableError):
    """A table's file or pointer is not what was committed.

    Attributes:
        path: The file.
        problem: What is wrong with it, without its content.
    """

    def __init__(self, path: str, problem: str, table: str) -> None:
        """Name the file, what is wrong with it and the table."""
        self.path, self.problem = path, problem
        super().__init__(table, f"{path} cannot be read: {problem}. Materialise {table} again.")


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
            "The last good export is unchanged. What to do: deploy/OPERATING.md#when-a-check-is-red."
        )


class SupersededError(CustomerAssetsError):
    """A run was overtaken: customers of a newer crawl are in place, and are not replaced by older ones.

    Attributes:
        path: What was not replaced.
    """

    def __init__(self, path: str) -> None:
        """Name what was not replaced."""
        self.path = path
        super().__init__(
            f"{path} was not replaced: customers of a newer crawl are there already, or are being published by another "
            "run. Nothing needs to be done, unless no other run publishes: then materialise all assets."
        )


class AbandonedStepError(CustomerAssetsError):
    """A step outlived the process that started it, so nobody would learn of what it publishes.

    Attributes:
        path: What was not replaced.
    """

    def __init__(self, path: str) -> None:
        """Name what was not replaced."""
        self.path = path
        super().__init__(
            f"{path} was not replaced: the process that started this step has ended, and its run with it. Run again."
        )


class PublishError(CustomerAssetsError):
    """A file could not be published; unless `in_place`, the previous version is unchanged.

    Attributes:
        path: The file that was to be published.
        problem: What went wrong.
        in_place: Whether the new file is in place all the same.
    """

    def __init__(self, path: str, problem: str, *, in_place: bool = False) -> None:
        """Name the file and what went wrong."""
        self.path, self.problem, self.in_place = path, problem, in_place
        super().__init__(
            f"{path} was published, but {problem}."
            if in_place
            else f"{path} was not published: {problem}. The previous version is unchanged."
        )
