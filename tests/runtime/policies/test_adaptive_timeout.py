"""The adaptive timeout: wider while a dependency is in trouble, at the floor while it is down, and back again."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from runtime.policies.adaptive_timeout import WINDOW, AdaptiveTimeout, State
from runtime.snapshot import AdaptiveTimeoutPolicy

from tests.runtime.policies.models import compared

POLICY = AdaptiveTimeoutPolicy(floor=0.1, ceiling=0.9)
BASE = 0.3


class Watched:
    """An adaptive timeout over minutes of attempts."""

    def __init__(self, policy: AdaptiveTimeoutPolicy = POLICY) -> None:
        self.trips = 0
        self.states: list[State] = []
        self.now = 1000.0
        self.timeout = AdaptiveTimeout(policy, BASE, self.trip, lambda _, state: self.states.append(state))

    def trip(self) -> None:
        self.trips += 1

    def window(self, attempts: int, broken: int) -> None:
        """One window of attempts, the broken ones spread over it."""
        for attempt in range(attempts):
            self.timeout.record(attempt * broken // attempts != (attempt + 1) * broken // attempts, self.now)
        self.now += WINDOW


def test_while_nothing_breaks_the_timeout_is_the_base() -> None:
    watched = Watched()
    for _ in range(10):
        watched.window(100, 0)
    assert (watched.timeout.timeout, watched.timeout.state, watched.states) == (BASE, State.NORMAL, [])


@pytest.mark.parametrize("percent", [3, 5, 10, 15])
def test_a_steady_share_of_broken_attempts_widens_it_by_the_formula(percent: int) -> None:
    watched = Watched()
    for _ in range(8):
        watched.window(100, percent)
    r = percent / 100
    assert watched.timeout.state is State.WATCHING
    assert watched.timeout.timeout == pytest.approx(min(0.9, BASE * (1 + 3 * math.pow(r, 1.5))))
    assert watched.trips == 0


def test_it_never_passes_the_ceiling_nor_falls_below_the_floor() -> None:
    watched = Watched(AdaptiveTimeoutPolicy(floor=0.1, ceiling=0.31))
    for _ in range(8):
        watched.window(100, 15)
    assert watched.timeout.timeout == 0.31
    assert Watched(AdaptiveTimeoutPolicy(floor=0.4, ceiling=0.9)).timeout.timeout == 0.4


def test_more_than_a_fifth_broken_drops_it_to_the_floor_and_opens_the_breaker_once() -> None:
    watched = Watched()
    watched.window(100, 0)
    for _ in range(2):
        watched.window(100, 60)
    assert (watched.timeout.state, watched.timeout.timeout, watched.trips) == (State.TRIPPED, 0.1, 1)


def test_a_few_attempts_are_no_trend() -> None:
    watched = Watched()
    watched.window(5, 5)
    assert watched.timeout.state is State.NORMAL


def test_a_steep_rise_trips_it_before_the_fifth_is_reached() -> None:
    watched = Watched()
    for broken in (0, 0, 0, 0, 0, 0, 24, 36, 36):
        watched.window(100, broken)
        assert watched.timeout.state is not State.TRIPPED
    watched.window(1, 0)  # the window's end is seen by the next attempt
    assert (watched.timeout.state, watched.trips) == (State.TRIPPED, 1)


def test_two_good_windows_in_a_row_end_the_trouble() -> None:
    watched = Watched()
    watched.window(100, 100)
    watched.window(20, 0)
    watched.window(20, 10)  # not yet
    watched.window(20, 0)
    watched.window(20, 0)
    watched.window(1, 0)
    assert watched.states == [State.TRIPPED, State.WARMING_UP, State.TRIPPED, State.WARMING_UP, State.NORMAL]
    assert watched.timeout.timeout == BASE


def test_silence_proves_nothing() -> None:
    watched = Watched()
    watched.window(100, 100)
    watched.now += 10 * WINDOW
    watched.window(1, 0)
    assert watched.timeout.state is State.TRIPPED


class TimeoutModel(RuleBasedStateMachine):
    """Whatever comes, the timeout keeps its bounds, and its state is one that the last one leads to."""

    LEADS_TO: ClassVar = {
        State.NORMAL: {State.WATCHING, State.TRIPPED},
        State.WATCHING: {State.NORMAL, State.TRIPPED},
        State.TRIPPED: {State.WARMING_UP},
        State.WARMING_UP: {State.NORMAL, State.TRIPPED},
    }

    @initialize(floor=st.floats(0.01, 1.0), more=st.floats(0.0, 1.0))
    def make(self, floor: float, more: float) -> None:
        self.policy = AdaptiveTimeoutPolicy(floor, floor + more)
        self.watched = Watched(self.policy)
        self.last = State.NORMAL

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0, 45.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.watched.now += seconds

    @rule(attempts=st.integers(1, 40), share=st.sampled_from([0.0, 0.01, 0.1, 0.19, 0.5, 1.0]))
    def attempts(self, attempts: int, share: float) -> None:
        for attempt in range(attempts):
            self.watched.timeout.record(attempt < attempts * share, self.watched.now)

    @invariant()
    def bounds_and_states_hold(self) -> None:
        watched = self.watched.timeout
        for state in self.watched.states:
            assert state in self.LEADS_TO[self.last]
            self.last = state
        self.watched.states.clear()
        assert watched.state is self.last
        assert self.policy.floor <= watched.timeout <= self.policy.ceiling
        if self.last in (State.TRIPPED, State.WARMING_UP):
            assert watched.timeout == self.policy.floor


TestTimeout = TimeoutModel.TestCase
TestTimeout.settings = compared()
