"""A secret reaches whom it is for, from wherever it was set; Dagster keeps it nowhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_assets.api.page_store.base import register_store
from customer_assets.api.page_store.memory import MemoryPageStore
from customer_assets.definitions import build_definitions
from customer_assets.defs.resources import CustomerAPIResource
from customer_assets.defs.run_config import with_configured_defaults
from customer_assets_tests.harness.apis.plain_api import KEY, PlainAPI, customer, read_dagster_home

CANARY = "canary-password-c0ffee"
STORE = f"watched://:{CANARY}@host/0"
Serve = Callable[[PlainAPI], PlainAPI]


@dataclass
class Opened:
    """The addresses that page stores were opened by."""

    urls: list[str] = field(default_factory=list)


@pytest.fixture
def opened() -> Opened:
    """A page store whose address holds a password, and who opened it."""
    seen = Opened()

    def opener(url: str, clock: Callable[[], float]) -> MemoryPageStore:
        seen.urls.append(url)
        return MemoryPageStore(clock)

    register_store("watched", opener)
    return seen


def in_environment(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any]:
    """As README has it."""
    monkeypatch.setenv("CUSTOMER_API_KEY", KEY)
    monkeypatch.setenv("CUSTOMER_PAGE_STORE", STORE)
    return {"CUSTOMER_API_BASE_URL": url}


def as_overrides(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any]:
    """While the environment has another key, which nobody wants sent."""
    monkeypatch.setenv("CUSTOMER_API_KEY", "another")
    monkeypatch.setenv("CUSTOMER_PAGE_STORE", "memory://")
    return {"CUSTOMER_API_BASE_URL": url, "CUSTOMER_API_KEY": KEY, "CUSTOMER_PAGE_STORE": STORE}


def in_a_resource(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any]:
    """As literals."""
    monkeypatch.setenv("CUSTOMER_API_KEY", "another")
    return {"customer_api": CustomerAPIResource(base_url=url, api_key=KEY, page_store=STORE)}


@pytest.mark.parametrize("given", [in_environment, as_overrides, in_a_resource])
@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="not told"),
        pytest.param({"max_concurrency": 2}, id="told of another field"),
        pytest.param({"api_key": "********", "page_store": "********"}, id="from the launchpad"),
    ],
)
def test_secrets_are_used_and_not_kept(
    serve_api: Serve,
    opened: Opened,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: Callable[[pytest.MonkeyPatch, str], dict[str, Any]],
    config: Mapping[str, Any],
) -> None:
    """The API and the page store are given theirs; nothing that Dagster writes holds either."""
    api = serve_api(PlainAPI([customer(number) for number in range(1, 8)]))
    overrides = given(monkeypatch, api.url)
    defs = build_definitions(**overrides, CUSTOMER_DATA_DIR=str(tmp_path / "data"))
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        result = defs.resolve_job_def("customer_sync_job").execute_in_process(
            instance=instance,
            run_config={"resources": {"customer_api": {"config": dict(config)}}} if config else {},
            asset_selection=[dg.AssetKey("raw_customers")],
        )
        assert result.success
    assert sorted(api.asked) == [1, 2, 3]
    assert opened.urls == [STORE]
    kept = list(read_dagster_home(tmp_path / "home"))
    assert any(b'"quality_thresholds"' in content for name, content in kept if name.endswith("snapshot"))
    for secret in (KEY, CANARY):
        assert [name for name, content in kept if secret.encode() in content] == []


def test_a_resource_that_was_rebuilt_twice_keeps_its_secrets() -> None:
    """As one that was taken from other definitions."""
    once = with_configured_defaults(CustomerAPIResource(base_url="https://x.org", api_key=KEY))
    twice = with_configured_defaults(once)
    assert KEY not in f"{twice!r} {twice.model_dump()} {vars(twice)}"
    with twice.client("memory://") as client:
        assert client._credentials.headers() == {"x-api-key": KEY}
