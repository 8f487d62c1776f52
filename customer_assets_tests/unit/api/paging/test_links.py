"""The `Link` header, and addresses of next pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_assets.api.paging.base import PagingError
from customer_assets.api.paging.links import LONGEST_HEADER, parse_links, path_and_query


def test_each_relation_has_its_address() -> None:
    """The first of the same relation counts."""
    header = '<a>; rel="next", <b>; rel=prev, <c>; title="x; rel=\\"last\\""; rel="last first", <d>; rel=next, <e>'
    assert parse_links(header) == {"next": "a", "prev": "b", "last": "c", "first": "c"}


def test_a_header_that_is_too_long_is_not_read() -> None:
    """It is there to cost time."""
    assert parse_links("<a>; rel=next," * LONGEST_HEADER) == {}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("filling", [" ", ";", ";x", "<", "<a>", ";x=", ' ;x="', "\\", "<a>;rel="])
def test_no_header_costs_time(filling: str) -> None:
    """A pattern that tries everything twice would take minutes."""
    for header in (f"<a>;x{filling * 5_000}", f"<a>{filling * 5_000}", filling * 5_000):
        parse_links(header[:LONGEST_HEADER])


@given(st.text(max_size=200))
def test_any_header_is_read_or_not(header: str) -> None:
    """Nothing is raised."""
    assert isinstance(parse_links(header), dict)


@given(st.text(max_size=60))
def test_any_address_leads_to_the_api_or_nowhere(address: str) -> None:
    """Whatever it is."""
    try:
        found = path_and_query(address, "https://api.example/v1")
    except PagingError:
        return
    assert found.startswith("/")


@pytest.mark.parametrize(
    ("address", "base_url"),
    [
        ("https://api.example:8443/x", "https://api.example:8443/v1"),
        ("http://api.example:8443/x", "https://api.example:8443/v1"),
        ("https://api.example/x", "http://api.example:80/v1"),
    ],
)
def test_a_proxy_that_ends_tls_changes_the_scheme(address: str, base_url: str) -> None:
    """Which is not followed, but does no harm: the API's own scheme is kept."""
    assert path_and_query(address, base_url) == "/x"
