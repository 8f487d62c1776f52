"""Every setting of an API, once: name, type, default, bounds, description.

The client's keywords, the resource, a component's `api:` section and the environment variables all follow from here.

To add a setting that is a single value, add a field to `ApiOptions` and its type to `ApiKeywords`, use it, and add its
variable (`CUSTOMER_API_` and the field's name) to the README's table. To add a structured part of an API's description,
write a sub-model of `Settings` and make it a field of `ApiDescription`: the client, the YAML and the resource's
`api_description` take it from there. Bounds belong to the field; a check that needs more than a bound is a validator of
`ApiSettings`, because a component's YAML may still hold a template when the fields themselves are checked.

What a setting does belongs in the file that uses it.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, SupportsIndex, TypedDict, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from customer_assets.api.http.base import Transport
from customer_assets.api.page_store.base import validate_store_url
from customer_assets.configuration import SECRET, SettingError, Settings, Variable, configuration_errors, expand_home
from customer_assets.errors import ConfigurationError
from customer_assets.field_mapping import DEFAULT_MAPPING, EnvelopeFields, FieldMapping
from customer_assets.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.urls import is_loopback, is_plain

A_YEAR_S = 366 * 86_400

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token by RFC 9110: the names of headers and of authentication schemes."""

RESERVED_HEADERS = {"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"}
"""A key sent in one of these would break the request."""

TransportName = Literal["requests", "aiohttp"]
TRANSPORTS: tuple[str, ...] = get_args(TransportName)

Waits = Annotated[
    list[Annotated[float, Field(ge=0, le=A_YEAR_S)]],
    BeforeValidator(lambda waits: list(waits) if isinstance(waits, tuple) else waits),
]


class ApiOptions(Settings):
    """The single values: where the API is and how to read it. The defaults suit an API of which nothing is known."""

    variable_prefix: ClassVar[str] = "CUSTOMER_API"

    base_url: str = Field(
        default="", description="The API, such as https://reqres.in/api. Empty: the embedded simulator."
    )
    path: str = Field(default="/users", description="Where the customers are, below the base URL.")
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
    """The structured parts: what the API calls the parts of its answers and records."""

    variable_prefix: ClassVar[str] = "CUSTOMER_API"

    answer: EnvelopeFields = Field(
        default=DEFAULT_MAPPING.answer, description="The names of the parts of an answer; meta.page is page in meta."
    )
    record: RecordMapping = Field(default=DEFAULT_RECORD, description="What the API's records look like.")


class ApiSettings(ApiOptions, ApiDescription):
    """All of it, checked as a whole: what a client works by."""

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
    def mapping(self) -> FieldMapping:
        """The names in requests, answers and records, as the crawl uses them."""
        return FieldMapping(self.answer, self.record, self.page_parameter, self.per_page_parameter, self.first_page)

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
            raise SettingError(f"{path!r} is not a path", "Write it like /users.")
        return path

    @field_validator("key_header")
    @classmethod
    def validate_key_header(cls, header: str) -> str:
        """Refuse what is not a header's name, and headers that HTTP itself needs."""
        if not _TOKEN.fullmatch(header):
            raise SettingError(f"{header!r} is not a valid header name", "Use, say, x-api-key.")
        if header.lower() in RESERVED_HEADERS:
            raise SettingError(f"{header!r} is a header that every request needs", "Use, say, x-api-key.")
        return header

    @field_validator("key_scheme")
    @classmethod
    def validate_key_scheme(cls, scheme: str) -> str:
        """Refuse what is not one word."""
        if scheme and not _TOKEN.fullmatch(scheme):
            raise SettingError(f"{scheme!r} is not an authentication scheme", "Use, say, Bearer.")
        return scheme

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
        if self.mapping.answer.per_page is None and self.page_size is None:
            raise SettingError(
                "it is missing, and the API's answers do not say how long a page is",
                "Set the number of customers a page, or name the answer's field that has it (answer.per_page).",
                field="page_size",
            )
        return self


class ApiKeywords(TypedDict, total=False):
    """The types of the client's keywords, for editors and type checkers; a test holds them to `ApiSettings`."""

    path: str
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
    page_store: str | None
    resume_ttl_s: float
    cache_ttl_s: float
    allow_insecure_http: bool
    answer: EnvelopeFields
    record: RecordMapping


# --- the key ----------------------------------------------------------------------------------------------


class Secret(str):
    """Text that does not show itself, so that no traceback that prints local variables shows it either."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say that there is one."""
        return "<secret>"

    def __getitem__(self, part: SupportsIndex | slice) -> "Secret":
        """Keep a part as secret as the whole: whoever prints a long text cuts it first."""
        return Secret(super().__getitem__(part))


def hide_api_key(api_key: object) -> Secret:
    """Return the key, hidden.

    Raises:
        ConfigurationError: It is not text: `os.environ.get`, say, returns None for an unset variable.
    """
    if not isinstance(api_key, str):
        raise ConfigurationError("api_key", f"it is {type(api_key).__name__}, not text", "Set your API's key.")
    return Secret(api_key)


def validate_api_key(api_key: str) -> Secret:
    """Return the key without white space around it.

    Raises:
        ConfigurationError: It is blank, or cannot be sent in a header.
    """
    if not api_key.strip() or not api_key.strip().isprintable() or not api_key.isascii():
        raise ConfigurationError("api_key", "it is blank or holds unprintable characters", "Set your API's key.")
    return Secret(api_key.strip())
