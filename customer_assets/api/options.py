"""Every setting of an API, once: name, type, default, bounds, description.

The client's keywords, the resource, a component's `api:` section and the environment variables all follow from here.

To add a setting that is a single value, add a field to `ApiOptions` and its type to `ApiKeywords`, use it, and add its
variable (`CUSTOMER_API_` and the field's name) to the README's table. To add a structured part of an API's description,
write a sub-model of `Settings` and make it a field of `ApiDescription`: the client, the YAML and the resource's
`api_description` take it from there. Bounds belong to the field; a check that needs more than a bound is a validator of
`ApiSettings`, because a component's YAML may still hold a template when the fields themselves are checked.

What a setting does belongs in the file that uses it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self, TypedDict, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from customer_assets.api.auth.settings import (
    Auth,
    AuthSettings,
    HeaderAuth,
    OAuthSettings,
    validate_key_header,
    validate_scheme,
)
from customer_assets.api.http.base import Transport
from customer_assets.api.incremental import Incremental
from customer_assets.api.page_store.base import validate_store_url
from customer_assets.api.paging import PageNumber, Pages, Paging
from customer_assets.api.paging.base import Content, Params, Plain, validate_parameter
from customer_assets.api.paging.slices import Slices
from customer_assets.api.presets import apply_preset, preset_names
from customer_assets.api.responses.answer import AnswerFields, TotalRequest
from customer_assets.core.configuration import (
    SECRET,
    SettingError,
    Settings,
    Variable,
    configuration_errors,
    expand_home,
)
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.record_mapping import DEFAULT_RECORD, FieldSource, RecordMapping
from customer_assets.core.urls import is_loopback, is_plain

A_YEAR_S = 366 * 86_400

HEADERS_OF_OURS = {"accept-encoding", "connection", "content-length", "content-type", "host"}
"""An API's fixed headers cannot replace these: the request depends on them."""

TransportName = Literal["requests", "aiohttp"]
TRANSPORTS: tuple[str, ...] = get_args(TransportName)

DEFAULT_PATH = "/users"


def _parse_pairs(given: Any) -> Any:  # noqa: ANN401 - pydantic checks what is no text
    if not isinstance(given, str):
        return given
    pairs = [part.partition("=") for part in given.split(",") if part.strip()]
    if not all(separator and name.strip() for name, separator, _ in pairs):
        raise SettingError(f"{given!r} does not name values", "Write it like shop=acme.")
    return {name.strip(): value.strip() for name, _, value in pairs}


PresetValues = Annotated[dict[str, str], BeforeValidator(_parse_pairs, json_schema_input_type=dict[str, str] | str)]
"""Written as a mapping, or as text where there is nothing else: `shop=acme, version=2`."""

Waits = Annotated[
    list[Annotated[float, Field(ge=0, le=A_YEAR_S)]],
    BeforeValidator(lambda waits: list(waits) if isinstance(waits, tuple) else waits),
]


class ApiOptions(Settings):
    """The single values: where the API is and how to read it. The defaults suit an API of which nothing is known."""

    variable_prefix: ClassVar[str] = "CUSTOMER_API"

    base_url: str = Field(
        default="",
        description="The API, such as https://reqres.in/api. Empty: the preset's, or the embedded simulator.",
    )
    path: str = Field(
        default="", description=f"Where the customers are, below the base URL. Empty: the preset's, or {DEFAULT_PATH}."
    )
    preset: str = Field(
        default="",
        description="A known API, such as stripe; `python -m customer_assets.apis` lists them. Settings override it.",
        json_schema_extra={"enum": ["", *preset_names()]},  # for editors, and for `dg check yaml`
    )
    preset_values: PresetValues = Field(default={}, description="What the preset leaves open, such as shop=acme.")
    key_header: str = Field(default="x-api-key", description="The header that carries the key.")
    key_scheme: str = Field(default="", description="The word before the key in its header, such as Bearer.")
    page_parameter: str = Field(default="page", description="The query parameter that asks for a page.")
    per_page_parameter: str = Field(default="per_page", description="The query parameter that asks for a page size.")
    first_page: int = Field(default=1, ge=0, le=1, description="The number of the API's first page: 0 or 1.")
    page_size: int | None = Field(default=None, gt=0, description="Customers a page. Empty: the API's own default.")
    transport: TransportName = Field(default="requests", description="requests (threads) or aiohttp (extra `async`).")
    max_concurrency: int = Field(default=8, ge=1, le=1_000, description="The most requests in flight at once.")
    requests_per_second: float | None = Field(
        default=None, gt=0, description="The API's rate limit, if you know it. Empty: it is learned."
    )
    retry_waits_s: Waits = Field(
        default=[1.0, 2.0, 4.0], description="Seconds to wait before each retry of a failed request."
    )
    rounds: int = Field(default=3, ge=1, le=1_000, description="How often a page may use up all its retries.")
    max_pause_s: float = Field(
        default=60.0, ge=0, le=A_YEAR_S, description="The longest Retry-After, in seconds, that a crawl waits out."
    )
    timeout_s: float = Field(default=30.0, gt=0, description="Seconds for a whole request, slow bodies included.")
    max_body_bytes: int = Field(default=64 * 2**20, gt=0, description="The largest response to read, decompressed.")
    max_crawl_s: float = Field(
        default=86_400.0, gt=0, le=A_YEAR_S, description="Seconds for a whole crawl; the next run resumes it."
    )
    max_crawl_bytes: int = Field(
        default=100 * 2**30, gt=0, description="Bytes of pages for a whole crawl; the next run resumes it."
    )
    page_store: Annotated[str | None, Variable("CUSTOMER_PAGE_STORE")] = Field(
        default=None,
        description="Where pages are kept until their crawl is complete: memory://, sqlite:///path or redis://host. "
        "Empty: SQLite in the data directory; memory for a client of your own. May hold a password.",
        repr=False,
        json_schema_extra=SECRET,
    )
    resume_ttl_s: float = Field(
        default=6 * 3600.0, ge=0, le=A_YEAR_S, description="Seconds to keep the pages of an unfinished crawl."
    )
    cache_ttl_s: float = Field(
        default=0.0, ge=0, le=A_YEAR_S, description="Seconds to answer from the pages of a finished crawl; 0: never."
    )
    allow_insecure_http: bool = Field(
        default=False, description="Send the key over plain http to other machines, where anybody can read it."
    )


class ApiDescription(Settings):
    """The structured parts: how the API is asked, and what it calls the parts of its answers and records."""

    variable_prefix: ClassVar[str] = "CUSTOMER_API"

    method: Literal["GET", "POST"] = Field(default="GET", description="GET, or POST with a JSON body.")
    params: Params = Field(default={}, description="Fixed query parameters; a list repeats its parameter.")
    headers: dict[str, Plain] = Field(default={}, description="Fixed headers; never for a secret.")
    body: Content = Field(default={}, description="The JSON body of a POST.")
    auth: Auth | None = Field(default=None, description="How requests authenticate. Empty: a key in key_header.")
    pages: Pages | None = Field(
        default=None, description="How pages follow each other. Empty: by page_parameter and per_page_parameter."
    )
    answer: AnswerFields = Field(default=AnswerFields(), description="Where an answer holds its records and its total.")
    record: RecordMapping = Field(default=DEFAULT_RECORD, description="What the API's records look like.")
    incremental: Incremental | None = Field(
        default=None, description="How to request only what changed since the last run. Empty: everything is read."
    )
    slices: Slices | None = Field(
        default=None, description="How to read several ranges of customers side by side. Empty: one listing."
    )


class ApiSettings(ApiOptions, ApiDescription):
    """All of it, the preset's part included, checked as a whole: what a client works by."""

    @model_validator(mode="before")
    @classmethod
    def resolve_preset(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was configured
        """Replace a preset's name by its settings."""
        if not isinstance(given, Mapping):
            return given
        settings = {**given}
        if preset := settings.pop("preset", ""):
            own = {name: value for name, value in settings.items() if name not in ("base_url", "path") or value}
            settings = apply_preset(preset, _parse_pairs(own.pop("preset_values", {})), own)
        return {**settings, "path": settings.get("path") or DEFAULT_PATH}

    @classmethod
    def from_keywords(cls, **keywords: Any) -> Self:  # noqa: ANN401 - `ApiKeywords`, at the client
        """Check what a program passes. Unlike in YAML or the environment, a text is never read as a number.

        Raises:
            ConfigurationError: A keyword is unknown, or its value cannot be used; names it.
        """
        described = {name: keywords.pop(name) for name in ApiDescription.model_fields if name in keywords}
        with configuration_errors(cls):
            return cls(**dict(ApiOptions.model_validate(keywords, strict=True)), **described)

    @property
    def paging(self) -> Paging:
        """How pages follow each other; `page_size` takes precedence over the size in `pages`."""
        if self.pages is None:
            return PageNumber(
                parameter=self.page_parameter,
                size_parameter=self.per_page_parameter,
                first=self.first_page,  # type: ignore[arg-type] # its bounds are 0 and 1
                size=self.page_size,
            )
        return self.pages if self.page_size is None else self.pages.model_copy(update={"size": self.page_size})

    @property
    def slices_to_read(self) -> Slices | None:
        """How the listing is read in slices; None: it is read as a whole, since nothing asks for more than one."""
        is_needed = self.slices is not None and (self.slices.step is not None or self.paging.window is not None)
        return self.slices if is_needed else None

    @property
    def authentication(self) -> AuthSettings:
        """How requests authenticate."""
        return self.auth or HeaderAuth(name=self.key_header, scheme=self.key_scheme)

    @property
    def mapping(self) -> RecordMapping:
        """What the raw table keeps of a record: `record`, and when it last changed if that decides which is newer."""
        if self.incremental is None or self.incremental.field is None:
            return self.record
        given = {name: getattr(self.record, name) for name in RecordMapping.model_fields}
        return RecordMapping(**{**given, "record_updated_at": FieldSource(path=self.incremental.field)})

    @property
    def row_inputs(self) -> dict[str, object]:
        """What the raw table's rows depend on: once it changes, a table that incremental crawls keep is read anew."""
        asked = {
            name: getattr(self, name) for name in ("base_url", "path", "method", "params", "headers", "body", "answer")
        }
        how = self.incremental
        filtered = None if how is None else how.model_dump(exclude={"lookback", "full_every"})
        return {"request": asked, "filter": filtered, "mapping": self.mapping.digest}

    def updated_since(self, since: datetime | None) -> Self:
        """Return the settings that request only what changed since an instant; None: everything, as these do."""
        if self.incremental is None or since is None:
            return self
        parts = {name: getattr(self, name) for name in ("params", "headers", "body")}
        update = self.incremental.request(since, parts, self.paging.send_in)
        if self.slices is not None:  # few customers change: the listing is split only if it must be
            update["slices"] = self.slices.model_copy(update={"step": None, "end": None})
        if isinstance(self.answer.total, TotalRequest):  # it counts all customers, not the changed ones
            update["answer"] = self.answer.model_copy(update={"total_is": "estimate"})
        return self.model_copy(update=update)

    def deleted_since(self, since: datetime) -> Self | None:
        """Return the settings that request who was deleted since an instant; None: the API has no list of them."""
        if self.incremental is None or self.incremental.deleted is None:
            return None
        listed, answer = self.incremental.deleted, self.answer
        if listed.records is not None or isinstance(answer.total, TotalRequest):  # a total of its own counts customers
            answer = AnswerFields(records=answer.records if listed.records is None else listed.records)
        nothing_else: dict[str, Any] = dict.fromkeys(column.name for column in DEFAULT_RECORD.raw_columns)
        record = RecordMapping(
            id=listed.id or self.record.id,
            id_type=self.record.id_type,
            missing_values=self.record.missing_values,
            **nothing_else,
        )
        parts = {"params": listed.params, "headers": self.headers, "body": {}}
        asked = self.incremental.for_deletions().request(since, parts, "query")
        update = {"path": listed.path, "method": "GET", "pages": listed.pages or self.pages, "answer": answer}
        return self.model_copy(update={**update, "record": record, "incremental": None, **asked})

    @field_validator("base_url")
    @classmethod
    def validate_base_url(cls, url: str) -> str:
        """Refuse what is not the address of an API; a slash at its end is dropped."""
        url = url.strip().rstrip("/")
        if not url:
            return url
        try:
            parts = urlsplit(url)
            _ = parts.port  # a port out of range is noticed here
        except ValueError:
            raise SettingError("it is not a valid address", "Write it like https://reqres.in/api.") from None
        if not is_plain(url) or parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingError("it is not an http or https address", "Write it like https://reqres.in/api.")
        if parts.username is not None or parts.query or parts.fragment:
            raise SettingError(
                "it holds credentials, a query or a fragment", "Leave them out; the key is a setting of its own."
            )
        return url

    @field_validator("path")
    @classmethod
    def validate_path(cls, path: str) -> str:
        """Refuse what is not a plain path."""
        if not path.startswith("/") or not is_plain(path) or "?" in path or "#" in path:
            remedy = "Write it like /users" + ("; a query belongs in params." if "?" in path else ".")
            raise SettingError(f"{path!r} is not a path", remedy)
        return path

    @field_validator("page_parameter", "per_page_parameter")
    @classmethod
    def validate_parameters(cls, name: str) -> str:
        """Refuse what would break the query."""
        return validate_parameter(name)

    @field_validator("key_header")
    @classmethod
    def validate_key_header(cls, header: str) -> str:
        """Refuse what is not a header's name, and headers that HTTP itself needs."""
        return validate_key_header(header)

    @field_validator("key_scheme")
    @classmethod
    def validate_key_scheme(cls, scheme: str) -> str:
        """Refuse what is not one word."""
        return validate_scheme(scheme)

    @field_validator("headers")
    @classmethod
    def validate_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        """Refuse what cannot be sent as a header, and what would break the request."""
        for name, value in headers.items():
            if name.lower() in HEADERS_OF_OURS:
                raise SettingError(f"{name} is set by every request itself", "Leave it out.")
            validate_key_header(name) if name.lower() not in ("accept", "user-agent") else None
            if not value.isascii() or not value.isprintable():
                raise SettingError(f"{name} holds characters that no header can", "Write it in printable ASCII.")
        return headers

    @field_validator("page_store")
    @classmethod
    def validate_page_store(cls, url: str | None) -> str | None:
        """Refuse an address that no page store has; `~` in one of SQLite's is the home directory."""
        if url is None:
            return None
        scheme, separator, rest = url.partition(":///")
        if scheme == "sqlite" and rest.startswith("~"):
            url = f"{scheme}{separator}{expand_home(rest)}"
        try:
            return validate_store_url(url)
        except ConfigurationError as error:
            raise SettingError(error.problem, error.remedy) from None

    @model_validator(mode="after")
    def validate_together(self) -> Self:
        """Refuse settings that contradict each other."""
        parts = urlsplit(self.base_url)
        if parts.scheme == "http" and not self.allow_insecure_http and not is_loopback(parts.hostname or ""):
            raise SettingError(
                "plain http would send the key in the clear", "Use https, or set allow_insecure_http.", field="base_url"
            )
        if self.page_parameter == self.per_page_parameter:
            raise SettingError("it is the page's parameter too", "Name another.", field="per_page_parameter")
        if self.pages is not None and not isinstance(self.pages, PageNumber):
            self._validate_answer()
        filters = [part.send_in for part in (self.incremental, self.slices) if part is not None]
        places = {self.paging.send_in, *filter(None, filters)}
        if self.method == "GET" and (self.body or places != {"query"}):
            raise SettingError("a GET has no body", "Set method: POST.", field="method")
        ranges = self.slices.parameters.low if self.slices is not None else ""
        if isinstance(self.params.get(ranges), list):
            raise SettingError("it is a list, and no range can be joined to it", "Write one text.", field="params")
        if isinstance(self.auth, OAuthSettings) and self.base_url:
            self.auth.token_endpoint(self.base_url)
        return self

    def _validate_answer(self) -> None:
        """Refuse the envelope of numbered pages where pages have no numbers."""
        if "records" not in self.answer.model_fields_set:
            raise SettingError(
                "it is missing, and this way of paging has no usual place for it",
                'Name where an answer holds its records; "" if the answer is the list.',
                field="answer.records",
            )


class ApiKeywords(TypedDict, total=False):
    """The types of the client's keywords, for editors and type checkers; a test holds them to `ApiSettings`."""

    path: str
    preset: str
    preset_values: dict[str, str]
    key_header: str
    key_scheme: str
    page_parameter: str
    per_page_parameter: str
    first_page: int
    page_size: int | None
    transport: str | Transport
    max_concurrency: int
    requests_per_second: float | None
    retry_waits_s: Sequence[float]
    rounds: int
    max_pause_s: float
    timeout_s: float
    max_body_bytes: int
    max_crawl_s: float
    max_crawl_bytes: int
    page_store: str | None
    resume_ttl_s: float
    cache_ttl_s: float
    allow_insecure_http: bool
    method: Literal["GET", "POST"]
    params: Params
    headers: dict[str, Plain]
    body: Content
    auth: Auth | None
    pages: Pages | None
    answer: AnswerFields
    record: RecordMapping
    incremental: Incremental | None
    slices: Slices | None
