"""Executors are opened by name and configured by a file, or refused with a reason."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from customer_assets.core.errors import ConfigurationError
from customer_assets.definitions import build_definitions
from customer_assets.defs.operations.executors import EXECUTORS, open_executor
from customer_assets.defs.operations.notifications import Notifier, NotifyingExecutor
from customer_assets_tests.harness.machines.deployment import DEPLOY
from customer_assets_tests.harness.machines.services import need_module

SAMPLES = sorted((DEPLOY / "executors").glob("*.yaml"), key=str)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.stem))
def test_the_samples_configure_their_executors(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's run config needs nothing else, and Dagster accepts it."""
    name = sample.stem
    if name in {"celery", "k8s"}:
        need_module(f"dagster_{name}", f"pip install 'customer_assets[{name}]'")
    monkeypatch.setenv("CUSTOMER_CELERY_BROKER", "redis://127.0.0.1:6379/0")
    monkeypatch.setenv("CUSTOMER_CELERY_BACKEND", "redis://127.0.0.1:6379/1")
    defs = build_definitions(CUSTOMER_EXECUTOR=name, CUSTOMER_EXECUTOR_CONFIG=str(sample))
    job = defs.resolve_job_def("customer_sync_job")
    assert job.executor_def.name == name
    configured = dg.validate_run_config(job)["execution"][name]
    assert set(yaml.safe_load(sample.read_bytes())["execution"]["config"]) <= set(configured)
    assert [configured.get("max_concurrent"), configured.get("broker")] in (
        [2, None],
        [None, "redis://127.0.0.1:6379/0"],
    )


def test_each_executor_has_a_sample_or_needs_none() -> None:
    """In-process has nothing to configure."""
    assert {path.stem for path in SAMPLES} == set(EXECUTORS) - {"in_process"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("execution: {config: {max_concurrent: many}}", "max_concurrent", id="wrong type"),
        pytest.param("execution: {config: {workers: 2}}", "workers", id="unknown field"),
        pytest.param("max_concurrent: 2", "execution", id="no run config"),
        pytest.param("[2]", "execution", id="not a mapping"),
        pytest.param("{", "cannot be read", id="not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, named: str) -> None:
    """Before anything runs; the error names the setting."""
    file = tmp_path / "multiprocess.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"CUSTOMER_EXECUTOR_CONFIG.*{named}"):
        open_executor("multiprocess", str(file))


def test_a_missing_file_is_refused() -> None:
    """The error names the file."""
    with pytest.raises(ConfigurationError, match=r"CUSTOMER_EXECUTOR_CONFIG.*/no/such.yaml"):
        open_executor("multiprocess", "/no/such.yaml")


def test_the_error_for_a_missing_executor_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the extra."""
    hidden: Any = None
    monkeypatch.setitem(sys.modules, "dagster_k8s", hidden)
    with pytest.raises(ConfigurationError, match=r"CUSTOMER_EXECUTOR.*pip install 'customer_assets\[k8s\]'"):
        open_executor("k8s")


def test_a_notifying_executor_has_every_attribute_of_the_inner_one() -> None:
    """Celery's loop asks the run's executor for its broker."""
    need_module("dagster_celery", "pip install 'customer_assets[celery]'")
    inner = import_module("dagster_celery.executor").CeleryExecutor.for_cli(broker="redis://127.0.0.1:1/0")
    notifying = NotifyingExecutor(inner, Notifier())
    assert notifying.app_args() == inner.app_args()
    assert notifying.broker == "redis://127.0.0.1:1/0"
    with pytest.raises(AttributeError):
        _ = notifying.queue_of_nobody
