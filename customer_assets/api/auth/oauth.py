"""OAuth2 tokens: fetched by Authlib, renewed before they expire or when the API rejects one, and kept if they rotate.

A rotated refresh token is written to its file before it is used, under a lock: the old one may be dead by then, and two
runs that use the same one would log each other out.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session

from customer_assets.api.auth.secret import Secret, read_secret
from customer_assets.api.auth.settings import AuthContext, ClientCredentialsAuth, OAuthSettings, RefreshTokenAuth
from customer_assets.api.auth.tokens import URL, TokenRefusedError, TokenServerError, parse_token, renewal_time_s
from customer_assets.api.http.diagnose import causes, describe_failure, diagnose_connection
from customer_assets.api.http.environment import read_route
from customer_assets.api.http.quiet import quiet_logging
from customer_assets.core.errors import ConfigurationError, IncompleteCrawlError
from customer_assets.core.urls import is_loopback
from customer_assets.storage.locks import locked_file
from customer_assets.storage.private_files import make_private

logger = logging.getLogger("customer_assets.api")


class TokenCredentials:
    """Headers with an access token.

    Args:
        fetch: Fetches a token; is passed the one that was rejected, if any.
        scheme: The word before the token.
        epoch_s: Seconds since 1970.
        remedy: What to do when the API rejects a fresh token.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], Mapping[str, Any]],
        scheme: str,
        epoch_s: Callable[[], float],
        remedy: str,
    ) -> None:
        self._fetch, self._scheme, self._epoch_s, self.remedy = fetch, scheme, epoch_s, remedy
        self._token: Secret | None = None
        self._renew_at_s = 0.0

    def headers(self) -> Mapping[str, str]:
        if self._token is None or self._epoch_s() >= self._renew_at_s:
            self._renew(None)
        return {"Authorization": Secret(f"{self._scheme} {self._token}")}

    def renew(self, rejected: Mapping[str, str]) -> bool:
        if self._token is not None and rejected.get("Authorization") == f"{self._scheme} {self._token}":
            self._renew(str(self._token))
        return True

    def _renew(self, rejected: str | None) -> None:
        token = self._fetch(rejected)
        self._token = Secret(token["access_token"])
        self._renew_at_s = renewal_time_s(token, self._epoch_s())


def open_client_credentials(auth: ClientCredentialsAuth, context: AuthContext) -> TokenCredentials:
    """Open credentials by the client's id and secret."""
    issuer = TokenIssuer(auth, context)
    return TokenCredentials(
        lambda _rejected: issuer.request("client_credentials"),
        auth.scheme,
        context.clock.epoch_s,
        f"The API rejects fresh tokens: check what the client ({auth.client_id_variable}) may read.",
    )


def open_refresh_token(auth: RefreshTokenAuth, context: AuthContext) -> TokenCredentials:
    """Open credentials by a refresh token."""
    issuer = TokenIssuer(auth, context)
    refresh_token = read_secret(context.environ, auth.refresh_token_variable)
    name = hashlib.sha256(f"{issuer.url}\n{issuer.client_id}\n{refresh_token}".encode()).hexdigest()[:32]
    kept = TokenFile(context.token_file, name)
    return TokenCredentials(
        RotatingToken(issuer, kept, refresh_token, auth.refresh_token_variable, context.clock.epoch_s).fetch,
        auth.scheme,
        context.clock.epoch_s,
        f"The API rejects fresh tokens: log in again, and set {auth.refresh_token_variable}.",
    )


class TokenIssuer:
    """Where tokens are issued.

    Args:
        auth: The settings.
        context: Where secrets are read, and how to wait.

    Raises:
        ConfigurationError: A secret is missing, the address would send it in the clear, or the environment names a
            proxy or certificates that cannot be used.
    """

    def __init__(self, auth: OAuthSettings, context: AuthContext) -> None:
        self._auth, self._context = auth, context
        self.url = auth.token_endpoint(context.base_url)
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise ConfigurationError(URL, "it would send the client's secret in the clear", "Use https.")
        self._route = read_route(self.url)
        self.client_id = read_secret(context.environ, auth.client_id_variable)
        self._client_secret = read_secret(context.environ, auth.client_secret_variable)

    def request(self, grant_type: str, **fields: str) -> dict[str, Any]:
        """Request a token; retried as any request is.

        Raises:
            ConfigurationError: The client's id or secret is wrong, or a setting keeps the connection from being made.
            TokenRefusedError: The refresh token has expired or was revoked.
            IncompleteCrawlError: Nothing, or no token, came back.
        """
        extra = {name: text.replace("{base_url}", self._context.base_url) for name, text in self._auth.body.items()}
        problem = ""
        for wait_s in (*self._context.retry_waits_s, None):
            try:
                return self._request_once(grant_type, {**extra, **fields})
            except TokenRefusedError as refusal:
                if grant_type == "refresh_token" and refusal.is_dead:
                    raise
                raise self._rejection(refusal) from None
            except TokenServerError as error:
                problem = str(error)
            except requests.RequestException as error:
                problem = self._connection_problem(error)
            if wait_s is not None:
                logger.warning("No access token yet (%s); again in %g s.", problem, wait_s)
                self._context.clock.take(SimpleQueue(), wait_s)
        raise IncompleteCrawlError((), None, f"no access token could be fetched ({problem})")

    def _connection_problem(self, error: requests.RequestException) -> str:
        """Say why nothing came; raise at once what another request cannot change."""
        found = list(causes(error))
        diagnosis = diagnose_connection(found, self.url, self._route, setting=URL)
        if diagnosis is not None and diagnosis.is_certain:
            raise ConfigurationError(diagnosis.setting, diagnosis.problem, diagnosis.remedy) from None
        return describe_failure(found) if diagnosis is None else diagnosis.problem

    def _request_once(self, grant_type: str, fields: Mapping[str, str]) -> dict[str, Any]:
        method = "client_secret_basic" if self._auth.client_auth == "basic" else "client_secret_post"
        client = _Session(
            str(self.client_id),
            str(self._client_secret),
            scope=self._auth.scope,
            token_endpoint_auth_method=method,
            epoch_s=self._context.clock.epoch_s,
        )
        with quiet_logging(), client as session:
            session.trust_env = False
            session.proxies = self._route.proxies
            session.verify = True if self._route.certificates is None else self._route.certificates.path
            token: dict[str, Any] = session.fetch_token(
                self.url, grant_type=grant_type, timeout=self._context.timeout_s, allow_redirects=False, **fields
            )
            return token

    def _rejection(self, refusal: TokenRefusedError) -> ConfigurationError:
        return ConfigurationError(
            self._auth.client_id_variable,
            f"the token endpoint answered {refusal.code}",
            f"Check it, {self._auth.client_secret_variable} and auth.token_url.",
        )


class _Session(OAuth2Session):  # type: ignore[misc] # Authlib has no types
    """Authlib's session; what a response means is our own business."""

    def __init__(self, *arguments: str, epoch_s: Callable[[], float], **options: str | None) -> None:
        super().__init__(*arguments, **options)
        self._epoch_s = epoch_s

    def parse_response_token(self, response: requests.Response) -> dict[str, Any]:
        """Read a token, where Authlib would fail on many."""
        return parse_token(response.status_code, response.content, self._epoch_s())


class RotatingToken:
    """A refresh token that the API may replace each time it is used.

    Args:
        issuer: Where tokens are issued.
        kept: Where the latest ones are.
        refresh_token: The one that the user set.
        variable: Its variable.
        epoch_s: Seconds since 1970.
    """

    def __init__(
        self,
        issuer: TokenIssuer,
        kept: "TokenFile",
        refresh_token: Secret,
        variable: str,
        epoch_s: Callable[[], float],
    ) -> None:
        self._issuer, self._kept, self._variable, self._epoch_s = issuer, kept, variable, epoch_s
        self._given = refresh_token

    def fetch(self, rejected: str | None) -> Mapping[str, Any]:
        """Return an access token: one that another process fetched meanwhile, or a new one.

        Raises:
            ConfigurationError: The refresh token is no longer valid.
        """
        with self._kept.locked():
            kept = self._kept.read()
            token = kept.get("access_token")
            if token and token != rejected and renewal_time_s(kept, self._epoch_s()) > self._epoch_s():
                return kept
            latest = str(kept.get("refresh_token") or self._given)
            try:
                fresh = self._issuer.request("refresh_token", refresh_token=latest)
            except TokenRefusedError:
                raise ConfigurationError(
                    self._variable,
                    "the refresh token is no longer valid",
                    "Log in again, and set it to the new refresh token.",
                ) from None
            fresh = {"refresh_token": latest, **{name: value for name, value in fresh.items() if value}}
            self._kept.write(fresh)
            return fresh


class TokenFile:
    """Tokens in a file that only its owner can read, several clients' side by side.

    Args:
        path: The file.
        name: Names this client's tokens in it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from reading and writing meanwhile."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = locked_file(self._path.with_name(f"{self._path.name}.lock"))
        try:
            yield
        finally:
            os.close(descriptor)

    def read(self) -> dict[str, Any]:
        """This client's tokens; empty if there are none."""
        tokens = self._read_all().get(self._name)
        return tokens if isinstance(tokens, dict) else {}

    def write(self, tokens: Mapping[str, Any]) -> None:
        """Replace this client's tokens, and return only when no crash can lose them."""
        kept = {name: tokens.get(name) for name in ("access_token", "refresh_token", "expires_at")}
        staged = self._path.with_name(f"{self._path.name}.new")
        make_private(staged)
        with staged.open("w") as file:
            json.dump({**self._read_all(), self._name: kept}, file)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self._path)

    def _read_all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
