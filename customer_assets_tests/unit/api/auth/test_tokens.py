"""What a token endpoint's response means: a token, a failure, or a setting that is wrong."""

import json
from typing import Any

import pytest

from customer_assets.api.auth.tokens import (
    RENEW_BEFORE_S,
    TokenRefusedError,
    TokenServerError,
    parse_token,
    renewal_time_s,
)
from customer_assets.core.errors import ConfigurationError


def parsed(content: Any, status: int = 200) -> dict[str, Any]:
    """Read a response at second 1000."""
    return parse_token(status, content if isinstance(content, bytes) else json.dumps(content).encode(), 1_000.0)


@pytest.mark.parametrize(
    ("said", "expires_at"),
    [
        ({"expires_in": 3_600}, 4_600.0),
        ({"expires_in": "3600"}, 4_600.0),
        ({"expires_in": "3600.0"}, 4_600.0),
        ({"expires_in": 3_600.5}, 4_600.5),
        ({"expires_in": 60, "expires_at": 9_000}, 1_060.0),
        ({"expires_at": 9_000}, 9_000.0),
        ({"expires_at": "9000", "expires_in": None}, 9_000.0),
        ({}, None),
        ({"expires_in": None}, None),
        ({"expires_in": ""}, None),
        ({"expires_in": "1 hour"}, None),
        ({"expires_in": "1" * 400}, None),
        ({"expires_in": 0}, None),
        ({"expires_in": -1}, None),
        ({"expires_in": True}, None),
        ({"expires_in": {}}, None),
        ({"expires_at": "2026-12-31T00:00:00Z"}, None),
    ],
)
def test_a_token_expires_when_it_says_so(said: dict[str, Any], expires_at: float | None) -> None:
    """In whatever spelling; where it cannot be read, the token is used until the API rejects it."""
    token = parsed({"access_token": "canary", **said})
    assert (token["access_token"], token["expires_at"]) == ("canary", expires_at)


@pytest.mark.parametrize(
    ("status", "content"), [(500, b""), (503, {"error": "invalid_grant"}), (429, b""), (200, b"<")]
)
def test_a_failure_can_pass(status: int, content: Any) -> None:
    """Of the server, or of a page in front of it."""
    with pytest.raises(TokenServerError):
        parsed(content, status)


@pytest.mark.parametrize(
    ("error", "code", "is_dead"),
    [
        ("invalid_grant", "invalid_grant", True),
        ("bad_refresh_token", "bad_refresh_token", True),
        ("invalid_client", "invalid_client", False),
        ({"code": 7}, "an error", False),
        ("canary of person@example.org", "an error", False),
        ("x" * 99, "an error", False),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_a_refusal_has_a_code(status: int, error: Any, code: str, *, is_dead: bool) -> None:
    """The standard's, with whatever status; anything else is not shown."""
    with pytest.raises(TokenRefusedError) as caught:
        parsed({"error": error, "error_description": "canary"}, status)
    assert (caught.value.code, caught.value.is_dead, str(caught.value)) == (code, is_dead, code)


@pytest.mark.parametrize(
    ("status", "content", "problem"),
    [
        (302, b"", "it answers with HTTP 302"),
        (400, {"message": "revoked"}, "it answers with HTTP 400"),
        (401, b"<html>", "it answers with HTTP 401"),
        (404, {"error": ""}, "it answers with HTTP 404"),
        (200, {"accessToken": "canary"}, "its response holds no access_token"),
        (200, {"access_token": ""}, "its response holds no access_token"),
        (200, {"access_token": 7}, "its response holds no access_token"),
        (200, [1], "its response holds no access_token"),
    ],
)
def test_what_is_no_token_endpoint_is_named(status: int, content: Any, problem: str) -> None:
    """At once; another request would bring the same."""
    with pytest.raises(ConfigurationError) as caught:
        parsed(content, status)
    assert (caught.value.field, caught.value.problem) == ("auth.token_url", problem)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "renewal_s"),
    [
        ({}, float("inf")),
        ({"expires_at": None}, float("inf")),
        ({"expires_at": "soon"}, float("inf")),
        ({"expires_at": 4_600}, 4_600 - RENEW_BEFORE_S),
        ({"expires_at": 1_030}, 1_015),
        ({"expires_at": 900}, 900),
    ],
)
def test_when_a_token_is_renewed(token: dict[str, Any], renewal_s: float) -> None:
    """A minute before it expires, or after half of a shorter life."""
    assert renewal_time_s(token, 1_000.0) == renewal_s
