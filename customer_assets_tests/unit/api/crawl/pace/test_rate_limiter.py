"""When the next request goes: given, stated and learned rates, quotas, and the gate."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_assets.api.crawl.events import NO_HINTS, Done, PageReceived, RateLimitHints, RequestFailed
from customer_assets.api.crawl.pace.policy import PacePolicy
from customer_assets.api.crawl.pace.rate_limiter import RateLimiter
from customer_assets.core.metrics import FailureCause
from customer_assets.core.models import Page
from customer_assets_tests.harness.simulation.simulated_apis import World, visit

SLACK_S = PacePolicy().timer_slack_s


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


@pytest.mark.parametrize("advice", [{"reset_after_s": 3600.0}, {"remaining": 0, "reset_after_s": 3600.0}])
def test_a_429_without_retry_after_waits_for_the_reset(advice: dict[str, float]) -> None:
    """An hour, if need be: asking every half minute would not shorten it."""
    pacer = RateLimiter()
    pacer.on_outcome(refused(**advice), 1.0)
    assert pacer.paused_until_s == 3_601.0


def test_the_reset_of_a_quota_that_is_not_empty_is_not_waited_for() -> None:
    """The 429 came from another limit."""
    pacer = RateLimiter()
    pacer.on_send(0.0)
    pacer.on_outcome(refused(remaining=50, reset_after_s=3600.0), 1.0)
    assert pacer.paused_until_s == 1.1


def test_a_full_bucket_without_a_reset_slows_the_next_request() -> None:
    """Shopify says `39/40` and nothing about when: with two in flight there is no room. It is no pause."""
    pacer = RateLimiter()
    for _ in range(3):
        pacer.on_send(0.0)
    pacer.on_outcome(good(remaining=3), 1.0)
    assert pacer.next_send_s(1.0) == 1.0
    pacer.on_outcome(good(remaining=1), 1.0)
    assert pacer.next_send_s(1.0) == 1.5
    assert pacer.paused_until_s == -inf


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


def test_no_advice_is_all_none() -> None:
    """So that it says nothing at all."""
    assert made({}) == NO_HINTS
