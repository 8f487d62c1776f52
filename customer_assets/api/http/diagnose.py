"""Why a connection fails, and which setting is to blame: exceptions in, a diagnosis or a few words out. No I/O.

The libraries wrap the same errors of the operating system in exceptions of their own, so only the errors at the bottom
are looked at.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from customer_assets.api.http.environment import CERTIFICATE_VARIABLES, Proxy, Route
from customer_assets.api.responses.diagnosis import Diagnosis

UNKNOWN_HOST = (socket.EAI_NONAME, socket.EAI_NODATA) if hasattr(socket, "EAI_NODATA") else (socket.EAI_NONAME,)
"""What the resolver answers for a name that does not exist; a resolver that is down answers something else."""

ADDRESS = "base_url"

TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
"""How `http.client` says what status a proxy answered."""

PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""What a proxy answers for a while only."""

TLS_PROBLEMS = {
    "WRONG_VERSION_NUMBER": ("{host} does not speak TLS on this port", "Check the scheme and the port."),
    "UNSUPPORTED_PROTOCOL": ("{host} speaks only old versions of TLS", "Ask who runs it for TLS 1.2 or later."),
    "ALERT_PROTOCOL_VERSION": ("{host} speaks only other versions of TLS", "Ask who runs it for TLS 1.2 or later."),
    "CERTIFICATE_REQUIRED": (
        "{host} asks for a certificate of the client's own, which is not supported",
        "Ask who runs it for access without one, or reach it by a proxy that has one.",
    ),
}
"""What OpenSSL calls a problem that no further request solves, and what to do about it."""


NOT_HTTP = "the response is not valid HTTP"
RESPONSE_PROBLEMS = {
    **dict.fromkeys(("BadStatusLine", "InvalidHeader", "UnknownProtocol", "UnknownTransferEncoding"), NOT_HTTP),
    # aiohttp also refuses heads that can be read, such as one with the same Content-Length twice.
    **dict.fromkeys(
        ("BadHttpMessage", "ClientResponseError"),
        f"{NOT_HTTP} by the strict rules of aiohttp; transport: requests is more lenient",
    ),
    **dict.fromkeys(("ClientPayloadError", "IncompleteRead"), "the body ended early"),
}
"""What the libraries call a response that they cannot read, and what that means."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what caused it; urllib3 also hands the cause over as an argument."""
    while error is not None:
        yield error
        wrapped = (each for each in error.args if isinstance(each, BaseException))
        error = error.__cause__ or error.__context__ or next(wrapped, None)


def diagnose_connection(
    found: Sequence[BaseException], url: str, route: Route, setting: str = ADDRESS
) -> Diagnosis | None:
    """Say which setting keeps a connection from being made; None if it may just be the network.

    Args:
        found: The exception and what caused it.
        url: The address.
        route: The way there.
        setting: The setting that holds the address.
    """
    host = urlsplit(url).hostname or ""
    if route.proxy is not None and (diagnosis := _diagnose_proxy(found, route.proxy, host)) is not None:
        return diagnosis
    for cause in found:
        if isinstance(cause, socket.gaierror):
            if cause.errno not in UNKNOWN_HOST:
                break
            remedy = f"Check its spelling{' (CUSTOMER_API_BASE_URL)' if setting == ADDRESS else ''}."
            return Diagnosis(setting, f"the host {host} does not exist", remedy, is_certain=True)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(found, host, route, setting)
        if isinstance(cause, ssl.SSLError) and (diagnosis := _tls_problem(cause, host, setting)) is not None:
            return diagnosis
        if isinstance(cause, ConnectionRefusedError):
            return Diagnosis(
                setting, f"nothing answers at {host} on this port", "Check the address, and that the API is running."
            )
    return None


def describe_failure(found: Sequence[BaseException]) -> str:
    """Say in a few words why a connection failed, where no setting is to blame."""
    for cause in found:
        if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
            return f"TLS failed: {reason.lower().replace('_', ' ')}"
        if isinstance(cause, ConnectionResetError | BrokenPipeError | http.client.RemoteDisconnected):
            return "the connection was closed before the response came"
        if (problem := RESPONSE_PROBLEMS.get(type(cause).__name__)) is not None:
            return problem
    errno = next((each for each in found if isinstance(each, OSError) and each.errno and each.strerror), None)
    if errno is not None and errno.strerror is not None:
        return errno.strerror.lower()
    return type(found[0]).__name__.lstrip("_")


def _tls_problem(cause: ssl.SSLError, host: str, setting: str) -> Diagnosis | None:
    said = f"{getattr(cause, 'reason', '')} {cause}"  # aiohttp's own class has no reason
    for name, (problem, remedy) in TLS_PROBLEMS.items():
        if name in said:
            return Diagnosis(setting, problem.format(host=host), remedy, is_certain=True)
    return None


def _untrusted(found: Sequence[BaseException], host: str, route: Route, setting: str) -> Diagnosis:
    # OpenSSL's reason; the exception that a library derives from OpenSSL's does not have it.
    reasons = (f": {reason.rstrip('.')}" for each in found if (reason := getattr(each, "verify_message", "")))
    trusted = route.certificates
    remedy = (
        f"For a certificate authority of your own, set {CERTIFICATE_VARIABLES[0]} to its file."
        if trusted is None
        else f"Only the authorities in {trusted.variable} ({trusted.path}) are trusted: add its own, or unset it."
    )
    problem = f"the certificate of {host} is not trusted{next(reasons, '')}"
    return Diagnosis(setting, problem, f"Check the address. {remedy}", is_certain=True)


def _diagnose_proxy(found: Sequence[BaseException], proxy: Proxy, host: str) -> Diagnosis | None:
    """Say what is wrong with a proxy: whatever cannot be reached, it is the proxy that was not."""
    for cause in found:
        if isinstance(cause, socket.gaierror) and cause.errno in UNKNOWN_HOST:
            problem = f"the proxy {proxy.host} does not exist"
            return Diagnosis(proxy.variable, problem, "Correct it, or unset it.", is_certain=True)
        if isinstance(cause, ConnectionRefusedError):
            return Diagnosis(proxy.variable, f"the proxy {proxy.host} does not answer", "Correct it, or unset it.")
        if isinstance(cause, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(cause) and proxy.url.startswith("https:"):
            problem = f"the proxy {proxy.host} does not speak TLS"
            return Diagnosis(proxy.variable, problem, "Write http:// in place of https://.", is_certain=True)
        tunnel = TUNNEL.search(str(cause))
        if type(cause).__name__ == "ClientHttpProxyError":  # aiohttp's, which need not be installed
            return _refused_by_proxy(getattr(cause, "status", 0), proxy, host)
        if tunnel is not None:
            return _refused_by_proxy(int(tunnel[1]), proxy, host)
    return None


def _refused_by_proxy(status: int, proxy: Proxy, host: str) -> Diagnosis:
    """Say why a proxy does not connect to a host."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        remedy = "Write user and password into it: http://user:password@host:port."
        problem = f"the proxy {proxy.host} asks for a log-in (HTTP {status})"
        return Diagnosis(proxy.variable, problem, remedy, is_certain=True)
    problem = f"the proxy {proxy.host} refuses to connect to {host} (HTTP {status})"
    is_certain = 400 <= status < 500 and status not in PASSING  # noqa: PLR2004
    return Diagnosis(proxy.variable, problem, "Ask who runs it to allow the host, or set another one.", is_certain)
