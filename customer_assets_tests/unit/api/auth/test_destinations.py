"""Where secrets are sent, and what a run can change about it."""

from typing import Any

import pytest

from customer_assets.api.auth.destinations import Destination, RunKeys, destinations, same_host, validate_destinations
from customer_assets.api.options import ApiSettings
from customer_assets.core.configuration import configuration_errors
from customer_assets.core.errors import ConfigurationError

OAUTH = {"type": "oauth2_refresh_token", "token_url": "https://login.example.org/token"}
OAUTH_VARIABLES = ("CUSTOMER_API_CLIENT_ID", "CUSTOMER_API_CLIENT_SECRET", "CUSTOMER_API_REFRESH_TOKEN")
HERE = "https://x.org:443"


def settings(**given: Any) -> ApiSettings:
    """Make an API's settings."""
    return ApiSettings(**{"base_url": "https://X.org/api", **given})


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, {Destination("CUSTOMER_API_KEY", HERE)}),
        ({"type": "bearer", "token_variable": "T"}, {Destination("T", HERE)}),
        ({"type": "none"}, set()),
        ({"type": "basic", "user_variable": "U", "password": "X"}, {Destination("U", HERE)}),
        ({"type": "basic", "user_variable": "U", "password_variable": "P"}, {Destination(v, HERE) for v in "UP"}),
        (
            OAUTH,
            {Destination(variable, "https://login.example.org:443") for variable in OAUTH_VARIABLES}
            | {Destination(variable, HERE, is_token=True) for variable in OAUTH_VARIABLES},
        ),
        (
            {**OAUTH, "token_url": "//evil.example/token"},
            {Destination(variable, "https://evil.example:443") for variable in OAUTH_VARIABLES}
            | {Destination(variable, HERE, is_token=True) for variable in OAUTH_VARIABLES},
        ),
    ],
)
def test_each_secret_has_its_destination(auth: dict[str, Any] | None, expected: set[Destination]) -> None:
    """Scheme, host and port count; a token is not the secret that it was bought with."""
    given = settings(auth=auth)
    assert destinations(given.authentication, given.base_url) == expected


@pytest.mark.parametrize(
    "token_url",
    [
        "https://evil.example\\@x.org/token",
        "\\\\evil.example\\token",
        "https://user:canary@x.org/token",
        "https://x.org:port/token",
        "file:///etc/passwd",
        "https://evil.example /token",
    ],
)
def test_a_token_address_that_programs_read_differently_is_refused(token_url: str) -> None:
    """It decides who receives the client's secret; and it is not quoted."""
    with pytest.raises(ConfigurationError, match=r"^auth.token_url: it is not an http") as refused:
        settings(auth={**OAUTH, "token_url": token_url})
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "origin", "why"),
    [
        ("KEY", "https://evil.example:443", "it is configured for https://x.org:443"),
        ("KEY", "http://x.org:80", "it is configured for https://x.org:443"),
        ("OTHER", HERE, "this deployment lets no run read it"),
        ("LISTED", HERE, "this deployment lets no run read it"),
        ("params", "https://evil.example:443", "it is configured for https://x.org:443"),
    ],
)
def test_what_moves_is_refused(variable: str, origin: str, why: str) -> None:
    """By its name, with where it would have gone."""
    configured = {Destination("KEY", HERE), Destination("params", HERE)}
    listed = {"LISTED": "https://staging.example:443"}
    with pytest.raises(ConfigurationError, match=f"^{variable}: this run would send it to {origin}, but {why}"):
        validate_destinations({Destination(variable, origin)}, configured, listed)
    for allowed in ("LISTED", "params"):
        validate_destinations({Destination(allowed, "https://staging.example:443")}, configured, listed)


def test_a_token_allows_no_secret() -> None:
    """The API that gets the access token does not get the client's secret."""
    configured = {Destination("SECRET", HERE, is_token=True)}
    with pytest.raises(ConfigurationError, match=r"^SECRET: "):
        validate_destinations({Destination("SECRET", HERE)}, configured, {})


@pytest.mark.parametrize("given", ["A=https://x.org/any, B=http://[::1]:8080", {"A": HERE, "B": "http://[::1]:8080"}])
def test_keys_for_runs_are_kept_with_their_origin(given: Any) -> None:
    """As text, or as a mapping."""
    assert RunKeys.model_validate({"run_keys": given}).run_keys == {"A": HERE, "B": "http://[::1]:8080"}


@pytest.mark.parametrize(
    "given", ["canary", "A=canary", "A=ftp://canary", "A=https://x.org\\@canary", "ca-nary=https://x"]
)
def test_a_list_of_keys_that_is_none_is_refused(given: str) -> None:
    """It is not quoted: somebody may have written the key itself."""
    expected = pytest.raises(ConfigurationError, match=r"^run_keys: it does not name variables")
    with expected as refused, configuration_errors(RunKeys):
        RunKeys.model_validate({"run_keys": given})
    assert "canary" not in str(refused.value)


def test_stores_on_the_same_host() -> None:
    """Neither the password nor the database counts."""
    assert same_host("redis://:secret@x.org/0", "redis://x.org/1")
    assert not same_host("redis://x.org:6380", "redis://x.org:6379")
