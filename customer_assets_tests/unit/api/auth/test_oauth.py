"""OAuth2 tokens: fetched, renewed, rotated, kept, and dead."""

import json
import logging
import socket
import stat
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.api.runner.clock import Clock
from customer_assets.core.errors import ConfigurationError, IncompleteCrawlError, RequestRefusedError
from customer_assets_tests.harness.apis.token_server import ENVIRON, REFRESH, TokenServer, issuing

CLIENT_CREDENTIALS = {"type": "oauth2_client_credentials", "token_url": "/oauth/token"}
REFRESH_TOKEN = {"type": "oauth2_refresh_token", "token_url": "/oauth/token"}
LIBRARIES = pytest.mark.parametrize("transport", ["requests", "aiohttp"])


def client_of(
    server: TokenServer, auth: Mapping[str, Any], state: Path, environ: Mapping[str, str] = ENVIRON, **options: Any
) -> CustomerAPIClient:
    """A client whose tokens are kept below a directory."""
    made: dict[str, Any] = {
        "answer": {"records": "data", "total": "total"},
        "auth": auth,
        "environ": {**environ, "XDG_STATE_HOME": str(state)},
        "max_concurrency": 2,
        "retry_waits_s": (0.001, 0.002, 0.004),
        **options,
    }
    return CustomerAPIClient(server.url, "", **made)


def ids(client: CustomerAPIClient) -> list[int]:
    """Read all customers, and close the client."""
    with client:
        return [customer["id"] for customer in client.fetch_all_customers()]


EVERYONE = list(range(1, 56))


@LIBRARIES
@pytest.mark.parametrize("auth", [CLIENT_CREDENTIALS, REFRESH_TOKEN])
def test_one_token_serves_a_whole_crawl(auth: Mapping[str, Any], transport: str, tmp_path: Path) -> None:
    """It is requested once."""
    with issuing(TokenServer()) as server:
        assert ids(client_of(server, auth, tmp_path, transport=transport)) == EVERYONE
    assert len(server.requests) == 1
    assert server.rejected == 0


def test_a_token_request_carries_what_is_configured(tmp_path: Path) -> None:
    """The scope, more fields, and the client's secret in the body or as Basic."""
    auth = {**CLIENT_CREDENTIALS, "scope": "read", "body": {"audience": "{base_url}/api/v2/"}, "client_auth": "basic"}
    with issuing(TokenServer()) as server:
        assert ids(client_of(server, auth, tmp_path)) == EVERYONE
    (fields,) = server.requests
    assert fields["grant_type"] == "client_credentials"
    assert (fields["scope"], fields["audience"], fields["sent"]) == ("read", f"{server.url}/api/v2/", "basic")


@LIBRARIES
@pytest.mark.parametrize("auth", [CLIENT_CREDENTIALS, REFRESH_TOKEN])
def test_a_token_that_dies_early_is_renewed(auth: Mapping[str, Any], transport: str, tmp_path: Path) -> None:
    """On a 401, once for all requests that were under way; nobody is lost."""
    with issuing(TokenServer(uses=3)) as server:
        assert ids(client_of(server, auth, tmp_path, transport=transport)) == EVERYONE
    assert 2 <= len(server.requests) <= 4
    assert server.rejected <= 2 * len(server.requests)


def test_a_request_is_sent_again_once(tmp_path: Path) -> None:
    """An API that rejects every token is not asked for ever."""
    with issuing(TokenServer(uses=1)) as server:
        server.page = lambda _number, _authorization: (401, {})  # type: ignore[method-assign, assignment]
        with pytest.raises(RequestRefusedError, match="rejects fresh tokens: check what the client") as caught:
            ids(client_of(server, CLIENT_CREDENTIALS, tmp_path))
    assert caught.value.status == 401
    assert len(server.requests) == 2


class MovingClock(Clock):
    """Ten minutes pass with each look at the calendar."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def epoch_s(self) -> float:
        """Seconds since 1970."""
        self.now_s += 600.0
        return self.now_s


def test_a_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    """No request is rejected for it; one at a time, for a token on its way while another is issued may be."""
    with issuing(TokenServer(expires_in=None)) as server:
        issue = server.token

        def dated(fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
            status, content = issue(fields)
            return status, content | {"expires_at": int(clock.now_s) + 1_500}

        clock = MovingClock()
        server.token = dated  # type: ignore[method-assign]
        assert ids(client_of(server, CLIENT_CREDENTIALS, tmp_path, clock=clock, max_concurrency=1)) == EVERYONE
    assert len(server.requests) > 2
    assert server.rejected == 0


def test_a_rotated_refresh_token_is_kept_for_the_next_run(tmp_path: Path) -> None:
    """In a file that only its owner can read; the access token is used again while it lives."""
    with issuing(TokenServer(expires_in=0)) as server:
        for _ in range(3):
            assert ids(client_of(server, REFRESH_TOKEN, tmp_path)) == EVERYONE
        sent = [fields["refresh_token"] for fields in server.requests]
        assert sent[0] == REFRESH
        assert len(set(sent)) == len(sent), "each is used once"
    kept = tmp_path / "customer_assets" / "tokens.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    with issuing(TokenServer()) as server:
        for _ in range(2):
            assert ids(client_of(server, REFRESH_TOKEN, tmp_path / "other")) == EVERYONE
    assert len(server.requests) == 1, "the access token still lives"


def test_a_refresh_token_is_kept_beside_the_stored_pages(tmp_path: Path) -> None:
    """Where they are in a file."""
    store = f"sqlite:///{tmp_path}/lake/pages.sqlite"
    with issuing(TokenServer()) as server:
        assert ids(client_of(server, REFRESH_TOKEN, tmp_path, page_store=store)) == EVERYONE
    assert json.loads((tmp_path / "lake" / "tokens.json").read_text())


def test_a_refresh_token_is_stored_before_it_is_used(tmp_path: Path) -> None:
    """A run that dies right after it was rotated does not log its user out."""
    with issuing(TokenServer()) as server:
        server.page = lambda _number, _authorization: (500, {})  # type: ignore[method-assign, assignment]
        with pytest.raises(IncompleteCrawlError):
            ids(client_of(server, REFRESH_TOKEN, tmp_path))
        kept = json.loads((tmp_path / "customer_assets" / "tokens.json").read_text())
        assert [tokens["refresh_token"] for tokens in kept.values()] == [server.refresh_token]


def test_runs_at_once_do_not_log_each_other_out(tmp_path: Path) -> None:
    """One of them refreshes, the others take what it got."""
    found: list[list[int]] = []
    with issuing(TokenServer()) as server:
        runs = [
            threading.Thread(target=lambda: found.append(ids(client_of(server, REFRESH_TOKEN, tmp_path))))
            for _ in range(4)
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    assert found == [EVERYONE] * 4
    assert len(server.requests) == 1


def test_a_new_log_in_replaces_what_was_kept(tmp_path: Path) -> None:
    """The file is looked up by the token that the user set."""
    with issuing(TokenServer()) as server:
        assert ids(client_of(server, REFRESH_TOKEN, tmp_path)) == EVERYONE
        server.refresh_token, server.issued = "canary-new", []
        environ = {**ENVIRON, "CUSTOMER_API_REFRESH_TOKEN": "canary-new"}
        assert ids(client_of(server, REFRESH_TOKEN, tmp_path, environ)) == EVERYONE


def test_a_damaged_token_file_is_replaced(tmp_path: Path) -> None:
    """The token that the user set is tried again."""
    kept = tmp_path / "customer_assets" / "tokens.json"
    kept.parent.mkdir()
    for damage in ("{", "[1]", '{"a": 1}'):
        kept.write_text(damage)
        with issuing(TokenServer(rotates=False)) as server:
            assert ids(client_of(server, REFRESH_TOKEN, tmp_path)) == EVERYONE


def test_a_dead_refresh_token_says_to_log_in_again(tmp_path: Path) -> None:
    """By its variable, at once."""
    with issuing(TokenServer()) as server:
        server.refresh_token = "another"  # noqa: S105 - made up
        with pytest.raises(ConfigurationError) as caught:
            ids(client_of(server, REFRESH_TOKEN, tmp_path))
        assert str(caught.value) == (
            "CUSTOMER_API_REFRESH_TOKEN: the refresh token is no longer valid. "
            "Log in again, and set it to the new refresh token."
        )
        assert len(server.requests) == 1


def test_a_wrong_secret_names_its_variables(tmp_path: Path) -> None:
    """At once; and so does one that is not set, before any request."""
    with issuing(TokenServer()) as server:
        wrong = {**ENVIRON, "CUSTOMER_API_CLIENT_SECRET": "canary-wrong"}
        with pytest.raises(ConfigurationError, match=r"^CUSTOMER_API_CLIENT_ID: .* answered invalid_client"):
            ids(client_of(server, CLIENT_CREDENTIALS, tmp_path, wrong))
        assert len(server.requests) == 1
        for variable in ("CUSTOMER_API_CLIENT_ID", "CUSTOMER_API_CLIENT_SECRET", "CUSTOMER_API_REFRESH_TOKEN"):
            unset = {name: value for name, value in ENVIRON.items() if name != variable}
            with pytest.raises(ConfigurationError, match=f"^{variable}: it is not set"):
                client_of(server, REFRESH_TOKEN, tmp_path, unset)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_token_endpoint_that_fails_is_asked_again(status: int, tmp_path: Path) -> None:
    """As often as any page; then the crawl can be tried later."""
    with issuing(TokenServer(statuses=[status] * 3)) as server:
        assert ids(client_of(server, CLIENT_CREDENTIALS, tmp_path)) == EVERYONE
    with (
        issuing(TokenServer(statuses=[status] * 4)) as server,
        pytest.raises(IncompleteCrawlError, match=f"HTTP {status}"),
    ):
        ids(client_of(server, CLIENT_CREDENTIALS, tmp_path))
    assert len(server.requests) == 4


@pytest.mark.parametrize("auth", [CLIENT_CREDENTIALS, REFRESH_TOKEN])
def test_a_token_endpoint_that_redirects_is_not_followed(auth: Mapping[str, Any], tmp_path: Path) -> None:
    """The client's secret goes nowhere else."""
    with issuing(TokenServer(refusal=(302, {}))) as server, pytest.raises(ConfigurationError) as caught:
        ids(client_of(server, auth, tmp_path))
    assert str(caught.value).startswith("auth.token_url: it answers with HTTP 302.")
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", ["invalid_grant", "access_denied", "unauthorized_client"])
def test_refused_client_credentials_name_their_variables(code: str, tmp_path: Path) -> None:
    """They have no refresh token that could be dead."""
    with issuing(TokenServer(refusal=(403, {"error": code}))) as server, pytest.raises(ConfigurationError) as caught:
        ids(client_of(server, CLIENT_CREDENTIALS, tmp_path))
    assert str(caught.value).startswith(f"CUSTOMER_API_CLIENT_ID: the token endpoint answered {code}.")


def test_a_token_endpoint_on_a_host_that_does_not_exist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and not as the API's own."""

    def unknown(*_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    auth = {**CLIENT_CREDENTIALS, "token_url": "https://login.exmaple.com/token"}
    client = client_of(TokenServer(url="https://api.example"), auth, tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigurationError) as caught:
        ids(client)
    assert str(caught.value) == "auth.token_url: the host login.exmaple.com does not exist. Check its spelling."


def test_a_token_endpoint_in_the_clear_is_refused(tmp_path: Path) -> None:
    """Only loopback may do without TLS."""
    auth = {**CLIENT_CREDENTIALS, "token_url": "http://login.example/token"}
    with issuing(TokenServer()) as server, pytest.raises(ConfigurationError, match=r"^auth.token_url: .*in the clear"):
        client_of(server, auth, tmp_path)


def test_no_secret_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In no log line, no error, no representation; and nothing but the two tokens is kept."""
    caplog.set_level(logging.DEBUG)
    with issuing(TokenServer(statuses=[500])) as server:
        client = client_of(server, REFRESH_TOKEN, tmp_path)
        assert ids(client) == EVERYONE
        shown = f"{client!r} {vars(client)} {client.options!r}"
        server.refresh_token, server.issued = "dead", []
        with pytest.raises(ConfigurationError) as caught:
            ids(client_of(server, REFRESH_TOKEN, tmp_path))
    shown += f"{caught.value!r} {caught.value.__cause__!r}" + "".join(record.getMessage() for record in caplog.records)
    assert "canary" not in shown
    kept = (tmp_path / "customer_assets" / "tokens.json").read_text()
    assert "canary-secret" not in kept
    assert REFRESH not in kept


def test_a_missing_package_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Authlib is optional."""
    monkeypatch.setitem(sys.modules, "customer_assets.api.auth.oauth", None)
    server = TokenServer(url="https://api.example")
    with pytest.raises(ConfigurationError, match=r"pip install 'customer_assets\[oauth\]'"):
        client_of(server, CLIENT_CREDENTIALS, tmp_path)
