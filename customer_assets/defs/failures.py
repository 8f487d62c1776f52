"""How our errors reach Dagster: which are tried again, which stop the run. A table, no decisions of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from customer_assets.errors import (
    ConfigurationError,
    CrawlPausedError,
    CustomerAssetsError,
    IncompleteCrawlError,
    PageFailedError,
    PageStoreError,
    PublishError,
)

RETRIED = (IncompleteCrawlError, PageFailedError, PageStoreError, PublishError)
"""What another attempt can mend; of the others, none."""

ENGINES = ("duckdb", "_duckdb", "narwhals", "polars", "pyarrow", "pyspark", "py4j")
"""Whose errors say that a frame could not be computed: what was written was checked, so its file is damaged."""

MAX_PAUSE_S = 3600.0
"""A run waits this long for an API that named the time; the next scheduled run resumes after a longer pause."""

MAX_PAUSES = 3

DAMAGED = (
    "the engine could not read or compute its frames; a file of the lake may be damaged. "
    "Materialise raw_customers and clean_customers again; if that does not help, the error below says what failed."
)


@contextmanager
def told_to_dagster() -> Iterator[None]:
    """Turn errors into what Dagster does about them: retry, wait or stop.

    Dagster retries whatever is not a `Failure(allow_retries=False)`, bugs and terminated runs included; so everything
    that another attempt cannot mend leaves here as just that.
    """
    try:
        yield
    except RETRIED:
        raise
    except CrawlPausedError as error:
        if error.retry_after_s > MAX_PAUSE_S:
            raise dg.Failure(str(error), allow_retries=False) from error
        raise dg.RetryRequested(max_retries=MAX_PAUSES, seconds_to_wait=error.retry_after_s) from error
    except CustomerAssetsError as error:
        remedy = error.remedy if isinstance(error, ConfigurationError) else None
        raise dg.Failure(str(error), metadata={"remedy": remedy} if remedy else None, allow_retries=False) from error
    except (KeyboardInterrupt, DagsterExecutionInterruptedError) as interrupt:
        raise dg.Failure("The run was terminated; what was read so far is kept.", allow_retries=False) from interrupt
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise dg.Failure(f"{error.strerror or error}{where}; mend that and run again.", allow_retries=False) from error
    except Exception as bug:
        raise dg.Failure(_unforeseen(bug), allow_retries=False) from bug


def _unforeseen(bug: Exception) -> str:
    if type(bug).__module__.partition(".")[0] in ENGINES:
        return f"{type(bug).__name__}: {DAMAGED}"
    return f"Unforeseen {type(bug).__name__}; not tried again."
