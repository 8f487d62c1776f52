"""Which secret is sent to which API, and whether a run may change that. Reads no secret.

How secrets are read and sent belongs in `settings.py` and `oauth.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator

from customer_assets.api.auth.settings import AuthSettings, OAuthSettings
from customer_assets.core.configuration import SettingError, Settings
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.urls import is_plain, origin_of

SETTINGS_WITH_SECRETS = ("params", "headers", "body")
"""Where a template of a component's YAML can put a secret: no run sends the deployment's own to just any host."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A secret, and where it is sent.

    Attributes:
        variable: The variable that holds it; or a setting, such as `params`, which can hold one.
        origin: Scheme, host and port, such as `https://api.example.org:443`.
        is_token: Whether it is not the secret itself that is sent, but an access token that was bought with it.
    """

    variable: str
    origin: str
    is_token: bool = False


def destinations(auth: AuthSettings, base_url: str) -> frozenset[Destination]:
    """Return where an API's secrets are sent."""
    api = origin_of(base_url)
    if not isinstance(auth, OAuthSettings):
        return frozenset(Destination(variable, api) for variable in auth.secret_variables)
    issuer, variables = origin_of(auth.token_endpoint(base_url)), auth.secret_variables
    tokens = (Destination(variable, api, is_token=True) for variable in variables)
    return frozenset(Destination(variable, issuer) for variable in variables) | frozenset(tokens)


def validate_destinations(
    of_run: Iterable[Destination], configured: Iterable[Destination], run_keys: Mapping[str, str]
) -> None:
    """Let a run send secrets only to where the deployment sends them, or where `run_keys` lets it.

    Raises:
        ConfigurationError: Names the secret's variable, and where it would have been sent.
    """
    allowed = set(configured)
    for each in sorted(set(of_run) - allowed, key=lambda destination: destination.variable):
        origins = run_keys.values() if each.variable in SETTINGS_WITH_SECRETS else [run_keys.get(each.variable)]
        if each.origin in origins:
            continue
        known = {other.origin for other in allowed if other.variable == each.variable}
        why = f"it is configured for {', '.join(sorted(known))}" if known else "this deployment lets no run read it"
        raise ConfigurationError(
            each.variable,
            f"this run would send it to {each.origin}, but {why}; nothing was sent",
            "Change the API in the deployment's own settings, or add a key for that API to its run_keys "
            f"(CUSTOMER_API_RUN_KEYS=OTHER_KEY={each.origin}) and name that in the run's key_variable.",
        )


def _parse_keys(given: Any) -> Any:  # noqa: ANN401 - pydantic checks everything but text
    if not isinstance(given, str):
        return given
    pairs = [part.strip().partition("=") for part in given.split(",") if part.strip()]
    return {name.strip(): url.strip() for name, _, url in pairs}


class RunKeys(Settings):
    """The keys that a run may use instead of the configured one. Only the deployment sets them, never a run."""

    run_keys: Annotated[dict[str, str], BeforeValidator(_parse_keys, json_schema_input_type=dict[str, str] | str)] = (
        Field(
            default={},
            description="Variables whose keys a run may use instead, each with the only API that it goes to, such as "
            "STAGING_KEY=https://staging.acme.example. A run cannot add to them.",
        )
    )

    @field_validator("run_keys")
    @classmethod
    def validate_run_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        """Refuse what does not name a variable and an API; only the API's origin is kept."""
        for name, url in keys.items():
            if not name.isidentifier() or not is_plain(url) or not url.startswith(("http://", "https://")):
                raise SettingError(  # neither is shown: the key itself may stand there
                    "it does not name variables and APIs", "Write it like STAGING_KEY=https://staging.acme.example."
                )
        return {name: origin_of(url) for name, url in keys.items()}


def same_host(url: str, other: str) -> bool:
    """Whether two addresses of stores have the same scheme and host."""
    here, there = urlsplit(url), urlsplit(other)
    return (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
