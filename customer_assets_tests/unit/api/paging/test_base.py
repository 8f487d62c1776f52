"""What every way of paging has: the flag for more pages, the page size, and where parameters go."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from customer_assets.api.paging import Offset, PageNumber, Pages, Single
from customer_assets_tests.harness.simulation.responses import page_of

PAGES: TypeAdapter[Any] = TypeAdapter(Pages)


@pytest.mark.parametrize(
    ("value", "more"),
    [
        (True, True),
        ("true", True),
        (1, True),
        ("https://x.org/next", True),
        (False, False),
        ("false", False),
        ("False ", False),
        (0, False),
        ("0", False),
        ("", False),
        (None, False),
        ([], False),
        ("no", False),
        ("N", False),
        ("F", False),
        ("off", False),
        ("Y", True),
        ("T", True),
        ("on", True),
    ],
)
def test_has_more_in_many_spellings(value: Any, *, more: bool) -> None:
    """A flag, a number, a text, or the presence of something; with `!` the opposite."""
    assert page_of(Offset(has_more="meta.more"), {"data": [1], "meta": {"more": value}}).has_more is more
    assert page_of(Offset(has_more="!meta.done"), {"data": [1], "meta": {"done": value}}).has_more is not more


def test_has_more_that_is_not_there_says_nothing() -> None:
    """It is never taken for the end."""
    assert page_of(Offset(has_more="meta.more"), {"data": [1]}).has_more is None
    assert page_of(Offset(has_more="!meta.done"), {"data": [1], "meta": None}).has_more is None


def test_has_more_in_a_header() -> None:
    """GitLab's `X-Next-Page` is blank on the last page."""
    paging = PageNumber(has_more="header:X-Next-Page")
    assert page_of(paging, {"data": [1]}, x_next_page="2").has_more is True
    assert page_of(paging, {"data": [1]}, x_next_page="").has_more is False


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "page_number", "parameter": "a b"},
        {"type": "page_number", "parameter": "per_page"},
        {"type": "page_number", "size": 0},
        {"type": "page_number", "has_more": "a."},
        {"type": "page_number", "has_more": "header:"},
        {"type": "page_number", "send_in": "header"},
        {"type": "page_number", "first": 2},
        {"type": "offset", "format": "{size}", "size": 1},
        {"type": "offset", "format": "{offset},{size}"},
        {"type": "offset", "format": "{offset"},
        {"type": "cursor", "from": "next"},
        {"type": "cursor", "parameter": "after"},
        {"type": "link_header", "rel": ""},
        {"type": "single", "cursor": "x"},
        {"type": "guess"},
        {},
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    """Before any request."""
    with pytest.raises(ValidationError):
        PAGES.validate_python(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "page_number", "parameter": "page[number]", "size_parameter": "page[size]", "size": 100, "first": 0},
        {"type": "offset", "parameter": "limit", "format": "{offset},{size}", "size": 50},
        {"type": "cursor", "from": "paging.next.after", "parameter": "after", "send_in": "body.variables"},
        {"type": "last_id", "parameter": "starting_after", "has_more": "has_more"},
        {"type": "next_url", "from": "links.next"},
        {"type": "link_header"},
        {"type": "single"},
    ],
)
def test_settings_survive_a_round_trip(settings: dict[str, Any]) -> None:
    """As a component hands them to a resource: dumped, and validated again."""
    pages = PAGES.validate_python(settings)
    assert PAGES.validate_python(pages.model_dump()) == pages
    assert pages.type == settings["type"]


def test_an_unknown_size_asks_for_none() -> None:
    """A size without a parameter is only known, not asked for."""
    assert Single(size=10).request(1, None).parameters == {}
    assert PageNumber(size_parameter=None, size=50).request(3, None).parameters == {"page": 3}
    assert Offset(size_parameter="limit").request(1, None).parameters == {"offset": 0}
