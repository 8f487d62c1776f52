"""Dagster resources: one per plain class that they create.

Add a resource when an asset needs another outside service. A setting is a field of the options model that a resource
inherits, never a field here. No logic: no path, file or check is touched here.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Annotated, Any

import dagster as dg
from pydantic import ConfigDict, Field, model_validator

from customer_assets.api import CustomerAPIClient
from customer_assets.api.auth.destinations import (
    SETTINGS_WITH_SECRETS,
    Destination,
    RunKeys,
    destinations,
    same_host,
    validate_destinations,
)
from customer_assets.api.auth.secret import Secret
from customer_assets.api.incremental import Incremental
from customer_assets.api.options import ApiDescription, ApiOptions, ApiSettings
from customer_assets.api.presets import COMPLETED, complete_parts
from customer_assets.api.runner.progress import OnProgress
from customer_assets.core.configuration import NO_VARIABLE, SECRET, Variable, configuration_errors
from customer_assets.core.errors import ConfigurationError, QualityGateError
from customer_assets.core.models import SIMULATOR, CrawlSummary
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.core.urls import origin_of, redact_url
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.operations.terminal import TERMINAL
from customer_assets.defs.run_config import UNSET, Resource, configured, secret_value
from customer_assets.export import DataExporter
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import Engine, check_engine, open_engine
from customer_assets.processing.options import ProcessingOptions
from customer_assets.processing.quality import (
    CheckResult,
    QualityMetrics,
    QualityThresholds,
    blocking_failures,
    completeness,
    evaluate,
)
from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets.simulator.settings import FailureRate, RateLimit

USUAL_KEY = "CUSTOMER_API_KEY"

EMBEDDED_KEY = "embedded-simulator"
"""The key that is sent to the simulator, which takes any."""

LOCAL_STORES = ("memory:", "sqlite:")

EMBEDDED_IDENTITY = "embedded-simulator:"
"""Names the simulator in the page store: its port changes, but the same settings serve the same pages."""

NOT_REAL = "No API is set: these customers are made up by the embedded simulator."
"""Logged once a crawl, so that nobody takes the simulator's customers for real ones."""

SIMULATED_CHANGES = Incremental(parameter="updated_since", field="updated_at")
"""How the embedded simulator is asked for what changed, if its customers change at all."""

ABOUT_THE_API = {
    "base_url",
    "path",
    "preset_values",
    "page_parameter",
    "per_page_parameter",
    "first_page",
    *ApiDescription.model_fields,
}
"""The settings that describe somebody's API; the embedded simulator has the default ones."""


class EmbeddedSimulator(SimulatorSettings, dg.Config):
    """The simulator that stands in for the API until there is a base URL: by default it is as unreliable as most."""

    failure_rate: FailureRate = 0.2
    rate_limit: RateLimit = 50.0
    opening: str = Field(
        default="503, 200, 429",
        description="Statuses of its first responses, unless failure_rate is 0: a retry and a pause to see.",
    )

    def plain(self) -> SimulatorSettings:
        """Return the settings of the simulator itself."""
        return SimulatorSettings(**self.model_dump() | ({} if self.failure_rate else {"opening": ""}))


def _allow_parts_of_a_preset(schema: dict[str, Any]) -> None:
    """Accept any object for a part that a preset completes; without a preset the part must be whole."""
    parts = {name: schema["properties"][name] for name in COMPLETED}
    loose = {name: {"description": part["description"], "type": ["object", "null"]} for name, part in parts.items()}
    schema["properties"] |= loose
    schema |= {"if": {"required": ["preset"]}, "else": {"properties": parts}}


class ApiSection(ApiOptions, ApiDescription, RunKeys):
    """An API in YAML: the `api:` of a component, or of the file that `CUSTOMER_API_CONFIG` names."""

    model_config = ConfigDict(json_schema_extra=_allow_parts_of_a_preset)

    key_variable: str = Field(
        default="", description="The environment variable that holds the key: its name, never the key itself."
    )
    simulator: EmbeddedSimulator = Field(default=EmbeddedSimulator(), description="The API of a sync that names none.")

    @model_validator(mode="before")
    @classmethod
    def complete_from_preset(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was configured
        """Complete parts from the preset: a page size without its way of paging cannot be validated."""
        return complete_parts(given) if isinstance(given, Mapping) else given

    @property
    def is_real(self) -> bool:
        """Whether an API is named; else the simulator stands in for one."""
        return bool(self.base_url or self.preset)

    def resource_values(self) -> dict[str, Any]:
        """Return what is said here as the values of a `CustomerAPIResource`."""
        given = self.model_dump(mode="json", exclude_unset=True)
        described = {name: given.pop(name) for name in ApiDescription.model_fields if name in given}
        return {name: value for name, value in given.items() if value != ""} | {"api_description": described}


class CustomerAPIResource(ApiOptions, RunKeys, Resource):
    """The customer API: where it is and how to read it. Makes a `CustomerAPIClient`."""

    api_key: Annotated[str, Variable("CUSTOMER_API_KEY")] = Field(
        default="", description="Sent to this API only, in the header key_header.", repr=False, json_schema_extra=SECRET
    )
    key_variable: Annotated[str, NO_VARIABLE] = Field(
        default=USUAL_KEY, description="The variable that holds the key, if api_key is empty."
    )
    api_description: Annotated[dict[str, Any], NO_VARIABLE] = Field(
        default={}, description=f"The parts of a component's `api:`: {', '.join(ApiDescription.model_fields)}."
    )
    full_refresh: Annotated[bool, NO_VARIABLE] = Field(
        default=False, description="Read everything in this run, although `incremental` would request only changes."
    )
    simulator: EmbeddedSimulator = Field(
        default=EmbeddedSimulator(), description="The API of a sync that has no base URL."
    )

    @contextmanager
    def client(
        self, default_page_store: str, on_progress: OnProgress | None = None, settings: ApiSettings | None = None
    ) -> Iterator[CustomerAPIClient]:
        """Open a client for the API, or for an embedded simulator that runs while the client is open.

        Args:
            default_page_store: Where pages are kept if no setting names a store.
            on_progress: Called every few seconds with the crawl's progress.
            settings: What to request; None: all customers.

        Raises:
            ConfigurationError: A setting cannot be used, or a run would send a secret elsewhere; nothing was sent.
        """
        self.validate_run()
        page_store = secret_value(self, "page_store") or default_page_store
        if not self.is_simulated:
            with self._client(self._key(), settings=settings, page_store=page_store, on_progress=on_progress) as client:
                yield client
            return
        dg.get_dagster_logger().warning(NOT_REAL)
        behaviour = self.simulator.plain()
        with (
            running_simulator(behaviour, wait=False) as simulator,
            self._client(
                EMBEDDED_KEY,
                simulator.base_url,
                settings=settings,
                page_store=page_store,
                on_progress=on_progress,
                identity=self.identity,
            ) as client,
        ):
            yield client

    @property
    def source(self) -> str:
        """Where the customers come from: the API's scheme and host, or `SIMULATOR`. No secret."""
        return SIMULATOR if self.is_simulated else redact_url(self.settings().base_url).lower()

    @property
    def identity(self) -> str:
        """The same, and of a simulator how it behaves: others have other customers. No secret."""
        return f"{EMBEDDED_IDENTITY}{self.simulator.plain()!r}" if self.is_simulated else self.source

    @property
    def is_simulated(self) -> bool:
        """Whether the embedded simulator stands in for an API."""
        return not (self.base_url or self.preset)

    def run_variables(self, field: str) -> frozenset[str]:
        """The keys that the deployment lets a run use; nothing else can hold a variable."""
        return frozenset(self.run_keys) if field == "api_key" else frozenset()

    def validate_run(self) -> None:
        """Refuse a run that would send the deployment's secrets elsewhere, or secrets that it must not read.

        Raises:
            ConfigurationError: Names the variable or the setting.
        """
        deployed = configured(self)
        if self.run_keys != deployed.run_keys:
            raise ConfigurationError("run_keys", "a run cannot set it", "Set it in the deployment's own settings.")
        own_store, store = secret_value(self, "page_store"), secret_value(deployed, "page_store")
        if not own_store.startswith(LOCAL_STORES) and not same_host(own_store, store):
            raise ConfigurationError(
                "page_store",
                "this run would keep customers on another host",
                "Set it in the deployment's own settings.",
            )
        validate_destinations(self.sent_secrets(), deployed.sent_secrets(), deployed.run_keys)

    def sent_secrets(self) -> frozenset[Destination]:
        """Where secrets are sent that are not the run's own."""
        if self.is_simulated:
            return frozenset()
        settings, deployed = self.settings(), configured(self).api_description
        origin = origin_of(settings.base_url)
        same = {name for name in SETTINGS_WITH_SECRETS if self.api_description.get(name, {}) == deployed.get(name)}
        return self._secret_destinations(settings) | {Destination(name, origin) for name in same}

    def _secret_destinations(self, settings: ApiSettings) -> frozenset[Destination]:
        if settings.authentication.key_variable is None:
            return destinations(settings.authentication, settings.base_url)
        variables = {self.key_variable_of(settings)} - {""}
        if own := self._own_key():  # typed into the launchpad, or one of those that a run may use
            variables = {name for name in configured(self).run_keys if dg.EnvVar(name).get_value() == own}
        return frozenset(Destination(variable, origin_of(settings.base_url)) for variable in variables)

    def _own_key(self) -> str:
        """The key that the run's configuration holds, if it is not the deployment's."""
        deployed = configured(self)
        key = self.api_key
        is_own = deployed is not self and key not in UNSET and not isinstance(key, dg.EnvVar)
        return key if is_own and key != secret_value(deployed, "api_key") else ""

    def key_variable_of(self, settings: ApiSettings) -> str:
        """The variable of the one key that requests need; empty if they need none, or other secrets."""
        auth = settings.auth
        if auth is not None and (self.key_variable == USUAL_KEY or auth.key_variable is None):
            return auth.key_variable or ""
        return self.key_variable

    def _key(self) -> Secret:
        """The key; blank where requests need none, or where they need other secrets."""
        variable, deployed = self.key_variable_of(self.settings()), configured(self)
        is_deployed = deployed is self or variable == deployed.key_variable_of(deployed.settings())
        key = self._own_key() or (secret_value(self, "api_key") if is_deployed else "")
        key = key or (dg.EnvVar(variable).get_value() if variable else "") or ""
        if not key and variable:
            raise ConfigurationError(
                variable, "it is not set, and the API needs a key", "Set it to the key that the API gave you."
            )
        return Secret(key)

    def _client(
        self,
        api_key: str,
        base_url: str = "",
        *,
        settings: ApiSettings | None,
        page_store: str,
        **more: Any,  # noqa: ANN401
    ) -> CustomerAPIClient:
        options = {**dict(settings or self.settings()), "page_store": page_store}
        url = options.pop("base_url")
        return CustomerAPIClient(base_url or url, api_key, terminal=TERMINAL, **options, **more)

    def settings(self) -> ApiSettings:
        """Return the plain settings, without the page store: its address may be a secret that only a run reads.

        Raises:
            ConfigurationError: One cannot be used; names it.
        """
        given = {name: getattr(self, name) for name in ApiOptions.model_fields if name != "page_store"}
        given |= self.api_description
        if self.is_simulated:
            given = {name: value for name, value in given.items() if name not in ABOUT_THE_API}
            given |= {"incremental": SIMULATED_CHANGES} if self.simulator.changes_per_hour else {}
        with configuration_errors(ApiSettings):
            return ApiSettings(**given)

    def check(self) -> None:
        """Check all that can be checked before a run; the key and what a variable holds are not looked at.

        Raises:
            ConfigurationError: A setting cannot be used; names it.
        """
        self.settings()
        if self.page_store and not isinstance(self.page_store, dg.EnvVar):
            with configuration_errors(ApiSettings):
                ApiSettings(page_store=self.page_store)


class ProcessingResource(ProcessingOptions, Resource):
    """How customers are cleaned. Makes the engine and a `CustomerDataProcessor`."""

    PLACES = ("spill_dir",)

    def check(self) -> None:
        """Check, without opening the engine, that it is installed and can keep the memory limit.

        Raises:
            ConfigurationError: It cannot; names the setting.
            MissingDependencyError: Its package is not installed.
        """
        check_engine(self.engine, self.memory_limit or None)

    def open_engine(self, directory: DataDirectory | None = None) -> Engine:
        """Open the engine: one per thread, so that a run's frames can be joined and runs that overlap share none.

        Args:
            directory: Holds what exceeds the engine's memory, unless `spill_dir` names a place.
        """
        spill_dir = self.spill_dir or (directory.spill_dir if directory is not None else None)
        return _engines.open(self.engine, self.memory_limit or None, spill_dir)

    def exporter(self, directory: DataDirectory, mapping: RecordMapping) -> DataExporter:
        """Make the exporter of customers that have this mapping."""
        return DataExporter(self.open_engine(directory), mapping=mapping)

    def processor(
        self,
        as_of: datetime | None = None,
        mapping: RecordMapping = DEFAULT_RECORD,
        directory: DataDirectory | None = None,
    ) -> CustomerDataProcessor:
        """Make the processor that cleans; activity is judged as of `as_of`, or of the setting's instant if None."""
        engine, as_of = self.open_engine(directory), as_of or self.instant()
        return CustomerDataProcessor(self.generation_seed, as_of, engine, mapping=mapping, generate=self.generate)


class ThresholdsResource(QualityThresholds, Resource):
    """What the data must reach to be published."""

    def evaluate(self, figures: QualityMetrics) -> list[CheckResult]:
        """Judge figures by these thresholds."""
        return evaluate(figures, self)

    def judge(self, figures: QualityMetrics, crawl: CrawlSummary) -> list[CheckResult]:
        """Return the verdict of every check that decides whether data is published."""
        return [completeness(crawl, self), *self.evaluate(figures)]

    def require(self, figures: QualityMetrics, crawl: CrawlSummary) -> None:
        """Let data pass only if every blocking check would.

        Raises:
            QualityGateError: Some checks fail; names them.
        """
        failed = blocking_failures(self.judge(figures, crawl))
        if failed:
            raise QualityGateError([each.name for each in failed], [each.description for each in failed])


class _Engines(threading.local):
    """The engines of one thread: its frames can meet, and runs that overlap in one process share no connection."""

    def __init__(self) -> None:
        self.open = cache(lambda *options: open_engine(options[0], memory_limit=options[1], spill_dir=options[2]))


_engines = _Engines()
