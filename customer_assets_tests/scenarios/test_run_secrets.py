"""A run's configuration sends no secret of the deployment anywhere: whoever can open the launchpad can write it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.components.attributes import Api
from customer_assets.components.customer_sync import CustomerSyncComponent
from customer_assets.definitions import build_definitions
from customer_assets.defs.build import build_sync_definitions
from customer_assets.defs.operations.notifications import Notifier
from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, customer
from customer_assets_tests.harness.machines.services import respond, serving

Serve = Callable[[PlainAPI], PlainAPI]

SECRETS = {
    "CUSTOMER_API_KEY": KEY,
    "CUSTOMER_API_CLIENT_ID": "canary-client",
    "CUSTOMER_API_CLIENT_SECRET": "canary-client-secret",
    "SOMEBODY_ELSES": "canary-of-another-program",
    "STAGING_KEY": "canary-staging-key",
}
OAUTH = {"type": "oauth2_client_credentials", "token_url": "/token"}


@dataclass
class Stranger:
    """A host that is not the API's, and every byte that it was sent."""

    url: str = ""
    received: list[str] = field(default_factory=list)


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Serve it until the test ends; it grants tokens to everybody."""
    seen = Stranger()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            seen.received.append(f"{self.path}\n{self.headers}\n{self.rfile.read(length).decode()}")
            respond(self, 200, b'{"access_token": "t", "token_type": "Bearer"}', Content_Type="application/json")

        do_POST = do_GET  # noqa: N815 - the base class's name

    with serving(Handler) as address:
        seen.url = address
        yield seen


def of_the_environment(url: str, data: Path, **settings: str) -> tuple[dg.Definitions, str]:
    """This project's own sync."""
    given = {"CUSTOMER_API_BASE_URL": url, "CUSTOMER_DATA_DIR": str(data), **settings}
    return build_definitions(**given), ""


def of_a_component(url: str, data: Path, **settings: str) -> tuple[dg.Definitions, str]:
    """A sync from YAML."""
    named: dict[str, Any] = {name.removeprefix("CUSTOMER_API_").lower(): value for name, value in settings.items()}
    api = Api(base_url=url, key_variable="CUSTOMER_API_KEY", **named)
    component = CustomerSyncComponent(name="acme", api=api, data_directory=str(data))
    resources = component.resources(data)
    return build_sync_definitions(component.sync(), resources, dg.in_process_executor, Notifier()), "acme_"


Build = Callable[..., tuple[dg.Definitions, str]]
each_deployment = pytest.mark.parametrize("build", [of_the_environment, of_a_component])


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the deployment."""
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)


def execute(definitions: tuple[dg.Definitions, str], config: Mapping[str, Any], resource: str = "customer_api") -> str:
    """Run a crawl with a run's configuration; return what was reported, empty if it succeeded."""
    defs, prefix = definitions
    job = next(job for job in defs.resolve_all_job_defs() if job.name in ("customer_sync_job", "acme_job"))
    run_config = {"resources": {f"{prefix}{resource}": {"config": {**config}}}}
    raw = dg.AssetKey([*([prefix.rstrip("_")] if prefix else []), "raw_customers"])
    with dg.DagsterInstance.ephemeral() as instance:
        try:
            result = job.execute_in_process(instance=instance, run_config=run_config, asset_selection=[raw])
        except Exception as error:  # noqa: BLE001 - whatever Dagster makes of it is what a user sees
            told, behind = str(error), error.__cause__
            while behind is not None:
                told, behind = f"{told}\n{behind}", behind.__cause__
            return told
    assert result.success
    return ""


ATTACKS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "another host": lambda stranger, _: {"base_url": stranger},
    "another host, another header": lambda stranger, _: {"base_url": stranger, "key_header": "x-other"},
    "another host, over plain http": lambda stranger, _: {"base_url": stranger, "allow_insecure_http": True},
    "a preset on another host": lambda stranger, _: {"preset": "reqres", "base_url": stranger},
    "another preset": lambda *_: {"preset": "reqres", "base_url": ""},
    "a listed key, to another host": lambda stranger, _: {"base_url": stranger, "key_variable": "STAGING_KEY"},
    "a listed key, read by Dagster": lambda stranger, _: {"base_url": stranger, "api_key": {"env": "STAGING_KEY"}},
    "any variable as the key": lambda *_: {"key_variable": "SOMEBODY_ELSES"},
    "any variable, to another host": lambda stranger, _: {"base_url": stranger, "key_variable": "SOMEBODY_ELSES"},
    "any variable, read by Dagster": lambda stranger, _: {"base_url": stranger, "api_key": {"env": "SOMEBODY_ELSES"}},
    "any variable in the path": lambda stranger, _: {"base_url": stranger, "path": {"env": "SOMEBODY_ELSES"}},
    "any variable in a message": lambda *_: {"path": {"env": "SOMEBODY_ELSES"}},
    "any variable in a preset's value": lambda *_: {
        "preset": "shopify",
        "base_url": "",
        "preset_values": {"shop": {"env": "SOMEBODY_ELSES"}},
    },
    "any variable in a section": lambda *_: {"base_url": "", "simulator": {"opening": {"env": "SOMEBODY_ELSES"}}},
    "any variable as a bearer token": lambda *_: {
        "api_description": {"auth": {"type": "bearer", "token_variable": "SOMEBODY_ELSES"}}
    },
    "any variable in a header": lambda *_: {
        "api_description": {"auth": {"type": "header", "name": "x-any", "key_variable": "SOMEBODY_ELSES"}}
    },
    "any variables as name and password": lambda *_: {
        "api_description": {
            "auth": {"type": "basic", "user_variable": "SOMEBODY_ELSES", "password_variable": "SOMEBODY_ELSES"}
        }
    },
    "tokens from another host": lambda stranger, _: {
        "api_description": {"auth": {**OAUTH, "token_url": f"{stranger}/token"}}
    },
    "tokens from another host, without a scheme": lambda stranger, _: {
        "api_description": {"auth": {**OAUTH, "token_url": stranger.removeprefix("http:")}}
    },
    "tokens from a host that programs read differently": lambda stranger, api: {
        "api_description": {"auth": {**OAUTH, "token_url": f"{stranger}\\@{api.removeprefix('http://')}/token"}}
    },
    "tokens that go to another host": lambda stranger, api: {
        "base_url": stranger,
        "api_description": {"auth": {**OAUTH, "token_url": f"{api}/token"}},
    },
    "keys that the run lists itself": lambda stranger, _: {
        "base_url": stranger,
        "key_variable": "SOMEBODY_ELSES",
        "run_keys": {"SOMEBODY_ELSES": stranger},
    },
    "customers to another host": lambda stranger, _: {"page_store": stranger.replace("http:", "redis:")},
}


@each_deployment
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_run_sends_no_secret_elsewhere(
    serve_api: Serve, stranger: Stranger, tmp_path: Path, build: Build, attack: Callable[[str, str], dict[str, Any]]
) -> None:
    """The run ends before anything is sent, names what it may not do and what to do instead, and quotes no secret."""
    api = serve_api(PlainAPI([customer(1)]))
    allowed = {"CUSTOMER_API_RUN_KEYS": "STAGING_KEY=https://staging.example.org"}
    told = execute(build(api.url, tmp_path / "data", **allowed), attack(stranger.url, api.url))
    assert (stranger.received, api.asked) == ([], [])
    assert "deployment" in told or "auth.token_url: it is not" in told
    assert [secret for secret in SECRETS.values() if secret in told] == []


@pytest.mark.parametrize(
    ("resource", "config"),
    [
        ("data_directory", {"path": {"env": "SOMEBODY_ELSES"}}),
        ("data_directory", {"lake_url": {"env": "SOMEBODY_ELSES"}}),
        ("processing", {"engine": {"env": "SOMEBODY_ELSES"}}),
    ],
)
def test_no_resource_reads_a_variable_that_a_run_names(
    serve_api: Serve, tmp_path: Path, resource: str, config: dict[str, Any]
) -> None:
    """A message about an unusable setting quotes it, and a directory is called by it."""
    api = serve_api(PlainAPI([customer(1)]))
    told = execute(of_the_environment(api.url, tmp_path / "data"), config, resource)
    assert "would read the variable SOMEBODY_ELSES" in told
    assert SECRETS["SOMEBODY_ELSES"] not in told
    assert api.asked == []


PLACES = (
    ("data_directory", "path", "{0}/elsewhere"),
    ("data_directory", "path", "{0}/data/../elsewhere"),
    ("data_directory", "path", ""),
    ("data_directory", "lake_url", "{0}/elsewhere"),
    ("data_directory", "lake_url", "s3://strangers-bucket/customers"),
    ("data_directory", "report_url", "https://stranger.example"),
    ("processing", "spill_dir", "{0}/elsewhere"),
)


@each_deployment
def test_a_run_keeps_customers_where_the_deployment_does(serve_api: Serve, tmp_path: Path, build: Build) -> None:
    """Whoever can open the launchpad could have them copied to a folder or bucket of their own."""
    api = serve_api(PlainAPI([customer(1)]))
    definitions = build(api.url, tmp_path / "data")
    for resource, name, place in PLACES:
        told = execute(definitions, {name: place.format(tmp_path)}, resource)
        assert f"{name}: this run would keep customers in another place" in told
    assert api.asked == []
    assert not (tmp_path / "elsewhere").exists()


@each_deployment
def test_a_run_can_repeat_where_the_deployment_keeps_customers(
    serve_api: Serve, tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launchpad fills that in."""
    api = serve_api(PlainAPI([customer(1)]))
    monkeypatch.setenv("HOME", str(tmp_path))
    definitions = build(api.url, tmp_path / "data")
    for path in (str(tmp_path / "data"), "~/data"):
        assert execute(definitions, {"path": path, "lake_url": "", "keep_exports": 1}, "data_directory") == ""


@each_deployment
def test_without_an_api_no_key_is_sent_to_a_runs_own(stranger: Stranger, tmp_path: Path, build: Build) -> None:
    """A key in the environment of a sync that reads the simulator was not meant for an API that a run names."""
    definitions = of_the_environment("", tmp_path / "data") if build is of_the_environment else None
    definitions = definitions or build("", tmp_path / "data")
    assert "this deployment lets no run read it" in execute(definitions, {"base_url": stranger.url})
    assert stranger.received == []


@pytest.mark.parametrize("part", ["params", "headers", "body"])
@pytest.mark.parametrize("auth", [{"auth": {"type": "none"}}, {}], ids=["without a key", "with a key of its own"])
def test_parts_that_can_hold_a_secret_go_to_no_other_host(
    serve_api: Serve, stranger: Stranger, tmp_path: Path, part: str, auth: dict[str, Any]
) -> None:
    """A YAML's template can put a secret there; a run that replaces them sends what it likes."""
    api = serve_api(PlainAPI([customer(1)]))
    described: dict[str, Any] = {**auth, "method": "POST", part: {"x-token": SECRETS["SOMEBODY_ELSES"]}}
    component = CustomerSyncComponent(
        name="acme",
        api=Api(base_url=api.url, key_variable="CUSTOMER_API_KEY", **described),
        data_directory=str(tmp_path),
    )
    resources = component.resources(tmp_path)
    definitions = build_sync_definitions(component.sync(), resources, dg.in_process_executor, Notifier()), "acme_"
    config = {"base_url": stranger.url, "api_key": "own", "rounds": 1, "retry_waits_s": []}
    assert f"{part}: this run would send it to" in execute(definitions, config)
    assert stranger.received == []
    execute(definitions, {**config, "api_description": auth})
    assert stranger.received
    assert [request for request in stranger.received if SECRETS["SOMEBODY_ELSES"] in request] == []


@each_deployment
@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"key_variable": "STAGING_KEY"}, id="by name"),
        pytest.param({"api_key": {"env": "STAGING_KEY"}}, id="read by Dagster"),
        pytest.param({"api_key": "canary-staging-key"}, id="in the launchpad"),
        pytest.param({"api_description": {"auth": {"type": "bearer", "token_variable": "STAGING_KEY"}}}, id="bearer"),
    ],
)
def test_a_run_brings_a_key_of_its_own(
    serve_api: Serve, stranger: Stranger, tmp_path: Path, build: Build, config: dict[str, Any]
) -> None:
    """A key that the deployment lists goes to the API that it is listed for, and no other key does."""
    api = serve_api(PlainAPI([customer(1)]))
    definitions = build(api.url, tmp_path / "data", CUSTOMER_API_RUN_KEYS=f"STAGING_KEY={stranger.url}/any/path")
    named = {"key_variable": ""} if "api_description" in config and build is of_a_component else {}
    execute(definitions, {"base_url": stranger.url, "rounds": 1, "retry_waits_s": [], **named, **config})
    assert stranger.received
    assert all("canary-staging-key" in request for request in stranger.received)
    assert [request for request in stranger.received if KEY in request] == []


@each_deployment
@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"max_concurrency": 2}, id="something else"),
        pytest.param({"api_key": {"env": "CUSTOMER_API_KEY"}}, id="the launchpad's default"),
        pytest.param({"key_variable": "CUSTOMER_API_KEY"}, id="the same variable"),
        pytest.param({"api_description": {"body": {}, "params": {"env": "SOMEBODY_ELSES"}}}, id="no variable at all"),
    ],
)
def test_what_leads_to_the_same_api_is_allowed(
    serve_api: Serve, tmp_path: Path, build: Build, config: dict[str, Any]
) -> None:
    """The deployment's key goes where it always went."""
    api = serve_api(PlainAPI([customer(1)]))
    assert execute(build(api.url, tmp_path / "data"), config) == ""
    assert api.asked == [1]


def test_the_same_api_by_another_spelling_is_the_same(serve_api: Serve, tmp_path: Path) -> None:
    """Only the origin counts, and the case of a host does not."""
    api = serve_api(PlainAPI([customer(1)]))
    url = api.url.replace("127.0.0.1", "localhost")
    definitions = of_the_environment(url, tmp_path / "data")
    assert execute(definitions, {"base_url": url.replace("localhost", "LOCALHOST") + "/"}) == ""
