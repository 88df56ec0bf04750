"""The circuit breaker, state by state."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from runtime.policies.breaker import LONGEST_RETRY_AFTER, Breaker, State
from runtime.snapshot import BreakerPolicy

_CONSECUTIVE = BreakerPolicy(failure_threshold=3, open_jitter=0.0, half_open_calls=2)
_RATE = BreakerPolicy(failure_rate=50, minimum_calls=4, window_calls=8, open_jitter=0.0)


def _breaker(policy: BreakerPolicy) -> Breaker:
    return Breaker(policy, Random(1))


def _succeed(breaker: Breaker, now: float = 0.0, took: float = 0.0) -> None:
    permit = breaker.admit(now)
    assert permit is not None
    breaker.success(permit, now, took)


def _fail(breaker: Breaker, now: float = 0.0, took: float = 0.0, retry_after: float | None = None) -> None:
    permit = breaker.admit(now)
    assert permit is not None
    breaker.failure(permit, now, took, retry_after)


def _opened(policy: BreakerPolicy = _CONSECUTIVE) -> Breaker:
    breaker = _breaker(policy)
    for _ in range(3):
        _fail(breaker)
    assert breaker.state is State.OPEN
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    breaker = _breaker(_CONSECUTIVE)
    for _ in range(5):
        _fail(breaker)
        _fail(breaker)
        _succeed(breaker)
    assert breaker.state is State.CLOSED
    for _ in range(3):
        _fail(breaker)
    assert breaker.state is State.OPEN
    assert breaker.admit(0.0) is None


def test_a_share_of_failures_opens_it_once_there_are_enough_calls() -> None:
    breaker = _breaker(_RATE)
    _fail(breaker)
    _fail(breaker)
    _succeed(breaker)
    assert breaker.state is State.CLOSED
    _succeed(breaker)
    assert breaker.state is State.OPEN


def test_calls_that_have_left_the_window_of_the_last_so_many_no_longer_count() -> None:
    breaker = _breaker(_RATE)
    for _ in range(3):
        _succeed(breaker)
    for _ in range(2):
        _fail(breaker)
    for _ in range(6):
        _succeed(breaker)
    for _ in range(3):
        _fail(breaker)  # the first two have left: 3 of the last 8
    assert breaker.state is State.CLOSED
    _fail(breaker)
    assert breaker.state is State.OPEN


def test_calls_that_have_left_the_window_of_time_no_longer_count() -> None:
    breaker = _breaker(replace(_RATE, window_calls=None, window_seconds=10.0))
    for second in range(3):
        _fail(breaker, now=float(second))
    for _ in range(4):
        _succeed(breaker, now=12.5)
    for _ in range(3):
        _fail(breaker, now=12.5)  # 3 of 7: with the first three it would be 6 of 10
    assert breaker.state is State.CLOSED
    _fail(breaker, now=12.5)
    assert breaker.state is State.OPEN


def test_slow_calls_open_it_though_they_succeed() -> None:
    breaker = _breaker(BreakerPolicy(slow_after=0.2, slow_rate=80, minimum_calls=5, window_calls=5))
    _succeed(breaker, took=0.2)
    for _ in range(3):
        _succeed(breaker, took=0.21)
    assert breaker.state is State.CLOSED
    _succeed(breaker, took=0.3)
    assert breaker.state is State.OPEN


def test_it_stays_open_longer_each_time_half_open_fails_and_never_longer_than_the_longest() -> None:
    policy = replace(_CONSECUTIVE, open_initial=5.0, open_max=18.0, open_multiplier=2.0)
    breaker = _opened(policy)
    now = 0.0
    for lasts in (5.0, 10.0, 18.0, 18.0):
        assert breaker.retry_after(now) == lasts
        assert breaker.admit(now + lasts - 0.001) is None
        now += lasts
        _fail(breaker, now)
    now += 18.0
    _succeed(breaker, now)
    _succeed(breaker, now)
    for _ in range(3):
        _fail(breaker, now)
    assert breaker.retry_after(now) == 5.0, "closing starts it all over"


def test_jitter_spreads_the_time_it_stays_open_on_both_sides_and_never_beyond_the_longest() -> None:
    policy = replace(_CONSECUTIVE, open_initial=10.0, open_max=11.0, open_jitter=0.2)
    lasts = set()
    for seed in range(200):
        breaker = Breaker(policy, Random(seed))
        for _ in range(3):
            _fail(breaker)
        lasts.add(breaker.retry_after(0.0))
    assert 8.0 <= min(lasts) < 8.1
    assert 10.9 < max(lasts) <= 11.0
    assert len(lasts) == 200


def test_half_open_admits_exactly_so_many_calls_and_closes_when_all_have_succeeded() -> None:
    breaker = _opened()
    first, second = breaker.admit(5.0), breaker.admit(5.0)
    assert first is not None
    assert second is not None
    assert breaker.admit(5.0) is None
    breaker.success(first, 5.1, 0.1)
    assert breaker.admit(5.1) is None
    assert breaker.state is State.HALF_OPEN
    breaker.success(second, 5.2, 0.2)
    assert breaker.state is State.CLOSED


def test_one_failure_in_half_open_opens_it_again_and_the_other_result_comes_too_late() -> None:
    breaker = _opened()
    first, second = breaker.admit(5.0), breaker.admit(5.0)
    assert first is not None
    assert second is not None
    breaker.failure(first, 5.1, 0.1)
    breaker.success(second, 5.1, 0.1)
    assert breaker.state is State.OPEN
    assert breaker.admit(5.1) is None


def test_half_open_with_too_many_slow_calls_opens_again() -> None:
    breaker = _opened(replace(_CONSECUTIVE, slow_after=1.0, slow_rate=100.0))
    _succeed(breaker, now=5.0, took=2.0)
    _succeed(breaker, now=5.0, took=1.0)
    assert breaker.state is State.CLOSED
    for _ in range(3):
        _fail(breaker, now=6.0)
    _succeed(breaker, now=11.0, took=2.0)
    _succeed(breaker, now=11.0, took=2.0)
    assert breaker.state is State.OPEN


def test_a_permit_given_back_makes_room_for_another_call_in_half_open() -> None:
    breaker = _opened()
    for _ in range(10):
        permit = breaker.admit(5.0)
        assert permit is not None
        breaker.release(permit)
    assert breaker.state is State.HALF_OPEN


def test_permits_that_never_come_back_open_it_again_after_a_while() -> None:
    breaker = _opened(replace(_CONSECUTIVE, half_open_max_wait=30.0))
    assert breaker.admit(5.0) is not None
    assert breaker.admit(6.0) is not None
    assert breaker.admit(36.0) is None
    assert breaker.state is State.HALF_OPEN
    assert breaker.admit(36.1) is None
    assert breaker.state is State.OPEN
    assert breaker.retry_after(36.1) == 10.0, "a half-open that failed, like any"


def test_half_open_that_only_has_little_to_do_waits_for_more_calls() -> None:
    breaker = _opened(replace(_CONSECUTIVE, half_open_max_wait=30.0))
    _succeed(breaker, now=5.0)
    _succeed(breaker, now=3600.0)
    assert breaker.state is State.CLOSED


def test_a_wait_of_zero_waits_for_ever() -> None:
    breaker = _opened(replace(_CONSECUTIVE, half_open_calls=1, half_open_max_wait=0.0))
    permit = breaker.admit(5.0)
    assert permit is not None
    assert breaker.admit(1e9) is None
    breaker.success(permit, 1e9, 1e9)
    assert breaker.state is State.CLOSED


def test_results_of_an_earlier_state_change_nothing() -> None:
    breaker = _breaker(_CONSECUTIVE)
    late = [breaker.admit(0.0) for _ in range(8)]
    for _ in range(3):
        _fail(breaker)
    first, *_ = late
    assert first is not None
    breaker.success(first, 1.0, 1.0)
    breaker.failure(first, 1.0, 1.0, retry_after=100.0)
    assert breaker.retry_after(1.0) == 4.0
    assert breaker.admit(5.0) is not None
    breaker.release(first)
    breaker.pushback(first, 5.0, 9.0)
    breaker.success(first, 5.0, 5.0)
    assert breaker.admit(5.0) is not None
    assert breaker.admit(5.0) is None


def test_a_callee_that_asks_for_a_wait_is_left_alone_at_least_that_long() -> None:
    breaker = _breaker(_CONSECUTIVE)
    _fail(breaker, retry_after=60.0)
    _fail(breaker, now=1.0)
    _fail(breaker, now=2.0, retry_after=1.0)
    assert breaker.admit(59.9) is None
    assert breaker.admit(60.0) is not None


def test_a_wait_without_end_is_cut_to_an_hour() -> None:
    breaker = _breaker(replace(_CONSECUTIVE, failure_threshold=1))
    _fail(breaker, retry_after=float("inf"))
    assert breaker.retry_after(0.0) == LONGEST_RETRY_AFTER


def test_a_pushback_is_no_failure_but_half_open_goes_back_to_open_for_it() -> None:
    breaker = _breaker(_CONSECUTIVE)
    for _ in range(10):
        permit = breaker.admit(0.0)
        assert permit is not None
        breaker.pushback(permit, 0.0, 60.0)
    assert breaker.state is State.CLOSED
    breaker = _opened()
    permit = breaker.admit(5.0)
    assert permit is not None
    breaker.pushback(permit, 5.0, 60.0)
    assert breaker.state is State.OPEN
    assert breaker.retry_after(5.0) == 60.0


def test_what_an_operator_forces_stays_until_it_is_reset() -> None:
    breaker = _breaker(_CONSECUTIVE)
    breaker.force(State.FORCED_CLOSED)
    for _ in range(10):
        _fail(breaker)
    assert breaker.state is State.FORCED_CLOSED
    breaker.force(State.FORCED_OPEN)
    assert breaker.admit(1e9) is None
    assert breaker.retry_after(1e9) > 0
    breaker.reset()
    _succeed(breaker)
    with pytest.raises(ValueError, match="half_open"):
        breaker.force(State.HALF_OPEN)


def test_every_change_of_state_is_told_once() -> None:
    heard: list[tuple[State, State]] = []
    breaker = Breaker(_CONSECUTIVE, Random(1), lambda old, new: heard.append((old, new)))
    for _ in range(3):
        _fail(breaker)
    _succeed(breaker, now=5.0)
    _succeed(breaker, now=5.0)
    breaker.reset()
    assert heard == [
        *pairwise([State.CLOSED, State.OPEN, State.HALF_OPEN, State.CLOSED]),
    ]
