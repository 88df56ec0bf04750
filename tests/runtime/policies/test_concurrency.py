"""The concurrency limiter and the limits that move, beside models that count from scratch."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from runtime.policies.aimd import Aimd
from runtime.policies.concurrency import SHARES, Fixed, Limiter
from runtime.policies.criticality import LEVELS, RANKS
from runtime.policies.gradient2 import Gradient2

PLUS, CRITICAL, SHEDDABLE_PLUS, SHEDDABLE = (RANKS[level] for level in LEVELS)


def gradient(initial: int = 20) -> Gradient2:
    return Gradient2(initial, 4, 200, tolerance=1.5, smoothing=0.2, queue=4)


def windows(limit: Gradient2, start: float, count: int, took: float, in_flight: int | None = None) -> float:
    """So many windows of calls that all take that long; the time afterwards."""
    now = start
    for _ in range(count):
        for _ in range(10):
            limit.sample(now, took, limit.limit if in_flight is None else in_flight, dropped=False)
        now += 1.0
    return now


def test_any_level_may_have_all_of_the_limit() -> None:
    for rank in range(len(LEVELS)):
        limiter = Limiter(Fixed(10))
        assert [limiter.acquire(rank) for _ in range(11)] == [True] * 10 + [False]


def test_once_the_limit_is_reached_each_level_has_its_share_and_sheddable_work_none() -> None:
    limiter = Limiter(Fixed(10))
    for _ in range(10):
        assert limiter.acquire(SHEDDABLE)
    admitted = dict.fromkeys(LEVELS, 0)
    for level in LEVELS:
        while limiter.acquire(RANKS[level]):
            admitted[level] += 1
    assert admitted == {"CRITICAL_PLUS": 4, "CRITICAL": 3, "SHEDDABLE_PLUS": 1, "SHEDDABLE": 0}
    for _ in range(8):
        limiter.release(SHEDDABLE)
        assert not limiter.acquire(SHEDDABLE)
    limiter.release(SHEDDABLE)
    assert limiter.acquire(SHEDDABLE)


def test_a_limit_of_one_is_never_exceeded() -> None:
    limiter = Limiter(Fixed(1))
    assert limiter.acquire(SHEDDABLE)
    assert not limiter.acquire(PLUS)


def test_gradient2_grows_while_latency_is_as_ever() -> None:
    limit = gradient()
    windows(limit, 0.0, 400, 0.1)
    assert limit.limit == 200


def test_gradient2_falls_to_the_lowest_while_latency_rises_and_rises_again_after() -> None:
    limit = gradient()
    now = windows(limit, 0.0, 50, 0.1)
    high = limit.limit
    now = windows(limit, now, 30, 1.0)
    low = limit.limit
    assert low < high / 2
    windows(limit, now, 100, 0.1)
    assert limit.limit > low


def test_gradient2_puts_up_with_what_is_within_the_tolerance() -> None:
    limit = gradient()
    now = windows(limit, 0.0, 20, 0.1)
    before = limit.limit
    windows(limit, now, 10, 0.14)
    assert limit.limit > before


def test_gradient2_stands_still_while_less_than_half_of_it_is_in_use() -> None:
    limit = gradient()
    windows(limit, 0.0, 100, 0.1, in_flight=9)
    assert limit.limit == 20
    windows(limit, 200.0, 100, 0.1, in_flight=20)
    assert limit.limit > 20


def test_gradient2_learns_from_windows_not_from_whichever_call_ended_last() -> None:
    limit = gradient()
    now = 0.0
    for _ in range(200):
        for position in range(20):
            limit.sample(now, 0.001 if position % 2 else 0.5, limit.limit, dropped=False)
        now += 1.0
    assert limit.limit > 100, "a mixture that stays the same is no overload"


@pytest.mark.parametrize("took", [0.0, 1e-9, 1e9])
def test_gradient2_stays_within_its_bounds_whatever_the_latency(took: float) -> None:
    limit = gradient()
    windows(limit, 0.0, 100, took)
    assert 4 <= limit.limit <= 200


def test_aimd_adds_one_and_takes_a_share() -> None:
    limit = Aimd(20, 4, 22, ratio=0.9, threshold=5.0)
    limit.sample(0.0, 1.0, 9, dropped=False)
    assert limit.limit == 20
    for _ in range(3):
        limit.sample(0.0, 5.0, 10 + 1, dropped=False)
    assert limit.limit == 22
    limit.sample(0.0, 5.1, 22, dropped=False)
    assert limit.limit == 19
    limit.sample(0.0, 0.1, 19, dropped=True)
    assert limit.limit == 17
    for _ in range(50):
        limit.sample(0.0, 0.1, 19, dropped=True)
    assert limit.limit == 4


class LimiterMachine(RuleBasedStateMachine):
    """The model is the list of calls in flight, and the rule of the shares."""

    calls = Bundle("calls")

    @initialize(algorithm=st.sampled_from(["fixed", "gradient2", "aimd"]), limit=st.integers(1, 12))
    def begin(self, algorithm: str, limit: int) -> None:
        limits = {
            "fixed": Fixed(limit),
            "gradient2": Gradient2(limit, 1, 20, tolerance=1.5, smoothing=0.5, queue=4),
            "aimd": Aimd(limit, 1, 20, ratio=0.5, threshold=1.0),
        }
        self.limit = limits[algorithm]
        self.limiter = Limiter(self.limit)
        self.model: dict[int, int] = {}
        self.next = 0
        self.now = 0.0

    @rule(target=calls, rank=st.integers(0, 3))
    def ask(self, rank: int) -> object:
        share = int(self.limit.limit * SHARES[rank])
        expected = len(self.model) < self.limit.limit or Counter(self.model.values())[rank] < share
        assert self.limiter.acquire(rank) is expected
        if not expected:
            return multiple()
        self.next += 1
        self.model[self.next] = rank
        return self.next

    @rule(call=consumes(calls))
    def give_back(self, call: int) -> None:
        self.limiter.release(self.model.pop(call))

    @rule(call=consumes(calls), took=st.sampled_from([0.01, 0.5, 2.0]), dropped=st.booleans())
    def finish(self, call: int, took: float, dropped: bool) -> None:
        self.now += 0.2
        self.limiter.finish(self.model.pop(call), self.now, took, dropped=dropped)

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "model"):
            assert self.limiter.in_flight == len(self.model)
            assert 1 <= self.limit.limit <= 20


TestLimiterMachine = LimiterMachine.TestCase
TestLimiterMachine.settings = settings(stateful_step_count=100)
