"""Posts an alert to a webhook as JSON, with two retries. The webhook's URL is a secret and appears in no log.

Uses urllib, because urllib3 logs the path of every request at debug level, and the path of a webhook is its key.
"""

import http.client
import json
import logging
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import certifi

from customer_assets.core.urls import redact_url
from customer_assets.monitoring.timeouts import call_with_timeout

logger = logging.getLogger("customer_assets.monitoring")

WAITS_S = (1.0, 2.0)
"""Before the first retry and before the second."""
TIMEOUT_S = 5.0
DEADLINE_S = 20.0
"""For all attempts: three timeouts and both waits fit in."""
RETRYABLE_STATUSES = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that a retry can change; any other means that the URL or the payload is wrong."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the user never named the host it leads to."""

    def redirect_request(self, *_: object) -> None:
        """Refuse every redirect."""


def deliver(url: str, payload: Mapping[str, Any], sleep: Callable[[float], None] = time.sleep) -> bool:
    """Post an alert and return whether it was accepted. Never raises.

    Args:
        url: The webhook's URL.
        payload: The alert.
        sleep: Waits between attempts.
    """
    try:
        call_with_timeout(DEADLINE_S, partial(_post_with_retries, url, json.dumps(payload).encode(), sleep))
    except Exception as error:  # noqa: BLE001 - a lost alert is logged, and the run goes on
        # Not the error's own message: it can quote the URL, which is a secret.
        reason = type(getattr(error, "reason", None) or error).__name__
        if isinstance(error, urllib.error.HTTPError):
            reason = f"it answered {error.code}"
        logger.warning("The alert could not be sent to %s: %s.", redact_url(url), reason)
        return False
    return True


def _post_with_retries(url: str, body: bytes, sleep: Callable[[float], None]) -> None:
    for wait_s in (*WAITS_S, None):
        try:
            _post(url, body)
        except (OSError, http.client.HTTPException) as error:
            is_final = isinstance(error, urllib.error.HTTPError) and error.code not in RETRYABLE_STATUSES
            if is_final or wait_s is None:
                raise
            sleep(wait_s)
        else:
            return


def _post(url: str, body: bytes) -> None:
    opener = urllib.request.build_opener(
        _NoRedirect, urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=certifi.where()))
    )
    request = urllib.request.Request(  # noqa: S310 - `validate_url` lets only http and https pass
        url, data=body, headers={"Content-Type": "application/json", "User-Agent": "customer_assets"}, method="POST"
    )
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        raise
