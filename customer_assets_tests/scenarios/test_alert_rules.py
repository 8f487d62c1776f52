"""What the daemon reports about a run that could not report itself."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets.simulator.server import Simulator
from customer_assets_tests.harness.machines.deployment import Deployment, running_deployment
from customer_assets_tests.harness.machines.receivers import webhook

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

SENSOR = "notify_failed_runs"


def worker_of(plant: Deployment) -> int:
    """Find the process that executes the run in progress."""
    children = psutil.Process(plant.running["code"].pid).children(recursive=True)
    return next(child.pid for child in children if "spawn_main" in " ".join(child.cmdline()))


def kill_one(plant: Deployment, simulator: Simulator, *, retries: int) -> str:
    """Launch a run that can be retried this often, and kill its worker in the middle of the crawl."""
    asked = simulator.stats()["requests"]
    run = plant.ui.launch(tags={"dagster/max_retries": str(retries)})
    plant.wait_until(lambda: simulator.stats()["requests"] > asked + 5, "No crawl started.")
    os.kill(worker_of(plant), signal.SIGKILL)
    plant.wait_until(lambda: plant.ui.status(run) == "FAILURE", "The killed run did not fail.")
    return run


def test_a_killed_run_is_reported_once_and_only_if_it_is_not_retried(tmp_path: Path) -> None:
    """A run that lost its worker is retried in silence; one without a retry left is one alert."""
    api = SimulatorSettings(customers=400, page_size=10, latency_ms=150)
    with webhook() as hook, running_simulator(api) as simulator:
        environ = {"CUSTOMER_API_BASE_URL": simulator.base_url, "CUSTOMER_API_KEY": "any"}
        environ |= {"CUSTOMER_API_MAX_CONCURRENCY": "1", "CUSTOMER_ALERT_WEBHOOK_URL": hook.url}
        with running_deployment(tmp_path, **environ) as plant:
            plant.start("code", "webserver", "daemon")
            plant.wait_until(plant.ui.is_loaded, "The webserver shows no code location.")
            kill_one(plant, simulator, retries=1)
            plant.wait_until(lambda: len(plant.ui.runs()) == 2, "The killed run was not retried.")
            again = plant.ui.runs()[1]["runId"]
            plant.wait_until(lambda: plant.ui.status(again) == "SUCCESS", "The retry did not succeed.")
            given_up = kill_one(plant, simulator, retries=0)
            plant.wait_until(
                lambda: given_up in plant.ui.sensor_messages(SENSOR), "The sensor did not report the last run."
            )
            assert "is retried" in plant.ui.sensor_messages(SENSOR)
    assert len(hook.payloads) == 1
    assert given_up in str(hook.payloads[0])
