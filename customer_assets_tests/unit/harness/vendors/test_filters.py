"""Imitations honour filters as their vendors write them, and refuse all others."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customer_assets_tests.harness.vendors.base import BORN, Customer
from customer_assets_tests.harness.vendors.filters import FILTERS, BadFilterError, matching

CUSTOMERS = [Customer(number, BORN + timedelta(hours=number), BORN + timedelta(days=number)) for number in range(1, 5)]


def numbers(name: str, query: dict[str, str], others: dict[str, Any] | None = None) -> list[int]:
    """Who is let through."""
    return [customer.number for customer in matching(FILTERS[name], CUSTOMERS, query, others or {})]


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        ("shopify", {}, [1, 2, 3, 4]),
        ("shopify", {"updated_at_min": "2024-01-03T00:00:00Z"}, [2, 3, 4]),
        ("shopify", {"created_at_min": "2024-01-01T02:00:00Z", "created_at_max": "2024-01-01T03:00:00Z"}, [2, 3]),
        ("auth0", {"q": "created_at:[2024-01-01T02:00:00Z TO *] AND created_at:[* TO 2024-01-01T03:00:00Z}"}, [2]),
        ("commercetools", {"where": 'lastModifiedAt >= "2024-01-04T00:00:00Z"'}, [3, 4]),
        ("chargebee", {"updated_at[after]": str(int(datetime(2024, 1, 3, tzinfo=UTC).timestamp()))}, [3, 4]),
        ("prestashop", {"filter[date_upd]": ">[2024-01-03 00:00:00]", "date": "1"}, [3, 4]),
    ],
)
def test_who_is_let_through(name: str, query: dict[str, str], expected: list[int]) -> None:
    assert numbers(name, query) == expected


def test_headers_and_bodies_hold_filters_too() -> None:
    assert numbers("zoho", {}, {"if-modified-since": "2024-01-04T00:00:00Z"}) == [4]
    assert numbers("shopify_graphql", {}, {"variables": {"query": "updated_at:>='2024-01-04T00:00:00Z'"}}) == [3, 4]


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("shopify", {"updated_at_min": "yesterday"}),
        ("shopify", {"updated_at_min": "1704240000"}),
        ("auth0", {"q": "created_at:[2024-01-01T02:00:00Z TO *] or else"}),
        ("prestashop", {"filter[date_upd]": ">[2024-01-03 00:00:00]"}),
        ("recurly", {"begin_time": "2024-01-03T00:00:00Z"}),
        ("klaviyo", {"filter": "updated > 2024-01-03T00:00:00Z", "sort": "updated"}),
    ],
)
def test_a_filter_that_the_vendor_would_not_understand(name: str, query: dict[str, str]) -> None:
    with pytest.raises(BadFilterError):
        numbers(name, query)
