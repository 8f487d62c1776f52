"""Where frames are kept: a path, or an object store by its fsspec address."""

from importlib.util import find_spec

from upath import UPath

from customer_assets.errors import ConfigurationError

PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
}
"""What opens the stores that are used most; a run tells of the others."""


def check_store(url: str) -> UPath:
    """Return where an address leads, without importing what opens it.

    Raises:
        ConfigurationError: No store has such an address, or its package is not installed.
    """
    try:
        store = UPath(url)
    except (ImportError, ValueError) as error:
        raise _unusable(str(error)) from None
    package = PACKAGES.get(store.protocol, "fsspec")
    if find_spec(package) is None:
        raise _unusable(f"{package} is not installed")
    return store


def open_store(url: str) -> UPath:
    """Return where an address leads, in a store that can be opened.

    Raises:
        ConfigurationError: It is unknown, or a package is not installed.
    """
    store = check_store(url)
    try:
        _ = store.fs
    except (ImportError, ValueError) as error:
        raise _unusable(str(error)) from None
    return store


def _unusable(problem: str) -> ConfigurationError:
    return ConfigurationError(
        "CUSTOMER_LAKE_URL", problem, "Install the store's fsspec package, such as s3fs, or name another."
    )
