"""The wheel, used from somebody else's empty project: nothing of this folder is on its path, and it has no Python."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from customer_assets_tests.harness.apis.acme import ACME_KEY, ACME_YAML, AcmeAPI, serve_acme
from customer_assets_tests.harness.machines.receivers import webhook

BIN = Path(sys.executable).parent
SOURCE = Path(__file__).parents[2]
COMPONENT = "customer_assets.components.CustomerSyncComponent"
LIMIT_S = 200
MONITORING = """\
  monitoring:
    alert_webhook_url: "{{ env.ACME_ALERT_WEBHOOK_URL }}"
"""

pytestmark = [pytest.mark.service, pytest.mark.timeout(400)]

Run = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that nothing that lies about gets into it."""
    copy, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, copy)
    shutil.copytree(SOURCE / "customer_assets", copy / "customer_assets", ignore=shutil.ignore_patterns("__pycache__"))
    finished(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(built), str(copy))
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that project is."""
    return tmp_path_factory.mktemp("elsewhere") / "shop"


@pytest.fixture(scope="module")
def run(wheel: Path, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run commands in an empty project, which finds the wheel's files before this folder's."""
    site = tmp_path_factory.mktemp("site")
    finished(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTOMER_", "DAGSTER_", "COV_"))}
    environ = {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(site), str(project / "src")]),
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "ACME_KEY": ACME_KEY,
    }
    finished(BIN / "create-dagster", "project", "shop", "--no-uv-sync", cwd=project.parent, env=environ)

    def run(*command: str, status: int = 0, **more: str) -> str:
        return finished(BIN / command[0], *command[1:], status=status, cwd=project, env={**environ, **more})

    found = run(
        "python", "-c", "import customer_assets, pathlib; print(pathlib.Path(customer_assets.__file__).parents[1])"
    )
    assert Path(found.strip()) == site
    return run


def finished(*command: str | Path, status: int = 0, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command to its end, and hold it to its exit status; return all that it told."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == status, done.stdout[-4000:]
    return done.stdout


@pytest.fixture
def acme() -> Iterator[AcmeAPI]:
    """Their API, of another shape."""
    with serve_acme(customers=25) as api:
        yield api


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Types, the scaffolder's template and the entry point among it; no tests."""
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        told = archive.read(metadata).decode()
        entries = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    sources = {str(path.relative_to(SOURCE)) for path in (SOURCE / "customer_assets").rglob("*") if is_source(path)}
    assert {name for name in names if ".dist-info/" not in name} == sources
    assert {"customer_assets/py.typed", "customer_assets/components/customer_sync.yaml"} <= names
    assert "customer_assets = customer_assets.components" in entries
    assert "Name: customer_assets\n" in told
    assert "License-Expression: MIT\n" in told
    assert "Requires-Python: >=3.11\n" in told
    assert "# customer_assets" in told.split("\n\n", 1)[1]


def is_source(path: Path) -> bool:
    """Whether a file is the package's: not what Python put there, nor the page for those who change the source."""
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"


def test_a_sync_of_their_own_api_takes_no_line_of_python(run: Run, project: Path, acme: AcmeAPI) -> None:
    """Beside a scaffolded one, which works as it was written: found, checked and run by Dagster's own commands."""
    assert COMPONENT in run("dg", "list", "components", "--json")
    run("dg", "scaffold", "defs", COMPONENT, "my_sync")
    run("dg", "scaffold", "defs", COMPONENT, "acme")
    theirs = project / "src" / "shop" / "defs" / "acme" / "defs.yaml"
    attributes = "".join(f"  {line}\n" for line in ACME_YAML.splitlines())
    theirs.write_text(f"type: {COMPONENT}\nattributes:\n{attributes}{MONITORING}", encoding="utf-8")
    with webhook() as hook:
        environ = {"ACME_URL": acme.url, "ACME_ALERT_WEBHOOK_URL": hook.url}
        run("dg", "check", "yaml", **environ)
        told = [run("dg", "launch", "--job", job, **environ) for job in ("acme_job", "my_sync_job")]
        assert not hook.payloads
        told += [run("dg", "launch", "--job", "acme_job", status=1, **environ, ACME_KEY="another's")]
    assert [(alarm["job"], alarm["outcome"]) for alarm in hook.payloads] == [("acme_job", "failed")]
    assert ACME_KEY not in "".join(told)
    assert hook.url not in "".join(told)
    assert exported(project / "data" / "acme") == [f"cust_{number:03}" for number in range(1, 26)]
    assert exported(project / "data" / "my_sync") == [f"cust_{number:03}" for number in range(1, 13)]
    assert {path.split("?")[0] for path in acme.asked} == {"/v2/people"}
    assert not any(ACME_KEY.encode() in path.read_bytes() for path in project.rglob("*") if path.is_file())


def exported(folder: Path) -> list[str]:
    """The ids that a sync published, in order."""
    document = json.loads((folder / "export" / "customers.json").read_text(encoding="utf-8"))
    return sorted(each["customer_id"] for each in document["customers"])


def test_bad_yaml_is_refused_before_anything_runs(run: Run, project: Path) -> None:
    """`dg check yaml` names the file, each line and what stands there. Of several files of a type it checks one."""
    lines = ["nam: acme", "engine: pandas", "api: {record: {idd: x}}", "thresholds: {max_rejected_share: 2}"]
    defs = project / "src" / "shop" / "defs"
    for sync in defs.glob("*/defs.yaml"):
        shutil.rmtree(sync.parent)
    bad = defs / "bad" / "defs.yaml"
    bad.parent.mkdir()
    bad.write_text(f"type: {COMPONENT}\nattributes:\n" + "".join(f"  {line}\n" for line in lines), encoding="utf-8")
    try:
        told = run("dg", "check", "yaml", status=1)
    finally:
        shutil.rmtree(bad.parent)
    for number, named in enumerate(("nam", "pandas", "idd", "max_rejected_share"), start=3):
        assert f"bad/defs.yaml:{number} - " in told
        assert named in told
