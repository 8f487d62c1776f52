"""Dates: what is an instant, and which."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from customer_assets.processing.landing.columns import instants
from customer_assets.processing.landing.dates import instant_us
from customer_assets_tests.harness.records.dirty import DATES, any_date, any_text
from customer_assets_tests.harness.records.reference import instant, text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(date: str) -> str | None:
    microseconds = instant_us(date)
    return None if microseconds is None else (EPOCH + timedelta(microseconds=microseconds)).isoformat()


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        pytest.param("2026-11-24T12:00:00Z", "2026-11-24T12:00:00+00:00", id="UTC"),
        pytest.param("2026-11-24T12:00:00+05:30", "2026-11-24T06:30:00+00:00", id="offset"),
        pytest.param("2026-11-24T12:00:00-0330", "2026-11-24T15:30:00+00:00", id="basic offset"),
        pytest.param("2026-11-24T12:00:00+05", "2026-11-24T07:00:00+00:00", id="offset of hours"),
        pytest.param("2026-11-24 12:00", "2026-11-24T12:00:00+00:00", id="blank, no seconds, no offset"),
        pytest.param("20261124T120000Z", "2026-11-24T12:00:00+00:00", id="basic form"),
        pytest.param("2026-11-24t12:00:00z", "2026-11-24T12:00:00+00:00", id="lower case"),
        pytest.param("2026-11-24", "2026-11-24T00:00:00+00:00", id="a day is its midnight"),
        pytest.param("2026-W48-2", "2026-11-24T00:00:00+00:00", id="week date"),
        pytest.param("2026-W48", "2026-11-23T00:00:00+00:00", id="a week is its Monday"),
        pytest.param("2024-02-29", "2024-02-29T00:00:00+00:00", id="leap day"),
        pytest.param("2026-11-24T12:00:00.1234567Z", "2026-11-24T12:00:00.123456+00:00", id="digits dropped"),
        pytest.param("2026-11-24T12:00:00,5Z", "2026-11-24T12:00:00.500000+00:00", id="decimal comma"),
        pytest.param("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00", id="last instant"),
        pytest.param("0001-01-01", "0001-01-01T00:00:00+00:00", id="first instant"),
        pytest.param("9999-12-31T23:59:59-00:01", None, id="beyond year 9999 in UTC"),
        pytest.param("0001-01-01T00:00:00+00:01", None, id="before year 1 in UTC"),
        pytest.param("0000-01-01", None, id="year 0"),
        pytest.param("2023-02-29", None, id="no leap year"),
        pytest.param("1900-02-29", None, id="no leap century"),
        pytest.param("2026-04-31", None, id="31 April"),
        pytest.param("2026-11-24T24:00:00Z", "2026-11-25T00:00:00+00:00", id="hour 24"),
        pytest.param("2026-12-31 24:00", "2027-01-01T00:00:00+00:00", id="hour 24, no seconds"),
        pytest.param("2026-11-24T24", "2026-11-25T00:00:00+00:00", id="hour 24 alone"),
        pytest.param("20261124T240000Z", "2026-11-25T00:00:00+00:00", id="hour 24, basic form"),
        pytest.param("2026-11-24T24:00:00.000+02:00", "2026-11-24T22:00:00+00:00", id="hour 24 at an offset"),
        pytest.param("2024-02-29T24:00:00Z", "2024-03-01T00:00:00+00:00", id="hour 24 of a leap day"),
        pytest.param("2026-W48-2T24:00Z", "2026-11-25T00:00:00+00:00", id="hour 24 of a week date"),
        pytest.param("2026-11-24T24:00:01Z", None, id="a second past hour 24"),
        pytest.param("2026-11-24T24:01Z", None, id="a minute past hour 24"),
        pytest.param("2026-11-24T24:00:00.5Z", None, id="half a second past hour 24"),
        pytest.param("2023-02-29T24:00:00Z", None, id="hour 24 of no day"),
        pytest.param("9999-12-31T24:00:00Z", None, id="hour 24 of the last day"),
        pytest.param("2026-11-24T25:00:00Z", None, id="hour 25"),
        pytest.param("2026-11-24T12:60:00Z", None, id="minute 60"),
        pytest.param("2026-11-24T12:00:60Z", None, id="leap second"),
        pytest.param("2026-11-24T12:00:00+05:60", None, id="offset minute 60"),
        pytest.param("2026-11-24T12:00:00+24:00", None, id="offset of a day"),
        pytest.param("2026-11-24T12:00:00+05:30:15", None, id="offset with seconds"),
        pytest.param("2026-11-24x12:00", None, id="another separator"),
        pytest.param("2026-11", None, id="a month"),
        pytest.param("2026-330", None, id="day of the year"),
        pytest.param("1764000000", "2025-11-24T16:00:00+00:00", id="seconds since 1970"),
        pytest.param("1764000000.25", "2025-11-24T16:00:00.250000+00:00", id="seconds with a fraction"),
        pytest.param("1764000000123", "2025-11-24T16:00:00.123000+00:00", id="milliseconds since 1970"),
        pytest.param("1764000000123.4567", "2025-11-24T16:00:00.123456+00:00", id="milliseconds with a fraction"),
        pytest.param("100000000", "1973-03-03T09:46:40+00:00", id="nine digits"),
        pytest.param("099999999", None, id="nine digits, the first a zero"),
        pytest.param("99999999999", "5138-11-16T09:46:39+00:00", id="the last second"),
        pytest.param("100000000000", "1973-03-03T09:46:40+00:00", id="the first millisecond"),
        pytest.param("253402300799999", "9999-12-31T23:59:59.999000+00:00", id="the last millisecond"),
        pytest.param("253402300800000", None, id="beyond it"),
        pytest.param("1764000000000000", None, id="microseconds"),
        pytest.param("-1764000000", None, id="before 1970"),
        pytest.param("2026-11-24 12:00:00 UTC", "2026-11-24T12:00:00+00:00", id="UTC by name"),
        pytest.param("2026-11-24T12:00:00GMT", "2026-11-24T12:00:00+00:00", id="GMT by name"),
        pytest.param("2026-11-24T12:00:00Z[UTC]", "2026-11-24T12:00:00+00:00", id="Java's zone"),
        pytest.param("2026-11-24 12:00:00 +0000 UTC", "2026-11-24T12:00:00+00:00", id="Go's zone"),
        pytest.param("2026-11-24 12:00:00 -0330", "2026-11-24T15:30:00+00:00", id="a blank before the offset"),
        pytest.param("2026-11-24 UTC", "2026-11-24T00:00:00+00:00", id="a day in UTC"),
        pytest.param("2026-11-24T12:00:00 UTC UTC", None, id="UTC twice"),
        pytest.param("2026-11-24T12:00:00[Europe/Berlin]", None, id="a zone that needs a table"),
        pytest.param(
            "2026-11-24T12:00:00+01:00[Europe/Berlin]", "2026-11-24T11:00:00+00:00", id="a zone that needs none"
        ),
        pytest.param("2026-11-24T12:00:00Z[Etc/UTC]", "2026-11-24T12:00:00+00:00", id="a longer name of UTC"),
        pytest.param("20261124120000", "2026-11-24T12:00:00+00:00", id="date and time run together"),
        pytest.param("20261124120000.0Z", "2026-11-24T12:00:00+00:00", id="the same, of a directory"),
        pytest.param("20261324120000", None, id="fourteen digits that are no date"),
        pytest.param("Tue, 24 Nov 2026 12:00:00 +0000 (UTC)", "2026-11-24T12:00:00+00:00", id="RFC 2822, a comment"),
        pytest.param("24 Nov 2026 12:00:00 (CET)", None, id="RFC 2822, a comment in the zone's place"),
        pytest.param("Tue, 24 Nov 2026 12:00:00 +0530", "2026-11-24T06:30:00+00:00", id="RFC 2822"),
        pytest.param("tue, 4 nov 2026 12:00 GMT", "2026-11-04T12:00:00+00:00", id="RFC 2822, no seconds"),
        pytest.param("24 Nov 2026 12:00:00", "2026-11-24T12:00:00+00:00", id="RFC 2822, no zone"),
        pytest.param("24 Nov 2026 12:00:00 EDT", "2026-11-24T16:00:00+00:00", id="RFC 2822, an American zone"),
        pytest.param("24 Nov 2026 12:00:00 -0000", "2026-11-24T12:00:00+00:00", id="RFC 2822, an unknown zone"),
        pytest.param("31 Nov 2026 12:00:00 GMT", None, id="RFC 2822, 31 November"),
        pytest.param("24 Foo 2026 12:00:00 GMT", None, id="RFC 2822, no such month"),
        pytest.param("24 Nov 2026 12:00:00 +0060", None, id="RFC 2822, an offset's minute 60"),
        pytest.param("24 Nov 2026 12:00:00 +9900", None, id="RFC 2822, an offset of 99 hours"),
        pytest.param("24 Nov 2026 12:00:00 CET", None, id="RFC 2822, a zone that is not in it"),
        pytest.param("31 Dec 9999 23:59:00 -0100", None, id="RFC 2822, beyond year 9999"),
        pytest.param("Thu Nov 26 12:00:00 2026", "2026-11-26T12:00:00+00:00", id="asctime"),
        pytest.param("sun nov 6 08:49:37 1994", "1994-11-06T08:49:37+00:00", id="asctime, a day of one digit"),
        pytest.param("Thu Nov 26 12:00:00 UTC 2026", "2026-11-26T12:00:00+00:00", id="Java and `date`"),
        pytest.param("Thu Nov 26 12:00:00 PST 2026", "2026-11-26T20:00:00+00:00", id="Java, an American zone"),
        pytest.param("Thu Nov 26 12:00:00 +0100 2026", "2026-11-26T11:00:00+00:00", id="Ruby and Twitter"),
        pytest.param("Thu Nov 26 12:00:00 CET 2026", None, id="Java, a zone that needs a table"),
        pytest.param(
            "Thu Nov 26 2026 12:00:00 GMT+0100 (Central European Standard Time)",
            "2026-11-26T11:00:00+00:00",
            id="JavaScript",
        ),
        pytest.param("Thu Nov 26 2026 12:00:00 GMT", "2026-11-26T12:00:00+00:00", id="JavaScript, no offset"),
        pytest.param("Thu Nov 31 12:00:00 2026", None, id="asctime, 31 November"),
        pytest.param("Thu Foo 26 12:00:00 2026", None, id="asctime, no such month"),
        pytest.param("Thu Nov 26 24:00:00 2026", None, id="asctime, hour 24"),
        pytest.param("Nov 26 12:00:00 2026", None, id="asctime without a weekday"),
        pytest.param("Thu Nov 26 12:00:00 26", None, id="asctime, a year of two digits"),
        pytest.param("\uff12\uff10\uff12\uff16-11-24", None, id="digits that are not ASCII"),
        pytest.param("2026-11-24T12:00:00Z\n", None, id="not canonical text"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_instant_us(date: str, moment: str | None) -> None:
    """ISO 8601 and RFC 2822 in their usual forms, and numbers since 1970, are instants in UTC; nothing else is."""
    assert _moment(date) == moment


@settings(deadline=None)
@given(date=st.one_of(any_date, any_text))
@example(date="2026-W53-1")
def test_agrees_with_the_reference(date: str) -> None:
    """Parsing gives what a parser written apart from it gives."""
    canonical = text(date)
    expected = instant(canonical)
    assert (None if canonical is None else _moment(canonical)) == (None if expected is None else expected.isoformat())


@settings(deadline=None)
@given(dates=st.lists(st.one_of(st.none(), any_date, any_text), max_size=20))
@example(dates=[*DATES, None])
@example(dates=["\ud800", "2026-11-24"])
def test_columns_of_dates(dates: list[str | None]) -> None:
    """A column holds for each value what parsing it alone gives, however many of them Arrow parsed."""
    canonical = [text(date) for date in dates]
    expected = [None if date is None else instant_us(date) for date in canonical]
    assert instants(dates).view(pa.int64()).to_pylist() == expected
