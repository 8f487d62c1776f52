"""Runs what `deploy/` describes: PostgreSQL, code server, webserver and daemon, which tests start and kill.

The commands come from the systemd units, the rest from `deploy/dagster.yaml`, `deploy/workspace.yaml` and the
environment file that each unit names. Only ports, directories and the interpreter's path differ.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from customer_assets_tests.harness.machines.services import (
    PG_DATABASE,
    PG_PASSWORD,
    PG_USER,
    free_port,
    running_postgres,
    wait_until,
)
from customer_assets_tests.harness.machines.ui import UI

DEPLOY = Path(__file__).parents[3] / "deploy"
INSTALLED_BIN = "/opt/customer_assets/.venv/bin"
INSTALLED_HOME = "/var/lib/customer_assets/dagster"
BIN = str(Path(sys.executable).parent)
SERVICES = ("code", "webserver", "daemon")
STARTED_WITHIN_S = 180.0


def variables(file: Path) -> dict[str, str]:
    """Read an environment file as systemd does, quotes included."""
    lines = (line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, _, value in (line.partition("=") for line in lines)}


def unit(service: str) -> str:
    """Return the text of a service's systemd unit, with paths into this environment."""
    text = (DEPLOY / "systemd" / f"customer-assets-{service}.service").read_text(encoding="utf-8")
    return text.replace(INSTALLED_BIN, BIN)


class Deployment:
    """One deployment on this machine.

    Args:
        folder: Where it keeps everything.
        postgres_port: Its database's port.
        environ: Variables that replace those of the environment file or add to them.
    """

    def __init__(self, folder: Path, postgres_port: int, environ: Mapping[str, str]) -> None:
        self.home, self.data = folder / "dagster", folder / "data"
        self.home.mkdir(parents=True)
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(DEPLOY / name, self.home / name)
        places = {
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_PG_PORT": str(postgres_port),
            "DAGSTER_PG_DB": PG_DATABASE,
            "DAGSTER_PG_USERNAME": PG_USER,
            "DAGSTER_PG_PASSWORD": PG_PASSWORD,
            "CUSTOMER_CODE_SERVER_PORT": str(free_port()),
            "CUSTOMER_WEBSERVER_PORT": str(free_port()),
            "CUSTOMER_DATA_DIR": str(self.data),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTOMER_", "DAGSTER_"))}
        files = variables(DEPLOY / "dagster.env") | variables(DEPLOY / "customer_assets.env")
        self.environ = kept | files | places | dict(environ)
        self.log = folder / "services.log"
        self.ui = UI(int(self.environ["CUSTOMER_WEBSERVER_PORT"]))
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *services: str) -> None:
        """Start services as their units say, each in its own process group (systemd uses a control group)."""
        for service in services:
            found = re.search(r"^ExecStart=(.*)$", unit(service), re.MULTILINE)
            assert found is not None
            command = re.sub(r"\$\{(\w+)\}", lambda name: self.environ[name[1]], found[1])
            with self.log.open("ab") as log:
                self.running[service] = subprocess.Popen(
                    shlex.split(command.replace(INSTALLED_HOME, str(self.home))),
                    cwd=self.home,
                    env=self._environ_of(service),
                    start_new_session=True,
                    stdout=log,
                    stderr=log,
                )

    def _environ_of(self, service: str) -> dict[str, str]:
        """Return the variables that a unit hands to its service: a setting that it is not handed is not there."""
        if "/etc/customer_assets.env" in unit(service):
            return self.environ
        handed = variables(DEPLOY / "dagster.env")
        return {name: value for name, value in self.environ.items() if name in handed or name[:9] != "CUSTOMER_"}

    def kill(self, *services: str) -> None:
        """Kill services and everything they started, as a power cut would."""
        for service in services:
            program = self.running.pop(service)
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()

    def close(self) -> None:
        """Stop all services; kill those that take longer than 15 s."""
        for program in self.running.values():
            program.terminate()
        for service, program in list(self.running.items()):
            try:
                program.wait(timeout=15)
            except subprocess.TimeoutExpired:
                program.kill()
            try:
                self.kill(service)
            except ProcessLookupError:
                self.running.pop(service, None)

    def wait_until(
        self,
        condition: Callable[[], bool],
        otherwise: str,
        timeout_s: float = STARTED_WITHIN_S,
        *,
        every_s: float = 0.2,
    ) -> None:
        """Wait until a condition holds; on a timeout, raise with the end of the services' log."""
        try:
            wait_until(condition, timeout_s, otherwise, every_s=every_s)
        except TimeoutError as error:
            log_end = self.log.read_text(encoding="utf-8", errors="replace")[-5000:]
            raise TimeoutError(f"{otherwise}\n{log_end}") from error


@contextmanager
def running_deployment(folder: Path, **environ: str) -> Iterator[Deployment]:
    """Set up a deployment on a new PostgreSQL. Its services are not started yet."""
    with running_postgres() as port:
        deployment = Deployment(folder, port, environ)
        try:
            yield deployment
        finally:
            deployment.close()
