"""The component: a whole sync of another project's own API, from a few lines of YAML."""

import re
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

import dagster as dg
from pydantic import BaseModel, Field

from customer_assets.components.attributes import API, Monitoring, Schedule, Thresholds
from customer_assets.components.scaffolder import CustomerSyncScaffolder
from customer_assets.defs.assembly import build_sync_definitions
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.operations.notifications import Notifier, build_notifier
from customer_assets.defs.resources import CustomerAPIResource, ProcessingResource, ThresholdsResource
from customer_assets.defs.settings import named
from customer_assets.defs.sync import Sync
from customer_assets.errors import ConfigurationError
from customer_assets.field_mapping import EnvelopeFields
from customer_assets.urls import validate_url

_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dg.scaffold_with(CustomerSyncScaffolder)
class CustomerSyncComponent(dg.Component, dg.Resolvable, dg.Model):
    """Sync the customers of a paginated REST API: fetch, clean, check, export and report them.

    Its four assets, seven checks, job, schedule, sensor, resources and pool are named after `name`, so that one project
    can hold several. Text may hold templates such as `{{ env.ACME_URL }}`.
    """

    name: str = Field(
        pattern="^[A-Za-z][A-Za-z0-9_]*$",
        description="The assets' key prefix and group; begins the names of job, schedule, sensor, resources and pool.",
    )
    api: API = Field(default=API(), description="Where customers come from; empty: the embedded simulator.")
    thresholds: Thresholds = Field(default=Thresholds(), description="What the data must reach to be published.")
    schedule: Schedule = Field(default=Schedule(), description="When the job runs; switched on in the UI.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Who is told of the job's runs; empty: nobody.")
    data_directory: str = Field(
        default="", description="Where everything is kept; relative to the project; empty: data/ and the name."
    )
    lake_url: str = Field(default="", description="Where frames are kept, if not there: such as s3://bucket/customers.")
    engine: Literal["duckdb", "polars", "pyspark"] = "duckdb"
    executor: Literal["in_process", "multiprocess"] = "in_process"
    generation_seed: int = Field(default=0, description="Chooses the generated values; the same gives the same.")
    generate: bool | None = Field(
        default=None,
        description="Generate business fields where the API has nothing to judge by. Empty: for the simulator only.",
    )

    @classmethod
    def model(cls) -> type[BaseModel]:
        """The YAML's schema: this very class, so that each attribute is checked where it stands."""
        return cls

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """Fill in the templates, and check what came of them."""
        return cls.model_validate(context.resolve_value(model.model_dump(exclude_unset=True)))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the sync.

        Raises:
            ConfigurationError: An attribute cannot be used; names it.
        """
        resources = self.resources(context.project_root)
        with named({"CUSTOMER_ENGINE": f"{self.name}: engine", "CUSTOMER_LAKE_URL": f"{self.name}: lake_url"}):
            resources["processing"].check()
            resources["data_directory"].check()
        return build_sync_definitions(self.sync(), resources, self.executor, self.listeners())

    def sync(self) -> Sync:
        """Make the names and times."""
        return Sync.named(
            self.name,
            cron_schedule=self.schedule.cron,
            execution_timezone=self.schedule.timezone,
            late_after=timedelta(hours=self.schedule.late_after_hours),
            missed_after=timedelta(hours=self.schedule.missed_after_hours),
        )

    def listeners(self) -> Notifier:
        """Name those that are told of runs.

        Raises:
            ConfigurationError: An address is none, or prometheus-client is not installed; names the attribute.
        """
        for attribute, url in self.monitoring.model_dump().items():
            if url:
                validate_url(f"{self.name}: monitoring.{attribute}", url)
        return build_notifier(
            self.monitoring.pushgateway_url,
            self.monitoring.alert_webhook_url,
            pushgateway_setting=f"{self.name}: monitoring.pushgateway_url",
        )

    def resources(self, project: Path) -> dict[str, Any]:
        """Make the resources, by the names that the assets know them by."""
        return {
            "customer_api": self._customer_api(),
            "processing": ProcessingResource(
                engine=self.engine,
                generation_seed=self.generation_seed,
                generate=not self.api.base_url if self.generate is None else self.generate,
            ),
            "quality_thresholds": ThresholdsResource(**self.thresholds.model_dump()),
            "data_directory": DataDirectory(
                path=str(project / (self.data_directory or f"data/{self.name}")), lake_url=self.lake_url
            ),
        }

    def _customer_api(self) -> CustomerAPIResource:
        given = self.api.model_dump(exclude={"key_variable", "answer", "record"})
        variable = self.api.key_variable
        if self.api.base_url and not _VARIABLE.fullmatch(variable):  # which is not told: it may be the key
            raise ConfigurationError(
                f"{self.name}: api.key_variable",
                "it is missing, or no name of an environment variable",
                "Name the variable that holds the API's key, such as ACME_API_KEY; never write the key itself.",
            )
        resource = CustomerAPIResource(
            **given,
            api_key=dg.EnvVar(variable) if self.api.base_url else "",
            key_variable=variable,
            answer_names=_or_empty(self.api.answer),
            api_description={"record": self.api.record.model_dump(mode="json", exclude_defaults=True)},
        )
        try:
            resource.check()
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.name}: api.{error.field}", error.problem, error.remedy) from None
        return resource


def _or_empty(names: EnvelopeFields) -> dict[str, str]:
    """A resource has no null among its names: what the API has not is empty there."""
    return {field: name or "" for field, name in asdict(names).items()}
