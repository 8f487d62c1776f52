"""Why a connection fails, where a setting is to blame: exceptions in, a diagnosis out. No I/O.

The libraries wrap the same errors of the operating system in exceptions of their own, so only the errors at the bottom
are looked at.
"""

import socket
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

from customer_assets.api.responses.diagnosis import Diagnosis

UNKNOWN_HOST = (socket.EAI_NONAME, socket.EAI_NODATA) if hasattr(socket, "EAI_NODATA") else (socket.EAI_NONAME,)
"""What the resolver answers for a name that does not exist; a resolver that is down answers something else."""

ADDRESS = "base_url"
PROXY = "HTTPS_PROXY"


def diagnose_connection(causes: Iterable[BaseException], url: str, proxy: str | None) -> Diagnosis | None:
    """Say which setting keeps a connection from being made; None if it may just be the network.

    Args:
        causes: The exception and what caused it.
        url: The API's address.
        proxy: The proxy in between, if there is one.
    """
    found = list(causes)
    host = urlsplit(url).hostname or ""
    if proxy is not None and (diagnosis := _diagnose_proxy(found, urlsplit(proxy).hostname or "")) is not None:
        return diagnosis
    for cause in found:
        if isinstance(cause, socket.gaierror):
            return _unknown_host(cause, host)
        if isinstance(cause, ssl.SSLCertVerificationError):
            # OpenSSL's reason; the exception that a library derives from OpenSSL's does not have it.
            reasons = (f": {reason}" for each in found if (reason := getattr(each, "verify_message", "")))
            return Diagnosis(
                ADDRESS,
                f"the certificate of {host} is not trusted{next(reasons, '')}",
                "Check the address. For a certificate authority of your own, set REQUESTS_CA_BUNDLE to its file.",
                is_certain=True,
            )
        if isinstance(cause, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(cause):
            return Diagnosis(
                ADDRESS, f"{host} does not speak TLS on this port", "Check the scheme and the port.", is_certain=True
            )
        if isinstance(cause, ConnectionRefusedError):
            return Diagnosis(
                ADDRESS, f"nothing answers at {host} on this port", "Check the address, and that the API is running."
            )
    return None


def _unknown_host(cause: socket.gaierror, host: str) -> Diagnosis | None:
    if cause.errno not in UNKNOWN_HOST:
        return None
    return Diagnosis(
        ADDRESS, f"the host {host} does not exist", "Check its spelling (CUSTOMER_API_BASE_URL).", is_certain=True
    )


def _diagnose_proxy(causes: Iterable[BaseException], host: str) -> Diagnosis | None:
    """Say what is wrong with a proxy: whatever cannot be reached, it is the proxy that was not."""
    for cause in causes:
        if isinstance(cause, socket.gaierror) and cause.errno in UNKNOWN_HOST:
            return Diagnosis(PROXY, f"the proxy {host} does not exist", "Correct it, or unset it.", is_certain=True)
        if isinstance(cause, ConnectionRefusedError):
            return Diagnosis(PROXY, f"the proxy {host} does not answer", "Correct it, or unset it.")
        if "Tunnel connection failed" in str(cause) or type(cause).__name__ == "ClientHttpProxyError":
            return Diagnosis(PROXY, f"the proxy {host} refuses to connect", "Ask who runs it, or set another one.")
    return None
