"""Why a connection fails, where a setting is to blame."""

import socket
import ssl

import pytest

from customer_assets.api.http.diagnose import diagnose_connection

URL, PROXY = "https://api.example/v1", "http://proxy.example:3128"


def certificate_error() -> ssl.SSLCertVerificationError:
    """What OpenSSL raises for a certificate that nobody signed."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("cause", "proxy", "setting", "problem", "certain"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), None, "base_url", "the host api.example does not exist", True),
        (
            certificate_error(),
            None,
            "base_url",
            "the certificate of api.example is not trusted: self-signed certificate",
            True,
        ),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
            None,
            "base_url",
            "api.example does not speak TLS on this port",
            True,
        ),
        (ConnectionRefusedError(), None, "base_url", "nothing answers at api.example on this port", False),
        (ConnectionRefusedError(), PROXY, "HTTPS_PROXY", "the proxy proxy.example does not answer", False),
        (
            socket.gaierror(socket.EAI_NONAME, "x"),
            PROXY,
            "HTTPS_PROXY",
            "the proxy proxy.example does not exist",
            True,
        ),
        (
            OSError("Tunnel connection failed: 407 Proxy Authentication Required"),
            PROXY,
            "HTTPS_PROXY",
            "the proxy proxy.example refuses to connect",
            False,
        ),
        (
            certificate_error(),
            PROXY,
            "base_url",
            "the certificate of api.example is not trusted: self-signed certificate",
            True,
        ),
    ],
)
def test_a_setting_is_named(
    cause: BaseException, proxy: str | None, setting: str, problem: str, *, certain: bool
) -> None:
    """With what is wrong, and whether it can pass by itself."""
    found = diagnose_connection([RuntimeError(), cause], URL, proxy)
    assert found is not None
    assert (found.setting, found.problem, found.is_certain) == (setting, problem, certain)
    assert found.remedy.endswith(".")


@pytest.mark.parametrize(
    "cause",
    [
        socket.gaierror(socket.EAI_AGAIN, "the resolver is down"),
        ConnectionResetError(),
        TimeoutError(),
        ssl.SSLError(1, "bad record mac"),
        OSError("No route to host"),
    ],
)
def test_what_may_be_the_network_is_nobodys_fault(cause: BaseException) -> None:
    """It is tried again."""
    assert diagnose_connection([cause], URL, None) is None
