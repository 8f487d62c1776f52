"""URLs that may hold secrets."""

import pytest

from customer_assets.core.errors import ConfigurationError
from customer_assets.core.urls import is_loopback, redact_url, validate_url


@pytest.mark.parametrize(
    "url",
    [
        "gateway:9091",
        "ftp://x.org/secret",
        "http:///secret",
        "http://x.org:port/secret",
        "http://[/secret",
        "http://x .org",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    """It may be a secret in the wrong place."""
    problem = "CUSTOMER_ALERT_WEBHOOK_URL: it is not an http or https URL"
    with pytest.raises(ConfigurationError, match=problem) as refused:
        validate_url("CUSTOMER_ALERT_WEBHOOK_URL", url)
    assert "secret" not in str(refused.value)


def test_only_scheme_host_and_port_are_shown() -> None:
    """User, password, path and query may be secrets."""
    assert redact_url("https://user:canary@x.org:9/T0/canary?key=canary#canary") == "https://x.org:9"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine(host: str, *, loopback: bool) -> None:
    """Plain http to it shows the key to nobody."""
    assert is_loopback(host) is loopback
