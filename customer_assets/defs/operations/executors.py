"""The executors that can run the steps, by the names that the settings give them. All of them are Dagster's."""

import importlib
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

# Private: `dg.validate_run_config` would also resolve environment variables, which need only be set where runs execute.
# Waits for a public validation of a config schema.
from dagster._config import validate_config

from customer_assets.core.errors import ConfigurationError

EXECUTORS = {
    "in_process": "dagster:in_process_executor",
    "multiprocess": "dagster:multiprocess_executor",
    "celery": "dagster_celery:celery_executor",
    "k8s": "dagster_k8s:k8s_job_executor",
}
"""Where each executor is defined. The last two need the extra of the same name, and are imported on demand."""


def open_executor(name: str, config_file: str = "") -> dg.ExecutorDefinition:
    """Import an executor, and configure it if a file is given: run config as in `deploy/executors/`.

    Raises:
        ConfigurationError: Its package is not installed; or the file cannot be read or does not fit the executor.
    """
    module, attribute = EXECUTORS[name].split(":")
    try:
        executor: dg.ExecutorDefinition = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "CUSTOMER_EXECUTOR", f"{name!r} needs {error.name}", f"pip install 'customer_assets[{name}]'."
        ) from None
    return executor.configured(_read_config(executor, Path(config_file))) if config_file else executor


def _read_config(executor: dg.ExecutorDefinition, file: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = yaml.safe_load(file.read_bytes())["execution"]["config"]
    except (OSError, yaml.YAMLError) as error:
        raise _config_error(f"{file} cannot be read: {error}") from None
    except (KeyError, TypeError):
        raise _config_error(f"{file} has no execution: config:") from None
    validation = validate_config(executor.config_schema.config_type, config)
    if not validation.success:
        raise _config_error(f"{file}: " + " ".join(each.message for each in validation.errors or []))
    return config


def _config_error(problem: str) -> ConfigurationError:
    return ConfigurationError("CUSTOMER_EXECUTOR_CONFIG", problem, "See deploy/executors for working examples.")
