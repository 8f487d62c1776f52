"""Whole runs, good and bad, and then a search for planted customers and for the key, wherever anybody may look."""

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from customer_assets_tests.harness.command_line import BIN, PROJECT, environment
from customer_assets_tests.harness.plain_api import KEY, PlainAPI, kept_by_dagster, served
from customer_assets_tests.harness.services import answer, await_port, free_port, serving

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

PLANTED = "Qzmarker"
"""In every name, address and picture, and nowhere else in the world."""

CANARY = "canary-password-c0ffee"
STORE = f"redis://:{CANARY}@127.0.0.1:1/0"
"""A page store that nothing answers at: the runs go on without."""

NAMES = [
    "Ada",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "```mermaid graph TD; A-->B ```",
    "| table | row |",
    "=HYPERLINK(1)",
    "@SUM(1)",
    "{{7*7}}${7*7}%s",
    "\x1b[31mred",
    "'; DROP TABLE event_logs;--",
]
PAGE_SIZE = 20
CUSTOMERS = 60
REJECTED = 2


def planted(number: int) -> dict[str, Any]:
    """A customer whose every text can be found again."""
    name = NAMES[number % len(NAMES)]
    return {
        "id": number,
        "email": f"{PLANTED}.{number}@{PLANTED}{number}.example",
        "first_name": f"{name} {PLANTED}",
        "last_name": f"{PLANTED}son{number}",
        "avatar": f"https://{PLANTED}.example/{number}.jpg",
    }


@dataclass
class Spiteful(PlainAPI):
    """Tells customers and the key wherever a server can tell anything."""

    def page(self, number: int) -> dict[str, Any]:
        """A page, and beside it what nobody asked for."""
        return {**super().page(number), PLANTED: {"key": KEY, "who": planted(1)}}

    def refusal(self) -> dict[str, Any]:
        """An error that quotes both."""
        return {"error": f"{KEY} may not read {PLANTED}"}


@dataclass
class Overheard:
    """What is sent to those who are told of runs.

    Attributes:
        requests: Paths, headers and bodies.
        url: Where they listen.
    """

    requests: list[bytes] = field(default_factory=list)
    url: str = ""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Dagster keeps what it knows, and our data beside it."""
    path = tmp_path_factory.mktemp("planted")
    (path / "home").mkdir()
    (path / "home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return path


@pytest.fixture(scope="module")
def overheard() -> Iterator[Overheard]:
    """Stands for a Pushgateway and for a webhook, on loopback."""
    heard = Overheard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            heard.requests.append(f"{self.path}\n{self.headers}\n".encode() + self.rfile.read(length))
            answer(self, 200)

        do_PUT = do_POST  # noqa: N815 - as http.server wants it

    with serving(Handler) as heard.url:
        yield heard


def told_by(api: Spiteful, home: Path, **environ: str) -> tuple[int, str]:
    """Run the main job as a person would, with no mask on what it makes; its exit code, and all that it prints."""
    finished = subprocess.run(
        [BIN / "dagster", "asset", "materialize", "-m", "customer_assets", "--select", "*"],
        cwd=PROJECT,
        env=environment(
            home,
            DAGSTER_HOME=str(home / "home"),
            CUSTOMER_API_BASE_URL=api.url,
            CUSTOMER_API_KEY=KEY,
            CUSTOMER_PAGE_STORE=STORE,
            PYTHONFAULTHANDLER="1",
            **environ,
        ),
        capture_output=True,
        text=True,
        umask=0,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def told(home: Path, spiteful: Spiteful, overheard: Overheard) -> list[str]:
    """What a good run, one that fails the gate and one that the API refuses print."""
    listeners = {"CUSTOMER_PUSHGATEWAY_URL": overheard.url, "CUSTOMER_ALERT_WEBHOOK_URL": f"{overheard.url}/webhook"}
    good, words = told_by(spiteful, home, **listeners)
    assert good == 0, words[-3000:]
    strict = {"CUSTOMER_MAX_REJECTED_SHARE": "0.0001", "CUSTOMER_ENGINE": "polars"}
    bad, gate_words = told_by(spiteful, home, **strict, **listeners)
    spiteful.statuses = [401] * 9
    refused, refusal = told_by(spiteful, home, **listeners)
    assert (bad, refused) == (1, 1)
    assert "rejected_share_within_limit" in gate_words
    assert "HTTP 401" in refusal
    return [words, gate_words, refusal]


@pytest.fixture(scope="module")
def spiteful() -> Iterator[Spiteful]:
    """The API, on loopback."""
    records: list[Any] = [planted(number) for number in range(1, CUSTOMERS + 1)]
    records[10:10] = [{"first_name": PLANTED}, f"{PLANTED}, no object"]
    with served(Spiteful(records, per_page=PAGE_SIZE)) as api:
        yield api


ENTRIES = """
metadataEntries { __typename label description
  ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } ... on PathMetadataEntry { path }
  ... on JsonMetadataEntry { jsonString } ... on UrlMetadataEntry { url } ... on IntMetadataEntry { intRepr }
  ... on FloatMetadataEntry { floatValue }
  ... on TableSchemaMetadataEntry { schema { columns { name type description tags { key value } } } } }
"""
ERROR = "error { message className stack errorChain { error { message className stack } } }"
SEEN = {
    "runs": f"""{{ runsOrError {{ ... on Runs {{ results {{
        runId status runConfigYaml tags {{ key value }}
        assetMaterializations {{ label description {ENTRIES} tags {{ key value }} }}
        eventConnection(limit: 5000) {{ hasMore events {{ __typename
          ... on MessageEvent {{ message level stepKey eventType }}
          ... on ErrorEvent {{ {ERROR} }}
          ... on DisplayableEvent {{ label description {ENTRIES} }}
          ... on AssetCheckEvaluationEvent {{ evaluation {{ checkName description success {ENTRIES} }} }}
        }} }} }} }} }} }}""",
    "assets": f"""{{ assetNodes {{
        assetKey {{ path }} description opVersion {ENTRIES} tags {{ key value }}
        assetMaterializations {{ message {ENTRIES} }} assetObservations {{ message {ENTRIES} }}
        assetChecksOrError {{ ... on AssetChecks {{ checks {{ name description
          executionForLatestMaterialization {{ evaluation {{ description {ENTRIES} }} }} }} }} }}
    }} }}""",
    "resources": """{ repositoriesOrError { ... on RepositoryConnection { nodes { allTopLevelResourceDetails {
        name description configuredValues { key value type }
        configFields { name description defaultValueAsJson } } } } } }""",
    "launchpad": """{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } pipelines {
        name description } } } } runConfigSchemaOrError(selector: {pipelineName: "customer_sync_job",
        repositoryName: "__repository__", repositoryLocationName: "customer_assets"}) {
        __typename ... on RunConfigSchema { rootDefaultYaml } } }""",
    "instance": "{ instance { info daemonHealth { id } } utilizedEnvVarsOrError(repositorySelector: "
    '{repositoryName: "__repository__", repositoryLocationName: "customer_assets"}) { __typename '
    "... on EnvVarWithConsumersList { results { envVarName } } } }",
}
"""What the pages of the UI ask for."""


@pytest.fixture(scope="module")
def seen(home: Path, told: list[str]) -> Iterator[dict[str, str]]:
    """What a real web server answers to the UI's questions about the runs."""
    assert told
    port = free_port()
    with subprocess.Popen(
        [BIN / "dagster-webserver", "--port", str(port), "--host", "127.0.0.1"],
        cwd=PROJECT,
        env=environment(home, DAGSTER_HOME=str(home / "home"), CUSTOMER_API_KEY=KEY, CUSTOMER_PAGE_STORE=STORE),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            await_port(port, server, timeout_s=300.0)
            yield {name: asked(f"http://127.0.0.1:{port}/graphql", query) for name, query in SEEN.items()}
        finally:
            server.terminate()
            server.wait(timeout=60)


def asked(url: str, query: str) -> str:
    """One answer of the web server, as the browser gets it."""
    answer = requests.post(url, json={"query": query}, timeout=120)
    assert "errors" not in answer.json(), answer.text[:2000]
    return answer.text


def leaks(text: str) -> list[str]:
    """What of the customers, the key or the store's password stands in a text, with what is around it."""
    lower, found = text.lower(), []
    for secret in (PLANTED.lower(), KEY, CANARY):
        place = lower.find(secret)
        if place >= 0:
            found.append(text[max(place - 100, 0) : place + 100])
    return found


def test_no_line_of_a_log_tells(told: list[str]) -> None:
    """Not of a good run, nor of failures with their stacks."""
    assert all("STEP_SUCCESS" in words or "STEP_FAILURE" in words for words in told)
    assert [found for words in told for found in leaks(words)] == []


def test_no_metric_and_no_alert_tells(overheard: Overheard, told: list[str]) -> None:
    """Neither what a Pushgateway nor what a webhook is sent."""
    assert told
    sent = [request.decode("utf-8", "replace") for request in overheard.requests]
    assert any(request.startswith("/metrics/") for request in sent)
    assert any(request.startswith("/webhook") for request in sent)
    assert [found for request in sent for found in leaks(request)] == []


@pytest.mark.parametrize("name", SEEN)
def test_no_page_of_the_ui_tells(seen: dict[str, str], name: str) -> None:
    """Events, failures, metadata, checks, run configuration, resources."""
    assert leaks(seen[name]) == []


def test_the_ui_shows_what_it_should(seen: dict[str, str]) -> None:
    """So that a search that finds nothing has searched something."""
    runs = json.loads(seen["runs"])["data"]["runsOrError"]["results"]
    assert sorted(run["status"] for run in runs) == ["FAILURE", "FAILURE", "SUCCESS"]
    kinds = {event["__typename"] for run in runs for event in run["eventConnection"]["events"]}
    assert {"MaterializationEvent", "AssetCheckEvaluationEvent", "ExecutionStepFailureEvent"} <= kinds
    assert not any(run["eventConnection"]["hasMore"] for run in runs)
    for word in ("rejected_share_within_limit", "HTTP 401", "mean_score", "success_rate", "mdStr"):
        assert word in seen["runs"], word
    assert "CUSTOMER_API_KEY" in seen["resources"]
    assert "CUSTOMER_PAGE_STORE" in seen["resources"]
    assert "rootDefaultYaml" in seen["launchpad"]


def test_nothing_that_dagster_keeps_tells(home: Path, told: list[str]) -> None:
    """Its event log, run storage, schedules and captured output, byte for byte; and its snapshots of jobs."""
    assert told
    kept = list(kept_by_dagster(home / "home"))
    assert len(kept) > 3
    assert any(b'"quality_thresholds"' in content for name, content in kept if name.endswith("snapshot"))
    for name, content in kept:
        assert PLANTED.lower().encode() not in content.lower(), name
        assert KEY.encode() not in content, name
        assert CANARY.encode() not in content, name


def test_customers_are_where_they_belong_and_the_key_is_nowhere(home: Path, told: list[str]) -> None:
    """In the lake, the quarantine and the export; in no report, no page store, no name of a file."""
    assert told
    data = home / "data"
    assert pq.read_table(data / "lake" / "raw_customers.parquet").num_rows == CUSTOMERS
    rejected = pq.read_table(data / "quarantine" / "rejected_customers.parquet").to_pylist()
    assert [PLANTED in record["record"] for record in rejected] == [True] * REJECTED
    assert not any(leaks(f"{record['reason']} {record['reason_code']}") for record in rejected)
    assert PLANTED in (data / "export" / "customers.json").read_text(encoding="utf-8")
    for path in data.rglob("*"):
        assert leaks(path.name) == []
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content
            may_hold_customers = path.suffix == ".parquet" or path.name == "customers.json"
            assert may_hold_customers or PLANTED.lower().encode() not in content.lower(), path


def test_all_that_was_made_is_for_its_owner_only(home: Path, told: list[str]) -> None:
    """Files and directories, though the process's mask was 000."""
    assert told
    made = [home / "data", *(home / "data").rglob("*")]
    open_to_others = {str(path.relative_to(home)) for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077}
    assert len(made) > 8
    assert open_to_others == set()
    assert os.stat(home / "data").st_uid == os.getuid()  # noqa: PTH116
