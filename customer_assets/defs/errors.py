"""How our errors reach Dagster: which are tried again, which stop the run. A table, no decisions of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from customer_assets.errors import (
    ConfigurationError,
    CrawlPausedError,
    CustomerAssetsError,
    IncompleteCrawlError,
    PageFailedError,
    PageStoreError,
    PublishError,
)

RETRYABLE = (IncompleteCrawlError, PageFailedError, PageStoreError, PublishError)
"""What another attempt can mend; of the others, none."""

ENGINE_MODULES = ("duckdb", "_duckdb", "narwhals", "polars", "pyarrow", "pyspark", "py4j")
"""Whose errors say that a frame could not be computed: what was written was checked, so its file is damaged."""

REDACTED = "its message is not kept, since an engine may quote a customer"

MAX_PAUSE_S = 3600.0
"""A run waits this long for an API that named the time; the next scheduled run resumes after a longer pause."""

MAX_PAUSES = 3

DAMAGED = (
    "the engine could not read or compute its frames; a file of the lake may be damaged. "
    "Materialise raw_customers and clean_customers again; if that does not help, the traceback says where it failed."
)


@contextmanager
def as_dagster_failures() -> Iterator[None]:
    """Turn errors into what Dagster does about them: retry, wait or stop.

    Dagster retries whatever is not a `Failure(allow_retries=False)`, bugs and terminated runs included; so everything
    that another attempt cannot mend leaves here as just that. Dagster keeps the errors behind a failure, with their
    messages; of engines it is given the classes and tracebacks only.
    """
    try:
        yield
    except RETRYABLE:
        raise
    except CrawlPausedError as error:
        if error.retry_after_s > MAX_PAUSE_S:
            raise dg.Failure(str(error), allow_retries=False) from redact(error)
        raise dg.RetryRequested(max_retries=MAX_PAUSES, seconds_to_wait=error.retry_after_s) from redact(error)
    except CustomerAssetsError as error:
        remedy = {"remedy": error.remedy} if isinstance(error, ConfigurationError) else None
        raise dg.Failure(str(error), metadata=remedy, allow_retries=False) from redact(error)
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError) as interrupt:
        raise dg.Failure("The run was terminated; what was read so far is kept.", allow_retries=False) from interrupt
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        told = f"{error.strerror or error}{where}; mend that and run again."
        raise dg.Failure(told, allow_retries=False) from redact(error)
    except Exception as bug:  # noqa: BLE001 - it is raised again, as what Dagster may keep of it
        raise dg.Failure(_unforeseen(bug), allow_retries=False) from redact(bug)


def redact(error: BaseException) -> BaseException:
    """Put a stand-in, of the same name and traceback, in the place of each engine's error in a chain."""
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    told = _redacted_copy(error) if _is_an_engines(error) else error
    told.__cause__ = None if behind is None else redact(behind)
    return told


def _redacted_copy(error: BaseException) -> Exception:
    named = type(type(error).__name__, (Exception,), {"__module__": type(error).__module__})
    stand_in: Exception = named(REDACTED)
    return stand_in.with_traceback(error.__traceback__)


def _is_an_engines(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ENGINE_MODULES


def _unforeseen(bug: Exception) -> str:
    if _is_an_engines(bug):
        return f"{type(bug).__name__}: {DAMAGED}"
    return f"Unforeseen {type(bug).__name__}; not tried again."
