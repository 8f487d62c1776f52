"""Durations as settings write them, and instants as requests do."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from customer_assets.api.paging.instants import LONGEST, parse_duration, resolution, validate_format, write_instant
from customer_assets.core.configuration import SettingError

INSTANT = datetime(2026, 3, 1, 1, 2, 3, 999_999, tzinfo=timezone(timedelta(hours=2)))
"""In UTC it is still February."""


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("iso8601", "2026-02-28T23:02:03Z"),
        ("epoch", 1772319723),
        ("epoch_ms", 1772319723000),
        ("date", "2026-02-28"),
        ("http_date", "Sat, 28 Feb 2026 23:02:03 GMT"),
        ("%Y-%m-%d %H:%M:%S", "2026-02-28 23:02:03"),
        ("%d/%m/%y", "28/02/26"),
    ],
)
def test_instants_are_written_in_utc_and_rounded_down(form: str, written: str | int) -> None:
    assert validate_format(form) == form
    assert write_instant(INSTANT, form) == written


@pytest.mark.parametrize(
    ("form", "seconds"),
    [
        ("iso8601", 1),
        ("http_date", 1),
        ("epoch", 1),
        ("epoch_ms", 1),
        ("date", 86_400),
        ("%H:%M", 60),
        ("%d %H", 3_600),
        ("%Y", 86_400),
    ],
)
def test_what_a_format_tells_apart(form: str, seconds: int) -> None:
    assert resolution(form) == timedelta(seconds=seconds)


@pytest.mark.parametrize("form", ["", "iso", "%Q", "100%", "yyyy-mm-dd"])
def test_a_format_that_writes_no_instant(form: str) -> None:
    with pytest.raises(SettingError):
        validate_format(form)


@pytest.mark.parametrize(("text", "length"), [("90s", 90), ("10 m", 600), ("36h", 129_600), ("7d", 604_800)])
def test_durations(text: str, length: int) -> None:
    assert parse_duration(text) == timedelta(seconds=length)
    assert parse_duration(timedelta(seconds=length)) == timedelta(seconds=length)


@pytest.mark.parametrize("given", ["", "7", "1w", "-1d", 7, None, "3651d", LONGEST + timedelta(seconds=1)])
def test_what_is_no_duration(given: object) -> None:
    with pytest.raises(SettingError):
        parse_duration(given)


def test_an_instant_before_1970() -> None:
    assert write_instant(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "epoch") == -1
