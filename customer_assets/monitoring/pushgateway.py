"""How metrics reach a Pushgateway, by prometheus-client (extra `metrics`); imported only when a gateway is set.

Nothing that goes wrong there may fail a run or hold it up: one warning, and that's it.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import unquote, urlsplit

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from customer_assets.monitoring.samples import Group, Sample
from customer_assets.monitoring.timeouts import call_with_timeout
from customer_assets.urls import redact_url

logger = logging.getLogger("customer_assets.monitoring")

TIMEOUT_S = 2.0
"""For one push."""
DEADLINE_S = 3.0
"""For all of a run's."""


def push(url: str, groups: Iterable[Group]) -> bool:
    """Push groups of samples; tell whether all arrived. Never raises, and is over within seconds."""
    try:
        call_with_timeout(DEADLINE_S, partial(_push, url, tuple(groups)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is more important
        reason = getattr(error, "reason", None) or error
        logger.warning(
            "Metrics were not pushed to %s (%s); the run is not affected.", redact_url(url), type(reason).__name__
        )
        return False
    return True


def registry(samples: Iterable[Sample]) -> CollectorRegistry:
    """Put samples where prometheus-client finds them."""
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
            registry=registry(group.samples),
            grouping_key=key,
            timeout=TIMEOUT_S,
            handler=handler,
        )


def _address_and_handler(url: str) -> tuple[str, Callable[..., Callable[[], None]]]:
    """Take user and password out of the address: urllib would look them up as part of the host's name."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, default_handler
    user, password = unquote(parts.username), unquote(parts.password or "")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return bare, partial(basic_auth_handler, username=user, password=password)
