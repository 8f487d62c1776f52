"""Proxies and certificates that the environment names: used as every program reads them, or refused by name."""

import os
from pathlib import Path

import certifi
import pytest

from customer_assets.api.http.environment import CERTIFICATE_VARIABLES, Certificates, read_route
from customer_assets.core.errors import ConfigurationError

HTTPS, HTTP = "https://api.example/v1", "http://api.example/v1"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine's own."""
    for name in (*os.environ,):
        if name.upper() in CERTIFICATE_VARIABLES or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def test_without_variables_the_way_is_straight() -> None:
    route = read_route(HTTPS)
    assert (route.proxy, route.certificates, route.proxies) == (None, None, {})


@pytest.mark.parametrize(
    ("variable", "value", "address"),
    [
        ("HTTPS_PROXY", "http://proxy.example:3128", "http://proxy.example:3128"),
        ("https_proxy", "https://proxy.example", "https://proxy.example"),
        ("ALL_PROXY", "proxy.example:3128", "http://proxy.example:3128"),
        ("HTTPS_PROXY", "me:secret@proxy.example:3128", "http://me:secret@proxy.example:3128"),
        ("HTTPS_PROXY", " http://proxy.example:3128\n", "http://proxy.example:3128"),
        ("HTTPS_PROXY", "HTTP://[::1]:3128", "HTTP://[::1]:3128"),
    ],
)
def test_a_proxy_is_read_as_curl_reads_it(
    variable: str, value: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a scheme it is an HTTP proxy; blanks do not count."""
    monkeypatch.setenv(variable, value)
    proxy = read_route(HTTPS).proxy
    assert proxy is not None
    assert (proxy.url, proxy.variable) == (address, variable)
    assert "secret" not in repr(proxy)


@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("HTTP_PROXY", "proxy.example", HTTPS),
        ("HTTPS_PROXY", "proxy.example", HTTP),
        ("HTTPS_PROXY", "  ", HTTPS),
        ("HTTPS_PROXY", "socks5://proxy.example", "https://127.0.0.1/v1"),
        ("ALL_PROXY", "nonsense:", "https://localhost:8443"),
    ],
)
def test_what_is_not_meant_for_an_address_does_not_matter(
    variable: str, value: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of another scheme, a blank one, any on the way to this machine."""
    monkeypatch.setenv(variable, value)
    assert read_route(url).proxy is None


def test_a_host_can_be_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example")
    monkeypatch.setenv("NO_PROXY", "api.example")
    assert read_route(HTTPS).proxy is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("socks5://proxy.example:1080", "socks5 proxies are not supported"),
        ("socks5h://me:secret@proxy.example:1080", "socks5h proxies are not supported"),
        ("socks4a://proxy.example", "socks4a proxies are not supported"),
        ("ftp://proxy.example", "ftp proxies are not supported"),
        ("http://", "it is not the address of a proxy"),
        ("http://proxy.example:99999", "it is not the address of a proxy"),
        ("http://proxy.example:port", "it is not the address of a proxy"),
        ("http://[proxy.example", "it is not the address of a proxy"),
        ("http://proxy example", "it is not the address of a proxy"),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_named(
    variable: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its password."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as refused:
        read_route(HTTPS)
    assert (refused.value.field, refused.value.problem) == (variable, problem)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("variable", CERTIFICATE_VARIABLES)
def test_certificates_can_be_named_by_any_usual_variable(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, certifi.where())
    assert read_route(HTTPS).certificates == Certificates(certifi.where(), variable)
    assert read_route(HTTP).certificates is None


def test_the_first_variable_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `requests` itself heeds comes first; a blank one does not count."""
    for name, value in zip(CERTIFICATE_VARIABLES, (" ", certifi.where(), "/nowhere", str(tmp_path)), strict=True):
        monkeypatch.setenv(name, value)
    assert read_route(HTTPS).certificates == Certificates(certifi.where(), "CURL_CA_BUNDLE")


@pytest.mark.parametrize("content", [None, b"", b"junk", b"-----BEGIN CERTIFICATE-----\nMIIB\n", b"\0" * 100])
@pytest.mark.parametrize("variable", CERTIFICATE_VARIABLES)
def test_certificates_that_cannot_be_used_are_named(
    variable: str, content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, by variable and path."""
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(variable, str(path))
    problem = "holds no certificate that can be read" if content is not None else "cannot be read: No such file"
    with pytest.raises(ConfigurationError, match=f"{variable}: {path} {problem}"):
        read_route(HTTPS)
