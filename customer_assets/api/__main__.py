"""Looks at an API before a sync is set up: `python -m customer_assets.api probe`.

It requests one or two pages, page 0 where pages are counted from 1, and two more if changes can be requested. It prints
what they say: names and counts, never a value of any customer. What records say is worked out in `responses/survey.py`.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
import yaml

from customer_assets.api.client import CustomerAPIClient
from customer_assets.api.crawl.extent import Numbering
from customer_assets.api.http.base import (
    Callback,
    HttpRequest,
    RawResponse,
    Transport,
    TransportSettings,
    open_transport,
)
from customer_assets.api.options import ApiOptions, ApiSettings
from customer_assets.api.paging import PageNumber, Single
from customer_assets.api.presets import merge_settings, read_api_file
from customer_assets.api.responses.parser import records
from customer_assets.api.responses.survey import describe_envelope, describe_fields, describe_mapping
from customer_assets.api.runner.collector import page_ids
from customer_assets.core.configuration import by_variable, configuration_errors, rename_fields, values_from
from customer_assets.core.errors import APIError, ConfigurationError
from customer_assets.core.models import Page

PAGES = 2
"""The second page shows how pages follow each other."""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

PAGING_WORDS = ("total", "count", "link", "page", "cursor", "next", "content-range")
LIMIT_WORDS = ("limit", "retry-after", "quota")
NOT_SETTINGS = ("key_variable", "simulator")
"""Parts of a file's `api:` that are no settings of a client."""


class EnoughPagesError(Exception):
    """The probe has seen what it wanted to."""


class Probe:
    """Receives the first pages of a crawl, then stops it; hands requests on, and notes what came back.

    Attributes:
        pages: What came.
        headers: The latest response's.
        body: The first response's.
        latencies_s: Each request's.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.pages: list[Page] = []
        self.headers: Mapping[str, str] = {}
        self.body = b""
        self.latencies_s: list[float] = []

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Send a request, as a transport does."""

        def on_response(response: RawResponse | BaseException) -> None:
            if isinstance(response, RawResponse):
                self.headers, self.body = response.headers, self.body or response.body
                self.latencies_s.append(response.latency_s)
            callback(response)

        self._transport.send(request, on_response)

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def start_pass(self) -> None:
        """Forget everything so far, as a page sink does."""
        self.pages.clear()

    def add(self, page: Page) -> None:
        """Take a page; stop after the last one that is wanted."""
        self.pages.append(page)
        if len(self.pages) == PAGES:
            raise EnoughPagesError

    def unique_ids(self) -> int:
        """Whatever came: nothing is compared."""
        return sum(page.record_count for page in self.pages)

    def rejected_records(self) -> int:
        """None: as above."""
        return 0

    def fingerprint(self) -> str:
        """The same each time, so that no page is read again."""
        return ""


def main(
    arguments: list[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    program: str = "python -m customer_assets.api",
) -> int:
    """Probe an API; return the exit code. `program` is the command that the help shows."""
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    probe = commands.add_parser("probe", help="request one or two pages, and describe them")
    probe.add_argument("--preset", help="a known API; `python -m customer_assets.apis` lists them")
    probe.add_argument("--values", help="what the preset leaves open, such as shop=acme")
    probe.add_argument("--config", default=environ.get("CUSTOMER_API_CONFIG"), help="a YAML file with an api: section")
    probe.add_argument("--base-url", help="the API; the variables of the README count, too")
    probe.add_argument("--path", help="where its customers are")
    probe.add_argument("--write", metavar="FILE", help="write the api: section that was probed")
    given = parser.parse_args(arguments)
    try:
        section = read_section(given, environ)
        for line in probe_api(section, environ):
            print(line)  # noqa: T201 - a command prints
        if given.write:
            Path(given.write).write_text(yaml.safe_dump({"api": section}, sort_keys=False), encoding="utf-8")
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except APIError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def read_section(given: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, Any]:
    """Put together what the file, the environment and the command line say; each overrides the one before."""
    section = read_api_file(given.config) if given.config else {}
    section = merge_settings(section, values_from(ApiOptions, environ))
    section.pop("page_store", None)  # its address may hold a password, and nothing is kept
    said = {"preset": given.preset, "preset_values": given.values, "base_url": given.base_url, "path": given.path}
    section = merge_settings(section, {name: value for name, value in said.items() if value})
    if not section.get("base_url") and not section.get("preset"):
        raise ConfigurationError("base_url", "no API is named", "Name a preset, a file or a base URL.")
    return section


def probe_api(section: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    """Request one or two pages, and describe them line by line.

    Raises:
        ConfigurationError: A setting cannot be used, or does not fit the API.
        APIError: The API did not answer.
    """
    with rename_fields(by_variable(ApiOptions)), configuration_errors(ApiSettings):
        settings = ApiSettings(**{name: value for name, value in section.items() if name not in NOT_SETTINGS})
    variable = section.get("key_variable") or settings.authentication.key_variable
    key = environ.get(variable, "") if variable else ""
    if variable and not key:
        raise ConfigurationError(variable, "it is not set, and the API needs it", "Set it to the API's key.")
    with opened(settings, key, environ) as (client, probe):
        try:
            client.crawl(probe)
        except EnoughPagesError:
            is_whole = False
        else:
            is_whole = True
        yield from describe(client, probe, is_whole=is_whole)
    if (hint := describe_first_page(settings, key, environ, probe.pages)) is not None:
        yield from ("", hint)
    if settings.incremental is not None and any(page.record_count for page in probe.pages):
        yield from ("", f"changes: {describe_filter(settings, key, environ)}")


@contextmanager
def opened(settings: ApiSettings, key: str, environ: Mapping[str, str]) -> Iterator[tuple[CustomerAPIClient, Probe]]:
    """Open a client that requests one page at a time."""
    url = settings.base_url + settings.path
    probe = Probe(open_transport(settings.transport, TransportSettings(url, settings.timeout_s)))
    options = {**dict(settings), "transport": probe, "max_concurrency": 1, "page_store": "memory://"}
    with CustomerAPIClient(options.pop("base_url"), key, environ=environ, show_progress=False, **options) as client:
        yield client, probe


def describe(client: CustomerAPIClient, probe: Probe, *, is_whole: bool) -> Iterator[str]:
    """Describe what came."""
    options, first = client.options, probe.pages[0]
    found = [record for page in probe.pages for record in records(page)]
    yield f"{client.base_url}{options.path}: {len(probe.pages)} pages, {len(found)} records"
    yield f"pages: {getattr(options.paging, 'type', 'page_number')}, {first.record_count} records on the first"
    yield f"more pages: {describe_following(options, probe.pages, is_whole=is_whole)}"
    yield f"total: {'the API does not say' if first.total is None else first.total}"
    yield f"a full crawl: {_cost(first, probe, options)}"
    limits = [
        f"{name}: {value}" for name, value in sorted(probe.headers.items()) if any(w in name for w in LIMIT_WORDS)
    ]
    yield f"limit headers: {'; '.join(limits) or 'none'}"
    yield f"beside the records: {describe_envelope(probe.body, options.answer.list_path)}"
    names = sorted(name for name in probe.headers if any(word in name for word in PAGING_WORDS))
    yield f"headers that can say more: {', '.join(names) or 'none'}"
    yield from ("", "fields of a record:", *(f"  {line}" for line in describe_fields(found)))
    yield from ("", "the mapping:", *(f"  {line}" for line in describe_mapping(found, options.record)))


def describe_following(options: ApiSettings, pages: Sequence[Page], *, is_whole: bool) -> str:
    """Say whether there are more pages, and whether they look like those of a listing."""
    if isinstance(options.paging, Single):
        pages, is_whole = pages[:1], True
    first, count = pages[0], sum(page.record_count for page in pages)
    if len(pages) == PAGES and pages[1].data == first.data:
        return "the second page holds exactly the records of the first; check pages"
    ids = [set(page_ids(page, options.record)) - {None} for page in pages]
    if len(ids) == PAGES and (shared := len(ids[0] & ids[1])):
        return f"the second page shares {shared} customers with the first; check pages"
    if first.total is not None and first.total > count and (is_whole or not pages[-1].record_count):
        return f"the API counts {first.total} customers, but lists only {count}; check pages"
    if not is_whole and count != first.total:
        return "yes"
    is_doubtful = first.total is None and first.record_count > 0
    if is_doubtful and isinstance(options.paging, Single):
        return "not asked for, since pages is single"
    is_doubtful = is_doubtful and options.paging.numbering is Numbering.CHAIN
    return f"none; this is the whole listing{', unless the way on is elsewhere' if is_doubtful else ''}"


def describe_first_page(
    settings: ApiSettings, key: str, environ: Mapping[str, str], pages: Sequence[Page]
) -> str | None:
    """Say whether pages seem to be counted from 0; None: they do not, or need not be."""
    paging = settings.paging
    if not isinstance(paging, PageNumber) or paging.first == 0 or not pages[0].record_count:
        return None
    unnumbered = settings.answer.model_copy(update={"page": None})
    update = {"pages": paging.model_copy(update={"first": 0}), "answer": unnumbered, "retry_waits_s": []}
    try:
        with opened(settings.model_copy(update=update), key, environ) as (client, _):
            found = client._fetch_page(1)["data"]  # noqa: SLF001 - specified so
    except (APIError, ConfigurationError):
        return None
    page = Page(1, None, None, None, len(found), msgspec.json.encode(found))
    known = {each for page in pages for each in page_ids(page, settings.record)}
    if not found or set(page_ids(page, settings.record)) & known:
        return None
    return "page 0 holds customers whom page 1 and 2 do not: set first: 0 in pages"


def describe_filter(settings: ApiSettings, key: str, environ: Mapping[str, str]) -> str:
    """Say whether the API understands how it is asked for changes: all are long ago, and none is tomorrow's."""
    found = []
    for since in (LONG_AGO, datetime.now(UTC) + timedelta(days=1)):
        try:
            with opened(settings.updated_since(since), key, environ) as (client, _):
                found.append(bool(client._fetch_page(1)["data"]))  # noqa: SLF001 - specified so
        except APIError as error:
            return f"they cannot be requested: {error}"
    if found == [True, False]:
        return "they can be requested"
    problem = "the API ignores the filter" if found[0] else "the API shows none at all"
    return f"{problem}; check parameter, format and template of incremental"


def _cost(first: Page, probe: Probe, options: ApiSettings) -> str:
    """How many requests a full crawl takes, and at least how long."""
    if first.total is None:
        return "the API does not say how many customers there are"
    if not first.record_count:
        return "1 request, since nothing is listed"
    requests = ceil(first.total / first.record_count)
    at_once = 1 if options.paging.numbering.value == "chain" else options.max_concurrency
    duration_s = requests * min(probe.latencies_s) / at_once
    if options.requests_per_second:
        duration_s = max(duration_s, requests / options.requests_per_second)
    return f"{requests} requests, at least {duration_s:.0f} s, unless the API's limit is lower"


if __name__ == "__main__":
    sys.exit(main())
