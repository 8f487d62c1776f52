"""What is requested when: the decision, the instant, how it is written, and where in a request it goes."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import ValidationError

from customer_assets.api import CustomerAPIClient
from customer_assets.api.http.base import Callback, HttpRequest, RawResponse
from customer_assets.api.incremental import (
    EVERYTHING,
    CrawlPlan,
    Incremental,
    hash_inputs,
    next_state,
    plan_crawl,
    why_unreliable,
)
from customer_assets.api.options import ApiSettings
from customer_assets.api.paging.chained import Cursor
from customer_assets.api.paging.numbered import Offset, PageNumber
from customer_assets.api.responses.answer import AnswerFields
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.models import CrawlSummary, SyncState, UpsertSummary

NOW = datetime(2026, 11, 27, 2, 0, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SINCE = datetime(2026, 11, 26, 1, 50, 7, 900_000, tzinfo=UTC)
INPUTS = {"source": "https://api.example.com", "mapping": "1"}
SETTINGS = Incremental(parameter="updated_after", lookback=10 * MINUTE, full_every=7 * DAY)
UPSERT = UpsertSummary(before=3, received=0, repeated=0, stale=0, unchanged=0, replaced=0, added=0, removed=0)


def state(**changes: Any) -> SyncState:
    given = {
        "watermark": SINCE,
        "began_at": SINCE + 10 * MINUTE,
        "full_at": NOW - DAY,
        "customers": 3,
        "content": "x:0",
    }
    return SyncState(**{**given, "inputs": hash_inputs(INPUTS), **changes})


def summary(sync: SyncState | None, missing: int = 0) -> CrawlSummary:
    return CrawlSummary(fingerprint="0", landed=3, rejected=0, total=3, missing_customers=missing, sync=sync)


# --- full or incremental ---------------------------------------------------------------------------------------


def test_a_sync_without_the_setting_always_requests_everything() -> None:
    assert plan_crawl(None, summary(state()), INPUTS, NOW) == EVERYTHING


@pytest.mark.parametrize(
    "sync",
    [
        state(),
        state(full_at=NOW - 6 * DAY),
        state(full_at=NOW + 23 * HOUR),  # this machine's clock is a time zone behind
        state(upsert=UPSERT),
        state(upsert=UPSERT.model_copy(update={"before": 20, "deleted": 2})),
        state(full_at=NOW - 7 * DAY * 0.97),
    ],
)
def test_what_changed_since_the_watermark_is_requested(sync: SyncState) -> None:
    plan = plan_crawl(SETTINGS, summary(sync), INPUTS, NOW)
    assert plan == CrawlPlan(SETTINGS, SINCE, "", hash_inputs(INPUTS), last=sync)


@pytest.mark.parametrize(
    ("last", "inputs", "reason"),
    [
        (None, INPUTS, "there is no earlier crawl to continue from"),
        (summary(None), INPUTS, "there is no earlier crawl to continue from"),
        (summary(state()), {**INPUTS, "mapping": "2"}, "changed since the last crawl: mapping"),
        (summary(state()), {"source": "other", "mapping": "2"}, "changed since the last crawl: mapping, source"),
        (summary(state()), {**INPUTS, "landing": "2"}, "changed since the last crawl: landing"),
        (summary(state()), {"source": INPUTS["source"]}, "changed since the last crawl: mapping"),
        (summary(state(full_at=NOW - 7 * DAY)), INPUTS, "the last full crawl began at 2026-11-20 02:00 UTC"),
        (
            summary(state(full_at=NOW - 7 * DAY + 2 * timedelta(seconds=1))),  # a schedule that is never on the second
            INPUTS,
            "the last full crawl began at 2026-11-20 02:00 UTC",
        ),
        (
            summary(state(full_at=NOW + 2 * DAY)),
            INPUTS,
            "the clock was set back: the last full crawl lies ahead",
        ),
        (summary(state(customers=0)), INPUTS, "no customer is known yet"),
        (
            summary(state(upsert=UPSERT), missing=2),
            INPUTS,
            "after the last incremental crawl 2 customers were missing",
        ),
        (
            summary(state(upsert=UPSERT.model_copy(update={"lost": {"email": 1.0}}))),
            INPUTS,
            "the records that came last lack email",
        ),
        (
            summary(state(upsert=UPSERT.model_copy(update={"before": 19, "deleted": 2}))),
            INPUTS,
            "the API listed 2 customers as deleted last time",
        ),
        (
            summary(state(upsert=UPSERT.model_copy(update={"received": 90, "rejected": 10}))),
            INPUTS,
            "of the records that came last, 10 were rejected",
        ),
    ],
)
def test_everything_is_requested_for_a_reason(
    last: CrawlSummary | None, inputs: Mapping[str, object], reason: str
) -> None:
    assert plan_crawl(SETTINGS, last, inputs, NOW) == CrawlPlan(SETTINGS, None, reason, hash_inputs(inputs))


def test_customers_that_even_a_full_crawl_misses_do_not_force_another() -> None:
    assert plan_crawl(SETTINGS, summary(state(), missing=2), INPUTS, NOW).since == SINCE


def test_full_refresh_comes_first() -> None:
    assert plan_crawl(SETTINGS, summary(state()), INPUTS, NOW, full_refresh=True).reason == "full_refresh is set"


def test_what_the_rows_depend_on() -> None:
    settings = ApiSettings(incremental=Incremental(parameter="since", field="updated_at"))
    inputs = hash_inputs(settings.row_inputs)

    def differing(**changes: Any) -> set[str]:
        other = hash_inputs(ApiSettings(**{**dict(settings), **changes}).row_inputs)
        return {name for name in inputs if inputs[name] != other[name]}

    assert differing(path="/people") == {"request"}
    assert differing(base_url="https://api.example.com/tenants/7") == {"request"}
    assert differing(params={"status": "active"}) == {"request"}
    assert differing(record={"email": "mail"}) == {"mapping"}
    assert differing(incremental=Incremental(parameter="after", field="updated_at")) == {"filter"}
    assert differing(incremental=Incremental(parameter="since", field="changed_at")) == {"filter", "mapping"}
    assert differing(incremental=Incremental(parameter="since", field="updated_at", lookback=DAY)) == set()
    assert differing(page_size=50, max_concurrency=2, timeout_s=5.0) == set()


# --- the next watermark -----------------------------------------------------------------------------------------


def test_the_watermark_is_the_servers_clock_at_the_crawls_start_less_the_lookback() -> None:
    plan = plan_crawl(SETTINGS, None, INPUTS, NOW)
    found = next_state(plan, CrawlStats(began_at=NOW), customers=3, content="x:0", salt="p")
    assert found == state(watermark=NOW - 10 * MINUTE, began_at=NOW, full_at=NOW, salt="p")


def test_an_incremental_crawl_keeps_when_everything_was_read_last() -> None:
    last = state(salt="p")
    plan = plan_crawl(SETTINGS, summary(last), INPUTS, NOW)
    found = next_state(plan, CrawlStats(began_at=NOW), customers=4, content="x:1", last=last, upsert=UPSERT)
    assert found == state(
        watermark=NOW - 10 * MINUTE, began_at=NOW, customers=4, content="x:1", salt="p", upsert=UPSERT
    )


def test_pages_of_an_earlier_attempt_take_the_watermark_back_to_when_they_can_have_been_read() -> None:
    plan = plan_crawl(SETTINGS, None, INPUTS, NOW, oldest_page=6 * HOUR)
    found = next_state(plan, CrawlStats(began_at=NOW, pages_from_store=1), customers=3, content="x:0")
    assert (found.began_at, found.watermark) == (NOW, NOW - 6 * HOUR - 10 * MINUTE)


def test_a_clock_that_is_set_back_by_less_than_the_lookback_does_not_take_the_watermark_back() -> None:
    last = state()
    plan, figures = plan_crawl(SETTINGS, summary(last), INPUTS, NOW), CrawlStats(began_at=SINCE + 5 * MINUTE)
    assert why_unreliable(plan, figures, bool) == ""
    assert next_state(plan, figures, customers=3, content="x:0", last=last).watermark == SINCE


def test_a_clock_that_is_set_back_further_is_noticed() -> None:
    plan, figures = plan_crawl(SETTINGS, summary(state()), INPUTS, NOW), CrawlStats(began_at=SINCE - MINUTE)
    assert why_unreliable(plan, figures, bool) == "the server's clock was set back"
    assert why_unreliable(plan.as_full("the clock"), figures, bool) == ""
    assert plan.as_full("the clock") == CrawlPlan(SETTINGS, None, "the clock", hash_inputs(INPUTS))


@pytest.mark.parametrize(
    ("newest", "records", "shown", "is_doubted"),
    [(SINCE - DAY, 0, [], True), (SINCE - DAY, 0, [SINCE - DAY], False), (SINCE, 1, [], False), (None, 0, [], False)],
    ids=["nothing comes", "the last change comes", "changes came", "records are not dated"],
)
def test_a_filter_that_shows_not_even_the_last_change_is_doubted(
    newest: datetime | None, records: int, shown: list[datetime], *, is_doubted: bool
) -> None:
    plan = plan_crawl(SETTINGS, summary(state(newest=newest)), INPUTS, NOW)
    reason = why_unreliable(plan, CrawlStats(began_at=NOW, records=records), lambda since: since in shown)
    assert reason.startswith("the API shows no change, not even the last one known") is is_doubted


@pytest.mark.parametrize(
    ("before", "came", "after"),
    [
        (SINCE, NOW, NOW),
        (NOW, SINCE, NOW),
        (None, NOW, NOW),
        (NOW, None, NOW),
        (None, None, None),
    ],
)
def test_when_the_newest_record_changed_is_kept(
    before: datetime | None, came: datetime | None, after: datetime | None
) -> None:
    last, plan = state(newest=before), plan_crawl(SETTINGS, None, INPUTS, NOW)
    figures = CrawlStats(began_at=NOW)
    assert next_state(plan, figures, customers=3, content="x:0", newest=came, last=last).newest == after
    assert next_state(plan, figures, customers=3, content="x:0", newest=came).newest == came


# --- how the instant is written -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({}, "2026-11-26T01:50:06Z"),
        ({"format": "epoch"}, 1795657806),
        ({"format": "epoch_ms"}, 1795657806000),
        ({"format": "date"}, "2026-11-25"),
        ({"format": "%Y-%m-%d %H:%M:%S"}, "2026-11-26 01:50:06"),
        ({"format": "%Y-%m-%dT%H:%M"}, "2026-11-26T01:49"),
        ({"format": "%d/%m/%Y"}, "25/11/2026"),
        ({"template": "updated_at:>='{since}'"}, "updated_at:>='2026-11-26T01:50:06Z'"),
        ({"template": "updated_at:[{since} TO *]"}, "updated_at:[2026-11-26T01:50:06Z TO *]"),
        ({"format": "epoch", "template": "updated > {since}"}, "updated > 1795657806"),
    ],
)
def test_an_instant_is_rounded_down_and_one_unit_earlier(settings: dict[str, Any], value: str | int) -> None:
    how = Incremental(parameter="since", **settings)
    assert how.value(SINCE) == value
    assert how.value(SINCE.astimezone(timezone(timedelta(hours=9)))) == value


# --- where it goes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "how", "expected"),
    [
        ({}, {"parameter": "since"}, {"params": {"since": "2026-11-26T01:50:06Z"}}),
        (
            {"params": {"sort": "id", "archived": "false"}},
            {"parameter": "begin", "params": {"sort": "updated_at"}, "format": "epoch"},
            {"params": {"sort": "updated_at", "archived": "false", "begin": "1795657806"}},
        ),
        (
            {"params": {"q": "SELECT Id FROM Contact"}},
            {"parameter": "q", "template": "SELECT Id FROM Contact WHERE SystemModstamp >= {since}"},
            {"params": {"q": "SELECT Id FROM Contact WHERE SystemModstamp >= 2026-11-26T01:50:06Z"}},
        ),
        (
            {"headers": {"if-modified-since": "never", "x": "y"}},
            {"header": "If-Modified-Since"},
            {"headers": {"x": "y", "If-Modified-Since": "2026-11-26T01:50:06Z"}},
        ),
        (
            {"method": "POST", "body": {"limit": 100}},
            {"parameter": "since", "send_in": "body"},
            {"body": {"limit": 100, "since": "2026-11-26T01:50:06Z"}},
        ),
        (
            {"method": "POST", "body": {"query": {"filter": {"active": True}}}},
            {"parameter": "start_at", "send_in": "body.query.filter.updated_at", "format": "epoch"},
            {"body": {"query": {"filter": {"active": True, "updated_at": {"start_at": 1795657806}}}}},
        ),
        (
            {
                "method": "POST",
                "pages": {"type": "cursor", "from": "next", "parameter": "after", "send_in": "body.variables"},
                "answer": {"records": "data"},
            },
            {"parameter": "query", "template": "updated_at:>='{since}'"},
            {"body": {"variables": {"query": "updated_at:>='2026-11-26T01:50:06Z'"}}},
        ),
        (
            {
                "method": "POST",
                "pages": {"type": "cursor", "from": "next", "parameter": "after", "send_in": "body"},
                "answer": {"records": "data"},
            },
            {"parameter": "since", "send_in": "query"},
            {"params": {"since": "2026-11-26T01:50:06Z"}},
        ),
    ],
)
def test_a_request_carries_the_instant(given: dict[str, Any], how: dict[str, Any], expected: dict[str, Any]) -> None:
    settings = ApiSettings(**given, incremental=Incremental(**how))
    before = settings.model_dump()
    changed = settings.updated_since(SINCE)
    parts = {name: getattr(changed, name) for name in ("params", "headers", "body")}
    assert parts == {**{name: getattr(settings, name) for name in parts}, **expected}
    assert settings.model_dump() == before
    assert settings.updated_since(None) is settings


def test_a_total_that_is_counted_by_a_request_of_its_own_is_not_compared_with_the_changes() -> None:
    answer = AnswerFields.model_validate({"total": {"path": "/count.json", "at": "count"}})
    settings = ApiSettings(answer=answer, incremental=Incremental(parameter="since"))
    assert settings.answer.total_is == "exact"
    assert settings.updated_since(SINCE).answer.total_is == "estimate"


@pytest.mark.parametrize(
    ("given", "listed", "expected"),
    [
        (
            {"params": {"active": "true"}},
            {"path": "/deleted"},
            {"path": "/deleted", "params": {"since": "2026-11-26T01:50:06Z"}},
        ),
        (
            {"method": "POST", "body": {"query": {}}, "headers": {"revision": "1"}},
            {
                "path": "/gone",
                "params": {"type": "all"},
                "parameter": "from",
                "id": "customer.id",
                "records": "gone",
            },
            {
                "path": "/gone",
                "method": "GET",
                "body": {},
                "headers": {"revision": "1"},
                "params": {"type": "all", "from": "2026-11-26T01:50:06Z"},
                "id": "customer.id",
                "answer": AnswerFields(records="gone"),
            },
        ),
        (
            {"answer": {"records": "data", "total": {"path": "/count.json", "at": "count"}}},
            {"path": "/deleted", "pages": {"type": "offset", "parameter": "offset"}},
            {"answer": AnswerFields(records="data"), "pages": Offset(type="offset", parameter="offset")},
        ),
    ],
)
def test_a_list_of_deletions_is_requested(
    given: dict[str, Any], listed: dict[str, Any], expected: dict[str, Any]
) -> None:
    how = {"parameter": "since", "template": "{since}", "params": {"sort": "updated"}, "deleted": listed}
    settings = ApiSettings(**given, incremental=how)  # type: ignore[arg-type] # as it is written in YAML
    found = settings.deleted_since(SINCE)
    assert found is not None
    parts = {**dict(found), "id": found.record.id}
    assert {name: parts[name] for name in expected} == expected
    assert [column.name for column in found.record.raw_columns if column.path is not None] == []
    assert found.incremental is None


def test_a_list_of_deletions_takes_the_instant_in_a_header_if_changes_do() -> None:
    how = Incremental.model_validate({"header": "If-Modified-Since", "deleted": {"path": "/deleted"}})
    found = ApiSettings(incremental=how).deleted_since(SINCE)
    assert found is not None
    assert (found.headers, found.params) == ({"If-Modified-Since": "2026-11-26T01:50:06Z"}, {})


def test_without_a_list_no_deletions_are_requested() -> None:
    assert ApiSettings(incremental=Incremental(parameter="since")).deleted_since(SINCE) is None
    assert ApiSettings().deleted_since(SINCE) is None


def test_without_the_setting_nothing_can_be_left_out() -> None:
    settings = ApiSettings()
    assert settings.updated_since(SINCE) is settings


def test_the_raw_table_keeps_when_a_record_last_changed() -> None:
    settings = ApiSettings(incremental=Incremental(parameter="since", field="meta.updated_at"))
    assert [column.name for column in settings.mapping.raw_columns][-1] == "record_updated_at"
    assert settings.mapping.digest != settings.record.digest
    assert ApiSettings(incremental=Incremental(parameter="since")).mapping == settings.record


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "name one of parameter and header"),
        ({"parameter": "since", "header": "If-Modified-Since"}, "name one of parameter and header"),
        ({"parameter": "a b"}, "'a b' is not the name of a parameter"),
        ({"parameter": "since", "format": "iso"}, "'iso' is not a format"),
        ({"parameter": "since", "format": "%Q"}, "'%Q' is not a format"),
        ({"parameter": "since", "template": "updated>x"}, "has no {since}"),
        ({"parameter": "since", "lookback": "soon"}, "'soon' is not a duration"),
        ({"parameter": "since", "lookback": 600}, "600 is not a duration"),
        ({"parameter": "since", "lookback": "9999d"}, "is out of range"),
        ({"parameter": "since", "full_every": "59m"}, "it is shorter than an hour"),
        ({"parameter": "since", "field": "a..b"}, "'a..b' is not a path"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Incremental(**settings)
    assert problem in str(refused.value)


def test_a_get_takes_no_instant_in_its_body() -> None:
    how = Incremental(parameter="since", send_in="body.filter")
    with pytest.raises(ValidationError, match="a GET has no body"):
        ApiSettings(incremental=how)
    with pytest.raises(ConfigurationError, match="a GET has no body"):
        ApiSettings.from_keywords(incremental=how)


@pytest.mark.parametrize(
    ("text", "length"), [("90s", 90), ("10m", 600), ("36h", 129_600), ("7d", 604_800), ("0s", 0), (" 7 d ", 604_800)]
)
def test_durations_are_read_and_written_alike(text: str, length: int) -> None:
    how = Incremental(parameter="since", lookback=text)  # type: ignore[arg-type] # as it is written in YAML
    assert how.lookback == timedelta(seconds=length)
    assert Incremental(**how.model_dump(mode="json")) == how


# --- over a transport -------------------------------------------------------------------------------------------------


class Responses:
    """A transport that answers at once, a second later each time by the server's clock, which is an hour behind."""

    def __init__(self, answers: Mapping[str, Any], statuses: Sequence[int] = ()) -> None:
        self.answers, self.statuses, self.requests = answers, list(statuses), list[HttpRequest]()

    def send(self, request: HttpRequest, callback: Callback) -> None:
        """Answer by what the address holds."""
        date = format_datetime(datetime(2026, 11, 27, 1, 0, len(self.requests), tzinfo=UTC), usegmt=True)
        self.requests.append(request)
        status = self.statuses.pop(0) if self.statuses else 200
        (answer,) = [answer for part, answer in self.answers.items() if part in request.url][:1]
        callback(RawResponse(status, {"date": date}, json.dumps(answer).encode(), 0.01))

    def close(self) -> None:
        """Nothing is open."""


CUSTOMERS = [{"id": number, "email": "a@b.org", "updated_at": "2026-11-26T03:00:00Z"} for number in (1, 2)]


def crawl(settings: ApiSettings, responses: Responses) -> tuple[CrawlStats, list[dict[str, Any]]]:
    """Request what changed."""
    options = {**dict(settings.updated_since(SINCE)), "transport": responses, "retry_waits_s": [0.001]}
    del options["base_url"]
    collector = CustomerCollector(settings.record)
    with CustomerAPIClient("https://api.example.com", "key", show_progress=False, **options) as client:
        return client.crawl(collector), collector.customers()


def test_each_request_of_a_chain_carries_the_instant_and_the_first_dated_response_counts() -> None:
    """Also one that failed: the crawl began then."""
    settings = ApiSettings(
        pages=Cursor.model_validate({"from": "next", "parameter": "after"}),
        answer=AnswerFields(records="data", total=None),
        incremental=Incremental(parameter="since"),
    )
    first, second = {"data": CUSTOMERS[:1], "next": "c"}, {"data": CUSTOMERS[1:], "next": None}
    responses = Responses({"after=c": second, "": first}, statuses=[503])
    figures, customers = crawl(settings, responses)
    assert [each["id"] for each in customers] == [1, 2]
    assert ["since=2026-11-26T01%3A50%3A06Z" in each.url for each in responses.requests] == [True] * 3
    assert figures.began_at == datetime(2026, 11, 27, 1, 0, 0, tzinfo=UTC)


def test_a_clock_that_is_behind_the_servers_counts_instead() -> None:
    """Whichever is wrong, requesting from the earlier instant misses nothing."""
    figures = CrawlStats(began_at=NOW)
    figures.add_server_time(NOW + HOUR)
    assert figures.began_at == NOW
    figures.add_server_time(NOW - HOUR)
    assert figures.began_at == NOW - HOUR


def test_a_count_of_all_customers_is_asked_for_but_not_compared_with_the_changes() -> None:
    settings = ApiSettings(
        pages=PageNumber(),
        answer=AnswerFields.model_validate(
            {"records": "data", "total": {"path": "/count.json", "at": "count"}, "page": None, "per_page": None}
        ),
        incremental=Incremental(parameter="since"),
    )
    responses = Responses({"count.json": {"count": 500}, "page=1": {"data": CUSTOMERS}, "page=": {"data": []}})
    figures, customers = crawl(settings, responses)
    assert len(customers) == 2
    assert (figures.customers, figures.total, figures.missing_customers, figures.passes) == (500, None, 0, 1)
    assert sum("since=" in each.url for each in responses.requests) == len(responses.requests) - 1
