"""The simulator as a real server, over HTTP and from the command line."""

import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets.simulator.__main__ import main

KEY = {"x-api-key": "any"}


@pytest.mark.smoke
def test_the_twelve_of_reqres_are_served_by_default() -> None:
    """Six per page, as in the specification."""
    with running_simulator() as simulator:
        answer = requests.get(f"{simulator.base_url}/users?page=1", headers=KEY, timeout=5).json()
    assert {name: answer[name] for name in ("page", "per_page", "total", "total_pages")} == {
        "page": 1,
        "per_page": 6,
        "total": 12,
        "total_pages": 2,
    }
    assert answer["data"][0] == {
        "id": 1,
        "email": "george.bluth@reqres.in",
        "first_name": "George",
        "last_name": "Bluth",
        "avatar": "https://reqres.in/img/faces/1-image.jpg",
    }


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("users?page=1", {}, 401, id="no key"),
        pytest.param("users?page=x", KEY, 400, id="not a number"),
        pytest.param("users?page=0", KEY, 400, id="no such page"),
        pytest.param("users?updated_since=yesterday", KEY, 400, id="not an instant"),
        pytest.param("people", KEY, 404, id="elsewhere"),
        pytest.param("users?page=99", KEY, 200, id="past the end"),
    ],
)
def test_a_bad_request_is_refused(path: str, headers: dict[str, str], status: int) -> None:
    """As a real API would."""
    with running_simulator() as simulator:
        assert requests.get(f"{simulator.base_url}/{path}", headers=headers, timeout=5).status_code == status


def test_changes_are_served_if_customers_change() -> None:
    """The instant can be written with a time zone, or without for UTC."""
    with running_simulator(SimulatorSettings(customers=50, changes_per_hour=3600)) as simulator:

        def total(since: str) -> int:
            query = {"updated_since": since}
            answer = requests.get(f"{simulator.base_url}/users", query, headers=KEY, timeout=5)
            return int(answer.json()["total"])

        assert [total(since) for since in ("2026-01-01T00:00:00Z", "2026-01-01", "2199-01-01T00:00:00+01:00")] == [
            50,
            50,
            0,
        ]
        now = datetime.now(UTC)
        assert 10 <= total(f"{now - timedelta(seconds=10):%Y-%m-%dT%H:%M:%SZ}") <= 16


def test_too_many_requests_are_refused_for_as_long_as_retry_after_says() -> None:
    """429 gives whole seconds; `/stats` counts the requests that did not wait."""
    with running_simulator(SimulatorSettings(rate_limit=1, burst=2)) as simulator:
        answers = [requests.get(f"{simulator.base_url}/users", headers=KEY, timeout=5) for _ in range(4)]
        stats = requests.get(simulator.base_url.replace("/api", "/stats"), timeout=5).json()
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[2].headers["Retry-After"] == "1"
    assert stats == {
        "requests": 4,
        "by_status": {"200": 2, "429": 2},
        "max_in_flight": 1,
        "within_retry_after": 1,
    }


def test_latency_delays_each_response() -> None:
    """Each response takes its time; several can be under way."""
    with running_simulator(SimulatorSettings(latency_ms=50)) as simulator:
        started = time.monotonic()
        requests.get(f"{simulator.base_url}/users", headers=KEY, timeout=5)
        assert time.monotonic() - started >= 0.05


def test_the_program_serves_until_it_is_stopped() -> None:
    """`python -m customer_assets.simulator` prints its URL, and ends on SIGTERM."""
    command = [sys.executable, "-m", "customer_assets.simulator", "--port", "0", "--customers", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        found = re.search(r"http://\S+/users", program.stdout.readline())
        assert found
        assert requests.get(found[0], headers=KEY, timeout=5).json()["total"] == 30
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=10) in (0, -signal.SIGTERM)


def test_a_port_that_is_taken_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line; no URL is printed."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            SystemExit, match=rf"^--port {port} is not available: Address already in use. Choose another port.$"
        ):
            main(["--port", str(port)])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_does_not_exist_is_an_error(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """A mistake in the command line: exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(["--port", port])
    printed = capsys.readouterr()
    assert (caught.value.code, printed.out) == (2, "")
    assert "argument --port: " in printed.err


def test_a_setting_outside_its_range_is_named() -> None:
    """Before anything is served."""
    with pytest.raises(SystemExit, match=r"^--failure-rate: 2\.0 is above 1\. Set 1 or less\."):
        main(["--failure-rate", "2"])
