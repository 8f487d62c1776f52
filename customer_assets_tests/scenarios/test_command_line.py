"""Every way in from the command line, as a person would type it.

One way through each program, and all that start processes of their own, run in a new process as a shell starts it. The
rest run in forks of a process that has imported Dagster, which saves a second or two for each.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pytest

from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets_tests.harness.machines.command_line import BIN, LIMIT_S, PROJECT, environment, run_program
from customer_assets_tests.harness.machines.services import free_port, wait_until
from customer_assets_tests.harness.machines.ui import UI
from customer_assets_tests.harness.machines.warm_programs import WarmPrograms

pytestmark = pytest.mark.timeout(240)

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tmp_path: Path, warm_programs: WarmPrograms) -> Command:
    """Run a program of the environment from the project's directory, its data and home in the test's own."""
    return partial(run_program, tmp_path, warm_programs=warm_programs)


ASSETS = ("raw_customers", "clean_customers", "customer_export", "summary_report")
MATERIALISE = ("dagster", "asset", "materialize", "-m", "customer_assets", "--select")
MATERIALISE_ALL = (*MATERIALISE, "*")
JOB_OF_DEFINITIONS = ("-m", "customer_assets.definitions", "-j", "customer_sync_job")
IN_MEMORY = """
import os
import dagster as dg
from customer_assets.defs.settings import build_resources
from customer_assets.defs.assets import ASSETS
from customer_assets.defs.checks import CHECKS
resources = build_resources(os.environ)
raise SystemExit(not dg.materialize_to_memory([*ASSETS, *CHECKS], resources=resources).success)
"""
IN_PROCESS = """
from customer_assets.definitions import defs
raise SystemExit(not defs.resolve_job_def("customer_sync_job").execute_in_process().success)
"""


@dataclass(frozen=True)
class Way:
    """A way in, and what comes of it.

    Attributes:
        command: What is typed.
        publishes: The assets that are published anew; all others stay as they were.
        home: With a `DAGSTER_HOME`.
        after: Only after all assets were materialised once.
        executor: The `CUSTOMER_EXECUTOR`.
        fails: What is told of an exit other than 0.
        new_process: Start a new process for it.
    """

    command: tuple[str, ...]
    publishes: tuple[str, ...] = ASSETS
    home: bool = False
    after: bool = False
    executor: str = "in_process"
    fails: str = ""
    new_process: bool = False


WAYS = {
    "asset materialize": Way((*MATERIALISE, "*"), new_process=True),
    "asset materialize, at home": Way((*MATERIALISE, "*"), home=True),
    "asset materialize, multiprocess": Way((*MATERIALISE, "*"), executor="multiprocess", new_process=True),
    "asset materialize, definitions": Way(
        ("dagster", "asset", "materialize", "-m", "customer_assets.definitions", "--select", "*")
    ),
    "dg launch assets": Way(("dg", "launch", "--assets", "*"), new_process=True),
    "dg launch job, at home": Way(("dg", "launch", "--job", "customer_sync_job"), home=True),
    "job execute": Way(("dagster", "job", "execute", *JOB_OF_DEFINITIONS), new_process=True),
    "job execute, at home": Way(("dagster", "job", "execute", *JOB_OF_DEFINITIONS), home=True),
    "customer-assets sync": Way(("customer-assets", "sync"), new_process=True),
    "customer-assets sync, at home, multiprocess": Way(
        ("customer-assets", "sync"), home=True, executor="multiprocess", new_process=True
    ),
    "execute_in_process": Way(("python", "-c", IN_PROCESS)),
    "materialize_to_memory": Way(
        ("python", "-c", IN_MEMORY)
    ),  # rows and their facts are one commit, so tables stay, too
    **{f"{asset} alone": Way((*MATERIALISE, asset), publishes=(asset,), after=True) for asset in ASSETS},
    "what follows raw_customers": Way((*MATERIALISE, 'key:"clean_customers"+'), publishes=ASSETS[1:], after=True),
    "what customer_export needs": Way((*MATERIALISE, "*customer_export"), publishes=ASSETS[:3]),
    "dg launch a suffix": Way(
        ("dg", "launch", "--assets", 'key:"clean_customers"+'), publishes=ASSETS[1:], after=True, home=True
    ),
    **{
        f"{asset} before its inputs": Way((*MATERIALISE, asset), publishes=(), fails="was never materialised")
        for asset in ASSETS[1:]
    },
    "an asset that there is not": Way((*MATERIALISE, "customers"), publishes=(), fails="customers"),
    "a backfill": Way(
        ("dagster", "job", "backfill", *JOB_OF_DEFINITIONS, "--noprompt"), publishes=(), home=True, fails="partition"
    ),
}


@pytest.fixture(scope="module")
def materialised(tmp_path_factory: pytest.TempPathFactory, warm_programs: WarmPrograms) -> Callable[[], Path]:
    """A directory in which all assets were materialised once, by the first test that asks for it."""

    @cache
    def make() -> Path:
        folder = tmp_path_factory.mktemp("materialised")
        finished = run_program(folder, *MATERIALISE, "*", warm_programs=warm_programs)
        assert finished.returncode == 0, finished.stderr[-3000:]
        return folder

    return make


MOST_USED = "asset materialize"


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, id=name, marks=[pytest.mark.smoke] * (name == MOST_USED)) for name, way in WAYS.items()],
)
@pytest.mark.service
def test_every_way_in(way: Way, materialised: Callable[[], Path], warm_programs: WarmPrograms, tmp_path: Path) -> None:
    """It exits as it should, publishes just what was asked for, and the export is `sample_output.json`."""
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    if way.after:
        shutil.copytree(materialised() / "data", data)
    before = versions(data)
    environ = {"CUSTOMER_EXECUTOR": way.executor} | ({"DAGSTER_HOME": str(home)} if way.home else {})
    warm = None if way.new_process else warm_programs
    finished = run_program(tmp_path, *way.command, warm_programs=warm, **environ)
    told = finished.stderr + finished.stdout
    assert (finished.returncode != 0) == bool(way.fails), told[-3000:]
    assert way.fails in told
    after = versions(data)
    assert {asset for asset, version in after.items() if version != before.get(asset)} == set(way.publishes)
    if "customer_export" in after:
        published = (data / "export" / "customers.json").read_text(encoding="utf-8")
        assert without_timestamp(published) == without_timestamp((PROJECT / "sample_output.json").read_text())


def versions(data: Path) -> dict[str, int]:
    """What is published of each asset: the file's inode, another one with each publishing."""
    files = {
        "raw_customers": data / "lake" / "raw_customers.json",
        "clean_customers": data / "lake" / "clean_customers.json",
        "customer_export": data / "export" / "customers.json",
        "summary_report": data / "export" / "summary_report.json",
    }
    return {asset: file.stat().st_ino for asset, file in files.items() if file.exists()}


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


@pytest.mark.service
def test_a_first_sync_shows_what_it_overcomes_and_ends_with_the_summary(command: Command, tmp_path: Path) -> None:
    """A retry and a pause, some fifteen lines, and the sample as the result."""
    finished = command("customer-assets", "sync", CUSTOMER_SIMULATOR_FAILURE_RATE="0.2")
    assert finished.returncode == 0, finished.stderr[-3000:]
    lines = finished.stderr.rstrip().splitlines()
    assert len(lines) <= 20
    assert "HTTP 503); again in 1 s" in finished.stderr
    assert "throttled; nothing is sent for 1 s" in finished.stderr
    assert [line.split()[0] for line in lines[-6:]] == ["Done", "fetched", "cleaned", "checks", "export", "report"]
    assert "1 retry, 1 throttled" in lines[-5]
    published = (tmp_path / "data" / "export" / "customers.json").read_text(encoding="utf-8")
    assert without_timestamp(published) == without_timestamp((PROJECT / "sample_output.json").read_text())


@pytest.mark.service
def test_a_sync_that_fails_ends_with_the_summary_too(command: Command) -> None:
    """A known error comes without a traceback, and once."""
    with running_simulator(SimulatorSettings(customers=200, page_size=50, dirty_rate=0.9)) as simulator:
        dirty = {"CUSTOMER_API_BASE_URL": simulator.base_url, "CUSTOMER_API_KEY": "canary-key-c0ffee"}
        refused = command("customer-assets", "sync", **dirty)
        misled = command("customer-assets", "sync", **dirty, CUSTOMER_API_PATH="/nowhere")
    for finished in (refused, misled):
        assert finished.returncode == 1
        assert "Traceback" not in finished.stderr
        assert "Stack Trace" not in finished.stderr
        assert "canary-key-c0ffee" not in finished.stderr
        assert "\nFailed in " in finished.stderr
        assert finished.stderr.rpartition("\nFailed in ")[2].splitlines()[-1].startswith("  ")
    assert refused.stderr.count("of the records have no usable id") == 1
    assert "404" in misled.stderr.rpartition("\nFailed in ")[2]


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
    """A real API without a key among them; nothing is sent. Every way reads them alike, so one setting shows it."""
    named = {"https://x.org": "CUSTOMER_API_KEY"}.get(value, setting)
    for way in (*([MATERIALISE_ALL] if setting == "CUSTOMER_ENGINE" else []), ("customer-assets", "sync")):
        finished = command(*way, **{setting: value})
        assert finished.returncode == 1
        assert f"{named}:" in finished.stderr + finished.stdout
    assert "Traceback" not in finished.stderr


@pytest.mark.service
def test_a_wrong_setting_does_not_validate(command: Command) -> None:
    """The check that operators run tells it."""
    validate = ("dagster", "definitions", "validate", "-m", "customer_assets.definitions")
    finished = command(*validate, CUSTOMER_API_TRANSPORT="pigeon")
    assert finished.returncode == 1
    assert "CUSTOMER_API_TRANSPORT: 'pigeon' is unknown" in finished.stderr + finished.stdout


LISTED = """
{ repositoriesOrError { ... on RepositoryConnection { nodes {
    assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks { name } } } }
    jobs { name } schedules { name }
} } } }
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[UI, Path]]:
    """`dagster dev` in a home of its own: its UI, and the directory that its data is in."""
    folder = tmp_path_factory.mktemp("dagster_dev")
    (folder / "home").mkdir()
    port = free_port()
    with subprocess.Popen(
        [BIN / "dagster", "dev", "--port", str(port)],
        cwd=PROJECT,
        env=environment(folder, DAGSTER_HOME=str(folder / "home")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            ui = UI(port)
            wait_until(ui.is_loaded, LIMIT_S, "dagster dev shows no code location")
            yield ui, folder
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.mark.service
def test_the_ui_lists_assets_checks_job_and_schedule(started: tuple[UI, Path]) -> None:
    """What a person finds after `dagster dev`."""
    (found,) = started[0].ask(LISTED)["nodes"]
    nodes = {node["assetKey"]["path"][0]: node for node in found["assetNodes"]}
    materialized = {"raw_customers", "clean_customers", "customer_export", "summary_report"}
    assert set(nodes) == {"customer_api", "rejected_records"} | materialized
    assert {check["name"] for node in nodes.values() for check in node["assetChecksOrError"].get("checks", [])} == {
        "every_customer_was_fetched",
        "mean_quality_meets_threshold",
        "low_quality_share_within_limit",
        "rejected_share_within_limit",
        "no_field_is_lost",
        "no_mass_deletion",
        "source_is_the_same",
        "customer_id_is_unique",
        "every_record_is_accounted_for",
        "export_matches_clean_customers",
    }
    assert "customer_sync_job" in {job["name"] for job in found["jobs"]}
    assert {schedule["name"] for schedule in found["schedules"]} == {"daily_customer_sync"}


@pytest.mark.service
def test_the_ui_launches_a_job_and_a_selection_and_retries_from_failure(started: tuple[UI, Path]) -> None:
    """The retry runs what failed and what comes after, and nothing else."""
    ui, folder = started
    whole = ui.launch()
    await_ended(ui, whole, "SUCCESS")
    export = folder / "data" / "export" / "customers.json"
    sample = (PROJECT / "sample_output.json").read_text(encoding="utf-8")
    assert without_timestamp(export.read_text(encoding="utf-8")) == without_timestamp(sample)
    before = versions(folder / "data")
    alone = ui.launch(assetSelection=[{"path": ["customer_export"]}], assetCheckSelection=[])
    await_ended(ui, alone, "SUCCESS")
    after = versions(folder / "data")
    assert {asset for asset in ASSETS if after[asset] != before[asset]} == {"customer_export"}
    export.unlink()
    export.mkdir()
    failed = ui.launch()
    await_ended(ui, failed, "FAILURE")
    export.rmdir()
    retried = ui.retry_from_failure(failed)
    await_ended(ui, retried, "SUCCESS")
    assert set(ui.steps(retried)) == {"customer_export", "customer_export_export_matches_clean_customers"}
    assert without_timestamp(export.read_text(encoding="utf-8")) == without_timestamp(sample)


def await_ended(ui: UI, run_id: str, expected: str) -> None:
    """Wait until a run ended as it should."""
    wait_until(lambda: ui.status(run_id) in {"SUCCESS", "FAILURE", "CANCELED"}, LIMIT_S, f"run {run_id} does not end")
    assert ui.status(run_id) == expected, ui.steps(run_id)
