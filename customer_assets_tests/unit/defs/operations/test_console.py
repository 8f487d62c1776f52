"""What `customer-assets sync` prints: a plain line for what is worth knowing, and nothing else."""

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from customer_assets.core.errors import ConfigurationError
from customer_assets.defs.errors import as_dagster_failures
from customer_assets.defs.operations.console import (
    PlainFormatter,
    build_logger,
    is_worth_printing,
    load_definitions,
    load_job,
    plain_logger,
)


def record(message: str, **facts: Any) -> logging.LogRecord:
    """Make a record as Dagster does."""
    made = logging.LogRecord("dagster", logging.INFO, "", 0, f"job - run - {message}", None, None)
    made.dagster_meta = {"orig_message": message, "step_key": None, "dagster_event": None, **facts}
    return made


def test_a_line_has_the_time_the_step_and_the_message() -> None:
    line = PlainFormatter().format(record("12 records", step_key="raw_customers"))
    assert line[8:] == "  raw_customers  12 records"


def test_a_crawls_own_time_is_not_printed_twice() -> None:
    plain = logging.LogRecord("customer_assets.api", 30, "", 0, "2026-11-27T12:16:59.823+00:00 page 1: 503", None, None)
    assert PlainFormatter().format(plain)[8:] == "  page 1: 503"


def test_the_summary_stands_alone() -> None:
    assert PlainFormatter().format(record("Done in 1 s.\n  fetched   12")) == "\nDone in 1 s.\n  fetched   12"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"orig_message": "12 records"}, True),
        ({"orig_message": "Dependencies for step clean_customers failed: …"}, False),
        ({"dagster_event": SimpleNamespace(is_step_failure=False, is_step_up_for_retry=False)}, False),
    ],
)
def test_events_and_skipped_steps_are_not_printed(facts: dict[str, Any], *, expected: bool) -> None:
    assert is_worth_printing(record("", **facts)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(ConfigurationError("CUSTOMER_ENGINE", "it is unknown", "Choose one."), False, id="known"),
        pytest.param(ZeroDivisionError("a bug"), True, id="a bug"),
    ],
)
def test_only_a_bug_comes_with_its_traceback(error: Exception, *, expected: bool) -> None:
    """The summary explains the others."""

    @dg.op
    def fail() -> None:
        with as_dagster_failures():
            raise error

    @dg.job(logger_defs={"plain": plain_logger})
    def failing() -> None:
        fail()

    events = failing.execute_in_process(raise_on_error=False).all_events
    (event,) = (each for each in events if each.is_step_failure)
    failed = record("fail failed", dagster_event=event)
    assert is_worth_printing(failed) is expected
    assert "Traceback" in PlainFormatter().format(failed) or "Stack Trace" in PlainFormatter().format(failed)


def test_a_retry_says_how_long_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute of silence looks as if the program hung. Dagster's other events are still not printed."""
    printed = io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=0.01))
    def fetch(context: dg.OpExecutionContext) -> None:
        context.log.debug("a detail")
        if not context.retry_number:
            raise ConnectionError

    @dg.job(logger_defs={"plain": plain_logger})
    def fetching() -> None:
        fetch()

    assert fetching.execute_in_process(run_config={"loggers": {"plain": {}}}).success
    assert [line[8:] for line in printed.getvalue().splitlines()] == ["  fetch  failed; tried again in 0 s"]


PROJECT = """
import dagster as dg

@dg.job
def acme_job():
    pass

DEFS = dg.Definitions(jobs=[acme_job])
"""


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param("defs = DEFS", id="definitions"),
        pytest.param("@dg.definitions\ndef defs():\n    return DEFS", id="a project of create-dagster"),
    ],
)
def test_a_job_is_loaded_from_any_project(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its console stays as it is; ours is beside it."""
    module = f"acme_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(f"{PROJECT}\n{ending}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "plain" in load_job(module, "acme_job").loggers
    with pytest.raises(ConfigurationError, match=f"--job: {module} has no job other"):
        load_job(module, "other")


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("no_such_project.definitions", "--module: there is no module no_such_project.definitions"),
        ("customer_assets.no_such_module", "--module: there is no module customer_assets.no_such_module"),
        ("json", "--module: json has no `defs`"),
    ],
)
def test_what_cannot_be_loaded_is_named(module: str, problem: str) -> None:
    """In one line, with what to do."""
    with pytest.raises(ConfigurationError) as refused:
        load_definitions(module)
    assert str(refused.value).startswith(f"{problem}. Name the module that ")


def test_a_missing_package_of_the_project_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's message names it."""
    module = f"broken_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        load_definitions(module)


def test_a_logger_prints_to_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)
    build_logger(logging.Logger("test")).warning("a line")  # noqa: LOG001 - nobody else shall see it
    assert printed.getvalue().endswith("  a line\n")
