"""Addresses of object stores: which package opens them, and what a user reads when it is missing."""

import importlib.util

import fsspec
import pytest

from customer_assets.core.errors import ConfigurationError
from customer_assets.storage import object_store
from customer_assets.storage.object_store import check_store, open_store
from customer_assets_tests.harness.machines.services import need_module


def pretend_installed(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Hide every package that opens a store, except these."""
    known = {package for each in object_store.PACKAGES.values() for package in each}

    def find_spec(name: str) -> object:
        return importlib.util.find_spec(name) if name not in known else (name in packages) or None

    monkeypatch.setattr(object_store, "find_spec", find_spec)


def test_paths_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a store in memory, which fsspec itself has."""
    pretend_installed(monkeypatch)
    assert [check_store(url).protocol for url in ("/var/lake", "memory://lake")] == ["", "memory"]


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("s3://bucket/x", "obstore or s3fs is not installed"),
        ("gs://bucket/x", "gcsfs is not installed"),
        ("abfs://container/x", "adlfs is not installed"),
    ],
)
def test_the_missing_package_is_named(url: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the setting and with what to install."""
    pretend_installed(monkeypatch)
    with pytest.raises(ConfigurationError, match=rf"CUSTOMER_LAKE_URL.*{named}.*customer_assets\[s3\]"):
        check_store(url)


def test_s3fs_is_preferred_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host project's own choice is not overridden: obstore is not registered with fsspec."""
    pretend_installed(monkeypatch, "s3fs", "obstore")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    assert check_store("s3://bucket/x").storage_options == {}


def test_obstore_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening the store again reuses its connections."""
    need_module("obstore", "pip install 'customer_assets[s3]'")
    pretend_installed(monkeypatch, "obstore")
    opened = [open_store("s3://bucket/x").fs for _ in range(2)]
    assert opened[0] is opened[1]
    assert fsspec.registry["s3"].__module__.startswith("obstore")


@pytest.mark.parametrize(
    ("endpoint", "options"),
    [
        ("http://127.0.0.1:9000", {"client_options": {"allow_http": True}}),
        ("https://minio.example.com", {}),
    ],
)
def test_plain_http_is_used_only_where_the_endpoint_says_so(
    endpoint: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As AWS's own tools do; obstore alone would refuse it."""
    pretend_installed(monkeypatch, "obstore")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert check_store("s3://bucket/x").storage_options == options
