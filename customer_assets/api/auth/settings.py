"""How requests authenticate: the settings, and the credentials that add headers to requests.

Secrets are read from environment variables only, never from settings. Fetching and keeping OAuth tokens belongs in
`oauth.py`.
"""

import base64
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal, Protocol
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from customer_assets.api.auth.secret import Secret, read_secret, validate_api_key
from customer_assets.api.runner.clock import Clock
from customer_assets.core.configuration import SettingError, Settings
from customer_assets.core.errors import ConfigurationError, MissingDependencyError
from customer_assets.core.urls import is_plain

TOKEN_URL_REMEDY = "Write it like https://login.example.com/token, or /oauth/token."  # noqa: S105 - no secret

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token by RFC 9110: the names of headers and of authentication schemes."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

RESERVED_HEADERS = {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
"""A key sent in one of these would break the request."""


def validate_key_header(header: str) -> str:
    """Return the name of a header that can carry a key.

    Raises:
        SettingError: It is not a header's name, or HTTP itself needs that header.
    """
    if not TOKEN.fullmatch(header):
        raise SettingError(f"{header!r} is not a valid header name", "Use, say, x-api-key.")
    if header.lower() in RESERVED_HEADERS:
        raise SettingError(f"{header!r} is a header that every request needs", "Use, say, x-api-key.")
    return header


def validate_scheme(scheme: str) -> str:
    """Return an authentication scheme; blank: none.

    Raises:
        SettingError: It is not one word.
    """
    if scheme and not TOKEN.fullmatch(scheme):
        raise SettingError(f"{scheme!r} is not an authentication scheme", "Use, say, Bearer.")
    return scheme


def _validate_variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):  # its text is not shown: it could be the secret itself
        raise SettingError("it is not the name of an environment variable", "Name the variable, never its value.")
    return name


VariableName = Annotated[str, AfterValidator(_validate_variable)]
HeaderName = Annotated[str, AfterValidator(validate_key_header)]
Scheme = Annotated[str, AfterValidator(validate_scheme)]


class Credentials(Protocol):
    """What authenticates requests."""

    @property
    def remedy(self) -> str:
        """What to do when the API rejects them."""
        ...

    def headers(self) -> Mapping[str, str]:
        """The headers to add to a request; can fetch a token first.

        Raises:
            ConfigurationError: The credentials are not valid (any more).
            IncompleteCrawlError: A token could not be fetched.
        """
        ...

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Replace headers that the API rejected; return whether there are other ones now."""
        ...


@dataclass(frozen=True)
class FixedCredentials:
    """Headers that never change."""

    fixed: Mapping[str, str] = field(repr=False)
    remedy: str

    def headers(self) -> Mapping[str, str]:
        return self.fixed

    def renew(self, rejected: Mapping[str, str]) -> bool:  # noqa: ARG002
        return False


@dataclass(frozen=True)
class AuthContext:
    """What credentials are opened with.

    Attributes:
        base_url: The API's.
        api_key: A key that was passed in place of a variable; blank: none.
        environ: Where secrets are read.
        token_file: Where rotated refresh tokens are kept.
        clock: The time, and how to wait.
        timeout_s: Seconds for a request.
        retry_waits_s: Seconds before each retry of a failed request.
    """

    base_url: str
    api_key: Secret
    environ: Mapping[str, str] = field(repr=False)
    token_file: Path
    clock: Clock
    timeout_s: float
    retry_waits_s: tuple[float, ...]

    def key(self, variable: str) -> Secret:
        """The key that was passed, or what a variable holds."""
        if self.api_key:
            return validate_api_key(self.api_key)
        return validate_api_key(read_secret(self.environ, variable), variable)


class AuthSettings(Settings):
    """A way to authenticate."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    @property
    def key_variable(self) -> str | None:
        """The variable that holds the one key that this way needs; None: it needs none, or other secrets."""
        return None

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """The variables that hold its secrets."""
        return tuple(value for name, value in self if name.endswith("variable"))

    @abstractmethod
    def open(self, context: AuthContext) -> Credentials:
        """Read the secrets.

        Raises:
            ConfigurationError: One is missing or cannot be used; names its variable.
            MissingDependencyError: An optional package is not installed.
        """


class HeaderAuth(AuthSettings):
    """A key in a header."""

    type: Literal["header"] = "header"

    name: HeaderName = Field(default="x-api-key", description="The header that carries the key.")
    scheme: Scheme = Field(default="", description="The word before the key in its header, such as Bearer.")
    variable: VariableName = Field(
        default="CUSTOMER_API_KEY", alias="key_variable", description="The variable that holds the key."
    )

    @property
    def key_variable(self) -> str:
        return self.variable

    def open(self, context: AuthContext) -> Credentials:
        value = Secret(f"{self.scheme} {context.key(self.variable)}".lstrip())
        return FixedCredentials({self.name: value}, f"Check the API key ({self.variable}).")


class BearerAuth(AuthSettings):
    """A token in the `Authorization` header."""

    type: Literal["bearer"] = "bearer"

    variable: VariableName = Field(
        default="CUSTOMER_API_KEY", alias="token_variable", description="The variable that holds the token."
    )

    @property
    def key_variable(self) -> str:
        return self.variable

    def open(self, context: AuthContext) -> Credentials:
        value = Secret(f"Bearer {context.key(self.variable)}")
        return FixedCredentials({"Authorization": value}, f"Check the token ({self.variable}).")


class BasicAuth(AuthSettings):
    """A user's name and a password (RFC 7617)."""

    type: Literal["basic"] = "basic"

    user_variable: VariableName = Field(default="CUSTOMER_API_USER", description="The variable that holds the name.")
    password_variable: VariableName = Field(
        default="CUSTOMER_API_PASSWORD", description="The variable that holds the password."
    )
    password: str | None = Field(
        default=None, description="A password that is not a secret, such as X; the word empty means an empty one."
    )

    @property
    def secret_variables(self) -> tuple[str, ...]:
        return (self.user_variable,) if self.password is not None else (self.user_variable, self.password_variable)

    def open(self, context: AuthContext) -> Credentials:
        user = read_secret(context.environ, self.user_variable)
        if self.password is None:
            password = read_secret(context.environ, self.password_variable)
        else:
            password = Secret("" if self.password == "empty" else self.password)  # noqa: S105 - stands for none
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        credentials = {"Authorization": Secret(f"Basic {encoded}")}
        return FixedCredentials(credentials, f"Check {', '.join(self.secret_variables)}.")


class NoAuth(AuthSettings):
    """No credentials at all."""

    type: Literal["none"] = "none"

    def open(self, context: AuthContext) -> Credentials:  # noqa: ARG002
        return FixedCredentials({}, "The API wants credentials: set auth.")


def _oauth() -> ModuleType:
    try:
        return import_module("customer_assets.api.auth.oauth")
    except ImportError as error:
        raise MissingDependencyError("auth", "authlib", "pip install 'customer_assets[oauth]'") from error


class OAuthSettings(AuthSettings):
    """What both OAuth2 grants need."""

    token_url: str = Field(
        min_length=1, description="Where tokens are issued; a path alone is on the API's own host: /oauth/token."
    )
    client_id_variable: VariableName = Field(
        default="CUSTOMER_API_CLIENT_ID", description="The variable that holds the client's id."
    )
    client_secret_variable: VariableName = Field(
        default="CUSTOMER_API_CLIENT_SECRET", description="The variable that holds the client's secret."
    )
    client_auth: Literal["body", "basic"] = Field(
        default="body", description="How the client's id and secret are sent: in the body, or as Basic."
    )
    scope: str | None = Field(default=None, description="The scope to ask for.")
    body: dict[str, str] = Field(default={}, description="More fields of the token request, such as audience.")
    scheme: Scheme = Field(default="Bearer", description="The word before the token in its header.")

    def token_endpoint(self, base_url: str) -> str:
        """Return the whole address of where tokens are issued.

        Raises:
            ConfigurationError: Programs read it differently, and it decides who receives the client's secret.
        """
        try:
            parts = urlsplit(urljoin(f"{base_url}/", self.token_url))
            _ = parts.port  # a port out of range is noticed here
            is_usable = is_plain(self.token_url) and parts.username is None and bool(parts.hostname)
        except ValueError:
            is_usable = False
        if not is_usable or parts.scheme not in ("http", "https"):
            raise ConfigurationError(
                "auth.token_url", "it is not an http or https address without credentials", TOKEN_URL_REMEDY
            )
        return parts.geturl()


class ClientCredentialsAuth(OAuthSettings):
    """OAuth2 client credentials (RFC 6749, 4.4)."""

    type: Literal["oauth2_client_credentials"] = "oauth2_client_credentials"

    def open(self, context: AuthContext) -> Credentials:
        return _oauth().open_client_credentials(self, context)  # type: ignore[no-any-return]


class RefreshTokenAuth(OAuthSettings):
    """An OAuth2 refresh token (RFC 6749, 6). Where the API rotates it, the new one is kept in a private file."""

    type: Literal["oauth2_refresh_token"] = "oauth2_refresh_token"

    refresh_token_variable: VariableName = Field(
        default="CUSTOMER_API_REFRESH_TOKEN", description="The variable that holds the refresh token."
    )

    def open(self, context: AuthContext) -> Credentials:
        return _oauth().open_refresh_token(self, context)  # type: ignore[no-any-return]


Auth = Annotated[
    HeaderAuth | BearerAuth | BasicAuth | NoAuth | ClientCredentialsAuth | RefreshTokenAuth,
    Field(discriminator="type"),
]
