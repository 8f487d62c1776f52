"""Runs many syncs back to back on the deployment of `deploy/`, at 20 % faults, with a kill -9 in every tenth.

    python -m customer_assets_tests.benchmarks.soak [--syncs 200] [--seed 0] [--keep-runs-s 150]

PostgreSQL, code server, webserver and daemon start as the systemd units say. The instance is `deploy/dagster.yaml`
with two shorter intervals. In every tenth sync, the run's worker, the daemon, or the code server with its children is
killed at a random instant and, in systemd's place, started again. After every tenth sync, `delete_old_runs` removes all
runs but those of the last minutes (in production: days).

Prints memory and disk as it goes. Exits 1 if a run is lost, if a staged or temporary file is left behind, or if
Dagster's home and database keep growing although old runs are deleted.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy

from customer_assets.defs.operations.retention import JOB as DELETION_JOB
from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets_tests.harness.machines.deployment import Deployment, running_deployment
from customer_assets_tests.harness.machines.services import PG_DATABASE, PG_PASSWORD, PG_USER
from customer_assets_tests.harness.machines.ui import SYNC_JOB

CUSTOMERS, PAGE_SIZE, FAILURE_RATE = 400, 20, 0.2
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
VICTIMS = ("worker", "daemon", "code")
LONGEST_DELAY_S = 4.0
GIVEN_UP_AFTER_S = 3600.0
DELETION_EVERY = 10
KEPT_FOR_S = 150.0
"""About twenty syncs."""
FLAT_FROM, FLAT_FACTOR = 50, 1.25
"""The most that home and database can have grown since that sync. PostgreSQL reuses the room of deleted rows only
after its autovacuum, which runs once a minute."""
DAY_S = 86_400.0


def megabytes_of(deployment: Deployment, service: str) -> float:
    """Return the resident memory of a service and its children, run workers excepted, in megabytes."""
    family = [psutil.Process(deployment.running[service].pid)]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += family[0].children(recursive=True)
    total = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" not in " ".join(process.cmdline()):
                total += process.memory_info().rss
    return total / 1e6


def megabytes_in(folder: Path) -> float:
    """Return the size of a folder's files in megabytes."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total / 1e6


def megabytes_of_database(deployment: Deployment) -> float:
    """Return the size of the database in megabytes."""
    port = int(deployment.environ["DAGSTER_PG_PORT"])
    url = sqlalchemy.URL.create("postgresql+psycopg2", PG_USER, PG_PASSWORD, "127.0.0.1", port, PG_DATABASE)
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect() as connection:
        size = connection.execute(sqlalchemy.text("select pg_database_size(current_database())")).scalar_one()
    return int(size) / 1e6


def list_leftovers(data: Path) -> list[str]:
    """List staged and temporary files, which no finished sync leaves behind."""
    staged = [path for path in (data / "lake" / ".staging").iterdir() if path.suffix != ".lock"]
    return sorted(str(path.relative_to(data)) for path in [*staged, *data.rglob("*.tmp")])


def worker_of(deployment: Deployment) -> psutil.Process | None:
    """Return the process that executes the current run, if there is one."""
    for process in psutil.Process(deployment.running["code"].pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(process.cmdline()):
                return process
    return None


class Soak:
    """One soak on one deployment.

    Args:
        deployment: Where the syncs run.
        dice: Decides what is killed, and when.
    """

    def __init__(self, deployment: Deployment, dice: random.Random) -> None:
        self.deployment, self.dice = deployment, dice
        self.kills: Counter[str] = Counter()
        self.victim, self.is_green = "none", False
        self.queued = self.current = deployment.ui.launch()

    def sync(self, *, kill: bool, queue: bool) -> bool:
        """Run one sync to its end, with Dagster's own re-executions; return whether it was green.

        Args:
            kill: Kill something meanwhile.
            queue: Queue the next sync too, so that it starts at once.
        """
        run = self.queued or self.launch()
        self.current, self.queued = run, self.launch() if queue else ""
        if kill:
            self.wait_until(lambda: self.status(run) in {"STARTED", *ENDED}, f"{run} does not start")
            self.kill()
        self.wait_until(lambda: self.is_over(run), f"{run} has no end")
        return self.is_green

    def delete_old_runs(self) -> bool:
        """Delete old runs; return whether that was green."""
        self.current = self.launch(DELETION_JOB)
        self.wait_until(lambda: self.is_over(self.current), f"{self.current} has no end")
        return self.is_green

    def launch(self, job: str = SYNC_JOB) -> str:
        """Launch a run as soon as the webserver has found the code server again; return its id."""
        runs = list[str]()

        def is_launched() -> bool:
            with contextlib.suppress(KeyError):  # the answer is an error
                runs.append(self.deployment.ui.launch(jobName=job))
            return bool(runs)

        self.wait_until(is_launched, "nothing can be launched")
        return runs[0]

    def kill(self) -> None:
        """Kill something at a random instant, and start it again."""
        time.sleep(self.dice.uniform(0.0, LONGEST_DELAY_S))
        victim = self.dice.choice(VICTIMS)
        if victim == "worker":
            worker = worker_of(self.deployment)
            if worker is None:
                victim = "worker, too late"
            else:
                os.kill(worker.pid, signal.SIGKILL)
        else:
            self.deployment.kill(victim)
            self.deployment.start(victim)
            self.wait_until(self.deployment.ui.is_loaded, "the code server does not come back")
        self.kills[victim] += 1
        self.victim = victim

    def status(self, run: str) -> str:
        """Return a run's status."""
        return self.deployment.ui.status(run)

    def executions_of(self, run: str) -> list[dict[str, Any]]:
        """Return a run and its re-executions, latest last."""
        runs = self.deployment.ui.runs(latest=20)
        return [each for each in runs if run in {each["runId"], each["tags"].get("dagster/root_run_id")}]

    def describe(self, run: str) -> str:
        """Describe each execution of a run: its status and its failures."""
        return "\n".join(
            f"  {each['runId']} {each['status']} {each['tags']}\n    "
            + "\n    ".join(self.deployment.ui.failures(each["runId"]))
            for each in self.executions_of(run)
        )

    def is_over(self, run: str) -> bool:
        """Return whether a run is over: green, or failed for good, which Dagster decides a moment after the failure.

        Also sets `is_green`, from the same look: a run whose worker is killed after its last step is green first, then
        failed, then run again.
        """
        last = self.executions_of(run)[-1]
        self.is_green = last["status"] == "SUCCESS"
        return self.is_green or (last["status"] in ENDED and last["tags"].get("dagster/will_retry") == "false")

    def wait_until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for up to an hour."""
        self.deployment.wait_until(condition, otherwise, GIVEN_UP_AFTER_S, every_s=1.0)

    def history_mb(self) -> float:
        """Return the size of Dagster's home and database in megabytes."""
        return megabytes_in(self.deployment.home) + megabytes_of_database(self.deployment)

    def figures(self) -> str:
        """Describe memory and disk usage now."""
        memory = " ".join(
            f"{name} {megabytes_of(self.deployment, name):.0f}" for name in sorted(self.deployment.running)
        )
        disk = (
            f"data {megabytes_in(self.deployment.data):.2f} home {megabytes_in(self.deployment.home):.2f} "
            f"database {megabytes_of_database(self.deployment):.1f}"
        )
        return f"memory: {memory} MB; disk: {disk} MB"


def shorten_intervals(deployment: Deployment) -> None:
    """Shorten two polling intervals, which only cost the soak time."""
    file = deployment.home / "dagster.yaml"
    text = file.read_text(encoding="utf-8")
    for given, shorter in (
        ("dequeue_interval_seconds: 5", "dequeue_interval_seconds: 1"),
        ("poll_interval_seconds: 15", "poll_interval_seconds: 3"),
    ):
        assert given in text
        text = text.replace(given, shorter)
    file.write_text(text, encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--syncs", type=int, default=200)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--kill-every", type=int, default=10, help="kill something in every n-th sync")
    command.add_argument("--at-most-s", type=float, default=float("inf"), help="stop after this many seconds")
    command.add_argument("--pause-while", type=Path, help="start no sync while this file exists")
    command.add_argument(
        "--keep-runs-s", type=float, default=KEPT_FOR_S, help="delete runs that ended longer ago than this"
    )
    return command.parse_args()


def flatness(flat_mb: float, end_mb: float) -> tuple[bool, str]:
    """Judge whether the history keeps growing; return the verdict and a line about it.

    Args:
        flat_mb: Its size at the sync from which it should stay flat; 0 if the soak was shorter.
        end_mb: Its size at the end.
    """
    if not flat_mb:
        return True, f"history: {end_mb:.1f} MB; too few syncs to judge, {FLAT_FROM} are needed"
    is_flat, limit_mb = end_mb <= FLAT_FACTOR * flat_mb, FLAT_FACTOR * flat_mb
    sizes = f"{end_mb:.1f} MB at the end, {flat_mb:.1f} at sync {FLAT_FROM}, {limit_mb:.1f} at most"
    return is_flat, f"history: {'flat' if is_flat else 'GROWS'}: {sizes}"


def main() -> None:
    """Run the soak; print and judge its result."""
    args = parse_arguments()
    api = SimulatorSettings(customers=CUSTOMERS, page_size=PAGE_SIZE, failure_rate=FAILURE_RATE, latency_ms=20)
    with tempfile.TemporaryDirectory(prefix="soak") as folder, running_simulator(api) as simulator:
        environ = {"CUSTOMER_API_BASE_URL": simulator.base_url, "CUSTOMER_API_KEY": "any"}
        environ |= {"CUSTOMER_KEEP_RUNS_DAYS": str(args.keep_runs_s / DAY_S)}
        with running_deployment(Path(folder), **environ) as place:
            shorten_intervals(place)
            place.start("code", "webserver", "daemon")
            place.wait_until(place.ui.is_loaded, "The webserver shows no code location.")
            soak, started_s = Soak(place, random.Random(args.seed)), time.monotonic()
            lost, undeleted, flat_mb = list[int](), list[int](), 0.0
            for number in range(1, args.syncs + 1):
                last = number == args.syncs or time.monotonic() - started_s > args.at_most_s
                while args.pause_while and args.pause_while.exists():
                    time.sleep(1)
                deletes = number % DELETION_EVERY == 0
                if not soak.sync(kill=number % args.kill_every == 0, queue=not (last or deletes)):
                    lost.append(number)
                    print(
                        f"Sync {number} is lost, its last victim was {soak.victim}:\n{soak.describe(soak.current)}",
                        flush=True,
                    )
                if deletes and not soak.delete_old_runs():
                    undeleted.append(number)
                    print(f"After sync {number} old runs stay:\n{soak.describe(soak.current)}", flush=True)
                if number == FLAT_FROM:
                    flat_mb = soak.history_mb()
                if last or number in {1, 2} or number % 10 == 0:
                    print(f"{number:4} syncs, {time.monotonic() - started_s:6.0f} s; {soak.figures()}", flush=True)
                if last:
                    break
            is_flat, history = flatness(flat_mb, soak.history_mb())
            left, runs = list_leftovers(place.data), Counter(str(run["status"]) for run in place.ui.runs())
        stats = simulator.stats()
    print(f"kills: {dict(soak.kills)}; runs: {dict(runs)}; the API answered {stats['by_status']}")
    print(
        f"lost: {lost or 'none'}; left over: {left or 'nothing'}; not deleted after: {undeleted or 'none'}; {history}"
    )
    sys.exit(bool(lost or left or undeleted or not is_flat))


if __name__ == "__main__":
    main()
