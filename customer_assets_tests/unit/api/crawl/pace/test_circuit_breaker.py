"""What counts as an outage, and how long a broken API is asked."""

from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.api.crawl.pace.circuit_breaker import BreakerPolicy, CircuitBreaker

SMALL = BreakerPolicy(failures_in_a_row=3, window=10, failing_share=0.6, probe_waits_s=(1.0, 2.0))
ONLY_SHARE = BreakerPolicy(failures_in_a_row=99, window=5, failing_share=0.6)


def opened(policy: BreakerPolicy = SMALL, now_s: float = 10.0) -> CircuitBreaker:
    """Make a breaker that just opened."""
    breaker = CircuitBreaker(policy)
    assert [breaker.record_failure(now_s) for _ in range(policy.failures_in_a_row)][-1]
    return breaker


def tell(breaker: CircuitBreaker, answers: str) -> list[bool]:
    """Tell of answers, `.` a page and `x` a failure; return which opened it."""
    opens = []
    for answer in answers:
        if answer == ".":
            breaker.record_success()
            opens.append(False)
        else:
            opens.append(breaker.record_failure(0.0))
    return opens


def test_the_default_policy_tells_an_outage_from_chance() -> None:
    """Twelve in a row or more than 60 % of 50, then five probes."""
    assert BreakerPolicy() == BreakerPolicy(12, 50, 0.6, (1.0, 2.0, 4.0, 8.0, 16.0))


def test_it_is_closed_at_first() -> None:
    """And no probe is waited for."""
    breaker = CircuitBreaker(SMALL)
    assert (breaker.is_open, breaker.is_exhausted, breaker.next_probe_s) == (False, False, 0.0)


def test_failures_in_a_row_open_it() -> None:
    """Not one fewer, and only the one that opens it says so."""
    breaker = CircuitBreaker(SMALL)
    assert tell(breaker, "xx") == [False, False]
    assert not breaker.is_open
    assert breaker.record_failure(10.0)
    assert breaker.is_open
    assert not breaker.is_exhausted
    assert breaker.next_probe_s == 11.0


def test_a_page_in_between_breaks_the_row() -> None:
    """The count begins anew."""
    assert tell(CircuitBreaker(SMALL), "xx.xx.xxx") == [False] * 8 + [True]


def test_more_than_a_share_of_the_latest_answers_opens_it() -> None:
    """Four of five are more than 60 %; exactly 60 % are not."""
    assert tell(CircuitBreaker(ONLY_SHARE), "x.x.x") == [False] * 5
    assert tell(CircuitBreaker(ONLY_SHARE), "x.xxx") == [False] * 4 + [True]


def test_the_share_counts_only_in_a_full_window() -> None:
    """Four failures out of four say nothing yet."""
    assert tell(CircuitBreaker(ONLY_SHARE), "xxxx.x") == [False] * 5 + [True]
    assert tell(CircuitBreaker(ONLY_SHARE), "xxxx") == [False] * 4


def test_old_answers_leave_the_window() -> None:
    """Only the latest are looked at: what left it counts neither way."""
    assert tell(CircuitBreaker(ONLY_SHARE), "xxx..xx.x.x") == [False] * 11
    assert tell(CircuitBreaker(ONLY_SHARE), "xxx..xx.xx") == [False] * 9 + [True]
    assert tell(CircuitBreaker(ONLY_SHARE), ".....xxx.x") == [False] * 9 + [True]


def test_what_was_in_flight_when_it_opened_is_no_probe() -> None:
    """Such failures spend none, and move no instant."""
    breaker = opened()
    for now_s in (10.0, 10.5, 10.999):
        assert not breaker.record_failure(now_s)
    assert breaker.next_probe_s == 11.0
    assert not breaker.is_exhausted


def test_each_failed_probe_waits_for_the_next_until_all_are_spent() -> None:
    """After the last one the outage is final."""
    breaker = opened()
    assert not breaker.record_failure(11.0)
    assert (breaker.is_exhausted, breaker.next_probe_s) == (False, 13.0)
    assert not breaker.record_failure(14.0)
    assert breaker.is_exhausted
    assert breaker.is_open
    assert breaker.next_probe_s == 13.0


def test_without_probes_an_outage_is_final_at_once() -> None:
    """Nothing is left to wait for."""
    breaker = CircuitBreaker(BreakerPolicy(failures_in_a_row=1, probe_waits_s=()))
    assert breaker.record_failure(5.0)
    assert breaker.is_exhausted
    assert breaker.next_probe_s == 0.0


def test_a_page_closes_it_with_a_clean_slate() -> None:
    """The row and the window begin anew, and so do the probes."""
    breaker = opened()
    breaker.record_failure(11.0)
    breaker.record_success()
    assert (breaker.is_open, breaker.is_exhausted) == (False, False)
    assert [breaker.record_failure(20.0) for _ in range(3)] == [False, False, True]
    assert breaker.next_probe_s == 21.0


def test_closing_empties_the_window() -> None:
    """Failures from before the outage ended count no more; the page that ended it counts."""
    breaker = CircuitBreaker(ONLY_SHARE)
    assert tell(breaker, "x.xxx")[-1]
    assert tell(breaker, ".xxx") == [False] * 4
    assert breaker.record_failure(0.0)


@settings(deadline=None)
@given(st.text(".x", max_size=80))
def test_it_agrees_with_counting_by_hand(answers: str) -> None:
    """It opens where, and only where, the row or the full window of the latest answers says so."""
    policy = BreakerPolicy(failures_in_a_row=6, window=8, failing_share=0.5)
    breaker, seen = CircuitBreaker(policy), ""
    for answer in answers:
        if breaker.is_open and answer == ".":
            seen = ""
        was_open = breaker.is_open
        seen += answer
        (opens,) = tell(breaker, answer)
        is_outage = seen.endswith("x" * 6) or (len(seen) >= 8 and seen[-8:].count("x") > 4)
        assert opens == (answer == "x" and not was_open and is_outage)
        assert breaker.is_open == (answer == "x" and (was_open or is_outage))
