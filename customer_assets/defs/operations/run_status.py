"""Questions about a run that several modules here ask: has it ended, will Dagster retry it, is it this project's."""

import sys

import dagster as dg

FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

WILL_RETRY_TAG = "dagster/will_retry"
RETRY_RUN_TAG = "dagster/auto_retry_run_id"
"""Tags that Dagster's run retries put on a failed run; their constants are private."""

PACKAGE = __name__.partition(".")[0]


def is_retried(run: dg.DagsterRun) -> bool:
    """Whether Dagster retries a failed run by itself, or has already."""
    return run.tags.get(WILL_RETRY_TAG) == "true" or RETRY_RUN_TAG in run.tags


def is_ours(run: dg.DagsterRun, location: str) -> bool:
    """Whether a run executed this project's code.

    A run that the UI or the daemon launched names its code location. One from the command line names only the module
    that it loaded and the interpreter that did: other projects on the same instance can have this package, too, each in
    an environment of its own. One that Python executed in-process names neither, so nobody can say whose it
    is: it counts as foreign.

    Args:
        run: The run.
        location: The name of this project's code location.
    """
    if run.remote_job_origin is not None:
        return run.remote_job_origin.location_name == location
    origin = run.job_code_origin
    if origin is None or origin.repository_origin.executable_path != sys.executable:
        return False
    module = getattr(origin.repository_origin.code_pointer, "module", "")
    return str(module).partition(".")[0] == PACKAGE
