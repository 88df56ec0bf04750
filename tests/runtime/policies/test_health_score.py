"""The resilience score and its signals, in numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from runtime.policies.health_score import (
    ENOUGH_CALLS,
    HealthScore,
    LatencyShares,
    error_rate_signal,
    usage_signal,
)

WEIGHTS = {"errorRate": 0.4, "dependencyLatency": 0.3, "saturation": 0.2, "business": 0.1}
WELL = dict.fromkeys(WEIGHTS, 1.0)


@pytest.mark.parametrize(
    ("failed", "total", "signal"),
    [(0, 100, 1.0), (5, 100, 0.8), (25, 100, 0.0), (100, 100, 0.0), (0, 0, 1.0), (9, 9, 1.0), (10, 10, 0.0)],
)
def test_one_failure_in_four_is_the_worst_and_few_calls_say_nothing(failed: int, total: int, signal: float) -> None:
    assert error_rate_signal(failed, total) == pytest.approx(signal)
    assert ENOUGH_CALLS == 10


@pytest.mark.parametrize(("share", "signal"), [(0.0, 1.0), (0.5, 1.0), (0.75, 0.5), (1.0, 0.0), (1.6, 0.0)])
def test_half_of_a_timeout_or_a_limit_is_nothing_to_worry_about(share: float, signal: float) -> None:
    assert usage_signal(share) == pytest.approx(signal)


@given(st.lists(st.floats(0, 2), max_size=300))
def test_p99_is_right_to_a_fortieth_of_the_timeout(shares: list[float]) -> None:
    made = LatencyShares()
    for share in shares:
        made.add(share)
    if not shares:
        assert made.p99() == 0.0
        return
    ordered = sorted(shares)
    exact = ordered[len(ordered) - 1 - len(ordered) // 100]
    assert min(1.0, exact) <= made.p99() + 1e-9
    assert made.p99() <= min(1.0, exact + 1 / 40 + 1e-9)


def test_the_score_is_the_weighted_sum() -> None:
    made = HealthScore(75, WEIGHTS)
    made.window({"errorRate": 0.5, "dependencyLatency": 1.0, "saturation": 0.0, "business": 1.0})
    assert made.score == pytest.approx(60.0)
    made.window(WELL)
    assert made.score == 100.0


class ScoreMachine(RuleBasedStateMachine):
    """Degraded is: since the last window below the threshold, there have not been two in a row at or above it."""

    @initialize(threshold=st.sampled_from([0.0, 50.0, 75.0, 100.0]))
    def begin(self, threshold: float) -> None:
        self.threshold = threshold
        self.made = HealthScore(threshold, WEIGHTS)
        self.scores: list[float] = []

    @rule(signals=st.fixed_dictionaries(dict.fromkeys(WEIGHTS, st.sampled_from([0.0, 0.5, 1.0]))))
    def window(self, signals: dict[str, float]) -> None:
        self.made.window(signals)
        self.scores.append(round(100 * sum(WEIGHTS[name] * signals[name] for name in WEIGHTS), 6))
        assert self.made.score == pytest.approx(self.scores[-1])
        degraded = False
        for position, score in enumerate(self.scores):
            if score < self.threshold:
                degraded = True
            elif position and min(self.scores[position - 1 : position + 1]) >= self.threshold:
                degraded = False
        assert self.made.degraded is degraded


TestScoreMachine = ScoreMachine.TestCase
TestScoreMachine.settings = settings(stateful_step_count=100)
