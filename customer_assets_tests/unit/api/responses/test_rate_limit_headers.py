"""How long to wait, by the policy and by an answer's headers."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.api.crawl.events import NO_HINTS, RateLimitHints
from customer_assets.api.crawl.pace.policy import BackoffPolicy
from customer_assets.api.responses.rate_limit_headers import (
    EPOCH_FROM,
    LONGEST_FIELD,
    LONGEST_WAIT_S,
    is_throttled,
    parse_http_date,
    parse_rate_limit_headers,
    parse_retry_after,
    plausible_wait,
    seconds_until,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
EPOCH_S = NOW.timestamp()
YEAR_S = 31_622_400
DATE_1994 = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


# --- the policy's waits ------------------------------------------------------------------------------------


def test_the_default_waits_are_1_2_4() -> None:
    """Three retries after 1, 2 and 4 seconds, then none."""
    policy = BackoffPolicy()
    assert [policy.wait_s(attempt) for attempt in (1, 2, 3, 4, 5)] == [1.0, 2.0, 4.0, None, None]


def test_no_waits_means_no_retries() -> None:
    """The first failed attempt is the last."""
    assert BackoffPolicy(()).wait_s(1) is None


@pytest.mark.parametrize(
    ("first_s", "retries", "waits_s"),
    [
        (1, 3, (1, 2, 4)),
        (0.05, 5, (0.05, 0.1, 0.2, 0.4, 0.8)),
        (1, 7, (1, 2, 4, 8, 16, 30, 30)),
        (15, 3, (15, 30, 30)),
        (30, 2, (30, 30)),
        (45, 2, (30, 30)),
        (0, 3, (0, 0, 0)),
        (5, 1, (5,)),
        (5, 0, ()),
    ],
)
def test_growing_waits_double_up_to_half_a_minute(first_s: float, retries: int, waits_s: tuple[float, ...]) -> None:
    """Each wait is twice the one before, none longer than 30 s."""
    assert BackoffPolicy.growing(first_s, retries).waits_s == waits_s


def test_the_longest_wait_may_be_chosen() -> None:
    """`longest_s` caps every wait, the first as well."""
    assert BackoffPolicy.growing(1, 4, longest_s=3).waits_s == (1, 2, 3, 3)
    assert BackoffPolicy.growing(8, 2, longest_s=3).waits_s == (3, 3)


def test_very_many_retries_do_not_overflow() -> None:
    """5,000 retries are 5,000 waits."""
    waits_s = BackoffPolicy.growing(1, 5_000).waits_s
    assert len(waits_s) == 5_000
    assert waits_s[-1] == 30.0


# --- Retry-After -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("007", 7.0),
        (" 5\t", 5.0),
        ("1.5", 1.5),
        ("0.123456789", 0.123456789),
        (str(YEAR_S), 31_622_400.0),
        ("000000000001", 1.0),
        (f"{EPOCH_S + 30:.0f}", 30.0),
        (f"{EPOCH_S + 30.5:.1f}", 30.5),
        (f"{EPOCH_S + YEAR_S:.0f}", 31_622_400.0),
        ("1000000001", 0.0),
        (" " * 63 + "9", 9.0),
        ("Thu, 01 Jan 2026 12:00:07 GMT", 7.0),
        ("Thursday, 01-Jan-26 12:00:07 GMT", 7.0),
        ("Thu Jan  1 12:00:07 2026", 7.0),
        ("Thu, 01 Jan 2026 13:00:07 +0100", 7.0),
        ("Thu, 01 Jan 2026 12:00:07 -0000", 7.0),
        ("Thu, 01 Jan 2026 12:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sat, 02 Jan 2027 12:00:00 GMT", 31_622_400.0),
        ("1234567890123", 0.0),
        (f"{1000 * EPOCH_S + 30_500:.0f}", 30.5),
        ("5s", 5.0),
        ("0m3s", 3.0),
        ("1h1m1.5s", 3_661.5),
        ("250ms", 0.25),
        ("5, 7", 7.0),
        ("7, 5, soon", 7.0),
        ("0m3s, 2", 3.0),
        ("Thu, 01 Jan 2026 12:00:07 GMT, 9", 9.0),
        ("Thu, 01 Jan 2026 12:00:07 GMT, Thu, 01 Jan 2026 12:00:08 GMT", 8.0),
        ("2026-01-01T12:00:07Z", 7.0),
        ("2026-01-01T13:00:07+01:00", 7.0),
    ],
)
def test_retry_after_in_every_form(value: str, wait_s: float) -> None:
    """Seconds, a duration, an instant since 1970, a date in any form, several of them; what has passed is 0."""
    assert parse_retry_after(value, NOW) == wait_s


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-1",
        "+5",
        "1e3",
        "1.",
        ".5",
        "1,5",
        "1.1234567890",
        "12345678901234",
        "5d",
        "s",
        "m3",
        "1m 3s",
        "2026-01-01T12:00:07",
        "soon, later",
        "5 6",
        "0x10",
        "\u0661\u0662",
        "nan",
        "inf",
        str(YEAR_S + 1),
        "1000000000",
        f"{EPOCH_S + YEAR_S + 1:.0f}",
        "Sat, 02 Jan 2027 12:00:01 GMT",
        "Fri, 31 Feb 2026 12:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Thu, 01 Jan 2026 12:00:07 +9999999999999",
        "Thu, 01 Jan",
        "01 Jan 2026 99:00:00 GMT",
        " " * 64 + "9",
        "Thu, 01 Jan 2026 12:00:07 GMT" + " " * 36,
    ],
)
def test_a_malformed_retry_after_says_nothing(value: str) -> None:
    """Neither number nor date, negative, too long or more than a year off: no wait at all."""
    assert parse_retry_after(value, NOW) is None


def test_a_date_of_64_characters_is_read() -> None:
    """What is longer is not."""
    assert parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT" + " " * 35) == DATE_1994
    assert parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT" + " " * 36) is None


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 10:49:37 +0200",
    ],
)
def test_a_date_is_one_instant_in_utc(value: str) -> None:
    """RFC 9110's own examples, and a zone of its own; always told in UTC."""
    date = parse_http_date(value)
    assert date == DATE_1994
    assert date is not None
    assert date.tzinfo is UTC


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of this machine cannot be set")
def test_a_date_without_a_zone_is_in_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The zone of the machine has no say."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    try:
        assert parse_http_date("Sun, 06 Nov 1994 08:49:37 -0000") == DATE_1994
        assert parse_http_date("Sun Nov  6 08:49:37 1994") == DATE_1994
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_wait_of_a_year_is_the_longest() -> None:
    """366 days are plausible, a moment more is not; what is over is 0."""
    assert LONGEST_WAIT_S == YEAR_S
    assert plausible_wait(YEAR_S) == YEAR_S
    assert plausible_wait(YEAR_S + 0.001) is None
    assert plausible_wait(0.25) == 0.25
    assert plausible_wait(-0.25) == 0.0


def test_numbers_beyond_31_years_are_instants() -> None:
    """A billion is still a (too long) wait; one more is 2001, which has passed."""
    assert EPOCH_FROM == 1e9
    assert seconds_until("1000000000", NOW) is None
    assert seconds_until("1000000000.5", NOW) == 0.0


@settings(deadline=None)
@given(st.datetimes(NOW.replace(tzinfo=None), (NOW + timedelta(days=366)).replace(tzinfo=None)))
def test_any_date_within_a_year_is_that_many_seconds_off(date: datetime) -> None:
    """What the standard library writes is read back to the second."""
    date = date.replace(microsecond=0, tzinfo=UTC)
    assert parse_retry_after(format_datetime(date, usegmt=True), NOW) == (date - NOW).total_seconds()


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_plausible_wait_or_none(value: str) -> None:
    """Nothing raises, nothing is negative, nothing is longer than a year."""
    wait_s = parse_retry_after(value, NOW)
    assert wait_s is None or 0 <= wait_s <= YEAR_S


@pytest.mark.parametrize(
    "value",
    [
        "0 0 0 0 0 0",
        ",",
        "a,b",
        "Mon, ",
        "1 Jan 2026 ::",
        "Thu, 01 Jan 99999999999 00:00:00 GMT",
        "\ud800",
        "1 2 3 4 5",
    ],
)
def test_what_confuses_the_standard_library_is_no_date(value: str) -> None:
    """Whatever it raises stays inside."""
    assert parse_http_date(value) is None


# --- what the headers say of the limit ---------------------------------------------------------------------


def advice(**headers: str) -> RateLimitHints:
    """Read headers."""
    return parse_rate_limit_headers({name.replace("_", "-"): value for name, value in headers.items()}, NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": "Thu, 01 Jan 2026 12:00:00 GMT", "content-type": "application/json"},
        {"retry-later": "5", "x-remaining": "5", "remaining": "4", "reset": "3"},
    ],
)
def test_headers_that_name_no_limit_say_nothing(headers: dict[str, str]) -> None:
    """Nothing at all, at no cost."""
    assert parse_rate_limit_headers(headers, NOW) is NO_HINTS


def test_retry_after_alone_is_heard() -> None:
    """And nothing else is made up."""
    assert advice(retry_after="7") == RateLimitHints(retry_after_s=7.0)


def test_dates_count_from_the_servers_own_clock() -> None:
    """A server an hour off still means 7 seconds; a broken `Date` is as good as none."""
    server = {"date": "Thu, 01 Jan 2026 13:00:00 GMT"}
    assert advice(retry_after="Thu, 01 Jan 2026 13:00:07 GMT", **server).retry_after_s == 7.0
    instant = f"{EPOCH_S + 3_609:.0f}"
    assert advice(x_ratelimit_remaining="3", x_ratelimit_reset=instant, **server).reset_after_s == 9.0
    assert advice(ratelimit=f"remaining=3, reset={instant}", **server).reset_after_s == 9.0
    assert advice(retry_after="Thu, 01 Jan 2026 12:00:07 GMT", date="whenever").retry_after_s == 7.0


@pytest.mark.parametrize("prefix", ["ratelimit", "x-ratelimit", "x-rate-limit"])
def test_split_fields_in_each_spelling(prefix: str) -> None:
    """`RateLimit-Remaining`, `X-RateLimit-Remaining`, `X-Rate-Limit-Remaining`, each with its `-Reset`."""
    headers = {f"{prefix}-limit": "60", f"{prefix}-remaining": " 5 ", f"{prefix}-reset": "30"}
    assert parse_rate_limit_headers(headers, NOW) == RateLimitHints(None, None, 5, 30.0)
    assert parse_rate_limit_headers({f"{prefix}-remaining": "5"}, NOW) == RateLimitHints(None, None, 5, None)
    assert parse_rate_limit_headers({f"{prefix}-reset": "30"}, NOW) == RateLimitHints(None, None, None, 30.0)


@pytest.mark.parametrize(
    ("remaining", "reset", "tightest"),
    [
        ("5, 100", "10, 3600", (5, 10.0)),
        ("100, 0", "10, 3600", (0, 3600.0)),
        ("5, 5", "Thu, 01 Jan 2026 12:00:30 GMT, Thu, 01 Jan 2026 12:00:50 GMT", (5, 50.0)),
        ("7, 3", "10", (3, None)),
        ("593.0", "30", (593, 30.0)),
        ("0.0", "30", (0, 30.0)),
        ("0.5", "30", (None, 30.0)),
    ],
)
def test_split_fields_that_come_twice(remaining: str, reset: str, tightest: tuple[int | None, float | None]) -> None:
    """A proxy in front of the API has a limit of its own; some count in floats."""
    found = advice(x_ratelimit_remaining=remaining, x_ratelimit_reset=reset)
    assert (found.remaining, found.reset_after_s) == tightest


@pytest.mark.parametrize(
    ("reset", "reset_s"),
    [
        ("30", 30.0),
        ("30.5", 30.5),
        (f"{EPOCH_S + 30:.0f}", 30.0),
        (f"{1000 * EPOCH_S + 30_000:.0f}", 30.0),
        (f"{EPOCH_S + 30:.0f}000000", 30.0),
        (f"{EPOCH_S + 30:.0f}000000000", 30.0),
        ("99999999999999", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("2026-01-01T12:00:30Z", 30.0),
        ("30s", 30.0),
        ("30000ms", 30.0),
        ("later", None),
    ],
)
def test_a_reset_in_every_form(reset: str, reset_s: float | None) -> None:
    """Seconds left, an instant in seconds or parts of them, a date, a duration."""
    assert advice(x_ratelimit_remaining="0", x_ratelimit_reset=reset) == RateLimitHints(None, None, 0, reset_s)


@pytest.mark.parametrize(
    ("headers", "remaining", "reset_s"),
    [
        ({"x_rate_limit_requests_left": "3", "x_rate_limit_time_reset_ms": "1500"}, 3, 1.5),
        ({"x_rate_limit_time_reset_ms": " 1500 "}, None, 1.5),
        ({"x_rate_limit_time_reset_ms": "1.5s"}, None, None),
        ({"x_ratelimit_remaining": "3", "x_ratelimit_reset_after": "1.5"}, 3, 1.5),
        ({"x_shopify_shop_api_call_limit": "39/40"}, 1, None),
        ({"x_shopify_shop_api_call_limit": "41/40"}, 0, None),
        ({"sforce_limit_info": "api-usage=15000/15000"}, 0, None),
        ({"sforce_limit_info": "api-usage=10018/15000, per-app-api-usage=17/250(appName=sync)"}, 4_982, None),
        ({"sforce_limit_info": "api-usage=a lot"}, None, None),
        ({"sforce_limit_info": "1/2" + " " * 1_022}, None, None),
    ],
)
def test_what_vendors_call_it(headers: dict[str, str], remaining: int | None, reset_s: float | None) -> None:
    """BigCommerce counts milliseconds, Discord the seconds after; Shopify and Salesforce say what is used up."""
    assert advice(**headers) == RateLimitHints(None, None, remaining, reset_s)


EMPTY, WAIT = RateLimitHints(remaining=0), RateLimitHints(retry_after_s=5.0)


@pytest.mark.parametrize(
    ("status", "hints", "throttled"),
    [
        (429, NO_HINTS, True),
        (420, NO_HINTS, True),
        *[(status, hints, True) for status in (403, 421, 425, 430) for hints in (EMPTY, WAIT)],
        *[(status, NO_HINTS, False) for status in (403, 421, 425, 430)],
        (403, RateLimitHints(remaining=1, reset_after_s=5.0), False),
        (403, RateLimitHints(reset_after_s=5.0), False),
        (503, WAIT, False),
        (500, EMPTY, False),
        (401, WAIT, False),
        (404, EMPTY, False),
    ],
)
def test_what_counts_as_throttled(status: int, hints: RateLimitHints, throttled: bool) -> None:  # noqa: FBT001
    """A 429 always; a 403 and its like that name a wait or an empty quota. A 503 is a failure that asks to wait."""
    assert is_throttled(status, hints) is throttled


@pytest.mark.parametrize(
    ("field", "remaining", "reset_s"),
    [
        ('"p";r=5;t=9', 5, 9.0),
        ('"p"; r=5; t=9', 5, 9.0),
        ('"p";R=5;T=9', 5, 9.0),
        ('"p";r=5', 5, None),
        ('"p";t=9', None, 9.0),
        ("limit=9, remaining=5, reset=30", 5, 30.0),
        ("limit=9,remaining=5,reset=30", 5, 30.0),
        ("remaining=5", 5, None),
        ("Remaining=0, Reset=30", 0, 30.0),
        ('"a";r=5;t=9, "b";r=4;t=3', 4, 3.0),
        ('"a";r=4;t=3, "b";r=5;t=9', 4, 3.0),
        ('"a";r=4;t=3, "b";r=4;t=9', 4, 9.0),
        ('"a";r=4;t=9, "b";r=4;t=3', 4, 9.0),
        ('"a";r=4, "b";r=4;t=3', 4, 3.0),
        ('"a";r=4, "b";r=4;t=0.5', 4, 0.5),
        ('"a";t=1, "b";r=4;t=3', 4, 3.0),
        ('"a";r=x;t=1, "b";r=4;t=3', 4, 3.0),
        ('"a,r=1;r=2";r=5;t=9', 5, 9.0),
        (r'"a\"; r=1, ";r=5;t=9', 5, 9.0),
        ('"p";r=5;r=6;t=9;t=8', 5, 9.0),
        ('"p";r=5;t=9;pk=:cHsdsRa894==:', 5, 9.0),
        ('"p";r=-5;t=9', None, 9.0),
        ('"p";r=5;t=-9', 5, None),
        ('"p";r=5.0;t=9', None, 9.0),
        ('"p";r;t=9', None, 9.0),
        ('"p";r=1234567890123456', None, None),
        ('"p";r=123456789012345', 123_456_789_012_345, None),
        ('"p";r=\u0665', None, None),
        ("r", None, None),
        ("5", None, None),
        (",;=,", None, None),
        ("", None, None),
        ("r=5;t=9;remaining=1;reset=2", 5, 9.0),
    ],
)
def test_the_combined_field_in_every_draft(field: str, remaining: int | None, reset_s: float | None) -> None:
    """The tightest policy counts; of equal ones the one that lasts; malformed parts say nothing."""
    assert advice(ratelimit=field) == RateLimitHints(None, None, remaining, reset_s)


def test_the_tightest_split_field_counts() -> None:
    """Of two spellings that disagree the smaller number holds, for longest."""
    found = advice(
        ratelimit_remaining="9",
        ratelimit_reset="1",
        x_ratelimit_remaining="3",
        x_ratelimit_reset="2",
        x_rate_limit_remaining="3",
        x_rate_limit_reset="8",
    )
    assert (found.remaining, found.reset_after_s) == (3, 8.0)


def test_the_combined_field_comes_first() -> None:
    """Split fields only count where the combined one says nothing."""
    split = {"x_ratelimit_remaining": "1", "x_ratelimit_reset": "2"}
    assert advice(ratelimit='"p";r=5;t=9', **split).remaining == 5
    assert advice(ratelimit='"p";t=9', **split).remaining == 1


@pytest.mark.parametrize(
    ("field", "rate"),
    [
        ('"p";q=9;w=3', 3.0),
        ('"p";q=9;w=10', 0.9),
        ('"p";q=9;w=11', None),
        ('"p";q=1;w=1', 1.0),
        ("9;w=3", 3.0),
        (" 9 ; w=3", 3.0),
        ("9;W=3", 3.0),
        ('"p";q=9;w=3, "day";q=1;w=86400', 3.0),
        ('"a";q=9;w=3, "b";q=2;w=1', 2.0),
        ('"a";q=2;w=1, "b";q=9;w=3', 2.0),
        ('"p";q=9;w=3;qu="requests"', 3.0),
        ('"p";q=9;w=3;qu="content-bytes"', None),
        ('"p";q=0;w=3', None),
        ('"p";q=9;w=0', None),
        ('"p";q=9', None),
        ('"p";w=3', None),
        ('"p";q=-9;w=3', None),
        ("9", None),
        ("", None),
    ],
)
def test_a_policy_of_a_short_window_is_a_pace(field: str, rate: float | None) -> None:
    """Quota by window, the tightest; none for a window beyond 10 s, another unit, or a missing part."""
    assert advice(ratelimit_policy=field) == RateLimitHints(requests_per_second=rate)


def test_a_field_of_1024_characters_is_read() -> None:
    """A longer one is not."""
    assert LONGEST_FIELD == 1024
    field = '"p";r=5;t=9;q=9;w=3;x='
    longest, longer = field.ljust(1024, "x"), field.ljust(1025, "x")
    assert advice(ratelimit=longest, ratelimit_policy=longest) == RateLimitHints(None, 3.0, 5, 9.0)
    assert advice(ratelimit=longer, ratelimit_policy=longer) == NO_HINTS


@pytest.mark.smoke
def test_everything_at_once() -> None:
    """Each header says its own."""
    found = advice(retry_after="2", ratelimit='"p";r=0;t=7', ratelimit_policy='"p";q=100;w=10')
    assert found == RateLimitHints(2.0, 10.0, 0, 7.0)


NAMES = ("date", "retry-after", "ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "x-ratelimit-reset")
PIECES = st.sampled_from(('"', "\\", ";", ",", "=", "r", "t", "q", "w", "qu", "5", "0", "9" * 15, "remaining", " "))
VALUES = st.text(max_size=40) | st.lists(PIECES, max_size=30).map("".join)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_no_header_raises_or_says_the_impossible(headers: dict[str, str]) -> None:
    """Whatever a server sends, waits are plausible, rates positive and counts natural."""
    found = parse_rate_limit_headers(headers, NOW)
    for wait_s in (found.retry_after_s, found.reset_after_s):
        assert wait_s is None or 0 <= wait_s <= YEAR_S
    assert found.requests_per_second is None or found.requests_per_second > 0
    assert found.remaining is None or found.remaining >= 0
