"""Each error reaches Dagster as what it should do about it."""

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from customer_assets.defs.failures import told_to_dagster
from customer_assets.errors import (
    ConfigurationError,
    CrawlPausedError,
    IncompleteCrawlError,
    PublishError,
    QualityGateError,
    RequestRefusedError,
)


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
    with pytest.raises(dg.Failure) as caught, told_to_dagster():
        raise error
    assert caught.value.allow_retries is False


@pytest.mark.parametrize(
    "error", [IncompleteCrawlError([3], 9, "spent"), PublishError("f", "disk")], ids=["incomplete", "publish"]
)
def test_what_an_attempt_can_mend_is_left_to_the_retry_policy(error: Exception) -> None:
    """The policy sees the error itself."""
    with pytest.raises(type(error)), told_to_dagster():
        raise error


def test_a_pause_that_a_run_can_sit_out_is_waited_for() -> None:
    """The step is tried again when the API said."""
    with pytest.raises(dg.RetryRequested) as caught, told_to_dagster():
        raise CrawlPausedError(120)
    assert caught.value.seconds_to_wait == 120
