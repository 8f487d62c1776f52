"""What a sync prints that a person starts with `customer-assets sync`: a plain line for each thing worth knowing.

Dagster's own console prints each of its events, some eighty of a small run. Its event log has them in any case.
"""

import logging
import os
import re
import sys
from importlib import import_module
from typing import Any

import dagster as dg

from customer_assets.core.errors import ConfigurationError
from customer_assets.defs.errors import BUG
from customer_assets.defs.operations.run_report import explain_failure

PLAIN = "plain"
"""The logger's name in a run's configuration."""

OWN_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\S+ ")
"""Begins the lines that a crawl logs, for those who read them elsewhere."""

RED_CHECK = "DagsterAssetCheckFailedError"
"""Dagster's error for a blocking check that failed; the summary shows the check."""

SKIPPED = "Dependencies for step "
"""Begins what Dagster logs of each step behind one that failed."""


class PlainFormatter(logging.Formatter):
    """Writes `12:09:15  raw_customers  message`. The summary, at a run's end, stands alone."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "dagster_meta", {})
        message = facts.get("orig_message") or record.getMessage()
        event = facts.get("dagster_event")
        if event is not None and event.is_step_failure:
            message = f"{message}\n{event.step_failure_data.error.to_string()}"
        if event is not None and event.is_step_up_for_retry:
            message = f"failed; tried again in {event.step_retry_data.seconds_to_wait or 0:.0f} s"
        if "\n  " in message and event is None:
            return f"\n{message}"
        message = OWN_TIME.sub("", message)
        step = facts.get("step_key") or ""
        return f"{self.formatTime(record, '%H:%M:%S')}  {f'{step}  ' if step else ''}{message}"


def is_worth_printing(record: logging.LogRecord) -> bool:
    """Drop Dagster's events, but keep a retry, and a failure that the summary cannot explain: a bug has a traceback."""
    facts = getattr(record, "dagster_meta", {})
    event = facts.get("dagster_event")
    if event is None:
        return record.levelno >= logging.INFO and not str(facts.get("orig_message", "")).startswith(SKIPPED)
    if not event.is_step_failure:
        return bool(event.is_step_up_for_retry)
    failed = explain_failure(event)
    is_explained = failed.error == RED_CHECK or (failed.message and not failed.message.startswith(BUG))
    return not is_explained


@dg.logger(None, description="A plain line for each thing worth knowing; no events of Dagster's.")
def plain_logger(context: dg.InitLoggerContext) -> logging.Logger:  # noqa: ARG001 - Dagster passes it
    """Print to standard error, as a program does whose output is a file."""
    # A retry is logged at the level DEBUG; `is_worth_printing` drops everything else there.
    logger = logging.Logger("customer_assets.console", logging.DEBUG)  # noqa: LOG001 - each run has its own
    return build_logger(logger)


def build_logger(logger: logging.Logger) -> logging.Logger:
    """Let a logger print plain lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter())
    handler.addFilter(is_worth_printing)
    logger.addHandler(handler)
    return logger


LOGGERS = {"console": dg.colored_console_logger, PLAIN: plain_logger}
"""The loggers of this project's jobs; Dagster's own stays the default."""


def load_definitions(module: str) -> dg.Definitions:
    """Load what a module calls `defs`: definitions, or the function that makes them in a project of `create-dagster`.

    Raises:
        ConfigurationError: The module does not exist, or defines no `defs`.
    """
    try:
        found: Any = import_module(module).defs
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there; one that it imports is not
        remedy = "Name the module that holds `defs`, and run the command in your project's environment."
        raise ConfigurationError("--module", f"there is no module {module}", remedy) from None
    except AttributeError:
        raise ConfigurationError("--module", f"{module} has no `defs`", "Name the module that does.") from None
    return found if isinstance(found, dg.Definitions) else found()


def load_job(module: str, job: str) -> dg.JobDefinition:
    """Load a job of a module's definitions, with our plain logger beside its own.

    Raises:
        ConfigurationError: The module or the job does not exist.
    """
    definitions = load_definitions(module)
    if PLAIN not in (definitions.loggers or {}):
        definitions = dg.Definitions.merge(definitions, dg.Definitions(loggers={PLAIN: plain_logger}))
    try:
        return definitions.resolve_job_def(job)
    except dg.DagsterInvariantViolationError:
        remedy = "`dg list defs` shows the jobs of a project."
        raise ConfigurationError("--job", f"{module} has no job {job}", remedy) from None


def run_job(module: str, job: str) -> bool:
    """Run a job as `dagster job execute` does, print what is worth knowing, and return whether it succeeded.

    Args:
        module: The module of its definitions.
        job: Its name.

    Raises:
        ConfigurationError: The module or the job does not exist, or a setting cannot be used; nothing was run.
    """
    build_logger(logging.getLogger("customer_assets"))
    load_job(module, job)  # a setting that cannot be used ends here, and not in the middle of Dagster
    arguments: tuple[Any, ...] = (module, job)
    found = dg.build_reconstructable_job(__name__, load_job.__name__, arguments)
    home = os.environ.get("DAGSTER_HOME")
    with (
        dg.DagsterInstance.get() if home else dg.DagsterInstance.local_temp() as instance,
        dg.execute_job(found, instance, run_config={"loggers": {PLAIN: {}}}, raise_on_error=False) as result,
    ):
        return result.success
