"""Configuration mistakes that must be refused before anything is sent: addresses, keys, options, variables."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from customer_assets.api import CustomerAPIClient
from customer_assets.core.errors import ConfigurationError
from customer_assets.definitions import build_definitions
from customer_assets_tests.harness.apis.wire import KEY
from customer_assets_tests.harness.hostile.outcomes import Case, Refused

HTTPS = "https://x.org/api"
ADDRESSES: list[Any] = [
    None,
    b"https://x.org/api",
    "",
    " ",
    "x.org/api",
    "ftp://x.org",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///users",
    "http://x.org/api",
    "http://127.0.0.1.evil.example/api",
    "http://localhost.evil.example/api",
    "http://0x7f000001.evil.example/",
    "http://169.254.169.254/latest/meta-data",
    "http://[::2]/api",
    "https://me:secret@x.org/api",
    "https://x.org/api?key=secret",
    "https://x.org/api#secret",
    "https://x.org:99999/api",
    "https://x.org:port/api",
    "https://[x.org/api",
    "https://x.org\\@evil.example/",
    "https://x.org/a b",
    "https://x.org/\r\nHost: evil.example",
    "https://x.\u0435xample/api",
]
KEYS: list[Any] = [
    None,
    7,
    b"key",
    "",
    "   ",
    "a\nb",
    "a\r\nHost: evil.example",
    "a\x00b",
    "a\x1b[2J",
    "schl\u00fcssel",
    "\u200b",
]
OPTIONS: dict[str, list[Any]] = {
    "max_concurrency": [0, -1, 1.5, True, "8", 10**9, float("nan")],
    "page_size": [0, -5, 1.5, "100"],
    "requests_per_second": [0, -1.0, float("nan"), float("inf"), "10"],
    "timeout_s": [0, -1, float("inf"), float("nan"), "30"],
    "max_body_bytes": [0, -1, 1.5],
    "rounds": [0, 10**9, "3"],
    "max_pause_s": [-1, float("inf"), "60"],
    "resume_ttl_s": [-1, float("nan")],
    "cache_ttl_s": [-1, 10**12],
    "retry_waits_s": [(-1,), (float("nan"),), ("1",), 5, None, "1, 2"],
    "path": ["users", "/users?page=1", "/users#x", "/us ers", "/\\evil.example", None],
    "key_header": [None, ""],
    "key_scheme": [None],
    "transport": ["httpx", "", None, 7],
    "page_store": [7, "", "pages.sqlite", "mysql://x", "sqlite://", "file:///x"],
}
VARIABLES = {
    "CUSTOMER_API_MAX_CONCURRENCY": ["many", "1.5", "1e3"],
    "CUSTOMER_API_REQUESTS_PER_SECOND": ["fast"],
    "CUSTOMER_API_PAGE_SIZE": ["all", "0"],
    "CUSTOMER_API_TRANSPORT": ["pigeon"],
    "CUSTOMER_API_BASE_URL": ["ftp://x.org", "https://me:secret@x.org"],
    "CUSTOMER_LAKE_URL": ["nope://x"],
    "CUSTOMER_ENGINE": ["pandas", "DuckDB"],
    "CUSTOMER_EXECUTOR": ["kubernetes"],
    "CUSTOMER_MIN_MEAN_QUALITY": ["good", "101", "nan"],
    "CUSTOMER_MAX_REJECTED_SHARE": ["5%", "1.1", "-0.1"],
    "CUSTOMER_GENERATION_SEED": ["random"],
    "CUSTOMER_NO_SUCH_SETTING": ["1"],
}


def mistakes() -> Iterator[Case]:
    """Make the cases: a call, and the setting that its error must name."""
    for address in ADDRESSES:
        yield Case(f"the address {address!a}", partial(CustomerAPIClient, address, KEY), refused("base_url"))
    for key in KEYS:
        yield Case(f"the key {key!a}", partial(CustomerAPIClient, HTTPS, key), refused("api_key"))
    for name, values in OPTIONS.items():
        for value in values:
            call = partial(CustomerAPIClient, HTTPS, KEY, **{name: value})
            yield Case(f"{name}={value!r}", call, refused(name))
    for variable, texts in VARIABLES.items():
        for text in texts:
            yield Case(f"{variable}={text}", partial(build_definitions, **{variable: text}), refused(variable))


def refused(field: str) -> Refused:
    """Expect a configuration error that names the field."""
    return Refused(ConfigurationError, field)
