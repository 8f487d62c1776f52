"""Addresses that hold secrets."""

import pytest

from customer_assets.errors import ConfigurationError
from customer_assets.urls import redact_url, validate_url


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
def test_what_is_no_address_is_refused_without_being_told(url: str) -> None:
    """It may be a secret in the wrong place."""
    with pytest.raises(ConfigurationError, match="CUSTOMER_ALERT_WEBHOOK_URL: it is no address") as refused:
        validate_url("CUSTOMER_ALERT_WEBHOOK_URL", url)
    assert "secret" not in str(refused.value)


def test_only_scheme_host_and_port_are_told() -> None:
    """User, password, path and query may be secrets."""
    assert redact_url("https://user:canary@x.org:9/T0/canary?key=canary#canary") == "https://x.org:9"
