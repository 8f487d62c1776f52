"""Every hostile input of the table meets the fate that stands beside it: nothing lost, nothing late, nothing leaked."""

import logging
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.api.crawl.events import FetchPage, PageReceived
from customer_assets.api.http.base import RawResponse
from customer_assets.api.options import TRANSPORTS
from customer_assets.api.responses.parser import PageParser
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.core.errors import CustomerAssetsError, IncompleteCrawlError
from customer_assets.processing.landing.writer import LandingWriter
from customer_assets_tests.harness.apis.scripted_server import FakeClock, ScriptedServer, body, http
from customer_assets_tests.harness.apis.wire import KEY
from customer_assets_tests.harness.hostile.answers import LIMIT_BYTES, answers
from customer_assets_tests.harness.hostile.headers import headers
from customer_assets_tests.harness.hostile.mistakes import mistakes
from customer_assets_tests.harness.hostile.outcomes import (
    Case,
    Landed,
    Late,
    Quarantined,
    Refused,
    Retried,
    Survived,
    Taken,
    Waited,
)
from customer_assets_tests.harness.hostile.records import records

ON_THE_WIRE, IN_RECORDS, BY_MISTAKE = [*answers(), *headers()], [*records()], [*mistakes()]
SHORT_S, TIMEOUT_S = 0.3, 10.0
LATE_S = 20.0
"""No case takes longer, with all its requests and on a busy machine, than its time limits and this."""

Told = StringIO


def cases(of: list[Case]) -> pytest.MarkDecorator:
    """Each case under its name."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in of])


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[Told]:
    """All that a case tells anybody; at its end it must not hold the key."""
    caplog.set_level(logging.DEBUG)
    text = StringIO()
    yield text
    text.write("".join(f"{record.getMessage()} {record.args}\n" for record in caplog.records))
    assert KEY not in text.getvalue()
    assert "@x.org" not in text.getvalue()


def test_the_table_is_long_enough_and_holds_nothing_twice() -> None:
    """150 distinct inputs at the least."""
    every = [*ON_THE_WIRE, *IN_RECORDS, *BY_MISTAKE]
    names = [case.name for case in every]
    assert sorted(set(names)) == sorted(names)
    assert len({repr(case.given) for case in every}) == len(every) >= 150


# --- answers and headers, over a socket ----------------------------------------------------------------


ONE_RETRY: dict[str, Any] = {"retry_waits_s": (0.001,), "max_concurrency": 1}
NO_RETRY: dict[str, Any] = {"retry_waits_s": (), "rounds": 1, "max_concurrency": 1}
PATIENT: dict[str, Any] = {"timeout_s": SHORT_S, "retry_waits_s": (0.001,) * 9}
"""On a busy machine even a good answer may take longer than so short a time."""


def crawled(url: str, library: str, told: Told, **options: Any) -> list[int] | CustomerAssetsError:
    """Read all customers; return their ids, or the error."""
    options = {"timeout_s": TIMEOUT_S, "max_body_bytes": LIMIT_BYTES, "requests_per_second": 1_000.0, **options}
    with CustomerAPIClient(url, KEY, transport=library, **options) as client:
        try:
            return [each["id"] for each in client.fetch_all_customers()]
        except CustomerAssetsError as error:
            told.write(f"{error!r} {vars(error)}")
            traceback.print_exception(error, file=told)
            return error


def once(case: Case, library: str, told: Told, **options: Any) -> tuple[Any, list[int]]:
    """Answer the first request for page 2 with the case, then as is right; what came of it, and the pages asked for."""
    server = ScriptedServer([http(200, body(1)), case.given], lambda page: http(200, body(page)))
    with closing(server):
        return crawled(server.url, library, told, **{**ONE_RETRY, **options}), server.pages


def always(case: Case, library: str, told: Told, **options: Any) -> tuple[Any, list[int]]:
    """Answer every request for page 2 with the case; every request at all where time is short."""
    server = ScriptedServer([] if options else [http(200, body(1))], lambda _page: case.given)
    with closing(server):
        return crawled(server.url, library, told, **{**NO_RETRY, **options}), server.pages


ALL = list(range(1, 13))
"""Two full pages: a request for the third makes sure that nothing follows."""


@pytest.mark.parametrize(
    ("case", "library"),
    [
        pytest.param(case, library, id=f"{case.name}-{library}")
        for case in ON_THE_WIRE
        for library in TRANSPORTS
        # Pauses are the crawl's own: the library has no part in them.
        if library == "requests" or not isinstance(case.outcome, Waited)
    ],
)
def test_a_hostile_answer_costs_what_it_may(case: Case, library: str, told: Told) -> None:
    """Its own retries, or the crawl with an error that says so; never a customer, the time limit or the process."""
    started_s = time.monotonic()
    clock = FakeClock() if isinstance(case.outcome, Waited) else None
    found, pages = once(case, library, told, **(PATIENT if isinstance(case.outcome, Late) else {"clock": clock}))
    match case.outcome:
        case Retried(words):
            assert (found, pages) == (ALL, [1, 2, 2, 3])
            error, pages = always(case, library, told)
            assert isinstance(error, IncompleteCrawlError)
            assert (error.missing_pages, pages) == ((2,), [1, 2])
            assert words in str(error)
            assert "the last failure: " in str(error)
        case Late(words):
            assert found == ALL
            assert len(pages) > 2
            error, pages = always(case, library, told, timeout_s=SHORT_S)
            assert isinstance(error, IncompleteCrawlError)
            assert pages == [error.missing_pages[0]], "the first failure was the last"
            assert words in str(error)
        case Taken():
            assert (found, pages) == (ALL, [1, 2, 3])
        case Survived():
            assert found == ALL
            assert pages in ([1, 2, 3], [1, 2, 2, 3])
            error, _ = always(case, library, told)
            assert error == ALL or (isinstance(error, IncompleteCrawlError) and error.missing_pages == (2,))
        case Waited(at_least_s, at_most_s):
            assert (found, pages) == (ALL, [1, 2, 2, 3])
            assert clock is not None
            assert at_least_s <= clock.now_s <= at_most_s + 1.0
        case Refused() if case.name == "status 404":  # customers can have left: only another pass shows it
            assert (found, pages) == (ALL, [1, 2, 1, 2, 3])
        case Refused(kind, words):
            assert type(found) is kind
            assert words in str(found)
            assert pages == [1, 2]
    assert time.monotonic() - started_s < LATE_S


# --- records, into the lake ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Lake:
    """What a crawl left: the rows and the rejected records of each page, in their order."""

    rows: Mapping[int, list[dict[str, Any]]]
    rejected: Mapping[int, list[dict[str, Any]]]
    records: int


FIRST_GOOD_ID = 10**9


def page_of(number: int) -> bytes:
    """A page of three records, the hostile one in the middle; an empty one behind the last."""
    good = [b'{"id": %d}' % (FIRST_GOOD_ID + 2 * number + which) for which in (0, 1)]
    pages = len(IN_RECORDS)
    data = b"[%b, %b, %b]" % (good[0], IN_RECORDS[number - 1].given.encode(), good[1]) if number <= pages else b"[]"
    return b'{"page": %d, "per_page": 3, "total": %d, "total_pages": %d, "data": %b}' % (number, 3 * pages, pages, data)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Crawl an API with a hostile record on each page."""
    raw, rejected = (tmp_path_factory.mktemp("lake") / f"{name}.parquet" for name in ("raw", "rejected"))
    server = ScriptedServer([], lambda page: http(200, page_of(page)))
    client = CustomerAPIClient(server.url, KEY, max_body_bytes=LIMIT_BYTES, requests_per_second=1_000.0)
    with closing(server), client, LandingWriter(raw, rejected) as landing:
        figures = client.crawl(landing)
    return Lake(by_page(raw), by_page(rejected), figures.records)


def by_page(path: Path) -> dict[int, list[dict[str, Any]]]:
    """A file's rows by their pages, in order."""
    pages = defaultdict(list)
    for row in sorted(pq.read_table(path).to_pylist(), key=lambda row: int(row["position"])):
        pages[row["page"]].append(row)
    return pages


def test_every_hostile_record_is_accounted_for(lake: Lake) -> None:
    """What came is a row or a rejected record."""
    landed, rejected = (sum(map(len, each.values())) for each in (lake.rows, lake.rejected))
    assert landed + rejected == lake.records == 3 * len(IN_RECORDS)


@cases(IN_RECORDS)
def test_a_hostile_record_is_landed_or_quarantined(case: Case, lake: Lake) -> None:
    """Under a stable code, as it came; the records beside it land in any case."""
    number = IN_RECORDS.index(case) + 1
    rows, rejected = lake.rows[number], lake.rejected[number]
    assert len(rows) + len(rejected) == 3
    assert [row["id"] - FIRST_GOOD_ID - 2 * number for row in (rows[0], rows[-1])] == [0, 1]
    if isinstance(case.outcome, Landed):
        assert rejected == []
        assert {name: rows[1][name] for name in case.outcome.values} == case.outcome.values
        return
    assert isinstance(case.outcome, Quarantined)
    (record,) = rejected
    assert (record["position"], record["reason_code"]) == (1, case.outcome.code)
    assert record["record"] == (case.outcome.record or case.given)
    assert record["reason"].endswith(".")


# --- mistakes, before anything is sent -------------------------------------------------------------------


@cases(BY_MISTAKE)
def test_a_mistake_is_refused_by_its_name(case: Case, told: Told) -> None:
    """With what is wrong and what to do, before anything is sent."""
    with pytest.raises(CustomerAssetsError) as caught:
        case.given()
    assert type(caught.value) is case.outcome.error
    assert str(caught.value).startswith(f"{case.outcome.words}: ")
    assert str(caught.value).endswith(".")
    told.write(f"{caught.value!r}")


def test_a_list_of_hostile_records_is_read_like_their_page() -> None:
    """A list leaves out what the quarantine takes; not a record that is merely large: it is in memory already."""
    for number, case in enumerate(IN_RECORDS, start=1):
        customers = CustomerCollector()
        response = RawResponse(200, {}, page_of(number), 0.1)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        answer = PageParser().parse(response, FetchPage(number, 1, 1), "https://x.org", now)
        assert isinstance(answer, PageReceived)
        customers.start_pass()
        customers.add(answer.page)
        landed = isinstance(case.outcome, Landed) or case.outcome.code == "record_too_large"
        assert len(customers.customers()) == 2 + landed, case.name
