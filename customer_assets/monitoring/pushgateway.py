"""Pushes metrics to a Pushgateway with prometheus-client (extra `metrics`); imported only when a gateway is set.

A push never fails a run and never delays it by more than a few seconds: a failure is one warning.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import unquote, urlsplit

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from customer_assets.core.urls import redact_url
from customer_assets.monitoring.samples import Group, Sample
from customer_assets.monitoring.timeouts import call_with_timeout

logger = logging.getLogger("customer_assets.monitoring")

TIMEOUT_S = 2.0
"""For one group."""
DEADLINE_S = 3.0
"""For all groups of a run."""


def push(url: str, groups: Iterable[Group]) -> bool:
    """Push groups of samples and return whether all arrived. Never raises, and returns within seconds."""
    try:
        call_with_timeout(DEADLINE_S, partial(_push, url, tuple(groups)))
    except Exception as error:  # noqa: BLE001 - the run matters more than its metrics
        reason = getattr(error, "reason", None) or error
        logger.warning(
            "Metrics were not pushed to %s (%s); the run is not affected.", redact_url(url), type(reason).__name__
        )
        return False
    return True


def build_registry(samples: Iterable[Sample]) -> CollectorRegistry:
    """Convert samples to a registry of prometheus-client."""
    collected, gauges = CollectorRegistry(), dict[str, Gauge]()
    for sample in samples:
        defined = sample.metric.value
        if defined.name not in gauges:
            gauges[defined.name] = Gauge(defined.name, defined.help, defined.labels, registry=collected)
        gauge = gauges[defined.name]
        (gauge.labels(*sample.labels) if defined.labels else gauge).set(sample.value)
    return collected


def _push(url: str, groups: tuple[Group, ...]) -> None:
    address, handler = _address_and_handler(url)
    for group in groups:
        key = dict(group.key)
        pushadd_to_gateway(
            address,
            job=key.pop("job"),
            registry=build_registry(group.samples),
            grouping_key=key,
            timeout=TIMEOUT_S,
            handler=handler,
        )


def _address_and_handler(url: str) -> tuple[str, Callable[..., Callable[[], None]]]:
    """Move user and password from the URL to the handler: urllib would look them up as part of the host name."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, default_handler
    user, password = unquote(parts.username), unquote(parts.password or "")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return bare, partial(basic_auth_handler, username=user, password=password)
