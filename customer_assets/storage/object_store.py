"""Opens the place where tables are kept: a path on this machine, or an object store by its fsspec address.

Only opening belongs here; `publish.py` writes, `versions.py` says which object is current.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import fsspec
from upath import UPath

from customer_assets.core.errors import ConfigurationError

PACKAGES = {
    "s3": ("s3fs", "obstore"),
    "s3a": ("s3fs", "obstore"),
    "gs": ("gcsfs",),
    "gcs": ("gcsfs",),
    "az": ("adlfs",),
    "abfs": ("adlfs",),
    "abfss": ("adlfs",),
}
"""The packages that can open a store, the preferred one first. `fsspec` finds all of them but obstore by itself.

Obstore comes second, although it is what our extra `s3` installs: a host project that has s3fs keeps using it.
"""

REMEDY = "Install what opens it, such as customer_assets[s3], gcsfs or adlfs, or use another address."


def check_store(url: str) -> UPath:
    """Return the address as a path, without importing the package that opens it.

    Raises:
        ConfigurationError: The kind of store is unknown, or no package that opens it is installed.
    """
    options: dict[str, Any] = {}
    is_obstore = url.partition("://")[0] in ("s3", "s3a") and find_spec("s3fs") is None
    if is_obstore and os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["client_options"] = {"allow_http": True}  # it refuses plain http otherwise; s3fs has no such option
    try:
        store: UPath = UPath(url, **options)
    except (ImportError, ValueError) as error:
        raise _unusable(str(error)) from None
    _installed_package(store.protocol)
    return store


def open_store(url: str) -> UPath:
    """Return the address as a path that can be read and written.

    Raises:
        ConfigurationError: The kind of store is unknown, or no package that opens it is installed.
    """
    store = check_store(url)
    try:
        if _installed_package(store.protocol) == "obstore" and store.protocol not in fsspec.registry:
            import_module("obstore.fsspec").register(store.protocol)
        _ = store.fs
    except (ImportError, ValueError) as error:
        raise _unusable(str(error)) from None
    return store


def _installed_package(protocol: str) -> str:
    packages = PACKAGES.get(protocol, ("fsspec",))
    for package in packages:
        if find_spec(package) is not None:
            return package
    raise _unusable(f"{' or '.join(reversed(packages))} is not installed")


def _unusable(problem: str) -> ConfigurationError:
    return ConfigurationError("CUSTOMER_LAKE_URL", problem, REMEDY)
