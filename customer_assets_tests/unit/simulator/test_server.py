"""The simulator is a real server: what it says over HTTP."""

import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets.simulator.__main__ import main

KEY = {"x-api-key": "any"}


def test_the_twelve_of_reqres_are_served_by_default() -> None:
    """Six a page, as in the specification."""
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
        pytest.param("users?page=x", KEY, 400, id="no number"),
        pytest.param("users?page=0", KEY, 400, id="no such page"),
        pytest.param("people", KEY, 404, id="elsewhere"),
        pytest.param("users?page=99", KEY, 200, id="past the end"),
    ],
)
def test_what_is_asked_wrongly_is_refused(path: str, headers: dict[str, str], status: int) -> None:
    """As a real API would."""
    with running_simulator() as simulator:
        assert requests.get(f"{simulator.base_url}/{path}", headers=headers, timeout=5).status_code == status


def test_too_many_requests_are_refused_until_retry_after_is_over() -> None:
    """429 names whole seconds; `/stats` tells who came inside them."""
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


def test_latency_holds_up_nobody_else() -> None:
    """Many requests may be under way at once; each takes its time."""
    with running_simulator(SimulatorSettings(latency_ms=50)) as simulator:
        started = time.monotonic()
        requests.get(f"{simulator.base_url}/users", headers=KEY, timeout=5)
        assert time.monotonic() - started >= 0.05


def test_the_program_serves_until_it_is_told_to_stop() -> None:
    """`python -m customer_assets.simulator` says where it is, and ends on SIGTERM."""
    command = [sys.executable, "-m", "customer_assets.simulator", "--port", "0", "--customers", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        found = re.search(r"http://\S+/users", program.stdout.readline())
        assert found
        assert requests.get(found[0], headers=KEY, timeout=5).json()["total"] == 30
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=10) in (0, -signal.SIGTERM)


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, and nothing is said to be served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"^--port {port} cannot be had: Address already in use. Name another.$"):
            main(["--port", str(port)])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_there_is_not_is_told(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """As a mistake in the command line: exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(["--port", port])
    told = capsys.readouterr()
    assert (caught.value.code, told.out) == (2, "")
    assert "argument --port: " in told.err


def test_a_setting_outside_its_range_is_named() -> None:
    """Before anything is served."""
    with pytest.raises(SystemExit, match=r"simulator failure_rate: 2 is outside 0\.\.1"):
        main(["--failure-rate", "2"])
