"""Each error reaches Dagster as what it should do about it."""

import errno
import re
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_shared.error import SerializableErrorInfo

from customer_assets.core.errors import (
    ConfigurationError,
    CrawlPausedError,
    IncompleteCrawlError,
    PublishError,
    QualityGateError,
    RequestRefusedError,
)
from customer_assets.defs.errors import as_dagster_failures


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ConfigurationError("base_url", "no", "do"), id="configuration"),
        pytest.param(RequestRefusedError(401, 1, "Check the key."), id="refused"),
        pytest.param(QualityGateError(["c"], ["r"]), id="gate"),
        pytest.param(CrawlPausedError(86_400), id="a pause of a day"),
        pytest.param(OSError(28, "No space left on device", "/data"), id="full disk"),
        pytest.param(ValueError("a bug"), id="bug"),
        pytest.param(KeyboardInterrupt(), id="interrupt"),
        pytest.param(DagsterExecutionInterruptedError(), id="terminated in the UI"),
    ],
)
def test_what_no_attempt_can_mend_is_not_retried(error: BaseException) -> None:
    """Dagster would retry anything else, bugs and terminated runs included."""
    with pytest.raises(dg.Failure) as caught, as_dagster_failures():
        raise error
    assert caught.value.allow_retries is False


@pytest.mark.parametrize(
    "error", [IncompleteCrawlError([3], 9, "spent"), PublishError("f", "disk")], ids=["incomplete", "publish"]
)
def test_what_an_attempt_can_mend_is_left_to_the_retry_policy(error: Exception) -> None:
    """The policy sees the error itself."""
    with pytest.raises(type(error)), as_dagster_failures():
        raise error


@pytest.mark.parametrize("code", [errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EACCES, errno.EROFS, errno.ELOOP])
def test_what_stands_in_the_way_is_not_retried(code: int) -> None:
    """It does not go away by itself; a full disk can."""
    with pytest.raises(dg.Failure) as caught, as_dagster_failures():
        raise PublishError("f", "no") from OSError(code, "no", "f")
    assert caught.value.allow_retries is False
    with pytest.raises(PublishError), as_dagster_failures():
        raise PublishError("f", "no") from OSError(errno.ENOSPC, "no", "f")


def test_a_pause_that_a_run_can_sit_out_is_waited_for() -> None:
    """The step is tried again when the API said."""
    with pytest.raises(dg.RetryRequested) as caught, as_dagster_failures():
        raise CrawlPausedError(120)
    assert caught.value.seconds_to_wait == 120


def out_of_memory(place: Path) -> Exception:
    """DuckDB's error when there is no room where it puts what exceeds its memory."""
    settings: dict[str, Any] = {
        "memory_limit": "20MB",
        "temp_directory": str(place),
        "max_temp_directory_size": "1MB",
        "threads": 1,
    }
    with duckdb.connect(config=settings) as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute("CREATE TABLE t AS SELECT md5(i::VARCHAR) m FROM range(2000000) r(i) ORDER BY m")
    return caught.value


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("out of memory", "OutOfMemoryException: the engine ran out of memory, or of disk for what exceeds it."),
        (MemoryError(), "MemoryError: the engine ran out of memory"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), "ArrowMemoryError: the engine ran out of memory"),
        (
            duckdb.IOException('Could not write file "/spill/duckdb_temp.tmp": No space left on device'),
            "IOException: the disk is full where the engine puts what exceeds its memory. Free space there",
        ),
        (duckdb.IOException("No magic bytes found"), "IOException: the engine could not read or compute its frames"),
    ],
)
def test_an_engines_message_that_is_withheld_is_explained(tmp_path: Path, cause: Any, expected: str) -> None:
    """What is full is not called damaged: to materialise everything again would not help."""
    error = out_of_memory(tmp_path) if cause == "out of memory" else cause
    with pytest.raises(dg.Failure, match=re.escape(expected)) as caught, as_dagster_failures():
        raise error
    assert caught.value.allow_retries is False


def test_a_disk_that_is_full_is_named_by_what_was_to_be_written() -> None:
    """Of a copy, Python names the file that was read as well, and first."""
    with pytest.raises(dg.Failure, match=r"No space left on device \(/there/copy\)"), as_dagster_failures():
        raise OSError(errno.ENOSPC, "No space left on device", "/here/source", None, "/there/copy")


def kept_of(error: BaseException) -> list[SerializableErrorInfo]:
    """What Dagster would keep of an error: it, and those behind it."""
    with pytest.raises(dg.Failure) as caught, as_dagster_failures():
        raise error
    failure = caught.value
    assert failure.__traceback__ is not None
    kept = [serializable_error_info_from_exc_info((type(failure), failure, failure.__traceback__))]
    while kept[-1].cause or kept[-1].context:
        kept.append(kept[-1].cause or kept[-1].context)  # type: ignore[arg-type] # one of them is there
    return kept


def an_engines(message: str) -> Exception:
    """An error as DuckDB raises it, caught."""
    with pytest.raises(duckdb.Error, match=message) as caught:
        duckdb.execute(f"SELECT error('{message}')")
    return caught.value


def behind(error: Exception, cause: Exception) -> Exception:
    """Put an error behind another."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(an_engines("canary-name"), id="alone"),
        pytest.param(behind(OSError(28, "No space left", "/data"), an_engines("canary-name")), id="behind the disk"),
        pytest.param(behind(ValueError("a bug"), an_engines("canary-name")), id="behind a bug"),
        pytest.param(behind(ConfigurationError("f", "no", "do"), an_engines("canary-name")), id="behind one of ours"),
    ],
)
def test_what_an_engine_says_is_not_kept(error: Exception) -> None:
    """It may quote a customer: its class and its traceback are kept, as far back as it stands."""
    kept = kept_of(error)
    assert "canary-name" not in str([each.to_string() for each in kept])
    assert kept[-1].cls_name == "InvalidInputException"
    assert "in an_engines" in "".join(kept[-1].stack)


def test_what_is_ours_is_kept_whole() -> None:
    """A bug's message is what it is mended by."""
    kept = kept_of(behind(ValueError("a bug"), KeyError("its cause")))
    assert [each.cls_name for each in kept] == ["Failure", "ValueError", "KeyError"]
    assert "a bug" in kept[1].message
    assert "its cause" in kept[2].message


@pytest.mark.parametrize(("pages_received", "most"), [(0, 3), (20, 1_000_000)])
def test_a_pause_that_brought_pages_costs_no_retry(pages_received: int, most: int) -> None:
    """An hourly quota is waited out as often as it takes; a pause that brings nothing, three times."""
    pause = CrawlPausedError(3_000)
    pause.pages_received = pages_received
    with pytest.raises(dg.RetryRequested) as caught, as_dagster_failures():
        raise pause
    assert (caught.value.max_retries, caught.value.seconds_to_wait) == (most, 3_000)
