"""What assets are given: thin makers of the plain classes below, with every setting as a described field."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self

import dagster as dg
from pydantic import Field, ValidationError, model_validator

from customer_assets.api import CustomerAPIClient
from customer_assets.api.options import ClientOptions, Secret, validate_base_url
from customer_assets.api.page_store.base import validate_store_url
from customer_assets.api.progress import OnProgress
from customer_assets.defs.operations.terminal import TERMINAL
from customer_assets.defs.run_config import UNSET, secret_value
from customer_assets.errors import ConfigurationError, QualityGateError
from customer_assets.field_mapping import DEFAULT_MAPPING, EnvelopeFields, FieldMapping, MappingError
from customer_assets.models import CrawlSummary
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import ENGINES, Engine, check_engine, engine_names, open_engine
from customer_assets.processing.quality import (
    CheckResult,
    QualityMetrics,
    QualityThresholds,
    blocking_failures,
    completeness,
    evaluate,
)
from customer_assets.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.simulator import SimulatorSettings, running_simulator

EMBEDDED_KEY = "embedded-simulator"
"""Any key opens the simulator."""

EMBEDDED_IDENTITY = "embedded-simulator:"
"""The simulator's port is another each time; its pages are the same for the same settings."""

NOT_REAL = "No base URL is set: these customers are the embedded simulator's, made up; no real API is asked."
"""Said once a crawl, so that nobody takes the simulator's customers for real ones."""


class CustomerAPIResource(dg.ConfigurableResource[None]):
    """The customer API: where it is and how it may be asked. Makes a `CustomerAPIClient`."""

    base_url: str = Field(
        default="", description="The API's base URL, such as https://reqres.in/api; empty: the embedded simulator."
    )
    path: str = Field(default="/users", description="Where customers are, below the base URL.")
    api_key: str = Field(
        default="",
        description="Sent to this API only, in the header key_header.",
        repr=False,
        json_schema_extra={"dagster__is_secret": True},
    )
    key_variable: str = Field(default="CUSTOMER_API_KEY", description="The variable that holds the key.")
    key_header: str = Field(default="x-api-key", description="The header that the key is sent in.")
    key_scheme: str = Field(default="", description="Stands before the key in its header, such as Bearer.")
    transport: str = Field(default="requests", description="requests (threads) or aiohttp (extra `async`).")
    max_concurrency: int = Field(default=8, description="Requests in flight at most.")
    requests_per_second: float | None = Field(default=None, description="The API's limit, if known; empty: learned.")
    page_size: int | None = Field(default=None, description="Customers a page, sent as per_page; empty: the API's own.")
    page_store: str = Field(
        default="",
        description="memory://, sqlite:///path or redis://…; empty: SQLite in the data directory. May hold a password.",
        repr=False,
        json_schema_extra={"dagster__is_secret": True},
    )
    page_parameter: str = Field(default="page", description="The query parameter that asks for a page.")
    per_page_parameter: str = Field(default="per_page", description="The query parameter that asks for a page's size.")
    first_page: int = Field(default=1, description="The number of the API's first page: 1 or 0.")
    answer_names: dict[str, str] = Field(
        default={},
        description="What answers call their parts, by our names: page, per_page, total, total_pages, data. "
        "meta.page is page in the object meta; empty: not told.",
    )
    api_description: dict[str, Any] = Field(
        default={},
        description="Parts of a component's `api:`: record says what the API's records look like.",
    )
    allow_insecure_http: bool = Field(
        default=False, description="Allow plain http beyond loopback: sends the key openly."
    )
    retry_waits_s: list[float] = Field(default=[1.0, 2.0, 4.0], description="Seconds before each retry of a request.")
    max_pause_s: float = Field(default=60.0, description="The longest Retry-After, in seconds, that a crawl sits out.")
    timeout_s: float = Field(default=30.0, description="Seconds for a whole request, slow drips included.")
    max_body_bytes: int = Field(default=64 * 2**20, description="The largest answer that is read, decompressed.")
    resume_ttl_s: float = Field(default=21_600.0, description="Seconds an unfinished crawl's pages stay usable.")
    cache_ttl_s: float = Field(default=0.0, description="Seconds a finished crawl's pages answer in the API's place.")
    simulator_customers: int = Field(default=12, description="Embedded simulator: customers it has.")
    simulator_page_size: int = Field(default=6, description="Embedded simulator: customers a page.")
    simulator_failure_rate: float = Field(default=0.2, description="Embedded simulator: share of failing requests.")
    simulator_dirty_rate: float = Field(default=0.0, description="Embedded simulator: share of defective records.")
    simulator_rate_limit: float = Field(default=50.0, description="Embedded simulator: requests a second before 429.")
    simulator_seed: int = Field(default=0, description="Embedded simulator: chooses its faults and its customers.")

    @contextmanager
    def client(self, default_page_store: str, on_progress: OnProgress | None = None) -> Iterator[CustomerAPIClient]:
        """Open a client for the API, or for an embedded simulator that runs while the client is open.

        Args:
            default_page_store: Where pages are kept if no setting names a store.
            on_progress: Called every few seconds with where the crawl stands.

        Raises:
            ConfigurationError: A setting cannot be used; nothing was sent.
        """
        page_store = secret_value(self, "page_store") or default_page_store
        if self.base_url:
            with self._client_of(self.base_url, self._key(), page_store, on_progress) as client:
                yield client
        else:
            dg.get_dagster_logger().warning(NOT_REAL)
            with (
                running_simulator(self._simulator(), wait=False) as simulator,
                self._client_of(
                    simulator.base_url, EMBEDDED_KEY, page_store, on_progress, self._simulator_identity()
                ) as client,
            ):
                yield client

    def _key(self) -> Secret:
        key = secret_value(self, "api_key") or dg.EnvVar(self.key_variable).get_value()
        if not key:
            raise ConfigurationError(
                self.key_variable, "it is missing, and the API wants one", "Set it to the key that the API gave you."
            )
        return Secret(key)

    def _client_of(
        self,
        base_url: str,
        api_key: str,
        page_store: str,
        on_progress: OnProgress | None,
        identity: str | None = None,
    ) -> CustomerAPIClient:
        options = self._options() | {"page_store": page_store, "identity": identity}
        return CustomerAPIClient(base_url, api_key, on_progress=on_progress, **options)

    def _options(self) -> dict[str, Any]:
        """Gather what a client may be told, as `ClientOptions` has it."""
        return {
            "path": self.path if self.base_url else "/users",
            "shape": self.shape(),
            "key_header": self.key_header,
            "key_scheme": self.key_scheme,
            "max_concurrency": self.max_concurrency,
            "requests_per_second": self.requests_per_second,
            "page_size": self.page_size,
            "transport": self.transport,
            "allow_insecure_http": self.allow_insecure_http,
            "retry_waits_s": tuple(self.retry_waits_s),
            "max_pause_s": self.max_pause_s,
            "timeout_s": self.timeout_s,
            "max_body_bytes": self.max_body_bytes,
            "resume_ttl_s": self.resume_ttl_s,
            "cache_ttl_s": self.cache_ttl_s,
            "terminal": TERMINAL,
        }

    def shape(self) -> FieldMapping:
        """Make the plain shape of the API's requests, answers and records; the embedded simulator has ours.

        Raises:
            ConfigurationError: A name cannot be used; says which.
        """
        if not self.base_url:
            return DEFAULT_MAPPING
        try:
            return FieldMapping(
                EnvelopeFields(**_or_none(self.answer_names)),
                RecordMapping.model_validate(self.api_description.get("record", {})),
                self.page_parameter,
                self.per_page_parameter,
                self.first_page,
            )
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            where = ".".join(["record", *map(str, first["loc"])])
            raise ConfigurationError(
                where, first["msg"].removeprefix("Value error, "), "Describe it as the API has it."
            ) from None
        except MappingError as error:
            raise ConfigurationError(error.field, error.problem, "Name it as the API does.") from None
        except TypeError as error:
            raise ConfigurationError("names", str(error), "Name what we know by our names for it.") from None

    def check(self) -> None:
        """Check all that can be checked before a run; neither the key nor what a variable holds is looked at.

        Raises:
            ConfigurationError: A setting cannot be used; names it.
        """
        ClientOptions(**self._options())
        self._simulator()
        if not isinstance(self.page_store, dg.EnvVar) and self.page_store not in UNSET:
            validate_store_url(self.page_store)
        if self.base_url:
            validate_base_url(self.base_url, allow_insecure_http=self.allow_insecure_http)

    def _simulator(self) -> SimulatorSettings:
        return SimulatorSettings(
            customers=self.simulator_customers,
            page_size=self.simulator_page_size,
            failure_rate=self.simulator_failure_rate,
            dirty_rate=self.simulator_dirty_rate,
            rate_limit=self.simulator_rate_limit,
            seed=self.simulator_seed,
        )

    def _simulator_identity(self) -> str:
        return EMBEDDED_IDENTITY + repr(self._simulator())


def _or_none(names: Mapping[str, str]) -> dict[str, Any]:
    """Dagster's maps hold no null: an empty name stands for it."""
    return {field: name or None for field, name in names.items()}


class ProcessingResource(dg.ConfigurableResource[None]):
    """How customers are cleaned: the engine, and what the generated values follow from."""

    engine: str = Field(default="duckdb", description=f"One of {', '.join(ENGINES)}.")
    memory_limit: str = Field(default="", description="What DuckDB may take, such as 1GB; empty: its own default.")
    spill_dir: str = Field(default="", description="Where DuckDB puts what exceeds it; empty: its own default.")
    generation_seed: int = Field(default=0, description="Chooses the generated values; the same gives the same.")
    generate: bool = Field(
        default=True,
        description="Generate business fields where the API has nothing to judge by; else they are unknown.",
    )
    as_of: str = Field(default="", description="Judge activity as of this ISO 8601 instant; empty: now.")

    @model_validator(mode="after")
    def engine_is_known(self) -> Self:
        """Refuse an unknown engine before anything runs."""
        if self.engine not in engine_names():
            raise ConfigurationError(
                "CUSTOMER_ENGINE", f"there is no engine {self.engine!r}", f"Choose one of {', '.join(engine_names())}."
            )
        return self

    def check(self) -> None:
        """Check, without opening the engine, that it is there and may have the memory.

        Raises:
            ConfigurationError: It may not; names the field.
            MissingDependencyError: Its package is not installed.
        """
        check_engine(self.engine, self.memory_limit or None)

    def open_engine(self) -> Engine:
        """Open the engine; one a process, so that frames of several assets can meet."""
        return _engine(self.engine, self.memory_limit or None, self.spill_dir or None)

    def processor(
        self, as_of: datetime | None = None, mapping: RecordMapping = DEFAULT_RECORD
    ) -> CustomerDataProcessor:
        """Make the processor that cleans; activity is judged from `as_of`, from the setting's instant if None."""
        return CustomerDataProcessor(
            self.generation_seed, as_of or self.instant(), self.open_engine(), mapping=mapping, generate=self.generate
        )

    def instant(self) -> datetime:
        """Tell the instant from which activity is judged."""
        if not self.as_of:
            return datetime.now(UTC)
        try:
            instant = datetime.fromisoformat(self.as_of)
        except ValueError:
            raise ConfigurationError(
                "as_of", f"{self.as_of!r} is no ISO 8601 instant", "Write 2026-01-31T00:00:00Z."
            ) from None
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


class ThresholdsResource(dg.ConfigurableResource[None]):
    """What the data must reach to be published."""

    min_mean_quality: float = Field(default=80.0, description="A mean score below it is an error.")
    target_mean_quality: float = Field(default=90.0, description="A mean score below it is a warning.")
    max_low_quality_share: float = Field(default=0.10, description="A larger share scoring below 70 is an error.")
    max_rejected_share: float = Field(default=0.05, description="A larger share without a usable id is an error.")

    @model_validator(mode="after")
    def thresholds_are_in_range(self) -> Self:
        """Refuse thresholds outside their range before anything runs."""
        self.thresholds()
        return self

    def thresholds(self) -> QualityThresholds:
        """Make the plain thresholds."""
        return QualityThresholds(
            self.min_mean_quality, self.target_mean_quality, self.max_low_quality_share, self.max_rejected_share
        )

    def evaluate(self, figures: QualityMetrics) -> list[CheckResult]:
        """Judge figures by these thresholds."""
        return evaluate(figures, self.thresholds())

    def require(self, figures: QualityMetrics, record: CrawlSummary) -> None:
        """Let only data pass that every blocking check would let pass.

        Raises:
            QualityGateError: Some would not; names them.
        """
        failed = blocking_failures([completeness(record), *self.evaluate(figures)])
        if failed:
            raise QualityGateError([each.name for each in failed], [each.description for each in failed])


@cache
def _engine(name: str, memory_limit: str | None, spill_dir: str | None) -> Engine:
    return open_engine(name, memory_limit=memory_limit, spill_dir=spill_dir)
