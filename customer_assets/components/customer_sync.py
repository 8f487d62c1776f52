"""The component: a whole sync of another project's own API, from a few lines of YAML."""

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, Field

from customer_assets.api.presets import repeated_key
from customer_assets.components.attributes import Api, Monitoring, Schedule, Thresholds
from customer_assets.components.scaffolder import CustomerSyncScaffolder
from customer_assets.components.templates import refuse_unset_variables
from customer_assets.core.configuration import Settings, rename_fields, variables
from customer_assets.core.errors import ConfigurationError
from customer_assets.defs.build import build_sync_definitions
from customer_assets.defs.data_directory import DataDirectory, StorageOptions
from customer_assets.defs.operations.executors import open_executor
from customer_assets.defs.operations.notifications import Notifier
from customer_assets.defs.resources import CustomerAPIResource, ProcessingResource, ThresholdsResource
from customer_assets.defs.run_config import Resource
from customer_assets.defs.settings import SyncOptions
from customer_assets.defs.sync import Sync
from customer_assets.processing.options import ProcessingOptions

_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dg.scaffold_with(CustomerSyncScaffolder)
class CustomerSyncComponent(ProcessingOptions, StorageOptions, SyncOptions, dg.Component, dg.Resolvable, dg.Model):
    """Sync the customers of a paginated REST API: fetch, clean, check, export and report them.

    Its four assets, ten checks, job, schedule, sensors, resources and pool are named after `name`, so that one project
    can hold several. Text may hold templates such as `{{ env.ACME_URL }}`.
    """

    name: str = Field(
        pattern="^[A-Za-z][A-Za-z0-9_]*$",
        description="The assets' key prefix and group; begins the names of job, schedule, sensors, resources and pool.",
    )
    api: Api = Field(default=Api(), description="Where customers come from. Empty: the embedded simulator.")
    thresholds: Thresholds = Field(default=Thresholds(), description="What the data must reach to be published.")
    schedule: Schedule = Field(default=Schedule(), description="When the job runs; switched on in the UI.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Who is notified of the job's runs.")
    generate: bool | None = Field(  # type: ignore[assignment]
        default=None,
        description="Generate business fields where the API has nothing to judge by. Empty: for the simulator only.",
    )
    data_directory: str = Field(
        default="", description="Where everything is kept, relative to the project. Empty: data/ and the name."
    )

    @classmethod
    def model(cls) -> type[BaseModel]:
        """Return the YAML's schema: this very class, so that each attribute is checked where it stands."""
        return cls

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """Fill in the templates, and check the result.

        Raises:
            ConfigurationError: A template names a variable that is not set.
        """
        raw = model.model_dump(exclude_unset=True)
        rendered = context.resolve_value(raw)
        refuse_unset_variables("", raw, rendered)
        return cls.model_validate(rendered)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the sync.

        Raises:
            ConfigurationError: An attribute cannot be used; names it.
        """
        self._refuse_repeated_keys(context.path / "defs.yaml")
        resources = self.resources(context.project_root)
        for name, resource in resources.items():
            with self._naming_attributes("api." if name == "customer_api" else ""):
                resource.check()
        with self._naming_attributes():
            executor = self.executor_definition(context.project_root)
            return build_sync_definitions(self.sync(), resources, executor, self.notifier())

    def sync(self) -> Sync:
        """Make the names and times."""
        return Sync.for_project(self.name, owners=tuple(self.owners), timing=self.schedule)

    def notifier(self) -> Notifier:
        """Build what notifies others of runs.

        Raises:
            ConfigurationError: An address cannot be used, or prometheus-client is not installed; names the attribute.
        """
        with rename_fields("monitoring.{}".format):
            return self.monitoring.build_notifier()

    def resources(self, project: Path) -> dict[str, Resource]:
        """Make the resources, by the names that the assets know them by."""
        generate = not self.api.is_real if self.generate is None else self.generate
        return {
            "customer_api": self._customer_api(),
            "processing": ProcessingResource(**_fields(self, ProcessingOptions) | {"generate": generate}),
            "quality_thresholds": ThresholdsResource(**dict(self.thresholds)),
            "data_directory": DataDirectory(
                path=str(project / (self.data_directory or f"data/{self.name}")), **_fields(self, StorageOptions)
            ),
        }

    def executor_definition(self, project: Path) -> dg.ExecutorDefinition:
        """Import and configure what runs the job's steps.

        Raises:
            ConfigurationError: Its package is not installed, or its file cannot be used.
        """
        return open_executor(self.executor, str(project / self.executor_config) if self.executor_config else "")

    def _customer_api(self) -> CustomerAPIResource:
        api = self.api
        has_auth = bool(api.preset) or api.auth is not None  # it names the variable, or has a usual one
        is_named = _VARIABLE.fullmatch(api.key_variable) or (has_auth and not api.key_variable)
        if api.is_real and not is_named:  # the text is not shown: it may be the key
            raise ConfigurationError(
                f"{self.name}: api.key_variable",
                "it is missing, or not the name of an environment variable",
                "Name the variable that holds the API's key, such as ACME_API_KEY; never write the key itself.",
            )
        values = api.resource_values()
        has_key = api.is_real and api.key_variable
        return CustomerAPIResource(**values, api_key=dg.EnvVar(api.key_variable) if has_key else "")

    def _refuse_repeated_keys(self, file: Path) -> None:
        """Look at the YAML itself: of two fields of one name, Dagster hands over the last."""
        repeated = repeated_key(file.read_text(encoding="utf-8")) if file.is_file() else None
        if repeated is not None:
            key, line = repeated
            raise ConfigurationError(
                f"{self.name}: {key}", f"{file}, line {line} has it for the second time", "Leave one of them out."
            )

    def _naming_attributes(self, section: str = "") -> AbstractContextManager[None]:
        """Let errors name attributes: `CUSTOMER_ENGINE` becomes `acme: engine`."""
        return rename_fields(lambda field: f"{self.name}: {section}{ATTRIBUTES.get(field, field)}")


def _fields(settings: Settings, model: type[Settings]) -> dict[str, Any]:
    """Return those of the settings that are fields of this model."""
    return {name: getattr(settings, name) for name in model.model_fields}


ATTRIBUTES = {**variables(CustomerSyncComponent), "CUSTOMER_DATA_DIR": "data_directory"}
"""The attributes by the variables that the rooms below name in their errors."""
