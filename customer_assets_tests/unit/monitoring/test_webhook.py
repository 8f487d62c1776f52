"""Posting an alert to a webhook."""

import logging
import socket
from collections.abc import Iterator

import pytest

from customer_assets.monitoring import webhook as delivery
from customer_assets.monitoring.webhook import deliver
from customer_assets_tests.harness.machines.receivers import webhook
from customer_assets_tests.harness.machines.services import free_port


@pytest.fixture(autouse=True)
def no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """By no library, at any level."""
    caplog.set_level(logging.DEBUG)
    yield
    assert "canary-secret" not in caplog.text


@pytest.mark.smoke
def test_it_arrives_once() -> None:
    """No wait, no retry."""
    slept: list[float] = []
    with webhook() as hook:
        assert deliver(hook.url, {"text": "x"}, slept.append)
    assert hook.payloads == [{"text": "x"}]
    assert slept == []


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_passing_failure_is_retried_twice(status: int) -> None:
    """After short waits."""
    slept: list[float] = []
    with webhook(status, status) as hook:
        assert deliver(hook.url, {"text": "x"}, slept.append)
    assert len(hook.payloads) == 3
    assert slept == [1.0, 2.0]


def test_the_third_failure_is_the_last(caplog: pytest.LogCaptureFixture) -> None:
    """Then one warning, which names the host and nothing else."""
    slept: list[float] = []
    with webhook(500, 500, 500, 200) as hook:
        assert not deliver(hook.url, {"text": "x"}, slept.append)
    assert len(hook.payloads) == 3
    assert len(slept) == 2
    (warning,) = (record for record in caplog.records if record.levelno >= logging.WARNING)
    host = hook.url.removesuffix("/services/T000/canary-secret")
    assert warning.message == f"The alert could not be sent to {host}: it answered 500."


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_lasting_failure_is_not_retried(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """The URL or the alert is wrong."""
    with webhook(status) as hook:
        assert not deliver(hook.url, {"text": "x"}, lambda _: None)
    assert len(hook.payloads) == 1
    assert f"it answered {status}" in caplog.text


def test_no_redirect_is_followed() -> None:
    """The user never named the host it leads to."""
    with webhook() as elsewhere, webhook(307, location=elsewhere.url) as hook:
        assert not deliver(hook.url, {"text": "x"}, lambda _: None)
    assert (len(hook.payloads), elsewhere.payloads) == (1, [])


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    """Three attempts, one warning, and the URL's secret appears nowhere."""
    slept: list[float] = []
    assert not deliver(f"http://127.0.0.1:{free_port()}/canary-secret", {"text": "x"}, slept.append)
    assert slept == [1.0, 2.0]
    assert "ConnectionRefusedError" in caplog.text


def test_a_webhook_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """However many attempts are left: this one accepts connections and never answers."""
    monkeypatch.setattr(delivery, "DEADLINE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/canary-secret"
        assert not deliver(address, {"text": "x"}, lambda _: None)
    assert "TimeoutError" in caplog.text
