"""What refusals say about a limit, checked against limiters whose limit is known."""

import random
from collections.abc import Iterator
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.api.crawl.pace.limit_evidence import (
    Interval,
    LimitEvidence,
    bucket_rate,
    burst_beyond,
    roundest,
    sustained_rate,
    window_rate,
)
from customer_assets.api.crawl.pace.policy import PacePolicy
from customer_assets_tests.harness.simulation.limiters import FixedWindow, Gcra, Limiter, SlidingWindow, TokenBucket

FIRST = Interval((0.0, 0.5, 1.0, 1.5), 4, 2.0, None)
LATER = Interval((1.0, 1.25, 1.5), 3, 1.75, 0.0)


def intervals(limiter: Limiter, paces: list[float], pause_s: float = 1.0) -> Iterator[Interval]:
    """Send at one pace after the other, each until the first refusal and after a pause."""
    now_s, since_s = 0.0, None
    dice = random.Random(1)
    for pace in paces:
        sends_s: list[float] = []
        while limiter.refusal_s(now_s, 0) is None:
            sends_s.append(now_s)
            now_s += (1 + 0.02 * dice.uniform(-1, 1)) / pace
        yield Interval(tuple(sends_s), len(sends_s), now_s, since_s)
        since_s = now_s
        now_s += pause_s


def test_an_interval_has_a_duration_and_a_mean_rate() -> None:
    """The first one began before anything was sent: it lasted for ever."""
    assert (FIRST.duration_s, FIRST.mean_rate) == (inf, 0.0)
    assert (LATER.duration_s, LATER.mean_rate) == (1.75, 3 / 1.75)


def test_a_sustained_rate_is_kept_for_a_second() -> None:
    """The highest over at least that long; of a shorter interval the rate between its requests."""
    assert sustained_rate(FIRST) == 2.0
    assert sustained_rate(Interval((0.0, 1.0, 1.1, 1.2), 4, 2.0, None)) == 3.0
    assert sustained_rate(LATER) == 4.0


def test_a_bucket_hands_out_its_burst_as_well() -> None:
    """Three requests in 1.5 s, of which half a second's worth was stored; never less than the mean."""
    assert bucket_rate(FIRST, 0.5) == 1.5
    assert bucket_rate(LATER, 0.5) == 2.0
    assert bucket_rate(LATER, 100.0) == LATER.mean_rate


def test_a_window_counts_what_is_in_it() -> None:
    """If the interval is as long; else there is only the mean."""
    assert window_rate(FIRST, 1.0) == 2.0
    assert window_rate(FIRST, 10.0) == 0.4
    assert window_rate(LATER, 1.0) == 3.0
    assert window_rate(LATER, 10.0) == LATER.mean_rate


def test_a_long_interval_whose_oldest_requests_are_forgotten_still_counts_them() -> None:
    """The mean of the recorded part stands for the window."""
    assert window_rate(Interval((98.0, 99.0), 100, 100.0, 0.0), 10.0) == 0.2
    assert window_rate(Interval((98.0, 99.0), 100, 100.0, 0.0), 1.0) == 50.0


def test_a_burst_is_what_was_accepted_beyond_the_rate() -> None:
    """Four at once of a limiter that lets one through a second: three were stored beside the one."""
    assert burst_beyond(Interval((1.0, 1.0, 1.0, 1.0), 4, 1.0, None), 1.0) == 4.0
    assert burst_beyond(FIRST, 2.0) == 0.0


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (97, 116, 100),
        (82, 101, 100),
        (48, 58, 50),
        (9.2, 10.4, 10),
        (36, 44, 40),
        (91, 96, 95),
        (180, 195, 190),
        (970, 1_040, 1_000),
        (8.2, 8.5, 500 / 60),
        (11.5, 11.8, 700 / 60),
        (1.4, 1.8, 100 / 60),
        (0.9, 1.1, 1),
        (0.001, 0.002, None),
        (93.1, 93.2, None),
    ],
)
def test_limits_are_round_numbers(low: float, high: float, found: float | None) -> None:
    """A second or, if it is slow, a minute; the roundest in between, or none."""
    assert roundest(low, high) == (None if found is None else pytest.approx(found))


@settings(deadline=None)
@given(st.floats(0.001, 1e6), st.floats(1.0, 1.5))
def test_a_round_number_lies_in_its_bracket(low: float, ratio: float) -> None:
    """Whatever the bracket."""
    found = roundest(low, low * ratio)
    assert found is None or low * 0.999999 <= found <= low * ratio * 1.000001


@pytest.mark.parametrize(
    "limiter",
    [
        pytest.param(TokenBucket(50, 10), id="bucket"),
        pytest.param(Gcra(50, 10), id="gcra"),
        pytest.param(TokenBucket(50, 3), id="small-bucket"),
        pytest.param(SlidingWindow(50, 1.0), id="sliding-window"),
        pytest.param(FixedWindow(50, 1.0), id="fixed-window"),
    ],
)
def test_three_refusals_tell_the_limit(limiter: Limiter) -> None:
    """Whatever its kind, to within a few percent: the right one agrees with itself."""
    evidence = LimitEvidence(PacePolicy())
    for interval in intervals(limiter, [70.0, 56.0, 52.5]):
        evidence.add(interval)
    low, high = evidence.bracket()
    assert evidence.refusals == 3
    assert 0.93 * 50 < low <= high < 1.09 * 50
    assert (low * high) ** 0.5 == pytest.approx(50, rel=0.08)


def test_one_refusal_leaves_the_kind_open() -> None:
    """A window's limit, or a bucket's that gave away what it had stored."""
    evidence = LimitEvidence(PacePolicy())
    (interval,) = intervals(TokenBucket(50, 10), [60.0])
    evidence.add(interval)
    low, high = evidence.bracket()
    assert low < 50 < high
    assert high < 1.4 * low


def test_a_new_limit_starts_the_evidence_again() -> None:
    """Half the rate contradicts everything known; so does twice."""
    for rate in (25, 100):
        evidence = LimitEvidence(PacePolicy())
        for interval in intervals(TokenBucket(50, 10), [60.0, 55.0]):
            evidence.add(interval)
        (changed,) = intervals(TokenBucket(rate, 1), [1.3 * rate])
        evidence.add(changed)
        assert evidence.refusals == 1
        assert evidence.requests == changed.accepted


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=60), st.floats(0.0, 5.0), st.integers(0, 1_000)),
        min_size=1,
        max_size=6,
    )
)
def test_any_intervals_give_a_bracket(found: list[tuple[list[float], float, int]]) -> None:
    """Positive, finite, and its lower end not above the upper one."""
    evidence, since_s, now_s = LimitEvidence(PacePolicy()), None, 0.0
    for gaps, pause_s, forgotten in found:
        sends_s = tuple(sorted(now_s + gap for gap in gaps))
        until_s = sends_s[-1] + pause_s
        evidence.add(Interval(sends_s, len(sends_s) + forgotten, until_s, since_s))
        since_s, now_s = until_s, until_s
        low, high = evidence.bracket()
        assert 0 < low <= high < inf
