"""A day in production in three minutes: the schedule, the queue, a killed daemon, a power cut, late customers."""

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from customer_assets.simulator import SimulatorSettings, start_simulator
from customer_assets.simulator.server import Simulator
from customer_assets_tests.harness.machines.deployment import Deployment, running_deployment
from customer_assets_tests.harness.machines.services import free_port
from customer_assets_tests.harness.machines.ui import SCHEDULE

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

PAGE_SIZE = 10
PAGES = 40
MINUTES_MISSED = 10
REQUESTED_AGAIN = 2 + 2 + 1
"""Pages that were in flight, pages beside the gap, and one behind a last page that is full."""
MINUTE_S = 60


class API:
    """The simulator, always on the same port, with customers that change."""

    def __init__(self, port: int) -> None:
        self.port, self.asked_before = port, 0
        self.server: Simulator | None = None

    def serve(self, pages: int) -> None:
        """Serve this many full pages from now on, slowly: a sync takes some seconds."""
        self.stop()
        settings = SimulatorSettings(customers=pages * PAGE_SIZE, page_size=PAGE_SIZE, latency_ms=150)
        self.server = start_simulator(settings, self.port)

    def requests(self) -> int:
        """Count the requests since `serve`."""
        assert self.server is not None
        return int(self.server.stats()["requests"])

    def stop(self) -> None:
        """Stop serving."""
        if self.server is not None:
            self.server.stop()


@pytest.fixture
def api() -> Iterator[API]:
    """Serve the API that customers are synced from."""
    made = API(free_port())
    made.serve(PAGES)
    yield made
    made.stop()


@pytest.fixture
def plant(tmp_path: Path, api: API) -> Iterator[Deployment]:
    """Set up the deployment with a sync every minute, and customers that are late after a minute."""
    with running_deployment(
        tmp_path,
        CUSTOMER_API_BASE_URL=f"http://127.0.0.1:{api.port}/api",
        CUSTOMER_API_KEY="any",
        CUSTOMER_API_MAX_CONCURRENCY="1",
        CUSTOMER_SCHEDULE="* * * * *",
        CUSTOMER_MISSED_AFTER_HOURS="0.025",
        CUSTOMER_KEEP_RUNS_DAYS="0",  # no deletion in between, even at four in the morning
        FRESHNESS_DAEMON_INTERVAL_SECONDS="2",
    ) as made:
        yield made


def exported(plant: Deployment) -> int:
    """Count the customers in the export."""
    document = json.loads((plant.data / "export" / "customers.json").read_bytes())
    assert len(document["customers"]) == document["metadata"]["total_customers"]
    return int(document["metadata"]["total_customers"])


def switched_on_earlier(plant: Deployment, *, minutes: int) -> None:
    """Backdate the switching-on of the schedule, as a daemon finds it that was down for a while."""
    with dg.DagsterInstance.from_config(str(plant.home)) as instance:
        (state,) = instance.all_instigator_state()
        assert isinstance(state.instigator_data, ScheduleInstigatorData)
        then = (datetime.now(UTC) - timedelta(minutes=minutes)).timestamp()
        data = ScheduleInstigatorData(state.instigator_data.cron_schedule, start_timestamp=then)
        instance.update_instigator_state(state.with_data(data))


def test_a_day_in_production(plant: Deployment, api: API, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks fire and runs succeed, one sync at a time; a killed run is found, retried, and resumes."""
    for name, value in plant.environ.items():
        if name.startswith("DAGSTER_"):
            monkeypatch.setenv(name, value)
    plant.start("code", "webserver")
    plant.wait_until(plant.ui.is_loaded, "The webserver shows no code location.")

    # The daemon was down for ten ticks: it makes up for the last one only.
    plant.ui.switch_schedule(on=True)
    switched_on_earlier(plant, minutes=MINUTES_MISSED)
    plant.wait_until(lambda: time.time() % MINUTE_S < MINUTE_S / 2, "No minute begins.")  # nor ends soon, with a tick
    plant.start("daemon")
    plant.wait_until(lambda: len(plant.ui.runs()) > 0, "No tick fired.")
    plant.ui.switch_schedule(on=False)
    (first,) = plant.ui.runs()
    assert first["tags"]["dagster/schedule_name"] == SCHEDULE
    plant.wait_until(lambda: plant.ui.status(first["runId"]) == "SUCCESS", "The first tick's run did not succeed.")
    assert exported(plant) == PAGES * PAGE_SIZE
    plant.wait_until(lambda: plant.ui.freshness() == "HEALTHY", "Fresh customers are not shown as fresh.")

    # The next tick finds other customers. A run launched meanwhile waits in the queue: the pool has one slot.
    api.serve(PAGES + 2)
    plant.ui.switch_schedule(on=True)
    plant.wait_until(lambda: api.requests() > 0, "No second tick fired.")
    manual = plant.ui.launch()
    second = plant.ui.runs()[1]
    assert second["tags"]["dagster/schedule_name"] == SCHEDULE
    plant.ui.switch_schedule(on=False)

    # A killed daemon takes no run with it: the code server goes on, the queue waits.
    plant.kill("daemon")
    plant.wait_until(lambda: plant.ui.status(second["runId"]) == "SUCCESS", "The second tick's run did not succeed.")
    late_at = time.time() + 70
    assert exported(plant) == (PAGES + 2) * PAGE_SIZE
    assert plant.ui.status(manual) == "QUEUED"

    # The daemon is back and launches the waiting run; then the power fails in the middle of its crawl.
    asked = api.requests()
    plant.start("daemon")
    plant.wait_until(lambda: api.requests() >= asked + PAGES // 2, "The waiting run did not start.")
    plant.kill("daemon", "code")
    killed_after = api.requests() - asked
    assert killed_after < PAGES
    assert plant.ui.status(manual) == "STARTED"

    # Everything is started again: the lost run is found and retried, and requests only the missing pages.
    time.sleep(max(0.0, late_at - time.time()))
    asked = api.requests()
    plant.start("code", "daemon")
    plant.wait_until(lambda: plant.ui.freshness() in {"WARNING", "DEGRADED"}, "Late customers are not shown as late.")
    plant.wait_until(lambda: len(plant.ui.runs()) == 4, "The lost run was not retried.")
    resumed = plant.ui.runs()[3]["runId"]
    plant.wait_until(lambda: plant.ui.status(resumed) == "SUCCESS", "The resumed run did not succeed.")
    assert plant.ui.status(manual) == "FAILURE"
    assert api.requests() - asked == plant.ui.requests_sent_by(resumed) <= PAGES + 2 - killed_after + REQUESTED_AGAIN
    assert exported(plant) == (PAGES + 2) * PAGE_SIZE
    plant.wait_until(lambda: plant.ui.freshness() == "HEALTHY", "Fresh customers are not shown as fresh again.")

    # One after the other, none lost, and nothing left behind.
    runs = plant.ui.runs()
    assert [run["status"] for run in runs] == ["SUCCESS", "SUCCESS", "FAILURE", "SUCCESS"]
    assert all(earlier["endTime"] <= later["startTime"] for earlier, later in itertools.pairwise(runs))
    assert list((plant.data / "lake" / ".staging").iterdir()) == []
