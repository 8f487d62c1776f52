"""How an alarm reaches a webhook: a POST of JSON, tried three times at most. Its address is a secret, and in no log.

By urllib, since urllib3 writes the path of each request to its debug log, and the path of a webhook is its key.
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

from customer_assets.monitoring.timeouts import call_with_timeout
from customer_assets.urls import redact_url

logger = logging.getLogger("customer_assets.monitoring")

WAITS_S = (1.0, 2.0)
"""Before the second try and the third, which is the last."""
TIMEOUT_S = 5.0
DEADLINE_S = 20.0
"""For all tries: three time-outs and both waits fit in."""
RETRYABLE_STATUSES = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that another try may change; the others tell that the address or the alarm is wrong."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: what is behind it was never named by the user."""

    def redirect_request(self, *_: object) -> None:
        """Refuse."""


def deliver(url: str, payload: Mapping[str, Any], sleep: Callable[[float], None] = time.sleep) -> bool:
    """Post the alarm; tell whether it was taken. Never raises.

    Args:
        url: Of the webhook.
        payload: The alarm.
        sleep: Waits.
    """
    try:
        call_with_timeout(DEADLINE_S, partial(_tried, url, json.dumps(payload).encode(), sleep))
    except Exception as error:  # noqa: BLE001 - an alarm that fails is told, and fails nothing else
        logger.warning("The alert did not reach %s: %s.", redact_url(url), _reason(error))
        return False
    return True


def _tried(url: str, body: bytes, sleep: Callable[[float], None]) -> None:
    for wait_s in (*WAITS_S, None):
        try:
            _post(url, body)
        except (OSError, http.client.HTTPException) as error:
            hopeless = isinstance(error, urllib.error.HTTPError) and error.code not in RETRYABLE_STATUSES
            if hopeless or wait_s is None:
                raise
            sleep(wait_s)
        else:
            return


def _post(url: str, body: bytes) -> None:
    opener = urllib.request.build_opener(
        _NoRedirect, urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=certifi.where()))
    )
    request = urllib.request.Request(  # noqa: S310 - http and https alone pass `addresses.checked`
        url, data=body, headers={"Content-Type": "application/json", "User-Agent": "customer_assets"}, method="POST"
    )
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        raise


def _reason(error: Exception) -> str:
    """Say what went wrong without the address, which the errors' own words may hold."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    return type(getattr(error, "reason", None) or error).__name__
