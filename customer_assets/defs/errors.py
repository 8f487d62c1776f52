"""How our errors reach Dagster: which are retried, and which stop the run.

Add an error to `RETRYABLE` if another attempt can succeed. What an error says belongs in `core/errors.py`.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from customer_assets.core.errors import (
    ConfigurationError,
    CrawlPausedError,
    CustomerAssetsError,
    IncompleteCrawlError,
    PageFailedError,
    PageStoreError,
    PublishError,
)
from customer_assets.storage.private_files import failing_file

RETRYABLE = (IncompleteCrawlError, PageFailedError, PageStoreError, PublishError)
"""Errors that another attempt can overcome. All others stop the run."""

IN_THE_WAY = (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
"""Causes of a `PublishError` that retrying cannot fix: someone has to move a file or grant a permission."""

ENGINE_MODULES = ("duckdb", "_duckdb", "narwhals", "polars", "pyarrow", "pyspark", "py4j")
"""Their errors mean that a frame could not be computed: since files are checked when written, one is damaged."""

REDACTED = "its message is withheld, since an engine can quote a customer"

BUG = "Unexpected"
"""Begins the message of a failure that only its traceback explains."""

MAX_PAUSE_S = 3600.0
"""The longest pause that a run waits out; after a longer one the next scheduled run resumes the crawl."""

MAX_PAUSES = 3
"""Retries of a run for pauses before which no page came; a pause that brought pages costs no retry."""

UNLIMITED = 1_000_000

OUT_OF_MEMORY = ("ArrowMemoryError", "MemoryError", "OutOfMemoryException", "OutOfMemoryError")
"""The same condition, by the names of Python, PyArrow, DuckDB and Polars. DuckDB has no other one for a full disk, if
that is where it puts what exceeds its memory."""

NEEDS_MEMORY = (
    "the engine ran out of memory, or of disk for what exceeds it. Free space where it puts that, or name another "
    "place in CUSTOMER_ENGINE_SPILL_DIR; or give it more memory (CUSTOMER_ENGINE_MEMORY_LIMIT). Nothing is damaged."
)

NO_SPACE = os.strerror(errno.ENOSPC)

NEEDS_SPACE = (
    "the disk is full where the engine puts what exceeds its memory. Free space there, or name another place in "
    "CUSTOMER_ENGINE_SPILL_DIR. Nothing is damaged."
)

DAMAGED = (
    "the engine could not read or compute its frames; a file of the lake may be damaged. "
    "Materialise raw_customers and clean_customers again. If that does not help, the traceback shows where it failed."
)


@contextmanager
def as_dagster_failures() -> Iterator[None]:
    """Turn errors into what Dagster should do about them: retry, wait or stop.

    Dagster retries everything but a `Failure(allow_retries=False)`, bugs and terminated runs included, so whatever
    another attempt cannot overcome leaves here as such a failure. Dagster stores the errors behind a failure with their
    messages; of an engine's errors it gets only the class and the traceback.
    """
    try:
        yield
    except RETRYABLE as error:
        if isinstance(error, PublishError) and _is_in_the_way(error):
            raise dg.Failure(str(error), allow_retries=False) from redact(error)
        raise
    except CrawlPausedError as error:
        if error.retry_after_s > MAX_PAUSE_S:
            raise dg.Failure(str(error), allow_retries=False) from redact(error)
        retries = UNLIMITED if error.pages_received else MAX_PAUSES
        raise dg.RetryRequested(max_retries=retries, seconds_to_wait=error.retry_after_s) from redact(error)
    except CustomerAssetsError as error:
        remedy = {"remedy": error.remedy} if isinstance(error, ConfigurationError) else None
        raise dg.Failure(str(error), metadata=remedy, allow_retries=False) from redact(error)
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError) as interrupt:
        raise dg.Failure("The run was terminated. The pages read so far are kept.", allow_retries=False) from interrupt
    except OSError as error:
        file = failing_file(error)
        where = f" ({os.fsdecode(file)})" if file else ""
        text = f"{error.strerror or error}{where}. Fix that, then run again."
        raise dg.Failure(text, allow_retries=False) from redact(error)
    except Exception as bug:  # noqa: BLE001 - it is raised again, without what Dagster must not store
        raise dg.Failure(_explain(bug), allow_retries=False) from redact(bug)


def _explain(bug: Exception) -> str:
    """Say what to do about an error whose own message is withheld."""
    name = type(bug).__name__
    if name in OUT_OF_MEMORY or "bad_alloc" in str(bug):
        return f"{name}: {NEEDS_MEMORY}"
    if _is_from_engine(bug):
        return f"{name}: {NEEDS_SPACE if NO_SPACE in str(bug) else DAMAGED}"
    return f"{BUG} {name}; not retried."


def redact(error: BaseException) -> BaseException:
    """Replace each engine's error in a chain by one of the same name and traceback, without its message."""
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    shown = error
    if _is_from_engine(error):
        same_name = type(type(error).__name__, (Exception,), {"__module__": type(error).__module__})
        shown = same_name(REDACTED).with_traceback(error.__traceback__)
    shown.__cause__ = None if behind is None else redact(behind)
    return shown


def _is_in_the_way(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, IN_THE_WAY) or (isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EROFS)):
            return True
        error = error.__cause__
    return False


def _is_from_engine(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ENGINE_MODULES
