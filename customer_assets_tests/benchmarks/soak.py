"""Many syncs back to back through the deployment of `deploy/`, at 20 % faults, with a kill -9 every tenth.

    python -m customer_assets_tests.benchmarks.soak [--syncs 200] [--seed 0] [--keep-runs-s 150]

PostgreSQL, code server, webserver and daemon are started as the systemd units say; but for two intervals, which are
shortened, the instance is `deploy/dagster.yaml`. Each tenth sync has its run's worker, the daemon, or the code server
with everything below it killed at a random instant; systemd's part, starting it again, is done here. After each tenth
sync, `delete_old_runs` deletes all runs but those of the last minutes, as it does every day in production with days.
Exits 1 if a run is lost, if anything is left lying about, or if home and database still grow when runs are deleted as
fast as they come; prints memory and disk as it goes.
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
from customer_assets_tests.harness.deployment import Station, station
from customer_assets_tests.harness.services import PG_DATABASE, PG_PASSWORD, PG_USER
from customer_assets_tests.harness.ui import JOB as SYNC_JOB

CUSTOMERS, PAGE_SIZE, FAILURE_RATE = 400, 20, 0.2
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
VICTIMS = ("worker", "daemon", "code")
LONGEST_DELAY_S = 4.0
GIVEN_UP_AFTER_S = 3600.0
DELETION_EVERY = 10
KEPT_FOR_S = 150.0
"""Some twenty syncs."""
FLAT_FROM, FLAT_FACTOR = 50, 1.25
"""At the end, home and database take at most so many times what they took at that sync: deleted rows make room for
new ones only when PostgreSQL's autovacuum has passed, which it does once a minute."""
DAY_S = 86_400.0


def megabytes_of(station: Station, service: str) -> float:
    """Resident memory of a service and its children but for run workers, in megabytes."""
    family = [psutil.Process(station.running[service].pid)]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += family[0].children(recursive=True)
    total = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" not in " ".join(process.cmdline()):
                total += process.memory_info().rss
    return total / 1e6


def megabytes_in(folder: Path) -> float:
    """What a folder's files take, in megabytes."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total / 1e6


def megabytes_of_database(station: Station) -> float:
    """What the database takes, in megabytes."""
    port = int(station.environ["DAGSTER_PG_PORT"])
    url = sqlalchemy.URL.create("postgresql+psycopg2", PG_USER, PG_PASSWORD, "127.0.0.1", port, PG_DATABASE)
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect() as connection:
        size = connection.execute(sqlalchemy.text("select pg_database_size(current_database())")).scalar_one()
    return int(size) / 1e6


def left_over(data: Path) -> list[str]:
    """Files that are no published ones: staged, temporary, or of an unfinished crawl."""
    staged = [path for path in (data / "lake" / ".staging").iterdir() if path.suffix != ".lock"]
    return sorted(str(path.relative_to(data)) for path in [*staged, *data.rglob("*.tmp")])


def worker_of(station: Station) -> psutil.Process | None:
    """The process that executes the current run, if there is one now."""
    for process in psutil.Process(station.running["code"].pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(process.cmdline()):
                return process
    return None


class Soak:
    """One soak on one station."""

    def __init__(self, station: Station, dice: random.Random) -> None:
        """Kill as the dice say."""
        self.station, self.dice = station, dice
        self.kills: Counter[str] = Counter()
        self.victim, self.is_green = "none", False
        self.queued = self.current = station.ui.launch()

    def sync(self, *, kill: bool, queue: bool) -> bool:
        """See one sync to its end, over kills and Dagster's own re-executions; tell whether it was green.

        Args:
            kill: Kill something meanwhile.
            queue: Have the next one in the queue by then, so that it starts at once.
        """
        run = self.queued or self.launched()
        self.current, self.queued = run, self.launched() if queue else ""
        if kill:
            self.await_(lambda: self.status(run) in {"STARTED", *ENDED}, f"{run} does not start")
            self.kill()
        self.await_(lambda: self.ended(run), f"{run} has no end")
        return self.is_green

    def delete_old_runs(self) -> bool:
        """Have old runs deleted; tell whether all went well."""
        self.current = self.launched(DELETION_JOB)
        self.await_(lambda: self.ended(self.current), f"{self.current} has no end")
        return self.is_green

    def launched(self, job: str = SYNC_JOB) -> str:
        """Launch a run, as soon as the webserver has noticed that the code server is back."""
        runs = list[str]()

        def launch() -> bool:
            with contextlib.suppress(KeyError):  # the answer is an error
                runs.append(self.station.ui.launch(jobName=job))
            return bool(runs)

        self.await_(launch, "nothing can be launched")
        return runs[0]

    def kill(self) -> None:
        """Kill something at a random instant, and start it again."""
        time.sleep(self.dice.uniform(0.0, LONGEST_DELAY_S))
        victim = self.dice.choice(VICTIMS)
        if victim == "worker":
            worker = worker_of(self.station)
            if worker is None:
                victim = "worker, too late"
            else:
                os.kill(worker.pid, signal.SIGKILL)
        else:
            self.station.kill(victim)
            self.station.start(victim)
            self.await_(self.station.ui.loaded, "the code server does not come back")
        self.kills[victim] += 1
        self.victim = victim

    def status(self, run: str) -> str:
        """How a run stands."""
        return self.station.ui.status(run)

    def executions_of(self, run: str) -> list[dict[str, Any]]:
        """A run and its re-executions, the last one last."""
        runs = self.station.ui.runs(latest=20)
        return [each for each in runs if run in {each["runId"], each["tags"].get("dagster/root_run_id")}]

    def told_of(self, run: str) -> str:
        """What became of a run, execution by execution."""
        return "\n".join(
            f"  {each['runId']} {each['status']} {each['tags']}\n    "
            + "\n    ".join(self.station.ui.failures(each["runId"]))
            for each in self.executions_of(run)
        )

    def ended(self, run: str) -> bool:
        """Tell whether a run is over: green, or not to be run again. Dagster says so a moment after the failure.

        Both are told by one look: a run whose worker is killed when all is done is green, then failed, then run again.
        """
        last = self.executions_of(run)[-1]
        self.is_green = last["status"] == "SUCCESS"
        return self.is_green or (last["status"] in ENDED and last["tags"].get("dagster/will_retry") == "false")

    def await_(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for long."""
        self.station.await_(condition, otherwise, GIVEN_UP_AFTER_S, every_s=1.0)

    def history_mb(self) -> float:
        """What Dagster keeps of its runs, in home and database, in megabytes."""
        return megabytes_in(self.station.home) + megabytes_of_database(self.station)

    def figures(self) -> str:
        """Memory and disk now."""
        memory = " ".join(f"{name} {megabytes_of(self.station, name):.0f}" for name in sorted(self.station.running))
        disk = (
            f"data {megabytes_in(self.station.data):.2f} home {megabytes_in(self.station.home):.2f} "
            f"database {megabytes_of_database(self.station):.1f}"
        )
        return f"memory: {memory} MB; disk: {disk} MB"


def quicker(station: Station) -> None:
    """Shorten the two intervals that nobody needs to sit out."""
    file = station.home / "dagster.yaml"
    text = file.read_text(encoding="utf-8")
    for given, shorter in (
        ("dequeue_interval_seconds: 5", "dequeue_interval_seconds: 1"),
        ("poll_interval_seconds: 15", "poll_interval_seconds: 3"),
    ):
        assert given in text
        text = text.replace(given, shorter)
    file.write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--syncs", type=int, default=200)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--kill-every", type=int, default=10, help="a kill in each sync of so many")
    command.add_argument("--at-most-s", type=float, default=float("inf"), help="end sooner, after so many seconds")
    command.add_argument("--pause-while", type=Path, help="start no sync as long as there is this file")
    command.add_argument("--keep-runs-s", type=float, default=KEPT_FOR_S, help="runs that ended earlier are deleted")
    return command.parse_args()


def flatness(flat_mb: float, end_mb: float) -> tuple[bool, str]:
    """Judge whether the history grows.

    Args:
        flat_mb: What it took when it should have been flat; 0: the soak did not run that long.
        end_mb: What it takes at the end.
    """
    if not flat_mb:
        return True, f"history: {end_mb:.1f} MB; judged from {FLAT_FROM} syncs on"
    is_flat, limit_mb = end_mb <= FLAT_FACTOR * flat_mb, FLAT_FACTOR * flat_mb
    told = f"{end_mb:.1f} MB at the end, {flat_mb:.1f} at sync {FLAT_FROM}, {limit_mb:.1f} at most"
    return is_flat, f"history: {'flat' if is_flat else 'GROWS'}: {told}"


def main() -> None:
    """Soak, and judge."""
    args = arguments()
    api = SimulatorSettings(customers=CUSTOMERS, page_size=PAGE_SIZE, failure_rate=FAILURE_RATE, latency_ms=20)
    with tempfile.TemporaryDirectory(prefix="soak") as folder, running_simulator(api) as simulator:
        environ = {"CUSTOMER_API_BASE_URL": simulator.base_url, "CUSTOMER_API_KEY": "any"}
        environ |= {"CUSTOMER_KEEP_RUNS_DAYS": str(args.keep_runs_s / DAY_S)}
        with station(Path(folder), **environ) as place:
            quicker(place)
            place.start("code", "webserver", "daemon")
            place.await_(place.ui.loaded, "The webserver shows no code location.")
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
                        f"Sync {number} is lost, its last victim was {soak.victim}:\n{soak.told_of(soak.current)}",
                        flush=True,
                    )
                if deletes and not soak.delete_old_runs():
                    undeleted.append(number)
                    print(f"After sync {number} old runs stay:\n{soak.told_of(soak.current)}", flush=True)
                if number == FLAT_FROM:
                    flat_mb = soak.history_mb()
                if last or number in {1, 2} or number % 10 == 0:
                    print(f"{number:4} syncs, {time.monotonic() - started_s:6.0f} s; {soak.figures()}", flush=True)
                if last:
                    break
            is_flat, history = flatness(flat_mb, soak.history_mb())
            left, runs = left_over(place.data), Counter(str(run["status"]) for run in place.ui.runs())
        stats = simulator.stats()
    print(f"kills: {dict(soak.kills)}; runs: {dict(runs)}; the API answered {stats['by_status']}")
    print(
        f"lost: {lost or 'none'}; left over: {left or 'nothing'}; not deleted after: {undeleted or 'none'}; {history}"
    )
    sys.exit(bool(lost or left or undeleted or not is_flat))


if __name__ == "__main__":
    main()
