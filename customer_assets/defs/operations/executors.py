"""What runs the steps: Dagster's executors by the names that the settings know them by. None of them is ours."""

import importlib
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._config import validate_config

from customer_assets.errors import ConfigurationError

EXECUTORS = {
    "in_process": "dagster:in_process_executor",
    "multiprocess": "dagster:multiprocess_executor",
    "celery": "dagster_celery:celery_executor",
    "k8s": "dagster_k8s:k8s_job_executor",
}
"""Where each is found. The last two are extras of the same names, and are imported only when they are asked for."""


def open_executor(name: str, config_file: str = "") -> dg.ExecutorDefinition:
    """Import an executor, configured if a file says how: run config as in `deploy/executors/`.

    Raises:
        ConfigurationError: Its package is not installed, or the file is not to be had or says what the executor
            does not know.
    """
    module, attribute = EXECUTORS[name].split(":")
    try:
        executor: dg.ExecutorDefinition = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "CUSTOMER_EXECUTOR", f"{name!r} needs {error.name}", f"pip install 'customer_assets[{name}]'."
        ) from None
    return executor.configured(_config(executor, Path(config_file))) if config_file else executor


def _config(executor: dg.ExecutorDefinition, file: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = yaml.safe_load(file.read_bytes())["execution"]["config"]
    except (OSError, yaml.YAMLError) as error:
        raise _unusable(f"{file} cannot be read: {error}") from None
    except (KeyError, TypeError):
        raise _unusable(f"{file} has no execution: config:") from None
    checked = validate_config(executor.config_schema.config_type, config)
    if not checked.success:
        raise _unusable(f"{file}: " + " ".join(each.message for each in checked.errors or []))
    return config


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError("CUSTOMER_EXECUTOR_CONFIG", what, "See deploy/executors for files that can be used.")
