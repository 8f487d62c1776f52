"""Whatever a reader can copy from a page works: every fenced block runs, and so does every command in a sentence.

The blocks of a page run in order in one copy of the project, the way a reader would work through it.
"""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path

import dagster as dg
import mermaidx
import pytest
import yaml
from dagster.components.core.component_tree import ComponentTree
from markdown_it import MarkdownIt
from markdown_it.token import Token

import customer_assets
from customer_assets.components import CustomerSyncComponent
from customer_assets.definitions import defs
from customer_assets.defs import settings
from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets_tests.harness.drills import added_lines, apply_drill
from customer_assets_tests.harness.machines.services import PG_PASSWORD, PG_USER, need, need_module, running_postgres

PROJECT = Path(__file__).parents[2]
NOT_OURS = {"build", "data", "dist", "node_modules"}
PAGES = sorted(
    page.relative_to(PROJECT)
    for page in PROJECT.rglob("*.md")
    if not any(part.startswith((".", "tmp")) or part in NOT_OURS for part in page.relative_to(PROJECT).parts)
)
OPERATING, EXTENDING, READ_IT_WITH = Path("deploy/OPERATING.md"), Path("EXTENDING.md"), Path("READ_IT_WITH.md")

REAL_APIS = ("https://reqres.in/api", "http://127.0.0.1:8080/api")
"""Addresses that a test replaces with a simulated API's. Nothing else in a block is changed."""

LIMIT_S = 240

# Dagster reads a component's YAML by a function that pydantic has deprecated.
pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")]


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: Its page, relative to the project.
        line: Its first line there.
        language: The word after the fence.
        text: Its content.
    """

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.language or 'no language'})"


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse((PROJECT / page).read_text(encoding="utf-8"))


def blocks_of(page: Path) -> list[Block]:
    """Return every fenced block of a page, in order."""
    return [
        Block(page, token.map[0] + 1, token.info.strip(), token.content)
        for token in tokens(page)
        if token.type in ("fence", "code_block") and token.map
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]

# --- how a block runs, by its language ----------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """Follows a page's instructions.

    Attributes:
        home: A copy of the project, with the virtual environment that the README creates.
        api: The address of a simulated API.
        variables: What else is in its environment.
    """

    home: Path
    api: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=self.home, env=self.environ(), capture_output=True, text=True, timeout=LIMIT_S, check=False
        )

    def environ(self) -> dict[str, str]:
        """Return the environment of someone who has just started."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CUSTOMER_", "DAGSTER_", "COV"))}
        path = f"{self.home}/.venv/bin{os.pathsep}{kept.get('PATH', '')}"
        ours = {"PATH": path, "PYTHONPATH": str(self.home), "DAGSTER_DISABLE_TELEMETRY": "1"}
        return {**kept, **ours, **self.variables}

    def with_simulated_api(self, text: str) -> str:
        for real in REAL_APIS:
            text = text.replace(real, self.api)
        return text


AS_ROOT = """
sudo() {
  if [ "$1" = -u ]; then shift 2; fi
  case "$1" in
    install | sed | tar | psql | pg_dump | pg_restore) "$@" ;;
    customer-assets-run) shift; root/usr/local/bin/customer-assets-run "$@" ;;
    useradd | python3 | */pip | systemctl) ;;
    *) return 1 ;;
  esac
}
"""
"""Replaces `sudo`: changes files below `root/` in the copy; creates no accounts, environments or services."""

ABSOLUTE = re.compile(r"(?<=[\s='\"])/(?=(etc|opt|usr/local|var)/)")
"""Where a path of the machine begins."""


def below(root: Path, text: str) -> str:
    """Move the paths of the machine below a directory, and leave out users that do not exist there."""
    return re.sub(r"-o \w+ |runuser -u \w+ -- ", "", ABSOLUTE.sub(f"{root}/", text))


@contextmanager
def machine(reader: Reader) -> Iterator[Reader]:
    """Prepare what a page of system administration starts from: an empty machine with PostgreSQL."""
    root = reader.home / "root"
    for directory in ("etc/systemd/system", "opt/customer_assets", "usr/local/bin", "var/lib", "var/backups"):
        (root / directory).mkdir(parents=True)
    (root / "opt" / "customer_assets" / ".venv").symlink_to(sys.prefix)
    with running_postgres() as port:
        for name in ("dagster.env", "customer_assets.env", "customer-assets-run"):
            file = reader.home / "deploy" / name
            text = below(root, file.read_text(encoding="utf-8")).replace("5432", str(port))
            file.write_text(reader.with_simulated_api(text), encoding="utf-8")
        yield replace(reader, variables=administrator(port))


@contextmanager
def with_database(reader: Reader) -> Iterator[Reader]:
    """Prepare what a page of analysts' tools starts from: a PostgreSQL that `psql` finds, and jq."""
    need("jq", "jq")
    with running_postgres() as port:
        yield replace(reader, variables=administrator(port))


def administrator(port: int) -> dict[str, str]:
    """Return the variables by which PostgreSQL's programs find the database."""
    return {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": PG_USER, "PGPASSWORD": PG_PASSWORD}


def run_shell(reader: Reader, block: Block) -> None:
    """Run the commands until one fails. What `sudo` would do to the machine happens below the copy."""
    text = reader.with_simulated_api(block.text)
    if "sudo " in text:
        text = AS_ROOT + below(reader.home / "root", text)
    succeed(block, reader.run("bash", "-euo", "pipefail", "-c", text))


def run_python(reader: Reader, block: Block) -> None:
    """Run a program, after saving it if its first line names a file. Run tests with pytest."""
    text = reader.with_simulated_api(block.text)
    named = re.match(r"# (\S+\.py)\n", text)
    file = reader.home / (named[1] if named else f"block_{block.line}.py")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    tests = any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.parse(text).body)
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)] if tests else [str(file)]
    succeed(block, reader.run(sys.executable, "-W", "error::DeprecationWarning:__main__", *command))


def run_diff(reader: Reader, block: Block) -> None:
    """Make the change in the copy."""
    apply_drill(block.text, reader.home)


def run_yaml(reader: Reader, block: Block) -> None:
    """Load a component as Dagster does; validate a run's configuration and save it to the file it names."""
    content = yaml.safe_load(block.text)
    assert isinstance(content, dict), block
    if content.get("type") == "customer_assets.components.CustomerSyncComponent":
        component: CustomerSyncComponent = CustomerSyncComponent.resolve_from_yaml(
            yaml.safe_dump(content["attributes"])
        )
        dg.Definitions.validate_loadable(component.build_defs(ComponentTree.for_test().load_context))
        return
    assert set(content) <= {"resources", "ops", "execution"}, (
        f"{block}: it is neither a component nor a run's configuration"
    )
    dg.validate_run_config(defs.resolve_job_def("customer_sync_job"), content)
    named = re.match(r"# (\S+\.yaml)\n", block.text)
    assert named, f"{block}: the first line names the file"
    (reader.home / named[1]).write_text(reader.with_simulated_api(block.text), encoding="utf-8")


def run_mermaid(_: Reader, block: Block) -> None:
    """Draw it with Mermaid itself."""
    assert "<svg" in mermaidx.render(block.text).svg(), block


UNTRIED = " untried"
"""Ends the language of a block that nothing here can run: it needs an account."""


def missing_modules(block: Block) -> list[str]:
    """Return the optional packages that a program imports and that are not installed."""
    imported = re.findall(r"^(?:import|from) (\w+)", block.text, re.MULTILINE) if block.language == "python" else []
    return [name for name in imported if name in INSTALLED_BY and importlib.util.find_spec(name) is None]


INSTALLED_BY = {"pandas": "pip install 'customer_assets[spark]'", "pyspark": "pip install 'customer_assets[spark]'"}


def succeed(block: Block, finished: "subprocess.CompletedProcess[str]") -> None:
    """Fail with the block and its output unless it exited 0."""
    assert finished.returncode == 0, f"{block} failed:\n{finished.stdout[-2000:]}\n{finished.stderr[-4000:]}"


RUN_BY: Mapping[str, Callable[[Reader, Block], None]] = {
    "bash": run_shell,
    "sh": run_shell,
    "python": run_python,
    "diff": run_diff,
    "yaml": run_yaml,
    "mermaid": run_mermaid,
}

PREPARED_BY: Mapping[Path, Callable[[Reader], AbstractContextManager[Reader]]] = {
    OPERATING: machine,
    READ_IT_WITH: with_database,
}
"""What a page takes for granted."""

CI_FILE = PROJECT / ".ci" / "run"
CI_SCRIPT = CI_FILE.read_text(encoding="utf-8") if CI_FILE.exists() else ""
"""Empty in a copy of the project without its dotfiles, in which a block of a page runs some of the tests."""
QUICK_START = [block for block in blocks_of(Path("README.md")) if block.language == "bash"]
CI_LINES = {line.strip() for text in (CI_SCRIPT, *(block.text for block in QUICK_START)) for line in text.splitlines()}
FUZZING = blocks_of(Path("customer_assets_tests/fuzzing/README.md"))


def runs_elsewhere(block: Block) -> bool:
    """Whether CI runs each line of the block, or it is the fuzzer's endless search (see `test_kept_inputs.py`)."""
    return block in FUZZING or {line.strip() for line in block.text.splitlines()} <= CI_LINES


# --- every block --------------------------------------------------------------------------------------


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Return a reader with a fresh copy of the project and a simulated API."""
    home = tmp_path / "project"
    hidden = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", *NOT_OURS)
    shutil.copytree(PROJECT, home, ignore=hidden)
    (home / ".venv").symlink_to(sys.prefix)
    with running_simulator(SimulatorSettings()) as simulator:
        yield Reader(home, simulator.base_url)


@pytest.mark.service
@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=str)
def test_every_block_of_a_page_works(page: Path, reader: Reader) -> None:
    """In the page's order, so that a block can use what an earlier one created."""
    missing = []
    with PREPARED_BY.get(page, nullcontext)(reader) as prepared:
        for block in blocks_of(page):
            if absent := missing_modules(block):
                missing += absent
            elif not runs_elsewhere(block) and not block.language.endswith(UNTRIED):
                RUN_BY[block.language](prepared, block)
    for name in missing:
        need_module(name, INSTALLED_BY[name])


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "diff"], ids=str)
def test_a_drill_stays_cheap(block: Block) -> None:
    """A setting, a field or a check with its threshold changes at most three files, by about ten lines."""
    assert len(re.findall(r"^--- ", block.text, re.MULTILINE)) <= 3
    assert added_lines(block.text) <= 10


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_has_a_language_that_runs(block: Block) -> None:
    """A block in an unknown language fails here; otherwise it would be skipped silently. An untried one says so."""
    if block.language.endswith(UNTRIED):
        lines = (PROJECT / block.page).read_text(encoding="utf-8").splitlines()[: block.line]
        section = "\n".join(lines).rpartition("\n## ")[2]
        assert "No test runs this" in section, f"{block}: say that it is untried"
        return
    assert block.language in RUN_BY, f"{block}: use one of {', '.join(RUN_BY)}"


def test_ci_runs_both_quick_starts() -> None:
    """Word for word: `.ci/readme_block` prints them, `.ci/run` passes them to bash."""
    assert len(QUICK_START) == 2
    for number, block in enumerate(QUICK_START, start=1):
        printed = subprocess.check_output([sys.executable, ".ci/readme_block", str(number)], cwd=PROJECT, text=True)
        assert printed.rstrip("\n") == block.text.rstrip("\n")
        assert f'\nbash -euo pipefail -c "$(readme_block {number})"\n' in CI_SCRIPT


# --- commands within sentences ------------------------------------------------------------------------

COMMAND = re.compile(r"(\.venv/bin/|pip install |python -m |dagster |dagster-\w+ |dg |curl |systemctl )\S")

OTHER_PROJECT = "customer_assets_tests/scenarios/test_other_project.py"
INLINE_RUN_BY = {
    ".venv/bin/dagster dev": "customer_assets_tests/scenarios/test_browser.py",
    "dagster dev": "customer_assets_tests/scenarios/test_browser.py",
    "dg launch --assets '*'": "customer_assets_tests/scenarios/test_command_line.py",
    "dagster job execute -m customer_assets.definitions -j customer_sync_job": (
        "customer_assets_tests/scenarios/test_command_line.py"
    ),
    "dg scaffold defs customer_assets.components.CustomerSyncComponent acme": OTHER_PROJECT,
    "dg check yaml": OTHER_PROJECT,
    "dg launch --job acme_job": OTHER_PROJECT,
    "python -m customer_assets.simulator": "customer_assets_tests/unit/simulator/test_server.py",
}
"""Commands that need a service or a project of their own, and the test that runs each."""

INLINE_INSTALLS = re.compile(r"pip install 'customer_assets\[[a-z0-9]+\]'")
"""Commands that install an extra. `.ci/run` installs all of them."""


def inline_commands() -> list[tuple[Path, str]]:
    """Return every command within a sentence or a table that is not a line of a block as well, and runs with it."""
    lines = {line for block in BLOCKS if block.language in ("bash", "sh") for line in block.text.splitlines()}
    inline = ((page, child) for page in PAGES for token in tokens(page) for child in token.children or [])
    return [
        (page, each.content)
        for page, each in inline
        if each.type == "code_inline" and COMMAND.match(each.content) and each.content not in lines
    ]


@pytest.mark.service
@pytest.mark.parametrize(("page", "command"), [pytest.param(*each, id=each[1]) for each in inline_commands()])
def test_every_command_within_a_sentence_works(page: Path, command: str, request: pytest.FixtureRequest) -> None:
    """Here, or in the test that `INLINE_RUN_BY` names."""
    if command in INLINE_RUN_BY:
        assert f'"{command.split()[1]}"' in (PROJECT / INLINE_RUN_BY[command]).read_text(encoding="utf-8")
    elif INLINE_INSTALLS.fullmatch(command):
        name = re.sub(r".*\[|\]'|pip install ", "", command)
        assert name in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    else:
        reader: Reader = request.getfixturevalue("reader")
        succeed(Block(page, 0, "inline", command), reader.run("bash", "-euo", "pipefail", "-c", command))


# --- what pages name ----------------------------------------------------------------------------------


def links() -> list[tuple[Path, str]]:
    """Return every link and picture that leads into the project, with its anchor."""
    found = []
    for page in PAGES:
        for token in tokens(page):
            for child in token.children or []:
                target = str(child.attrs.get("href") or child.attrs.get("src") or "")
                if target and "://" not in target:
                    found.append((page, target))
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    parsed = tokens(page)
    headings = [parsed[at + 1].content for at, token in enumerate(parsed) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "target"), [pytest.param(*each, id=f"{each[0]} to {each[1]}") for each in links()])
def test_every_link_leads_somewhere(page: Path, target: str) -> None:
    """Pictures are small as well, so that they load on a phone."""
    name, _, anchor = target.partition("#")
    file = (PROJECT / page).parent / name if name else PROJECT / page
    assert file.exists()
    assert not anchor or anchor in anchors(file)
    assert file.suffix not in (".png", ".webp") or file.stat().st_size < 150_000


def test_the_architecture_shows_every_room() -> None:
    """From the top layer to the bottom one, as import-linter checks them."""
    section = (PROJECT / "README.md").read_text(encoding="utf-8").partition("\n## Architecture\n")[2]
    drawn = re.findall(r"<b>(\w+)(?:/|\.py)</b>", section.partition("\n## ")[0])
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    expected = [set(layer.split(" | ")) for layer in layers]
    ends = list(accumulate(map(len, expected), initial=0))
    assert [set(drawn[start:end]) for start, end in pairwise(ends)] == expected
    assert len(drawn) == ends[-1]


def test_the_changelog_names_the_version() -> None:
    """The package's version has an entry."""
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {customer_assets.__version__}" in changelog


VARIABLE = re.compile(r"\bCUSTOMER_[A-Z_]+\b(?!=)")
SAMPLE_ENVIRONMENT = "\n".join(
    (PROJECT / "deploy" / name).read_text(encoding="utf-8") for name in ("dagster.env", "customer_assets.env")
)


@pytest.mark.parametrize("variable", settings.VARIABLES)
def test_every_setting_stands_in_the_readme(variable: str) -> None:
    """In its table of settings; the embedded simulator's variables share a row."""
    rows = [line for line in (PROJECT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    names = {variable, variable.replace("CUSTOMER_SIMULATOR", "…")}
    assert any(f"`{name}`" in row for name in names for row in rows)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_setting_that_a_page_names_is_read(page: Path) -> None:
    """By customer_assets, or by the services that the sample environment configures."""
    named = set(VARIABLE.findall((PROJECT / page).read_text(encoding="utf-8")))
    sample = set(VARIABLE.findall(SAMPLE_ENVIRONMENT.replace("=", " ")))
    added = {name for line in _added_lines(page) for name in VARIABLE.findall(line)}
    assert named <= {*settings.VARIABLES, *sample, *added}


def _added_lines(page: Path) -> list[str]:
    """Return the lines that the page's own changes add: a drill may add a setting."""
    diffs = [block.text for block in blocks_of(page) if block.language == "diff"]
    return [line for text in diffs for line in text.splitlines() if line.startswith("+")]


CLASS = re.compile(r"^class (\w+)\(([^()]*)\):", re.MULTILINE)


def our_errors() -> list[str]:
    """Return every error of customer_assets, read from the sources, since optional packages can be missing."""
    sources = (PROJECT / "customer_assets").rglob("*.py")
    headings = [heading for source in sources for heading in CLASS.findall(source.read_text(encoding="utf-8"))]
    bases = {name: set(re.findall(r"\w+", parents)) for name, parents in headings}
    found = {"CustomerAssetsError"}
    while more := {name for name, parents in bases.items() if parents & found} - found:
        found |= more
    return sorted(found - {"CustomerAssetsError", "APIError", "TableError"})


def our_checks() -> list[str]:
    """Return every asset check."""
    return sorted(key.name for checks in defs.asset_checks or () for key in checks.check_keys)


@pytest.mark.parametrize("name", [*our_errors(), *our_checks()])
def test_the_runbook_covers_it(name: str) -> None:
    """Each error and each check has a row in one of its tables."""
    text = (PROJECT / OPERATING).read_text(encoding="utf-8")
    assert f"\n| `{name}` |" in text
