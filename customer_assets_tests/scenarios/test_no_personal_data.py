"""Runs whole syncs, good and bad, then searches everything people can read for planted customers and the key."""

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

from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, read_dagster_home, serving_api
from customer_assets_tests.harness.machines.command_line import BIN, PROJECT, environment
from customer_assets_tests.harness.machines.services import free_port, respond, serving, wait_for_port

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

PLANTED = "Qzmarker"
"""Part of every name, address and picture, and found nowhere else."""

CANARY = "canary-password-c0ffee"
STORE = f"redis://:{CANARY}@127.0.0.1:1/0"
"""A page store that never answers: the runs go on without it."""

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
    """Make a customer whose every text can be found again."""
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
    """Leaks customers and the key wherever a server can say anything."""

    def page(self, number: int) -> dict[str, Any]:
        """Return a page with a leak beside the data."""
        return {**super().page(number), PLANTED: {"key": KEY, "who": planted(1)}}

    def refusal(self) -> dict[str, Any]:
        """Return an error that quotes both."""
        return {"error": f"{KEY} may not read {PLANTED}"}


@dataclass
class Overheard:
    """What the receivers of metrics and alerts were sent.

    Attributes:
        requests: Paths, headers and bodies.
        url: Where they listen.
    """

    requests: list[bytes] = field(default_factory=list)
    url: str = ""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create Dagster's home, with our data beside it."""
    path = tmp_path_factory.mktemp("planted")
    (path / "home").mkdir()
    (path / "home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return path


@pytest.fixture(scope="module")
def overheard() -> Iterator[Overheard]:
    """Serve as a Pushgateway and a webhook, on loopback."""
    heard = Overheard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            heard.requests.append(f"{self.path}\n{self.headers}\n".encode() + self.rfile.read(length))
            respond(self, 200)

        do_PUT = do_POST  # noqa: N815 - as http.server wants it

    with serving(Handler) as heard.url:
        yield heard


def printed_by(api: Spiteful, home: Path, **environ: str) -> tuple[int, str]:
    """Run the main job as a person would, with an open umask; return its exit code and all that it prints."""
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
def printed(home: Path, spiteful: Spiteful, overheard: Overheard) -> list[str]:
    """Return the output of a good run, one that fails the gate and one that the API refuses."""
    receivers = {"CUSTOMER_PUSHGATEWAY_URL": overheard.url, "CUSTOMER_ALERT_WEBHOOK_URL": f"{overheard.url}/webhook"}
    good, words = printed_by(spiteful, home, **receivers)
    assert good == 0, words[-3000:]
    strict = {"CUSTOMER_MAX_REJECTED_SHARE": "0.0001", "CUSTOMER_ENGINE": "polars"}
    bad, gate_words = printed_by(spiteful, home, **strict, **receivers)
    spiteful.statuses = [401] * 9
    refused, refusal = printed_by(spiteful, home, **receivers)
    assert (bad, refused) == (1, 1)
    assert "rejected_share_within_limit" in gate_words
    assert "HTTP 401" in refusal
    return [words, gate_words, refusal]


@pytest.fixture(scope="module")
def spiteful() -> Iterator[Spiteful]:
    """Serve the API on loopback."""
    records: list[Any] = [planted(number) for number in range(1, CUSTOMERS + 1)]
    records[10:10] = [{"first_name": PLANTED}, f"{PLANTED}, no object"]
    with serving_api(Spiteful(records, per_page=PAGE_SIZE)) as api:
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
"""What the UI's pages query."""


@pytest.fixture(scope="module")
def seen(home: Path, printed: list[str]) -> Iterator[dict[str, str]]:
    """Return a real web server's answers to the UI's queries about the runs."""
    assert printed
    port = free_port()
    with subprocess.Popen(
        [BIN / "dagster-webserver", "--port", str(port), "--host", "127.0.0.1"],
        cwd=PROJECT,
        env=environment(home, DAGSTER_HOME=str(home / "home"), CUSTOMER_API_KEY=KEY, CUSTOMER_PAGE_STORE=STORE),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_for_port(port, server, timeout_s=300.0)
            yield {name: asked(f"http://127.0.0.1:{port}/graphql", query) for name, query in SEEN.items()}
        finally:
            server.terminate()
            server.wait(timeout=60)


def asked(url: str, query: str) -> str:
    """Return one answer of the web server, as the browser gets it."""
    answer = requests.post(url, json={"query": query}, timeout=120)
    assert "errors" not in answer.json(), answer.text[:2000]
    return answer.text


def leaks(text: str) -> list[str]:
    """Find customers, the key and the store's password in a text; return each with its surroundings."""
    lower, found = text.lower(), []
    for secret in (PLANTED.lower(), KEY, CANARY):
        place = lower.find(secret)
        if place >= 0:
            found.append(text[max(place - 100, 0) : place + 100])
    return found


def test_no_line_of_a_log_leaks(printed: list[str]) -> None:
    """Neither from a good run nor from failures with their stacks."""
    assert all("STEP_SUCCESS" in words or "STEP_FAILURE" in words for words in printed)
    assert [found for words in printed for found in leaks(words)] == []


def test_no_metric_and_no_alert_leaks(overheard: Overheard, printed: list[str]) -> None:
    """Neither to a Pushgateway nor to a webhook."""
    assert printed
    sent = [request.decode("utf-8", "replace") for request in overheard.requests]
    assert any(request.startswith("/metrics/") for request in sent)
    assert any(request.startswith("/webhook") for request in sent)
    assert [found for request in sent for found in leaks(request)] == []


@pytest.mark.parametrize("name", SEEN)
def test_no_page_of_the_ui_leaks(seen: dict[str, str], name: str) -> None:
    """Events, failures, metadata, checks, run configuration, resources."""
    assert leaks(seen[name]) == []


def test_the_ui_shows_what_it_should(seen: dict[str, str]) -> None:
    """Otherwise a search that finds nothing would prove nothing."""
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


def test_nothing_that_dagster_stores_leaks(home: Path, printed: list[str]) -> None:
    """Event log, run storage, schedules and captured output byte for byte, and the snapshots of jobs."""
    assert printed
    kept = list(read_dagster_home(home / "home"))
    assert len(kept) > 3
    assert any(b'"quality_thresholds"' in content for name, content in kept if name.endswith("snapshot"))
    for name, content in kept:
        assert PLANTED.lower().encode() not in content.lower(), name
        assert KEY.encode() not in content, name
        assert CANARY.encode() not in content, name


def test_customers_are_where_they_belong_and_the_key_is_nowhere(home: Path, printed: list[str]) -> None:
    """In the lake, the quarantine and the export; in no report, no page store, no name of a file."""
    assert printed
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


def test_every_file_is_for_its_owner_only(home: Path, printed: list[str]) -> None:
    """Files and directories, although the process's umask was 000."""
    assert printed
    made = [home / "data", *(home / "data").rglob("*")]
    open_to_others = {str(path.relative_to(home)) for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077}
    assert len(made) > 8
    assert open_to_others == set()
    assert os.stat(home / "data").st_uid == os.getuid()  # noqa: PTH116
