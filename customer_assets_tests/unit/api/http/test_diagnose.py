"""Why a connection fails, where a setting is to blame."""

import http.client
import socket
import ssl

import pytest

from customer_assets.api.http.diagnose import describe_failure, diagnose_connection
from customer_assets.api.http.environment import Certificates, Proxy, Route

URL, PROXY = "https://api.example/v1", "http://proxy.example:3128"


def tls_error(reason: str) -> ssl.SSLError:
    """What OpenSSL raises for a reason."""
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')}")
    error.reason = reason
    return error


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
            tls_error("WRONG_VERSION_NUMBER"),
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
            "the proxy proxy.example asks for a log-in (HTTP 407)",
            True,
        ),
        (
            OSError("Tunnel connection failed: 403 Forbidden"),
            PROXY,
            "HTTPS_PROXY",
            "the proxy proxy.example refuses to connect to api.example (HTTP 403)",
            True,
        ),
        (
            OSError("Tunnel connection failed: 502 Bad Gateway"),
            PROXY,
            "HTTPS_PROXY",
            "the proxy proxy.example refuses to connect to api.example (HTTP 502)",
            False,
        ),
        (
            tls_error("WRONG_VERSION_NUMBER"),
            PROXY.replace("http:", "https:"),
            "HTTPS_PROXY",
            "the proxy proxy.example does not speak TLS",
            True,
        ),
        (
            tls_error("TLSV1_ALERT_PROTOCOL_VERSION"),
            None,
            "base_url",
            "api.example speaks only other versions of TLS",
            True,
        ),
        (
            tls_error("UNSUPPORTED_PROTOCOL"),
            None,
            "base_url",
            "api.example speaks only old versions of TLS",
            True,
        ),
        (
            tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            None,
            "base_url",
            "api.example asks for a certificate of the client's own, which is not supported",
            True,
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
    route = Route(None if proxy is None else Proxy(proxy, "HTTPS_PROXY"))
    found = diagnose_connection([RuntimeError(), cause], URL, route)
    assert found is not None
    assert (found.setting, found.problem, found.is_certain) == (setting, problem, certain)
    assert found.remedy.endswith(".")


def test_a_bundle_that_lacks_the_authority_is_named() -> None:
    """It may be the variable that is wrong, not the address."""
    route = Route(certificates=Certificates("/etc/ours.pem", "SSL_CERT_FILE"))
    found = diagnose_connection([certificate_error()], URL, route)
    assert found is not None
    assert "Only the authorities in SSL_CERT_FILE (/etc/ours.pem) are trusted" in found.remedy


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "The resolver is down"), "the resolver is down"),
        (ConnectionResetError(104, "Connection reset by peer"), "the connection was closed before the response came"),
        (BrokenPipeError(), "the connection was closed before the response came"),
        (http.client.RemoteDisconnected("x"), "the connection was closed before the response came"),
        (tls_error("BAD_RECORD_MAC"), "TLS failed: bad record mac"),
        (tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), "TLS failed: sslv3 alert handshake failure"),
        (OSError(113, "No route to host"), "no route to host"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_may_be_the_network_is_nobodys_fault(cause: Exception, words: str) -> None:
    """It is tried again, and described in words of the system's, not by a library's class."""
    wrapped = RuntimeError("a library's", cause)
    assert diagnose_connection([wrapped, cause], URL, Route()) is None
    assert describe_failure([cause] if isinstance(cause, TimeoutError) else [wrapped, cause]) == words
