"""Ranges: which a crawl begins with, how they are split, and how each is requested."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from customer_assets.api.paging.slices import (
    FURTHEST,
    MOST_SLICES,
    Range,
    Slices,
    read_ranges,
    write_ranges,
)
from customer_assets.core.configuration import SettingError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
NOTHING: dict[str, Any] = {"params": {}, "body": {}}


def by_time(**settings: Any) -> Slices:
    """Ranges of creation times."""
    given = {"parameters": {"from": "after", "to": "before"}, "start": "2025-01-01", **settings}
    return Slices.model_validate(given)


def by_id(**settings: Any) -> Slices:
    """Ranges of ids."""
    return by_time(format="number", **{"start": 0, **settings})


# --- which ranges ------------------------------------------------------------------------------------------------


def test_the_first_and_the_last_range_are_open() -> None:
    """Nobody falls between them, whenever they joined."""
    ranges = by_time(step="100d").first_ranges(NOW)
    days = timedelta(days=100) // timedelta(seconds=1)
    start = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
    ends = [start + days * each for each in range(4)]
    assert ranges == [Range(low, high) for low, high in zip([None, *ends], [*ends, None], strict=True)]


def test_without_a_step_there_is_one_range() -> None:
    """It is split only if it must be."""
    assert by_time().first_ranges(NOW) == [Range()]


def test_ranges_of_ids_end_where_they_are_set_to() -> None:
    """Nothing says how large ids become; beyond the end the last range is open."""
    assert by_id(step=100, end=250).first_ranges(NOW) == [
        Range(None, 0),
        Range(0, 100),
        Range(100, 200),
        Range(200, None),
    ]


def test_few_ranges_are_halved() -> None:
    """A lane that is done early takes another; the ends stay where they were."""
    assert by_id(step=100, end=250).first_ranges(NOW, 5) == [
        Range(None, 0),
        *(Range(low, low + 50) for low in (0, 50, 100, 150)),
        Range(200, 225),
        Range(225, None),
    ]


def test_ranges_of_one_id_are_not_halved() -> None:
    """However many are wanted."""
    assert len(by_id(step=2, end=5).first_ranges(NOW, 100)) == len(range(5)) + 1


def test_a_start_in_the_future_leaves_two_ranges() -> None:
    """Both open."""
    assert len(by_time(start="2030-01-01", step="1d").first_ranges(NOW)) == 2


def test_too_many_slices_are_refused() -> None:
    """Each takes a request at least."""
    with pytest.raises(SettingError, match=f"more than {MOST_SLICES} slices"):
        by_time(step="1m").first_ranges(NOW)


def is_inside(value: int, part: Range) -> bool:
    """Whether a range holds a value."""
    return (part.low is None or part.low <= value) and (part.high is None or value < part.high)


@given(st.integers(0, 2 * NOW_S), st.booleans())
def test_splitting_always_leads_to_one_unit(value: int, is_id: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever value everybody has, so few splits isolate it, and each half keeps what was in the whole."""
    slices, whole = by_id() if is_id else by_time(), Range()
    for _ in range(200):
        halves = slices.split(whole, NOW)
        if halves is None:
            break
        assert (halves[0].low, halves[0].high, halves[1].high) == (whole.low, halves[1].low, whole.high)
        (whole,) = [half for half in halves if is_inside(value, half)]
    assert whole == Range(value, value + 1)


@pytest.mark.parametrize("whole", [Range(5, 6), Range(None, 0), Range(FURTHEST, None)])
def test_a_range_that_cannot_be_split(whole: Range) -> None:
    """One id, and what lies beyond all ids."""
    assert by_id().split(whole, NOW) is None


@given(st.lists(st.builds(Range, st.none() | st.integers(), st.none() | st.integers())))
def test_stored_ranges_are_read_as_they_were_written(ranges: list[Range]) -> None:
    """A crawl that resumes has the same slices."""
    assert read_ranges(write_ranges(ranges)) == ranges


# --- requests ----------------------------------------------------------------------------------------------------

HALF = Range(NOW_S, NOW_S + 60)


@pytest.mark.parametrize(
    ("settings", "part", "expected"),
    [
        ({}, HALF, {"after": "2026-01-01T00:00:00Z", "before": "2026-01-01T00:01:00Z"}),
        ({}, Range(), {}),
        ({}, Range(None, NOW_S), {"before": "2026-01-01T00:00:00Z"}),
        ({}, Range(NOW_S, None), {"after": "2026-01-01T00:00:00Z"}),
        ({"format": "epoch"}, HALF, {"after": f"{NOW_S}", "before": f"{NOW_S + 60}"}),
        ({"format": "epoch_ms"}, HALF, {"after": f"{NOW_S}000", "before": f"{NOW_S + 60}000"}),
        ({"format": "date"}, Range(20454, 20455), {"after": "2026-01-01", "before": "2026-01-02"}),
        ({"format": "%d.%m.%Y %H:%M"}, Range(NOW_S // 60, None), {"after": "01.01.2026 00:00"}),
        ({"from_is": "exclusive"}, HALF, {"after": "2025-12-31T23:59:59Z", "before": "2026-01-01T00:01:00Z"}),
        ({"to_is": "inclusive"}, HALF, {"after": "2026-01-01T00:00:00Z", "before": "2026-01-01T00:01:00Z"}),
        (
            {
                "parameters": {"from": "where", "to": "where"},
                "templates": {"from": 'created >= "{at}"', "to": 'created < "{at}"'},
            },
            HALF,
            {"where": 'created >= "2026-01-01T00:00:00Z" and created < "2026-01-01T00:01:00Z"'},
        ),
    ],
)
def test_requests_for_a_range(settings: dict[str, Any], part: Range, expected: dict[str, str]) -> None:
    """An open end is not mentioned; an inclusive one overlaps the next range rather than leave anybody out."""
    assert by_time(**settings).request(part, NOTHING, "query") == {"params": expected, "body": {}}


def test_ids_never_overlap() -> None:
    """They are whole numbers."""
    slices = by_id(from_is="exclusive", to_is="inclusive")
    assert slices.request(Range(10, 20), NOTHING, "query")["params"] == {"after": "9", "before": "19"}


def test_a_fixed_condition_is_kept() -> None:
    """One parameter holds it, and both ends."""
    templates = {"from": "created>={at}", "to": "created<{at}"}
    slices = by_id(parameters={"from": "q", "to": "q"}, templates=templates, join=" AND ")
    parts = {"params": {"q": "role:customer"}, "body": {}}
    assert slices.request(Range(1, 2), parts, "query")["params"] == {"q": "role:customer AND created>=1 AND created<2"}


def test_a_body_holds_numbers_as_numbers() -> None:
    """Where pages are requested in a body, ranges are, too; the given body stays as it was."""
    parts = {"params": {}, "body": {"filter": {"kind": "person"}}}
    request = by_id(send_in="body.filter").request(Range(1, 2), parts, "query")
    assert request == {"params": {}, "body": {"filter": {"kind": "person", "after": 1, "before": 2}}}
    assert parts["body"] == {"filter": {"kind": "person"}}


# --- whether the API honours them --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "is_ignored"),
    [
        ([], False),
        (["2026-01-01T00:00:30Z"], False),
        (["2026-01-01T14:00:30+14:00", "Thu, 01 Jan 2026 00:00:10 GMT", NOW_S, NOW_S * 1000, "2026-01-01"], False),
        (["2025-06-01T00:00:00Z", "2024-06-01T00:00:00Z", "2026-01-01T00:00:30Z"], True),
        (["2025-06-01T00:00:00Z", "2026-01-01T00:00:30Z"], False),
        ([None, "soon", True, {}, "9" * 400], False),
    ],
)
def test_whether_an_api_ignores_ranges(values: list[Any], is_ignored: bool) -> None:  # noqa: FBT001 - a table
    """It does if most of a page lies outside; what cannot be read says nothing."""
    records = [{"created": value} for value in values]
    assert by_time(over="created").is_ignored(HALF, records) is is_ignored
    assert not by_time().is_ignored(HALF, records)
    assert not by_time(over="created").is_ignored(Range(), records)


def test_ranges_in_words() -> None:
    """As messages name them."""
    assert by_id().describe(Range(1, 2)) == "from 1 up to 2"
    assert by_time().describe(Range(None, NOW_S)) == "up to 2026-01-01T00:00:00Z"
    assert by_time().describe(Range()) == "from beginning to end"


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"start": 0}, "start"),
        ({"format": "number", "start": "2025-01-01"}, "start"),
        ({"step": 5}, "step"),
        ({"format": "number", "start": 0, "step": "5d", "end": 9}, "step"),
        ({"format": "number", "start": 0, "step": 5}, "end"),
        ({"end": 5}, "end"),
        ({"format": "soon"}, "format"),
        ({"templates": {"from": "x", "to": "{at}"}}, "templates"),
        ({"to_is": "open"}, "to_is"),
        ({"step": "soon"}, "step"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, Any], field: str) -> None:
    """Each is refused by name."""
    with pytest.raises(ValidationError) as refused:
        by_time(**settings)
    (error,) = refused.value.errors()
    assert field in (*error["loc"], getattr(error.get("ctx", {}).get("error"), "field", ""))
