"""Every way in from the command line, as a person would type it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets_tests.services import await_, free_port

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).parents[2]
LIMIT_S = 110

pytestmark = pytest.mark.timeout(240)

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run a program of the environment from the project's directory, its data and home in the test's own."""

    def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BIN / arguments[0], *arguments[1:]],
            cwd=PROJECT,
            env=environment(tmp_path, **environ),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    return run


def environment(tmp_path: Path, **environ: str) -> dict[str, str]:
    """The environment of a person who has just begun, plus what the test sets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTOMER_", "DAGSTER_", "COV_"))}
    own = {
        "CUSTOMER_DATA_DIR": str(tmp_path / "data"),
        "CUSTOMER_SIMULATOR_FAILURE_RATE": "0",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
    }
    return {**kept, **own, **environ}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("dagster", "asset", "materialize", "-m", "customer_assets", "--select", "*"), id="package"),
        pytest.param(
            ("dagster", "asset", "materialize", "-m", "customer_assets.definitions", "--select", "*"), id="definitions"
        ),
        pytest.param(("dg", "launch", "--assets", "*"), id="dg"),
        pytest.param(
            ("dagster", "job", "execute", "-m", "customer_assets.definitions", "-j", "customer_sync_job"), id="job"
        ),
    ],
)
@pytest.mark.service
def test_every_way_in_publishes_the_sample(command: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit 0, and the export is `sample_output.json` but for its timestamp."""
    finished = command(*arguments)
    assert finished.returncode == 0, finished.stderr[-3000:]
    published = (tmp_path / "data" / "export" / "customers.json").read_text(encoding="utf-8")
    sample = (PROJECT / "sample_output.json").read_text(encoding="utf-8")
    assert without_timestamp(published) == without_timestamp(sample)


def without_timestamp(document: str) -> str:
    """The document without the one thing that differs from run to run."""
    return re.sub(r'"export_timestamp":"[^"]*"', "", document, count=1)


@pytest.mark.service
def test_bad_data_exits_1_whichever_way_it_is_run(command: Command, tmp_path: Path) -> None:
    """The last good export stays byte for byte; the export alone exits 1 too."""
    materialise = ("dagster", "asset", "materialize", "-m", "customer_assets", "--select")
    export = tmp_path / "data" / "export" / "customers.json"
    assert command(*materialise, "*").returncode == 0
    good = export.read_bytes()
    with running_simulator(SimulatorSettings(customers=200, page_size=50, dirty_rate=0.9)) as simulator:
        dirty = {"CUSTOMER_API_BASE_URL": simulator.base_url, "CUSTOMER_API_KEY": "canary-key-c0ffee"}
        everything = command(*materialise, "*", **dirty)
        alone = command(*materialise, "customer_export", **dirty)
    assert (everything.returncode, alone.returncode) == (1, 1)
    assert "Not published" in alone.stderr + alone.stdout
    assert export.read_bytes() == good
    assert "canary-key-c0ffee" not in everything.stderr + everything.stdout + alone.stderr + alone.stdout


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("CUSTOMER_ENGINE", "pandas"),
        ("CUSTOMER_MAX_REJECTED_SHARE", "7"),
        ("CUSTOMER_PAGE_STORE", "mysql://x"),
        ("CUSTOMER_API_BASE_URL", "ftp://x.org"),
        ("CUSTOMER_API_BASE_URL", "https://x.org"),
    ],
)
@pytest.mark.service
def test_a_wrong_setting_exits_1_and_is_named(command: Command, setting: str, value: str) -> None:
    """A real API without a key among them; nothing is sent."""
    finished = command("dagster", "asset", "materialize", "-m", "customer_assets", "--select", "*", **{setting: value})
    told = finished.stderr + finished.stdout
    assert finished.returncode == 1
    named = {"https://x.org": "CUSTOMER_API_KEY", "ftp://x.org": "CUSTOMER_API_KEY"}.get(value, setting)
    assert f"{named}:" in told


LISTED = """
{ repositoriesOrError { ... on RepositoryConnection { nodes {
    assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks { name } } } }
    jobs { name } schedules { name }
} } } }
"""


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[str]:
    """`dagster dev` in a home of its own; its address."""
    home = tmp_path / "home"
    home.mkdir()
    port = free_port()
    with subprocess.Popen(
        [BIN / "dagster", "dev", "--port", str(port)],
        cwd=PROJECT,
        env=environment(tmp_path, DAGSTER_HOME=str(home)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.mark.service
def test_the_ui_lists_assets_checks_job_and_schedule(web_server: str) -> None:
    """What a person finds after `dagster dev`."""
    await_(lambda: listed(web_server) is not None, LIMIT_S, "dagster dev shows no code location")
    found = listed(web_server)
    assert found is not None
    nodes = {node["assetKey"]["path"][0]: node for node in found["assetNodes"]}
    assert set(nodes) == {"raw_customers", "clean_customers", "customer_export", "summary_report"}
    assert {check["name"] for node in nodes.values() for check in node["assetChecksOrError"].get("checks", [])} == {
        "every_customer_was_fetched",
        "mean_quality_meets_threshold",
        "low_quality_share_within_limit",
        "rejected_share_within_limit",
        "customer_id_is_unique",
        "every_record_is_accounted_for",
        "export_matches_clean_customers",
    }
    assert "customer_sync_job" in {job["name"] for job in found["jobs"]}
    assert {schedule["name"] for schedule in found["schedules"]} == {"daily_customer_sync"}


def listed(address: str) -> dict[str, Any] | None:
    """What the web server's one code location holds, as soon as it is loaded."""
    try:
        answer = requests.post(f"{address}/graphql", json={"query": LISTED}, timeout=10).json()
    except (requests.RequestException, json.JSONDecodeError):
        return None
    nodes = answer["data"]["repositoriesOrError"].get("nodes", [])
    return nodes[0] if nodes else None
