"""What the imitated APIs share."""

import pytest

from customer_assets_tests.harness.vendors import VENDORS, Population
from customer_assets_tests.harness.vendors.base import Faults, TokenBucket, seal, unseal


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_a_vendor_writes_each_customer_under_another_id(name: str) -> None:
    """Five hundred customers, five hundred ids."""
    api = VENDORS[name](Population(500))
    assert len({api.key(customer) for customer in api.customers}) == 500
    assert all(api.record(customer) for customer in api.customers[:3])


def test_a_cursor_leads_back_to_its_number() -> None:
    """None leads to the beginning, and one that was made up nowhere."""
    assert (unseal(seal(17)), unseal(None), unseal("made up")) == (17, 0, None)


def test_customers_join_and_leave() -> None:
    """Those who were there all the time are known."""
    population = Population(9, joins_at=1, leaves_at=2)
    for _ in range(3):
        population.on_request()
    assert [each.number for each in population.customers] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert {each.number for each in population.stayed} == {1, 2, 3, 5, 6, 7, 8, 9}


def test_faults_never_fail_a_request_for_good() -> None:
    """After three in a row one request works."""
    faults = Faults(1.0, seed=0)
    assert [faults.status() is None for _ in range(8)] == [False, False, False, True] * 2


def test_a_bucket_refuses_what_comes_too_soon() -> None:
    """And says when there is a token again."""
    now_s = [0.0]
    bucket = TokenBucket(rate=2, burst=2, now_s=lambda: now_s[0])
    assert [bucket.admits() for _ in range(3)] == [True, True, False]
    now_s[0] = bucket.wait_s()
    assert now_s[0] == 0.5
    assert bucket.admits()
