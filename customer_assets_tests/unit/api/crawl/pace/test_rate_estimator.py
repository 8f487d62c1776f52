"""How a pace is learned: by hand, and in virtual time against servers of every make."""

from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.api.crawl.events import Done
from customer_assets.api.crawl.pace import rate_estimator
from customer_assets.api.crawl.pace.policy import PacePolicy
from customer_assets.api.crawl.pace.rate_estimator import RateEstimator
from customer_assets_tests.harness.apis.makes import MAKES, busy, lost_s, quiet
from customer_assets_tests.harness.simulation import limiters
from customer_assets_tests.harness.simulation.limiters import Limiter
from customer_assets_tests.harness.simulation.simulated_apis import World, visit

POLICY = PacePolicy()


def opening(latency_s: float = 0.1, places: int = 8) -> RateEstimator:
    """An estimator that has seen one answer."""
    estimator = RateEstimator(places)
    estimator.on_send(0.0)
    estimator.on_answer(latency_s)
    return estimator


def refused_after(requests: int, every_s: float = 0.02) -> RateEstimator:
    """An estimator whose first refusal came after that many requests, evenly spaced."""
    estimator = opening()
    for number in range(1, requests):
        estimator.on_send(number * every_s)
        estimator.on_answer(0.1)
    assert estimator.on_refusal(0.1, requests * every_s + 0.1)
    return estimator


def rate_of(estimator: RateEstimator) -> float:
    """The present pace."""
    assert estimator.rate is not None
    return estimator.rate


# --- before the first refusal ----------------------------------------------------------------------------------


def test_it_opens_with_five_eighths_of_the_concurrency() -> None:
    """As soon as a round trip is known; before, there is no pace."""
    assert RateEstimator(8).rate is None
    assert opening().rate == pytest.approx(50.0)
    assert not opening().has_learned


@pytest.mark.parametrize(("latency_s", "places"), [(0.01, 8), (0.001, 8), (0.0, 8), (0.1, 1)])
def test_a_fast_api_or_a_single_connection_needs_no_pace(latency_s: float, places: int) -> None:
    """The concurrency is limit enough."""
    assert opening(latency_s, places).rate is None


def test_one_slow_answer_does_not_slow_the_rest() -> None:
    """The round trip is a running mean; an answer counts as four times the mean at most."""
    estimator = opening()
    estimator.on_answer(60.0)
    assert estimator.rate == pytest.approx(5 / 0.13)
    estimator = opening()
    estimator.on_answer(0.2)
    assert estimator.rate == pytest.approx(5 / 0.11)


@pytest.mark.parametrize(("pages_left", "growth"), [(10_000, 0.10), (10, 0.01), (301, 0.10), (299, 0.01)])
def test_the_pace_grows_before_the_first_refusal(pages_left: int, growth: float) -> None:
    """By a tenth a second; by a hundredth where the crawl ends within six seconds anyway."""
    estimator = opening()
    estimator.set_remaining(pages_left)
    estimator.on_send(0.1)
    assert estimator.rate == pytest.approx(50.0 * (1 + 0.1 * growth))


def test_a_pace_that_fills_the_concurrency_is_none() -> None:
    """It has grown up to it."""
    estimator = opening()
    estimator.set_remaining(100_000)
    for tick in range(1, 51):
        estimator.on_send(tick / 10)
    assert estimator.rate is None


# --- refusals ----------------------------------------------------------------------------------------------------


def test_the_first_refusal_gives_a_bracket() -> None:
    """Fifty a second for a second: a window's limit, or a bucket's that had stored a part of it."""
    pace = rate_of(refused_after(50))
    assert 50 / 1.3 < pace < 50
    assert refused_after(50).has_learned


def test_a_limit_is_taken_for_the_roundest_number_that_fits() -> None:
    """206 requests at 51 a second, refused after four: 49 to 52, so 50, of which 99 % are used."""
    assert refused_after(206, 1 / 51).rate == pytest.approx(0.99 * 50)


def test_without_a_round_number_the_middle_of_the_bracket_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the pace climbs from there to its upper end."""
    monkeypatch.setattr(rate_estimator, "roundest", lambda _low, _high: None)
    estimator = refused_after(206, 1 / 51)
    assert 45 < rate_of(estimator) < 50
    estimator.set_remaining(100_000)
    estimator.on_pause(0.1, 4.3)
    for tick in range(400):
        estimator.on_send(4.3 + tick / 50)
    assert 51 < rate_of(estimator) < 53


@pytest.mark.parametrize("accepted", [0, 1, 2])
def test_a_pace_at_which_nearly_nothing_is_accepted_is_left_at_once(accepted: int) -> None:
    """Again and again: by three tenths each time."""
    estimator = opening()
    for number in range(accepted):
        estimator.on_send(0.1 + number * 0.01)
    before = 50.0
    for refusal in range(5):
        estimator.on_send(1.0 + refusal / 10)
        assert estimator.on_refusal(0.01, 1.01 + refusal / 10)
        assert rate_of(estimator) < 0.72 * before
        before = rate_of(estimator)


def test_a_refusal_before_any_answer_is_survived() -> None:
    """Even one of a request that was never noted."""
    assert RateEstimator(8).on_refusal(0.1, 0.1)


def test_the_pace_never_falls_below_one_request_in_ten_seconds() -> None:
    """However often it is refused."""
    estimator, now_s = RateEstimator(8), 0.0
    for _ in range(50):
        estimator.on_send(now_s)
        estimator.on_refusal(0.1, now_s + 0.1)
        now_s += 1.0
    assert estimator.rate == 0.1


def test_a_429_of_a_request_sent_before_the_last_slow_down_is_covered_by_it() -> None:
    """Sent at that very instant, too; a moment later no longer."""
    estimator = refused_after(50)
    pace = estimator.rate
    assert not estimator.on_refusal(0.5, 1.2)
    assert not estimator.on_refusal(0.5, 1.6)
    assert estimator.rate == pace
    assert estimator.on_refusal(0.5, 1.625)


def test_after_an_outage_half_the_pace_is_kept() -> None:
    """Of the learned one, or of the opening; never less than one request in ten seconds."""
    estimator = refused_after(50)
    pace = rate_of(estimator)
    estimator.on_outage()
    assert rate_of(estimator) == pytest.approx(pace / 2)
    estimator = opening()
    estimator.on_outage()
    assert estimator.rate == pytest.approx(25.0)
    estimator = RateEstimator(8)
    estimator.on_outage()
    assert estimator.rate == pytest.approx(2.5)
    for _ in range(9):
        estimator.on_outage()
    assert estimator.rate == 0.1


def test_an_idle_crawl_does_not_grow_its_pace() -> None:
    """A gap counts as a few round trips: nothing was tried meanwhile."""
    estimator = opening()
    estimator.set_remaining(100_000)
    estimator.on_send(60.0)
    assert rate_of(estimator) < 51.3


# --- afterwards --------------------------------------------------------------------------------------------------


def test_a_limit_that_was_raised_is_found() -> None:
    """A pace that draws no refusal is raised, faster and faster, up to a little beyond the concurrency's own limit."""
    estimator = refused_after(206, 1 / 51)
    estimator.set_remaining(10**9)
    estimator.on_pause(0.1, 4.3)
    paces = []
    for tick in range(6_000):
        estimator.on_send(4.3 + tick / 50)
        paces.append(rate_of(estimator))
    seconds_to = {pace: next(tick for tick, each in enumerate(paces) if each > pace) / 50 for pace in (52, 55, 60, 80)}
    assert seconds_to[52] < 25
    assert seconds_to[60] < 50
    assert seconds_to[80] < 80
    assert 100 <= paces[-1] < 104


def test_a_short_crawl_does_not_look_for_a_higher_limit() -> None:
    """Its refusal would cost more than a faster pace gains."""
    estimator = refused_after(206, 1 / 51)
    estimator.set_remaining(600)
    for tick in range(500):
        estimator.on_send(4.3 + tick / 50)
    assert estimator.rate == pytest.approx(0.99 * 50)


def test_lateness_is_made_up_for_once_the_limit_is_known() -> None:
    """By a little before; by less after a clump of requests was refused although the pace was kept."""
    assert opening().catch_up_s == 0.02
    estimator = refused_after(206, 1 / 51)
    assert estimator.catch_up_s == 0.2
    estimator.on_pause(0.1, 4.3)
    for tick in range(50):
        estimator.on_send(4.4 + tick / 40)
    assert estimator.on_refusal(0.01, 4.4 + 50 / 40)
    assert estimator.catch_up_s == 0.05
    assert estimator.rate == pytest.approx(0.99 * 50, rel=0.01)


def test_no_second_holds_more_requests_than_the_limit() -> None:
    """Whatever the crawl was late for: only that holds against a window."""
    assert opening().full_until_s() == -inf
    estimator = refused_after(206, 1 / 51)
    for _ in range(50):
        assert estimator.full_until_s() <= 10.0
        estimator.on_send(10.0)
    assert estimator.full_until_s() == pytest.approx(10.0 + 50 / 49.5)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "answer", "refusal", "pause", "outage", "remaining"]),
            st.floats(0.0, 2.0),
        ),
        max_size=80,
    )
)
def test_whatever_happens_the_pace_is_positive_and_finite(steps: list[tuple[str, float]]) -> None:
    """In any order, refusals of requests never sent included."""
    estimator, now_s = RateEstimator(4), 0.0
    for event, seconds in steps:
        now_s += seconds
        if event == "send":
            estimator.on_send(now_s)
        elif event == "answer":
            estimator.on_answer(seconds)
        elif event == "refusal":
            estimator.on_refusal(seconds, now_s)
        elif event == "pause":
            estimator.on_pause(seconds, now_s + seconds)
        elif event == "outage":
            estimator.on_outage()
        else:
            estimator.set_remaining(int(seconds * 10_000))
        assert estimator.rate is None or 0.1 <= estimator.rate < inf
        assert estimator.full_until_s() < inf


# --- in virtual time, against every make -------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKES)
def test_the_pace_is_learned_on_every_make(name: str) -> None:
    """Five thousand requests at 100 a second, whose limit nobody stated, cost at most 3.5 s beyond the fifty."""
    assert lost_s(MAKES[name], 1, quiet) < 3.5


@pytest.mark.parametrize("name", ["gcra", "sliding", "fixed", "counter", "nginx-429"])
def test_the_pace_is_learned_with_late_timers(name: str) -> None:
    """On a busy machine at most 5 s."""
    assert lost_s(MAKES[name], 1, busy) < 5.0


@pytest.mark.parametrize("name", ["gcra", "sliding", "fixed"])
def test_a_limit_that_is_no_round_number_is_learned_too(name: str) -> None:
    """Ninety-three a second: at most a tenth of the time is lost."""
    assert lost_s(MAKES[name], 1, quiet, rate=93) < 5.4


@pytest.mark.parametrize("told", [limiters.whole_seconds, limiters.exact, limiters.silent])
@pytest.mark.parametrize(
    ("limiter", "limit", "throttles"),
    [
        pytest.param(lambda: limiters.TokenBucket(20, 20), 20, 30, id="bucket"),
        pytest.param(lambda: limiters.TokenBucket(50, 5), 50, 15, id="small-bucket"),
        pytest.param(lambda: limiters.TokenBucket(5, 1), 5, 35, id="slow-bucket"),
        pytest.param(lambda: limiters.FixedWindow(20, 1.0), 20, 35, id="fixed-window"),
        pytest.param(lambda: limiters.SlidingWindow(20, 1.0), 20, 30, id="sliding-window"),
        pytest.param(lambda: limiters.SlidingWindow(20, 1.0, counts_refused=True), 20, 60, id="strict-window"),
        pytest.param(lambda: limiters.FixedWindow(100, 10.0), 10, 75, id="long-window"),
        pytest.param(lambda: limiters.ConcurrencyLimit(3), 60, 15, id="places"),
    ],
)
def test_every_limit_is_learned_with_few_refusals(
    limiter: Callable[[], Limiter], limit: float, throttles: int, told: Callable[[float], float | None]
) -> None:
    """A thousand pages at half the limit's rate or more, mostly at nearly all of it."""
    witness = visit(World(pages=((0.0, 1_000),), limiter=limiter, retry_after=told))
    assert witness.end == Done(1_000)
    assert witness.throttled <= throttles
    assert 0.5 * limit < 1_000 / witness.now_s < 1.1 * limit


def test_a_bucket_is_used_nearly_in_full() -> None:
    """Where the API names its pauses exactly, 95 % of what it allows is used."""
    world = World(pages=((0.0, 2_000),), limiter=lambda: limiters.TokenBucket(50, 5), retry_after=limiters.exact)
    witness = visit(world)
    assert 2_000 / witness.now_s > 0.95 * 50


def test_an_api_without_a_limit_is_read_at_full_width() -> None:
    """The slow opening costs little."""
    witness = visit(World(pages=((0.0, 1_000),)))
    assert witness.throttled == 0
    assert 1_000 / witness.now_s > 0.75 * 8 / 0.05


def test_a_short_crawl_of_a_limited_api_meets_few_refusals() -> None:
    """A hundred pages against a quota of twenty a second."""
    witness = visit(World(pages=((0.0, 100),), limiter=lambda: limiters.TokenBucket(20, 20)))
    assert witness.throttled <= 8
