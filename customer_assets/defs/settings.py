"""This project's settings: the models they belong to, and how the environment fills them.

Add a setting to the model of the room that uses it; only what no room below uses has its model here. The names of the
variables follow from the models, and `VARIABLES` from those: nothing is listed by hand.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar, get_args

import dagster as dg
from pydantic import Field, field_validator

from customer_assets.api.auth.settings import Auth
from customer_assets.api.presets import merge_settings, read_api_file
from customer_assets.core.configuration import (
    SECRET,
    LocalPath,
    SettingError,
    Settings,
    by_variable,
    configuration_errors,
    rename_fields,
    secret_variables,
    suggest,
    validate_choice,
    values_from,
    variables,
)
from customer_assets.core.urls import validate_url
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.operations.executors import EXECUTORS, open_executor
from customer_assets.defs.operations.notifications import Notifier, build_notifier
from customer_assets.defs.operations.retention import RetentionOptions
from customer_assets.defs.resources import ApiSection, CustomerAPIResource, ProcessingResource, ThresholdsResource
from customer_assets.defs.sync import DEFAULT_SYNC, Timing

logger = logging.getLogger("customer_assets")

Model = TypeVar("Model", bound=Settings)


class SyncOptions(Settings):
    """Who owns a sync's assets, and what runs its steps."""

    owners: list[str] = Field(
        default=list(DEFAULT_SYNC.owners), description="Owners of the assets: email addresses, or team:name."
    )
    executor: str = Field(
        default="in_process",
        description=f"One of {', '.join(EXECUTORS)}.",
        json_schema_extra={"enum": [*EXECUTORS]},  # for editors, and for `dg check yaml`
    )
    executor_config: LocalPath = Field(
        default="", description="A YAML file that configures the executor, as in deploy/executors."
    )

    @field_validator("owners")
    @classmethod
    def validate_owners(cls, owners: list[str]) -> list[str]:
        """Refuse what Dagster does not take for an owner."""
        for owner in owners:
            if not owner.startswith("team:") and "@" not in owner:
                raise SettingError(f"{owner!r} is not an owner", "Write an email address, or team: and a name.")
        return owners

    @field_validator("executor")
    @classmethod
    def validate_executor(cls, executor: str) -> str:
        """Refuse an executor that nobody knows."""
        return validate_choice(executor, EXECUTORS)

    def open_executor(self) -> dg.ExecutorDefinition:
        """Import the executor, and configure it.

        Raises:
            ConfigurationError: Its package is not installed, or its file cannot be used.
        """
        return open_executor(self.executor, self.executor_config)


class MonitoringOptions(Settings):
    """Who is notified of runs. An address may hold a secret."""

    pushgateway_url: str = Field(
        default="",
        repr=False,
        description="A Prometheus Pushgateway for metrics. Empty: none.",
        json_schema_extra=SECRET,
    )
    alert_webhook_url: str = Field(
        default="", repr=False, description="A webhook for alerts, as Slack has. Empty: none.", json_schema_extra=SECRET
    )

    dagster_url: str = Field(default="", description="The webserver, for alerts to link to. Empty: no links.")
    environment: str = Field(default="", description="The name of this installation in alerts, such as production.")

    def build_notifier(self) -> Notifier:
        """Build what notifies them.

        Raises:
            ConfigurationError: An address cannot be used, or prometheus-client is not installed; names the field.
        """
        for name in ("pushgateway_url", "alert_webhook_url", "dagster_url"):
            if url := getattr(self, name):
                validate_url(name, url)
        return build_notifier(
            self.pushgateway_url,
            self.alert_webhook_url,
            pushgateway_setting="pushgateway_url",
            dagster_url=self.dagster_url,
            environment=self.environment,
        )


class ApiFile(Settings):
    """A description of the API in a file of its own."""

    variable_prefix: ClassVar[str] = "CUSTOMER_API"

    config: LocalPath = Field(
        default="", description="A YAML file with an `api:` section, as a component has it. Variables override it."
    )

    def resource_values(self) -> dict[str, Any]:
        """Return what the file says, as the values of the API's resource.

        Raises:
            ConfigurationError: The file cannot be read, or a setting in it cannot be used.
        """
        if not self.config:
            return {}
        with rename_fields(by_variable(ApiFile)):
            section = read_api_file(self.config)
        with rename_fields(self.names({})), configuration_errors(ApiSection):
            return ApiSection(**section).resource_values()

    def names(self, given: Mapping[str, Any]) -> Callable[[str], str]:
        """Return what names a setting: by its variable if it is given by one, else by its place in the file."""
        by_name = by_variable(CustomerAPIResource)
        return lambda field: by_name(field) if field in given else f"{self.config}: api.{field}"


RESOURCES: Mapping[str, type[CustomerAPIResource | ProcessingResource | ThresholdsResource | DataDirectory]] = {
    "customer_api": CustomerAPIResource,
    "processing": ProcessingResource,
    "quality_thresholds": ThresholdsResource,
    "data_directory": DataDirectory,
}
"""The resources by the names that the assets know them by."""

MODELS: tuple[type[Settings], ...] = (
    *RESOURCES.values(),
    ApiFile,
    Timing,
    SyncOptions,
    MonitoringOptions,
    RetentionOptions,
)

VARIABLES = tuple(variable for model in MODELS for variable in variables(model))
"""Every environment variable that is read."""

USUAL_VARIABLES = {
    str(field.default)
    for way in get_args(get_args(Auth)[0])
    for name, field in way.model_fields.items()
    if name.endswith("variable")
}
"""Variables that hold the secrets of `auth` where it names no others."""

DEPLOYMENT_VARIABLES = {
    "CUSTOMER_CELERY_BACKEND",
    "CUSTOMER_CELERY_BROKER",
    "CUSTOMER_CODE_SERVER_PORT",
    "CUSTOMER_WEBSERVER_HOST",
    "CUSTOMER_WEBSERVER_PORT",
}
"""Variables that only the files in `deploy/` read: systemd's units, the workspace, the executors' configuration."""


def from_environ(model: type[Model], environ: Mapping[str, str]) -> Model:
    """Fill a model from the environment.

    Raises:
        ConfigurationError: A variable cannot be used; names it.
    """
    with rename_fields(by_variable(model)), configuration_errors(model):
        return model(**values_from(model, environ))


def build_resources(environ: Mapping[str, str]) -> dict[str, Any]:
    """Build the resources by their names, and check them.

    A secret is read when a run starts, so that it is in no definition, page or run configuration.

    Raises:
        ConfigurationError: A setting cannot be used; names its variable. Whether there is a key is not checked.
    """
    resources: dict[str, Any] = {}
    file = from_environ(ApiFile, environ)
    for name, kind in RESOURCES.items():
        given = values_from(kind, environ)
        described = file.resource_values() if kind is CustomerAPIResource else {}
        values = merge_settings(described, given)
        with rename_fields(file.names(given) if described else by_variable(kind)), configuration_errors(kind):
            kind(**values).check()
        for variable, field in secret_variables(kind).items():
            if field in values:
                values[field] = dg.EnvVar(variable)
        resources[name] = kind(**values)
    return resources


def secrets_in(given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the secrets among given variables, by resource and field."""
    return {
        name: {
            field: given[variable].strip() for variable, field in secret_variables(kind).items() if variable in given
        }
        for name, kind in RESOURCES.items()
    }


_warned: set[str] = set()


def warn_of_unknown_variables(environ: Iterable[str]) -> None:
    """Log each `CUSTOMER_*` variable that nothing reads, once: it may be misspelt. Its value is not shown."""
    known = {*VARIABLES, *DEPLOYMENT_VARIABLES, *USUAL_VARIABLES}
    for variable in sorted({*environ} - known - _warned):
        if variable.startswith("CUSTOMER_"):
            _warned.add(variable)
            suggestion = suggest(variable, known, "The README lists all settings.")
            logger.warning("%s is set, but there is no such setting. %s", variable, suggestion)
