"""The files in `deploy/` fit each other, the programs that read them, Dagster and the settings."""

import base64
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from dagster._core.instance.config import dagster_instance_config

from customer_assets.core.configuration import secret_variables
from customer_assets.defs.settings import DEPLOYMENT_VARIABLES, RESOURCES, VARIABLES
from customer_assets_tests.harness.machines import services
from customer_assets_tests.harness.machines.deployment import DEPLOY, SERVICES, unit, variables
from customer_assets_tests.harness.machines.services import need

PROJECT = DEPLOY.parent
ENVIRONMENT_FILES = (DEPLOY / "dagster.env", DEPLOY / "customer_assets.env")
each_environment_file = pytest.mark.parametrize("environment_file", ENVIRONMENT_FILES, ids=lambda file: file.name)


def deploy_text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


# --- systemd and the environment file -----------------------------------------------------------------


@pytest.mark.service
@pytest.mark.parametrize("service", SERVICES)
def test_systemd_accepts_the_unit(service: str, tmp_path: Path) -> None:
    """Without a warning."""
    analyse = need("systemd-analyze", "systemd")
    file = tmp_path / f"customer-assets-{service}.service"
    file.write_text(unit(service), encoding="utf-8")
    verified = subprocess.run([analyse, "verify", "--man=no", file], capture_output=True, text=True, check=False)
    warnings = [
        line for line in verified.stderr.splitlines() if "customer-assets" in line and "Failed to add" not in line
    ]
    assert (verified.returncode, warnings) == (0, [])


def test_the_environment_file_defines_what_other_files_refer_to() -> None:
    """Each variable of the units, the instance, the workspace, and the containers."""
    texts = [unit(service) for service in SERVICES]
    texts += [deploy_text(name) for name in ("dagster.yaml", "workspace.yaml", "docker/compose.yaml")]
    referred = {
        name for text in texts for pair in re.findall(r"[^$]\$\{(\w+)|env: (\w+)", text) for name in pair if name
    }
    assert referred <= {name for file in ENVIRONMENT_FILES for name in variables(file)}


def test_only_the_code_server_is_handed_the_secrets_of_syncs() -> None:
    """The UI has no log-in of its own, and needs neither the API's key nor anything else of a sync."""
    secrets = {name for kind in RESOURCES.values() for name in secret_variables(kind)} | {"CUSTOMER_API_BASE_URL"}
    assert secrets.isdisjoint(variables(DEPLOY / "dagster.env"))
    for service in SERVICES:
        handed = re.findall(r"^EnvironmentFile=(.*)$", unit(service), re.MULTILINE)
        ours = ["/etc/customer_assets.env"] if service == "code" else []
        assert handed == ["/etc/customer_assets.dagster.env", *ours]
    containers = yaml.safe_load(deploy_text("docker/compose.yaml"))["services"]
    for service in SERVICES:
        handed = containers[service]["env_file"]
        assert ("/etc/customer_assets.env" in handed) is (service == "code")


@each_environment_file
def test_the_environment_file_names_only_known_settings(environment_file: Path) -> None:
    """The commented lines as well."""
    named = set(re.findall(r"^(?:# )?(CUSTOMER_\w+)=", environment_file.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= {*VARIABLES, *DEPLOYMENT_VARIABLES}


def test_no_file_sets_or_reads_a_variable_that_would_be_warned_about() -> None:
    texts = [path.read_text(encoding="utf-8") for path in DEPLOY.rglob("*") if path.suffix != ".png" and path.is_file()]
    named = {name for text in texts for name in re.findall(r"\bCUSTOMER_[A-Z_]+[A-Z]\b", text)}
    assert DEPLOYMENT_VARIABLES <= named <= {*VARIABLES, *DEPLOYMENT_VARIABLES}


@each_environment_file
def test_a_shell_reads_the_environment_file_as_systemd_does(tmp_path: Path, environment_file: Path) -> None:
    """Commented lines too, once they are uncommented: cron's blanks and asterisks among them."""
    file = tmp_path / "environment"
    text = re.sub(r"^# (\w+=)", r"\1", environment_file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")
    printed = subprocess.check_output(["env", "-i", "sh", "-ec", f"set -a; . {file}; env -0"], text=True)
    sourced = dict(line.partition("=")[::2] for line in printed.split("\0") if line)
    assert {name: sourced[name] for name in variables(file)} == variables(file)
    assert variables(file).get("CUSTOMER_SCHEDULE", "0 3 * * *") == "0 3 * * *"


# --- Dagster's instance -------------------------------------------------------------------------------


def test_the_instance_is_ready_for_production() -> None:
    """Dagster accepts the file. The settings whose absence nobody would notice are checked one by one."""
    config, _ = dagster_instance_config(str(DEPLOY))
    assert config["storage"]["postgres"]["postgres_db"]["db_name"] == {"env": "DAGSTER_PG_DB"}
    assert config["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}
    assert config["run_monitoring"]["enabled"]
    assert config["freshness"] == {"enabled": True}
    assert config["telemetry"] == {"enabled": False}


def test_the_manual_says_how_a_killed_run_frees_its_slot() -> None:
    """For syncs in another project, with this instance's own settings: Dagster's defaults keep the slot."""
    config, _ = dagster_instance_config(str(DEPLOY))
    manual = deploy_text("OPERATING.md")
    shown: dict[str, Any] = {}
    for written in re.findall(r"^- `((?:concurrency|run_monitoring): .*?)`: ", manual, re.MULTILINE):
        shown |= yaml.safe_load(written)
    assert shown["concurrency"]["pools"].items() <= config["concurrency"]["pools"].items()
    assert shown["run_monitoring"].items() <= config["run_monitoring"].items()
    assert config["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    assert "dagster instance concurrency set acme_api 1" in manual


# --- containers ---------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(deploy_text("docker/compose.yaml"))
    return loaded


def container_command(service: str) -> list[str]:
    """Return what the container runs; the image's own command if the service names none."""
    default = re.search(r"^CMD (\[.*\])$", deploy_text("docker/Dockerfile"), re.MULTILINE)
    assert default is not None
    command: list[str] = compose()["services"][service].get("command") or yaml.safe_load(default[1])
    return command


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_runs_what_the_unit_runs(service: str) -> None:
    """Except for places: hosts, ports, the workspace."""
    found = re.search(r"^ExecStart=(.*)$", unit(service), re.MULTILINE)
    assert found is not None
    of_unit = [Path(found[1].split()[0]).name, *shlex.split(found[1])[1:]]
    of_container = container_command(service)
    assert len(of_container) == len(of_unit)
    differing = {
        before for before, ours, theirs in zip(of_unit, of_unit[1:], of_container[1:], strict=False) if ours != theirs
    }
    assert differing <= {"--host", "--port", "--workspace"}
    assert of_container[0] == of_unit[0]


def test_containers_mount_files_that_exist() -> None:
    """Relative to the file, as Compose resolves them."""
    folder = DEPLOY / "docker"
    named = {volume.partition(":")[0] for volume in compose()["x-dagster"]["volumes"]}
    mounted = {name for name in named if name.startswith(".")}
    assert len(mounted) == 2
    assert all((folder / name).is_file() for name in mounted)
    assert named - mounted <= set(compose()["volumes"])


def test_the_daemon_sees_the_runs_of_the_code_server() -> None:
    """Otherwise `HealthCheckedRunLauncher` would declare every run dead."""
    assert compose()["services"]["daemon"]["pid"] == "service:code"
    workspace = yaml.safe_load(deploy_text("docker/workspace.yaml"))["load_from"][0]["grpc_server"]
    assert workspace["host"] in compose()["services"]
    assert str(workspace["port"]) in container_command("code")


def test_the_image_is_built_from_files_that_exist() -> None:
    """None of them is ignored, and each extra that it installs is one of ours."""
    dockerfile = deploy_text("docker/Dockerfile")
    sources = {
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for name in line.split()
    }
    assert all((PROJECT / name).exists() for name in sources)
    assert sources == set(re.findall(r"^!(.*)$", deploy_text("docker/Dockerfile.dockerignore"), re.MULTILINE))
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = re.search(r"^ARG EXTRAS=(.*)$", dockerfile, re.MULTILINE)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    assert f"customer_assets:{project['version']}" == compose()["x-dagster"]["image"]


def test_the_chart_gets_the_instances_settings() -> None:
    """What `dagster.yaml` sets to keep syncs apart and to start lost ones again; the image's user owns its files."""
    values = yaml.safe_load(deploy_text("helm/values.yaml"))
    config, _ = dagster_instance_config(str(DEPLOY))
    assert values["additionalInstanceConfig"] == {name: config[name] for name in ("freshness", "run_retries")}
    pools = values["concurrency"]["pools"]
    assert {"default_limit": pools["defaultLimit"], "granularity": pools["granularity"]} == config["concurrency"][
        "pools"
    ]
    scheme = config["storage"]["postgres"]["postgres_db"]["scheme"]
    assert values["postgresql"]["postgresqlScheme"] == scheme
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert f"--uid {deployment['podSecurityContext']['runAsUser']} " in deploy_text("docker/Dockerfile")


# --- the reverse proxy --------------------------------------------------------------------------------


class Webserver(BaseHTTPRequestHandler):
    """Answers with the headers it was sent."""

    def do_GET(self) -> None:
        services.respond(self, 200, repr({name.lower(): value for name, value in self.headers.items()}).encode())


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Run nginx with the sample in front of a webserver; return its port and its certificate."""
    nginx, openssl = need("nginx", "nginx-light"), need("openssl", "openssl")
    folder = tmp_path_factory.mktemp("nginx")
    new_key = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=dagster.example.org",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run([*new_key, "-keyout", folder / "key", "-out", folder / "pem"], check=True, capture_output=True)
    password = subprocess.check_output([openssl, "passwd", "-apr1", "a word"], text=True)
    (folder / "htpasswd").write_text(f"alice:{password}", encoding="utf-8")
    port, plain_port = services.free_port(), services.free_port()
    with services.serving(Webserver) as webserver:
        site = deploy_text("nginx/customer_assets.conf")
        for sample, ours in {
            r"listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            r"listen 80": f"listen 127.0.0.1:{plain_port}",
            r"listen \[::\].*": "",
            r"/etc/ssl/certs/\S+\.pem": f"{folder}/pem",
            r"/etc/ssl/private/\S+\.key": f"{folder}/key",
            r"/etc/nginx/\S+\.htpasswd": f"{folder}/htpasswd",
            r"http://127\.0\.0\.1:3000": webserver,
        }.items():
            site, replaced = re.subn(sample, ours, site)
            assert replaced, sample
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # Workers of a root nginx run as nobody by default, who cannot read a test's files.
        user = "user root;" if os.geteuid() == 0 else ""
        main = f"{user} pid {folder}/pid; error_log {folder}/log; events {{}}"
        config = f"{main} http {{ access_log off; {temporary}\n{site} }}"
        (folder / "nginx.conf").write_text(config, encoding="utf-8")
        command = [nginx, "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"]
        with subprocess.Popen(command) as server:
            try:
                services.wait_for_port(port, server)
                yield port, folder / "pem"
            finally:
                server.terminate()


def get(proxy: tuple[int, Path], **headers: str) -> requests.Response:
    port, certificate = proxy
    return requests.get(f"https://127.0.0.1:{port}/runs", headers=headers, verify=str(certificate), timeout=10)


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'alice:{password}'.encode()).decode()}"


@pytest.mark.service
def test_the_proxy_asks_for_a_password(proxy: tuple[int, Path]) -> None:
    """Without one, or with a wrong one, nothing reaches the webserver."""
    answers = [get(proxy), get(proxy, Authorization=basic("another"))]
    assert [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.service
def test_the_proxy_keeps_the_password_and_passes_on_web_sockets(proxy: tuple[int, Path]) -> None:
    """The UI's live updates need the upgrade; the webserver needs no password."""
    answer = get(proxy, Authorization=basic("a word"), Upgrade="websocket", Connection="Upgrade")
    assert answer.status_code == 200
    received = yaml.safe_load(answer.text)
    assert "authorization" not in received
    assert (received["upgrade"], received["connection"]) == ("websocket", "upgrade")
    assert received["x-forwarded-proto"] == "https"
