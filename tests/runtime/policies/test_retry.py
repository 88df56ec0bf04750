"""Backoff and the retry budget: what a failing dependency is spared."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from runtime.policies.backoff import backoff
from runtime.policies.retry_budget import RetryBudget
from runtime.snapshot import RetryBudgetPolicy, RetryPolicy

from tests.runtime.policies.models import compared

POLICY = RetryPolicy(max_attempts=9, initial_backoff=0.1, max_backoff=1.0, backoff_multiplier=2.0)


@pytest.mark.parametrize(
    ("jitter", "shortest", "longest"), [("full", 0.0, 1.0), ("equal", 0.5, 1.0), ("none", 1.0, 1.0)]
)
def test_waits_grow_to_the_longest_and_are_spread_as_the_jitter_says(
    jitter: str, shortest: float, longest: float
) -> None:
    policy = RetryPolicy(9, 0.1, 1.0, 2.0, jitter)
    random = Random(7)
    for attempts, exponential in ((1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (5000, 1.0)):
        waits = [backoff(policy, attempts, random) for _ in range(500)]
        assert min(waits) >= exponential * shortest - 1e-9
        assert max(waits) <= exponential * longest + 1e-9
        assert max(waits) - min(waits) >= (longest - shortest) * exponential * 0.9


def test_with_the_same_random_numbers_the_waits_are_the_same() -> None:
    assert [backoff(POLICY, n, Random(3)) for n in range(1, 6)] == [backoff(POLICY, n, Random(3)) for n in range(1, 6)]


class BudgetModel(RuleBasedStateMachine):
    """The budget beside a list of every call and every retry that was ever made."""

    @initialize(percent=st.sampled_from([0.0, 10.0, 20.0, 100.0]), floor=st.sampled_from([0.0, 0.5, 3.0]))
    def make(self, percent: float, floor: float) -> None:
        self.policy = RetryBudgetPolicy(percent, floor, window=10.0)
        self.budget = RetryBudget(self.policy)
        self.now = 1000.0
        self.calls: list[float] = []
        self.retries: list[float] = []

    def within(self, moments: list[float], seconds: float) -> int:
        return sum(1 for moment in moments if self.now - moment < seconds)

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 4.0, 9.5, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(count=st.integers(1, 20))
    def call(self, count: int) -> None:
        for _ in range(count):
            self.budget.call(self.now)
            self.calls.append(self.now)

    @rule(count=st.integers(1, 20))
    def spend(self, count: int) -> None:
        for _ in range(count):
            if self.budget.spend(self.now):
                self.retries.append(self.now)
                allowed = self.policy.percent / 100 * self.within(self.calls, 10.0) + self.policy.min_per_second * 10.0
                assert self.within(self.retries, 9.0) <= allowed
            else:
                certain = self.policy.percent / 100 * self.within(self.calls, 9.0) + self.policy.min_per_second * 10.0
                assert self.within(self.retries, 10.0) + 1 > certain

    @invariant()
    def its_counts_are_those_of_the_window(self) -> None:
        """As of the last look at it: time alone moves nothing."""
        if self.budget.spend(self.now):
            self.retries.append(self.now)
        assert self.within(self.calls, 9.0) <= self.budget.calls <= self.within(self.calls, 10.0)
        assert self.within(self.retries, 9.0) <= self.budget.retries <= self.within(self.retries, 10.0)


TestBudget = BudgetModel.TestCase
TestBudget.settings = compared()


def test_an_outage_multiplies_the_load_by_no_more_than_the_share_and_the_floor() -> None:
    policy = RetryBudgetPolicy(percent=20.0, min_per_second=3.0, window=10.0)
    budget = RetryBudget(policy)
    sent, now = 0, 0.0
    for _ in range(10_000):  # over 100 seconds, each call ready to make two retries
        budget.call(now)
        sent += 1 + sum(budget.spend(now) for _ in range(2))
        now += 0.01
    assert sent <= 10_000 * 1.2 + 3.0 * 110
    assert sent >= 10_000 * 1.2


def test_three_layers_of_retries_multiply_to_less_than_twice_the_load_where_unbudgeted_ones_make_27_times_it() -> None:
    def layer(calls: int, budgeted: bool) -> int:
        budget = RetryBudget(RetryBudgetPolicy(percent=20.0, min_per_second=0.0, window=10.0))
        sent = 0
        for _ in range(calls):
            budget.call(0.0)
            sent += 1 + sum(budget.spend(0.0) if budgeted else True for _ in range(2))
        return sent

    calls = 1_000
    assert layer(layer(layer(calls, True), True), True) <= 1.73 * calls
    assert layer(layer(layer(calls, False), False), False) == 27 * calls
