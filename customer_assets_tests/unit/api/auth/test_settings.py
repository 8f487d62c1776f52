"""How requests authenticate: which headers they carry, and where secrets come from."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from customer_assets.api import CustomerAPIClient
from customer_assets.api.auth.secret import Secret
from customer_assets.api.auth.settings import Auth, AuthContext
from customer_assets.core.errors import ConfigurationError
from customer_assets_tests.harness.apis.scripted_server import FakeClock

AUTH: TypeAdapter[Any] = TypeAdapter(Auth)
KEY, USER, PASSWORD = "canary-key", "canary-user", "canary:password"
ENVIRON = {"CUSTOMER_API_KEY": KEY, "CUSTOMER_API_USER": USER, "CUSTOMER_API_PASSWORD": PASSWORD, "ACME": "canary-acme"}


def basic(user: str, password: str) -> str:
    """The header's value by RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def context(environ: Mapping[str, str], api_key: str = "") -> AuthContext:
    """What credentials are opened with."""
    return AuthContext("https://api.example", Secret(api_key), environ, Path("unused"), FakeClock(), 1.0, ())


@pytest.mark.parametrize(
    ("settings", "headers", "variables"),
    [
        ({"type": "header"}, {"x-api-key": KEY}, ["CUSTOMER_API_KEY"]),
        (
            {"type": "header", "name": "Authorization", "scheme": "SSWS", "key_variable": "ACME"},
            {"Authorization": "SSWS canary-acme"},
            ["ACME"],
        ),
        ({"type": "bearer"}, {"Authorization": f"Bearer {KEY}"}, ["CUSTOMER_API_KEY"]),
        ({"type": "bearer", "token_variable": "ACME"}, {"Authorization": "Bearer canary-acme"}, ["ACME"]),
        (
            {"type": "basic"},
            {"Authorization": basic(USER, PASSWORD)},
            ["CUSTOMER_API_USER", "CUSTOMER_API_PASSWORD"],
        ),
        ({"type": "basic", "password": "empty"}, {"Authorization": basic(USER, "")}, ["CUSTOMER_API_USER"]),
        (
            {"type": "basic", "user_variable": "ACME", "password": "X"},
            {"Authorization": basic("canary-acme", "X")},
            ["ACME"],
        ),
        ({"type": "none"}, {}, []),
    ],
)
def test_each_way_has_its_header(settings: dict[str, Any], headers: dict[str, str], variables: list[str]) -> None:
    """Its secrets are read from variables; the remedy names them, and nothing shows them."""
    credentials = AUTH.validate_python(settings).open(context(ENVIRON))
    assert credentials.headers() == headers
    assert "canary" not in f"{credentials!r} {credentials.headers()!r} {credentials.remedy}"
    assert all(variable in credentials.remedy for variable in variables)
    assert not credentials.renew(headers), "a key stays what it is"
    for variable in variables:
        unset = {name: value for name, value in ENVIRON.items() if name != variable}
        with pytest.raises(ConfigurationError, match=f"^{variable}: it is not set, and the API needs it"):
            AUTH.validate_python(settings).open(context(unset))


def test_a_key_that_is_passed_comes_before_its_variable() -> None:
    """A program can have it from elsewhere."""
    for settings in ({"type": "header"}, {"type": "bearer"}):
        credentials = AUTH.validate_python(settings).open(context(ENVIRON, "canary-other"))
        assert "canary-other" in "".join(credentials.headers().values())


@pytest.mark.parametrize("key", ["  ", "a\nb", "caf\u00e9"])
def test_a_key_that_no_header_can_hold_is_refused(key: str) -> None:
    """By the name of its variable, or as the argument that it was."""
    for setting, found in (("CUSTOMER_API_KEY", context({"CUSTOMER_API_KEY": key})), ("api_key", context({}, key))):
        if setting == "api_key" or key.strip():
            with pytest.raises(ConfigurationError, match=f"^{setting}: it is blank or holds unprintable"):
                AUTH.validate_python({"type": "header"}).open(found)


def test_a_client_without_auth_wants_its_key() -> None:
    """A variable is read only where `auth` says so."""
    with pytest.raises(ConfigurationError, match=r"^api_key: "):
        CustomerAPIClient("https://api.example", "", environ=ENVIRON)
    with CustomerAPIClient("https://api.example", "", auth={"type": "bearer"}, environ=ENVIRON) as client:  # type: ignore[arg-type] # as YAML has it
        assert "canary" not in f"{client!r} {client.options!r} {vars(client)}"
