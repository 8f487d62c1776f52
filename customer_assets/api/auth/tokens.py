"""Reads a token endpoint's response, and says how long a token lives. Pure; fetching tokens belongs in `oauth.py`."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from math import inf, isfinite
from typing import Any

from customer_assets.core.errors import ConfigurationError

RENEW_BEFORE_S = 60.0
"""A token is renewed this long before it expires, so that none expires on its way; or after half of a shorter life."""

DEAD_TOKENS = ("invalid_grant", "access_denied", "invalid_token", "bad_refresh_token")
"""The first two are the standard's; the others are what some servers say of a refresh token."""

URL = "auth.token_url"
LONGEST_CODE = 40


class TokenServerError(Exception):
    """The token endpoint failed; another request can help."""


class TokenRefusedError(Exception):
    """The token endpoint refused.

    Attributes:
        code: Why, in the standard's words (RFC 6749, 5.2).
    """

    def __init__(self, code: object) -> None:
        """Keep the code, unless it does not look like one: it is shown to people."""
        is_code = isinstance(code, str) and code.replace("_", "").isalnum() and len(code) <= LONGEST_CODE
        self.code = str(code) if is_code else "an error"
        super().__init__(self.code)

    @property
    def is_dead(self) -> bool:
        """Whether the refresh token has expired or was revoked."""
        return self.code in DEAD_TOKENS


def parse_token(status: int, content: bytes, now_s: float) -> dict[str, Any]:
    """Read a token from a response; `expires_at` says when it expires, if that is known.

    Args:
        status: The HTTP status.
        content: The body.
        now_s: Seconds since 1970.

    Raises:
        TokenServerError: Another request can help.
        TokenRefusedError: The standard's error.
        ConfigurationError: No token endpoint answers like this.
    """
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise TokenServerError(f"HTTP {status}")
    try:
        token = json.loads(content)
    except ValueError:
        token = None
    if isinstance(token, dict) and token.get("error"):
        raise TokenRefusedError(token["error"])
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        remedy = "Check it, and the variables that auth reads: what they hold can have expired."
        raise ConfigurationError(URL, f"it answers with HTTP {status}", remedy)
    if token is None:
        raise TokenServerError("the response is not JSON")
    if not isinstance(token, dict) or not isinstance(token.get("access_token"), str) or not token["access_token"]:
        raise ConfigurationError(URL, "its response holds no access_token", "Check that it issues OAuth2 tokens.")
    life_s, expires_at = _number(token.get("expires_in")), _number(token.get("expires_at"))
    if life_s is not None:  # 0 or -1 is how some say that they do not know
        expires_at = now_s + life_s if life_s > 0 else None
    return {**token, "expires_at": expires_at}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def renewal_time_s(token: Mapping[str, Any], now_s: float) -> float:
    """When to renew a token, in seconds since 1970; never, if it does not say when it expires."""
    expires_at_s = token.get("expires_at")
    if not isinstance(expires_at_s, int | float):
        return inf
    return float(expires_at_s) - min(RENEW_BEFORE_S, max(expires_at_s - now_s, 0.0) / 2)
