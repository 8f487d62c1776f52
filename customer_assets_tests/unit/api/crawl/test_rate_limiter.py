"""When the next request goes: given, stated and learned rates, quotas, and the gate."""

from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.api.crawl.events import NO_HINTS, Done, PageReceived, RateLimitHints, RequestFailed
from customer_assets.api.crawl.rate_estimator import Interval, RateEstimator
from customer_assets.api.crawl.rate_limiter import SLACK_S, RateLimiter
from customer_assets.metrics import FailureCause
from customer_assets.models import Page
from customer_assets_tests.harness import limiters
from customer_assets_tests.harness.limiters import Limiter
from customer_assets_tests.harness.simulated_apis import World, visit


def good(latency_s: float = 0.1, **advice: float) -> PageReceived:
    """Make an answer with a page."""
    return PageReceived(Page(1, 10, 10, 1, 10, b"[]"), latency_s, made(advice))


def bad(
    cause: FailureCause = FailureCause.SERVER_ERROR, status: int | None = 500, latency_s: float = 0.1, **advice: float
) -> RequestFailed:
    """Make an answer without one."""
    return RequestFailed(1, cause, latency_s, status, made(advice))


def refused(latency_s: float = 0.1, **advice: float) -> RequestFailed:
    """Make a 429."""
    return bad(FailureCause.THROTTLED, 429, latency_s, **advice)


def made(advice: dict[str, float]) -> RateLimitHints:
    """Make what the headers say."""
    remaining = advice.get("remaining")
    return RateLimitHints(
        advice.get("retry_after_s"),
        advice.get("requests_per_second"),
        None if remaining is None else int(remaining),
        advice.get("reset_after_s"),
    )


# --- the given rate ----------------------------------------------------------------------------------------


def test_without_a_rate_a_request_goes_at_once() -> None:
    """As many as there are places, until something is known."""
    pacer = RateLimiter()
    assert pacer.requests_per_second is None
    assert (pacer.blocked_until_s, pacer.paused_until_s) == (-inf, -inf)
    for _ in range(9):
        assert pacer.next_send_s(5.0) == 5.0
        pacer.on_send(5.0)


def test_a_given_rate_is_kept_exactly() -> None:
    """One request every quarter of a second, the first at once."""
    pacer, now_s, sent_s = RateLimiter(4.0), 10.0, []
    for _ in range(5):
        now_s = pacer.next_send_s(now_s)
        pacer.on_send(now_s)
        sent_s.append(now_s)
    assert sent_s == [10.0, 10.25, 10.5, 10.75, 11.0]
    assert pacer.requests_per_second == 4.0


@pytest.mark.parametrize(
    ("late_s", "next_s"), [(0.0, 0.25), (0.015625, 0.25), (0.1, 0.33), (0.19, 0.42), (0.25, 0.5), (9.0, 9.25)]
)
def test_a_late_request_puts_off_the_next_by_less(late_s: float, next_s: float) -> None:
    """Up to 20 ms are made up for, for timers are late; after a pause nothing is."""
    pacer = RateLimiter(4.0)
    pacer.on_send(9.75)
    pacer.on_send(10.0 + late_s)
    assert pacer.next_send_s(0.0) == pytest.approx(10.0 + next_s)


@settings(deadline=None)
@given(st.floats(0.5, 500.0), st.lists(st.floats(0.0, 0.5), min_size=2, max_size=60))
def test_a_given_rate_is_exceeded_in_no_window(rate: float, late_s: list[float]) -> None:
    """However late the driver is each time, `k` requests take `(k - 1) / rate` seconds, but for one timer's slack."""
    pacer, now_s, sent_s = RateLimiter(rate), 0.0, list[float]()
    for late in late_s:
        now_s = pacer.next_send_s(now_s) + late
        pacer.on_send(now_s)
        sent_s.append(now_s)
    for first, first_s in enumerate(sent_s):
        for last_s, count in zip(sent_s[first:], range(len(sent_s)), strict=False):
            assert last_s - first_s >= count / rate - SLACK_S - 1e-9


@settings(deadline=None)
@given(st.lists(st.floats(0.0, SLACK_S * 0.99), min_size=1, max_size=60))
def test_late_timers_do_not_slow_the_pace(late_s: list[float]) -> None:
    """The schedule is kept in the long run."""
    pacer, now_s = RateLimiter(10.0), 0.0
    pacer.on_send(now_s)
    for late in late_s:
        now_s = pacer.next_send_s(now_s) + late
        pacer.on_send(now_s)
    assert now_s <= len(late_s) / 10.0 + SLACK_S


@pytest.mark.parametrize("rate", [10.0, 50.0])
def test_a_world_is_crawled_at_the_given_rate(rate: float) -> None:
    """No slower, and no faster."""
    witness = visit(World(pages=((0.0, 200),), requests_per_second=rate))
    assert witness.end == Done(200)
    assert witness.now_s == pytest.approx(199 / rate + 0.05, abs=0.05)


# --- the stated rate ---------------------------------------------------------------------------------------


def test_a_stated_rate_is_kept_with_a_little_to_spare() -> None:
    """98 % of it, from the answer that states it on; the latest holds."""
    pacer = RateLimiter()
    pacer.on_outcome(good(requests_per_second=100.0), 1.0)
    assert pacer.requests_per_second == 98.0
    pacer.on_outcome(good(requests_per_second=10.0), 1.0)
    assert pacer.requests_per_second == pytest.approx(9.8)
    pacer.on_outcome(good(), 1.0)
    assert pacer.requests_per_second == pytest.approx(9.8)


def test_the_slower_of_given_and_stated_holds() -> None:
    """Whoever asks for less is heard."""
    pacer = RateLimiter(50.0)
    pacer.on_outcome(good(requests_per_second=100.0), 1.0)
    assert pacer.requests_per_second == 50.0
    pacer.on_outcome(good(requests_per_second=10.0), 1.0)
    assert pacer.requests_per_second == pytest.approx(9.8)


def test_the_slow_opening_is_for_unknown_limits_only() -> None:
    """A given rate is used from the start; only a refusal tells better."""
    pacer = RateLimiter(400.0, max_concurrency=8)
    pacer.on_send(0.0)
    pacer.on_outcome(good(0.1), 0.1)
    assert pacer.requests_per_second == 400.0
    pacer.on_send(0.1)
    pacer.on_outcome(refused(0.1, retry_after_s=1.0), 0.2)
    pace = pacer.requests_per_second
    assert pace is not None
    assert pace < 400.0


# --- quotas ------------------------------------------------------------------------------------------------


def test_a_quota_is_spent_freely_then_its_end_awaited() -> None:
    """What is left goes at once; the next waits for the window's end."""
    pacer = RateLimiter()
    pacer.on_send(0.0)
    pacer.on_outcome(good(0.001, remaining=2, reset_after_s=8.0), 1.0)
    for _ in range(2):
        assert pacer.next_send_s(1.0) == 1.0
        assert pacer.paused_until_s == -inf
        pacer.on_send(1.0)
    assert pacer.next_send_s(1.0) == 9.0
    assert pacer.paused_until_s == 9.0
    assert pacer.blocked_until_s == -inf
    assert pacer.next_send_s(9.5) == 9.5


def test_requests_in_flight_have_spent_their_part_of_a_quota() -> None:
    """The answer did not know of them."""
    pacer = RateLimiter()
    for _ in range(3):
        pacer.on_send(0.0)
    pacer.on_outcome(good(0.001, remaining=3, reset_after_s=8.0), 1.0)
    assert pacer.next_send_s(1.0) == 1.0
    pacer.on_send(1.0)
    assert pacer.next_send_s(1.0) == 9.0


def test_a_quota_of_none_shuts_the_gate() -> None:
    """Until it is renewed; a later answer moves only the quota, not the gate."""
    pacer = RateLimiter()
    pacer.on_outcome(good(remaining=0, reset_after_s=8.0), 1.0)
    assert pacer.blocked_until_s == 9.0
    pacer.on_outcome(good(remaining=5, reset_after_s=8.0), 2.0)
    assert pacer.next_send_s(2.0) == 9.0


@pytest.mark.parametrize("advice", [{"remaining": 0.0}, {"reset_after_s": 9.0}])
def test_half_a_quota_says_nothing(advice: dict[str, float]) -> None:
    """How many and for how long belong together."""
    pacer = RateLimiter()
    pacer.on_outcome(good(**advice), 1.0)
    assert pacer.paused_until_s == -inf


def test_the_longer_of_gate_and_quota_holds() -> None:
    """Whichever ends later."""
    pacer = RateLimiter()
    pacer.on_outcome(good(0.001, remaining=1, reset_after_s=20.0), 0.0)
    pacer.on_send(0.0)
    pacer.on_outcome(refused(retry_after_s=5.0), 1.0)
    assert (pacer.blocked_until_s, pacer.paused_until_s) == (6.0, 20.0)
    pacer.on_outcome(refused(retry_after_s=30.0), 1.0)
    assert (pacer.blocked_until_s, pacer.paused_until_s) == (31.0, 31.0)


# --- the gate ----------------------------------------------------------------------------------------------


def test_the_gate_stays_shut_as_long_as_the_longest_pause_asked_for() -> None:
    """Nothing opens it earlier, and at its instant it is open."""
    pacer = RateLimiter()
    pacer.on_outcome(refused(retry_after_s=5.0), 1.0)
    assert pacer.next_send_s(1.0) == 6.0
    pacer.on_outcome(refused(retry_after_s=2.0), 2.0)
    assert pacer.next_send_s(2.0) == 6.0
    pacer.on_outcome(refused(retry_after_s=7.0), 2.0)
    assert pacer.next_send_s(2.0) == 9.0
    pacer.on_outcome(good(), 3.0)
    assert pacer.next_send_s(3.0) == 9.0
    assert pacer.next_send_s(9.5) == 9.5


@pytest.mark.parametrize("advice", [{}, {"retry_after_s": 0.0}])
def test_pauses_that_the_api_does_not_name_double(advice: dict[str, float]) -> None:
    """From a tenth of a second to half a minute; an answer in between begins anew."""
    pacer, now_s, pauses_s = RateLimiter(), 0.0, []
    for _ in range(11):
        pacer.on_send(now_s)
        pacer.on_outcome(refused(0.01, **advice), now_s + 0.01)
        pauses_s.append(pacer.blocked_until_s - now_s - 0.01)
        now_s = pacer.next_send_s(now_s + 0.01)
    assert pauses_s == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0])
    pacer.on_outcome(bad(), now_s)
    pacer.on_send(now_s)
    pacer.on_outcome(refused(0.01), now_s + 0.1)
    assert pacer.blocked_until_s == pytest.approx(now_s + 0.2)


def test_what_was_in_flight_at_a_429_is_no_news() -> None:
    """It makes no pause longer."""
    pacer = RateLimiter()
    pacer.on_send(0.0)
    pacer.on_send(0.0)
    pacer.on_outcome(refused(1.0), 1.0)
    assert pacer.blocked_until_s == 1.1
    pacer.on_outcome(refused(1.05), 1.05)
    assert pacer.blocked_until_s == 1.1


def test_one_flaky_page_does_not_shut_the_gate_a_busy_api_does() -> None:
    """Three answers in a row, other than 429, that ask for a pause."""
    pacer = RateLimiter()
    for _ in range(2):
        pacer.on_outcome(bad(retry_after_s=5.0), 1.0)
    pacer.on_outcome(good(), 1.0)
    for _ in range(2):
        pacer.on_outcome(bad(retry_after_s=5.0), 1.0)
        assert pacer.blocked_until_s == -inf
    pacer.on_outcome(bad(retry_after_s=7.0), 2.0)
    assert pacer.blocked_until_s == 9.0


def test_a_failure_without_a_pause_breaks_the_row() -> None:
    """So does a page, whatever it asks for."""
    for between in (bad(), good(retry_after_s=5.0)):
        pacer = RateLimiter()
        for outcome in (*[bad(retry_after_s=5.0)] * 2, between, *[bad(retry_after_s=5.0)] * 2):
            pacer.on_outcome(outcome, 1.0)
        assert pacer.blocked_until_s == -inf


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sent", "good", "bad", "refused", "overwhelmed", "expects"]),
            st.floats(0.0, 3.0),
            st.sampled_from([None, 0.0, 0.3, 5.0]),
            st.sampled_from([None, 0, 1, 5]),
        ),
        max_size=60,
    )
)
def test_no_request_goes_inside_a_pause(
    steps: list[tuple[str, float, float | None, int | None]],
) -> None:
    """A pause asked for holds; the pace stays positive; the next instant is finite and not past."""
    pacer, now_s, shut_s = RateLimiter(max_concurrency=4), 0.0, 0.0
    for event, step_s, asked_s, remaining in steps:
        now_s += step_s
        advice = RateLimitHints(asked_s, remaining=remaining, reset_after_s=asked_s)
        if event == "sent":
            now_s = pacer.next_send_s(now_s)
            assert now_s >= shut_s
            pacer.on_send(now_s)
        elif event == "overwhelmed":
            pacer.on_outage()
        elif event == "expects":
            pacer.set_remaining(int(step_s * 1_000))
        elif event == "good":
            pacer.on_outcome(PageReceived(Page(1, 10, 10, 1, 10, b"[]"), step_s, advice), now_s)
        else:
            cause = FailureCause.THROTTLED if event == "refused" else FailureCause.TIMEOUT
            pacer.on_outcome(RequestFailed(1, cause, step_s, None, advice), now_s)
            shut_s = max(shut_s, now_s + (asked_s or 0.0)) if event == "refused" else shut_s
        assert now_s <= pacer.next_send_s(now_s) < inf
        rate = pacer.requests_per_second
        assert rate is None or rate > 0


# --- learning, by hand -------------------------------------------------------------------------------------


def learner(latency_s: float = 0.1, places: int = 8) -> RateEstimator:
    """Make a learner that has seen one answer."""
    made = RateEstimator(places)
    made.on_send(0.0)
    made.on_answer(latency_s)
    return made


def test_it_opens_with_five_eighths_of_the_places() -> None:
    """Once a round trip is known; before, there is no pace."""
    assert RateEstimator(8).rate is None
    opening = learner()
    assert opening.rate == pytest.approx(50.0)
    assert not opening.has_learned


@pytest.mark.parametrize(("latency_s", "places"), [(0.01, 8), (0.001, 8), (0.0, 8), (0.1, 1)])
def test_a_fast_api_or_a_single_place_needs_no_pace(latency_s: float, places: int) -> None:
    """The number of places is limit enough."""
    assert learner(latency_s, places).rate is None


def test_one_slow_answer_does_not_slow_the_rest() -> None:
    """The round trip is a running mean; what takes four times as long counts as four times."""
    opening = learner()
    opening.on_answer(60.0)
    assert opening.rate == pytest.approx(5 / 0.13)
    opening = learner()
    opening.on_answer(0.2)
    assert opening.rate == pytest.approx(5 / 0.11)


@pytest.mark.parametrize(("pages_left", "growth"), [(10_000, 0.10), (10, 0.01), (301, 0.10), (299, 0.01)])
def test_the_pace_grows_before_the_first_refusal(pages_left: int, growth: float) -> None:
    """A tenth a second; a hundredth where the crawl ends within six seconds anyway."""
    opening = learner()
    opening.set_remaining(pages_left)
    opening.on_send(0.1)
    assert opening.rate == pytest.approx(50.0 * (1 + 0.1 * growth))


def test_a_pace_that_fills_every_place_is_none() -> None:
    """It has grown up to them: they are limit enough."""
    opening = learner()
    opening.set_remaining(100_000)
    for tick in range(1, 51):
        opening.on_send(tick / 10)
    assert opening.rate is None


def crawled(requests: int, every_s: float = 0.02) -> RateEstimator:
    """Make a learner that was accepted so many times, then refused."""
    taught = learner()
    for number in range(1, requests):
        taught.on_send(number * every_s)
        taught.on_answer(0.1)
    assert taught.on_refusal(0.1, requests * every_s + 0.1)
    return taught


def test_the_first_refusal_tells_the_limit() -> None:
    """Accepted by the seconds it took, less what the store may have held: a tenth for a short time, 3 % for a long."""
    assert crawled(50).rate == pytest.approx(50.0 * 0.9)
    assert crawled(200).rate == pytest.approx(50.0 * 0.95)
    assert crawled(5_000).rate == pytest.approx(50.0 * 0.97)
    assert crawled(50).has_learned


def test_a_refusal_before_any_answer_halves_a_guess() -> None:
    """One request a round trip, half of that; then half again."""
    first = RateEstimator(8)
    first.on_send(0.0)
    assert first.on_refusal(0.1, 0.1)
    assert first.rate == pytest.approx(5.0)
    first.on_send(0.2)
    assert first.on_refusal(0.05, 0.25)
    assert first.rate == pytest.approx(2.5)
    assert RateEstimator(8).on_refusal(0.1, 0.1)


def test_the_pace_never_falls_below_one_request_in_ten_seconds() -> None:
    """However often it is refused."""
    slow, now_s = RateEstimator(8), 0.0
    for _ in range(50):
        slow.on_send(now_s)
        slow.on_refusal(0.1, now_s + 0.1)
        now_s += 1.0
    assert slow.rate == 0.1


def test_a_429_of_a_request_sent_before_the_last_news_is_none() -> None:
    """Sent at the very instant still, a moment later not."""
    taught = crawled(50)
    assert not taught.on_refusal(0.5, 1.2)
    assert not taught.on_refusal(0.5, 1.6)
    assert taught.on_refusal(0.5, 1.625)


def test_after_a_breakdown_half_the_pace_is_kept() -> None:
    """Of the learned one, or of the opening; never less than one in ten seconds."""
    taught = crawled(50)
    taught.on_outage()
    assert taught.rate == pytest.approx(22.5)
    opening = learner()
    opening.on_outage()
    assert opening.rate == pytest.approx(25.0)
    unknown = RateEstimator(8)
    unknown.on_outage()
    assert unknown.rate == pytest.approx(2.5)
    for _ in range(9):
        unknown.on_outage()
    assert unknown.rate == 0.1


def test_a_learned_pace_grows_only_in_a_long_crawl() -> None:
    """Another refusal costs more than a faster pace gains in the last fifteen seconds."""
    for pages_left, grows in ((100_000, True), (700, True), (600, False), (0, False)):
        taught = crawled(50)
        taught.set_remaining(pages_left)
        taught.on_send(1.2)
        assert taught.rate is not None
        assert (taught.rate > 45.0 + 1e-9) == grows


def test_a_learned_pace_grows_no_faster_than_its_places_allow() -> None:
    """A quarter more than the places can use is enough."""
    taught = crawled(50)
    taught.set_remaining(10**9)
    for tick in range(2_000):
        taught.on_send(1.2 + tick / 10)
    assert taught.rate is not None
    assert 1.25 * 80 <= taught.rate < 1.30 * 80


def test_pauses_are_no_time_in_which_the_limit_was_met() -> None:
    """The rate of an interval lies between that over all and that while something was sent."""
    assert Interval(10.0, accepted=30, paused_s=5.0).rates(20.0) == (3.0, 6.0)
    assert Interval(10.0, accepted=3).rates(10.0) == (3_000.0, 3_000.0)


def test_an_idle_driver_before_the_first_refusal_begins_anew() -> None:
    """A store has filled up meanwhile: what came before says nothing."""
    opening = learner()
    opening.on_send(0.02)
    opening.on_answer(0.1)
    opening.on_send(60.0)
    for _ in range(10):
        opening.on_answer(0.1)
    opening.on_refusal(0.1, 60.6)
    assert opening.rate == pytest.approx(10 / 0.5 * 0.9)


def test_an_idle_driver_later_counts_as_a_pause() -> None:
    """The limit lies between what was accepted over all and while something was sent: the pace is put between them."""
    idle, busy = crawled(50), crawled(50)
    for taught, gap_s in ((idle, 30.0), (busy, 0.02)):
        now_s = 1.2 + gap_s
        for number in range(40):
            taught.on_send(now_s + number * 0.02)
            taught.on_answer(0.1)
        taught.on_refusal(0.1, now_s + 0.9)
    assert idle.rate is not None
    assert busy.rate is not None
    assert 40 / 31 < idle.rate < busy.rate < 45.0


def test_late_refusals_correct_a_guess() -> None:
    """What an empty store still accepts is just its rate; a guess is lowered to it, never raised."""
    guess = learner()
    for number in range(1, 5):
        guess.on_send(number * 0.02)
        guess.on_answer(0.1)
    assert guess.on_refusal(0.1, 0.2)
    before = guess.rate
    assert before == pytest.approx(45.0)
    guess.on_answer(0.1)
    assert not guess.on_refusal(0.05, 0.25)
    assert guess.rate == pytest.approx(2 / 0.1, rel=0.2)


# --- learning, against every kind of limiter ---------------------------------------------------------------


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


def test_no_advice_is_all_none() -> None:
    """So that it says nothing at all."""
    assert made({}) == NO_HINTS
